"""Rules of a Bundle as a whole: https://hl7.org/fhir/R4/bundle.html, documents.html, messaging.html."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pyhce.records.reading.checks.codes import is_absolute
from pyhce.records.reading.checks.problems import RuleProblem, object_items

_REQUESTS = frozenset({"batch", "transaction", "history"})
_RESPONSES = frozenset({"batch-response", "transaction-response", "history"})
_ONCE = frozenset({"self", "first", "previous", "next", "last"})
_REST = re.compile(r"(?P<base>https?://\S+/)(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})\Z").match
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?\Z").match
_COMPOSITION = (
    ("subject",), ("encounter",), ("author",), ("attester", "party"), ("custodian",), ("event", "detail"),
)  # fmt: skip
"""Paths of a Composition whose references must name entries of the document."""


def check_bundle(bundle: dict[str, Any]) -> Iterator[RuleProblem]:
    """Check the entries and links of a Bundle together."""
    kind = bundle.get("type")
    entries = list(object_items(bundle.get("entry")))
    yield from _links(bundle)
    for number, entry in enumerate(entries):
        for said in _entry(entry, kind):
            yield said._replace(place=f".entry[{number}]{said.place}")
    if kind != "history":
        yield from _duplicates(entries)
    if kind in ("document", "message") and entries:
        known = _Entries(entries)
        for place, literal in _needed(entries[0].get("resource")):
            problem = known.unclear(literal)
            if problem:
                yield RuleProblem("bundle-reference", problem, f".entry[0].resource{place}")


def _links(bundle: dict[str, Any]) -> Iterator[RuleProblem]:
    relations = Counter(link.get("relation") for link in object_items(bundle.get("link")))
    for relation in sorted(_ONCE & relations.keys()):
        if relations[relation] > 1:
            yield RuleProblem("bundle-link", f"more than one link with the relation {relation}", ".link")


def _entry(entry: dict[str, Any], kind: Any) -> Iterator[RuleProblem]:
    """Check an entry against the type of its Bundle."""
    resource = entry["resource"] if isinstance(entry.get("resource"), dict) else {}
    if ("request" in entry) != (kind in _REQUESTS):
        wanted = "is required" if kind in _REQUESTS else "is not allowed"
        yield RuleProblem("bdl-3", f"request {wanted} in a Bundle of this type")
    if ("response" in entry) != (kind in _RESPONSES):
        wanted = "is required" if kind in _RESPONSES else "is not allowed"
        yield RuleProblem("bdl-4", f"response {wanted} in a Bundle of this type")
    url = entry.get("fullUrl")
    if isinstance(url, str):
        yield from _full_url(url, resource)
    if resource and kind == "searchset":
        yield from _found(entry, resource)


def _found(entry: dict[str, Any], resource: dict[str, Any]) -> Iterator[RuleProblem]:
    """Check an entry of a search result. An OperationOutcome about the search needs no id."""
    mode = entry["search"].get("mode") if isinstance(entry.get("search"), dict) else None
    outcome = resource.get("resourceType") == "OperationOutcome"
    if mode == "outcome" and not outcome:
        yield RuleProblem("search-outcome", "the mode outcome requires an OperationOutcome", ".resource")
    if "id" not in resource and mode != "outcome" and not (outcome and mode is None):
        yield RuleProblem("search-id", "a resource in a search result must have an id", ".resource")


def _full_url(url: str, resource: dict[str, Any]) -> Iterator[RuleProblem]:
    if not is_absolute(url):
        yield RuleProblem("bundle-fullurl", "a fullUrl must be absolute", ".fullUrl")
        return
    match = _REST(url)
    if match and resource.get("id") and match["type"] == resource.get("resourceType") and match["id"] != resource["id"]:
        yield RuleProblem("bundle-fullurl", "a fullUrl must end with the id of its resource", ".fullUrl")


def _duplicates(entries: list[dict[str, Any]]) -> Iterator[RuleProblem]:
    seen: set[tuple[Any, Any]] = set()
    for number, entry in enumerate(entries):
        key = (entry.get("fullUrl"), _version(entry))
        if key[0] is not None and key in seen:
            yield RuleProblem("bdl-7", "another entry has the same fullUrl and version", f".entry[{number}]")
        seen.add(key)


def _version(entry: dict[str, Any]) -> Any:
    meta = entry["resource"].get("meta") if isinstance(entry.get("resource"), dict) else None
    return meta.get("versionId") if isinstance(meta, dict) else None


def _needed(resource: Any) -> Iterator[tuple[str, str]]:
    """The references of a document's or message's first resource that must name entries, with their paths."""
    if not isinstance(resource, dict):
        return
    if resource.get("resourceType") == "MessageHeader":
        yield from _references(resource, ("focus",), "")
    if resource.get("resourceType") != "Composition":
        return
    for path in _COMPOSITION:
        yield from _references(resource, path, "")
    sections = [(f".section[{n}]", inner) for n, inner in enumerate(object_items(resource.get("section")))]
    while sections:
        place, section = sections.pop()
        for path in (("author",), ("focus",), ("entry",)):
            yield from _references(section, path, place)
        sections += [(f"{place}.section[{n}]", inner) for n, inner in enumerate(object_items(section.get("section")))]


def _references(value: Any, path: tuple[str, ...], place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _references(item, path, f"{place}[{number}]")
    elif isinstance(value, dict) and path:
        yield from _references(value.get(path[0]), path[1:], f"{place}.{path[0]}")
    elif isinstance(value, dict) and isinstance(value.get("reference"), str):
        yield place, value["reference"]


class _Entries:
    """The entries of a document or message by the strings that the first one's references may name them with."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        first = _REST(str(entries[0].get("fullUrl")))
        self.base = first["base"] if first else None
        self.by_name: dict[str, list[dict[str, Any]]] = {}
        for entry in entries:
            url = entry.get("fullUrl")
            names = {url} if isinstance(url, str) else set()
            if self.base is None or not names:  # then the type and id decide
                resource = entry["resource"] if isinstance(entry.get("resource"), dict) else {}
                names.add(f"{resource.get('resourceType')}/{resource.get('id')}")
            for name in names:
                self.by_name.setdefault(name, []).append(entry)

    def unclear(self, literal: str) -> str:
        """Why a reference does not identify one entry; "" if it does.

        An absolute URL may lead out of the Bundle, and a fragment stays in its resource: neither is a problem.
        """
        plain, _, version = literal.partition("/_history/")
        if not _RELATIVE(literal) and not literal.startswith("urn:"):
            return ""
        found = self.by_name.get(plain, [])
        if self.base is not None and _RELATIVE(literal):
            found = self.by_name.get(self.base + plain, []) + found
        if version:
            found = [entry for entry in found if _version(entry) in (version, None)]
        if not found:
            return "the reference names no entry of the Bundle"
        several = len({_version(entry) for entry in found}) > 1
        return "the reference names several entries of the Bundle: add the version" if several else ""
