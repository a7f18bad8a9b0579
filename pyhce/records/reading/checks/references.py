"""References: allowed types, existing contained resources; rules of contained resources.

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
    """The types that fragments (`#x`) name in a resource; `#` alone is the containing resource."""
    types = {f"#{c.get('id')}": str(c.get("resourceType")) for c in object_items(root.get("contained"))}
    return {**types, "#": str(root["resourceType"])}


def check_reference(
    reference: dict[str, Any], targets: frozenset[str], within: dict[str, str]
) -> Iterator[RuleProblem]:
    """Check that a reference names an allowed type, and that `#x` names a contained resource."""
    literal, stated = reference.get("reference"), reference.get("type")
    named = stated if isinstance(stated, str) and stated in RESOURCE_TYPES else ""
    if isinstance(literal, str):
        found = _type_of(literal, within)
        if found is None:
            yield RuleProblem("ref-1", "no contained resource has that id", ".reference")
        elif found and named and found != named:
            yield RuleProblem("reference-type", "the stated type differs from the type in the reference", ".type")
        named = found or named
    if named and targets and "Resource" not in targets and named not in targets:
        yield RuleProblem("reference-target", f"refers to {named}, allowed here: {', '.join(sorted(targets))}")


def _type_of(literal: str, within: dict[str, str]) -> str | None:
    """The type that a reference names; "" if it does not tell; None if a contained resource is missing."""
    if literal.startswith("#"):
        return within.get(literal)
    match = _LITERAL(literal)
    return match[1] if match and match[1] in RESOURCE_TYPES else ""


def check_canonical(url: str, targets: frozenset[str]) -> Iterator[RuleProblem]:
    """Check that the URL of one of the specification's definitions names an allowed type."""
    match = _DEFINITION(url)
    if match and match[1] in RESOURCE_TYPES and match[1] not in targets:
        yield RuleProblem("canonical-target", f"names a {match[1]}, allowed here: {', '.join(sorted(targets))}")


def check_contained(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    """Check contained resources: dom-2 to dom-5, and unique ids."""
    contained = list(object_items(resource.get("contained")))
    if not contained:
        return
    fragments = _fragments(resource)
    seen: set[Any] = set()
    for number, inner in enumerate(resource["contained"]):
        place = f".contained[{number}]"
        key = inner.get("id")
        meta = inner.get("meta") if isinstance(inner.get("meta"), dict) else {}
        if "contained" in inner:
            yield RuleProblem("dom-2", "a contained resource must not have contained resources", place)
        if key is not None and "#" + str(key) not in fragments and "#" not in _fragments(inner):
            yield RuleProblem("dom-3", "a contained resource must be referenced by its container", place)
        if "versionId" in meta or "lastUpdated" in meta:
            yield RuleProblem("dom-4", "a contained resource must not have meta.versionId or meta.lastUpdated", place)
        if "security" in meta:
            yield RuleProblem("dom-5", "a contained resource must not have a security label", place)
        if key is not None and key in seen:
            yield RuleProblem("contained-id", "two contained resources have the same id", place)
        seen.add(key)


def _fragments(value: Any) -> set[str]:
    """Every string in a value that is a fragment reference."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current
        elif isinstance(current, str) and current.startswith("#"):
            found.add(current)
    return found
