"""References: to a type that may be there, within the resource to what is there; contained resources and ids.

https://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyhce.records.reading.checks.problems import RuleProblem, object_items
from pyhce.schema.r4 import RESOURCE_TYPES

_LITERAL = re.compile(
    r"(?:https?://\S+/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?\Z"
).match
_DEFINITION = re.compile(r"http://hl7\.org/fhir/([A-Z][A-Za-z]+)/[^/|#]+").match


def types_within(root: dict[str, Any]) -> dict[str, str]:
    """The types of what a fragment (`#x`) may name, by fragment; `#` alone is the resource that contains the rest."""
    held = {f"#{c.get('id')}": str(c.get("resourceType")) for c in object_items(root.get("contained"))}
    return {**held, "#": str(root["resourceType"])}


def check_reference(
    reference: dict[str, Any], targets: frozenset[str], within: dict[str, str]
) -> Iterator[RuleProblem]:
    """A reference names a type that its place takes; one that begins with # names a contained resource."""
    literal, stated = reference.get("reference"), reference.get("type")
    named = stated if isinstance(stated, str) and stated in RESOURCE_TYPES else ""
    if isinstance(literal, str):
        found = _type_of(literal, within)
        if found is None:
            yield RuleProblem("ref-1", "there is no contained resource of that id", ".reference")
        elif found and named and found != named:
            yield RuleProblem("reference-type", "the type that is stated is not the type that is referred to", ".type")
        named = found or named
    if named and targets and "Resource" not in targets and named not in targets:
        yield RuleProblem("reference-target", f"refers to {named}, allowed here: {', '.join(sorted(targets))}")


def _type_of(literal: str, within: dict[str, str]) -> str | None:
    """The type that a reference names, "" if it does not say; None if a contained one is not there."""
    if literal.startswith("#"):
        return within.get(literal)
    match = _LITERAL(literal)
    return match[1] if match and match[1] in RESOURCE_TYPES else ""


def check_canonical(url: str, targets: frozenset[str]) -> Iterator[RuleProblem]:
    """A URL of the specification's own definitions names one of a type that its place takes."""
    match = _DEFINITION(url)
    if match and match[1] in RESOURCE_TYPES and match[1] not in targets:
        yield RuleProblem("canonical-target", f"names a {match[1]}, allowed here: {', '.join(sorted(targets))}")


def check_contained(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    """What R4 demands of contained resources: dom-2 to dom-5, and each id once."""
    contained = list(object_items(resource.get("contained")))
    if not contained:
        return
    fragments = _fragments(resource)
    seen: set[Any] = set()
    for number, held in enumerate(resource["contained"]):
        place = f".contained[{number}]"
        key = held.get("id")
        meta = held.get("meta") if isinstance(held.get("meta"), dict) else {}
        if "contained" in held:
            yield RuleProblem("dom-2", "a contained resource has no contained resources of its own", place)
        if key is not None and "#" + str(key) not in fragments and "#" not in _fragments(held):
            yield RuleProblem("dom-3", "a contained resource is referred to from the resource that contains it", place)
        if "versionId" in meta or "lastUpdated" in meta:
            yield RuleProblem("dom-4", "a contained resource has no meta.versionId and no meta.lastUpdated", place)
        if "security" in meta:
            yield RuleProblem("dom-5", "a contained resource has no security label", place)
        if key is not None and key in seen:
            yield RuleProblem("contained-id", "two contained resources have the same id", place)
        seen.add(key)


def _fragments(value: Any) -> set[str]:
    """Every string in a value that refers to something in the same resource."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            waiting += held.values()
        elif isinstance(held, list):
            waiting += held
        elif isinstance(held, str) and held.startswith("#"):
            found.add(held)
    return found
