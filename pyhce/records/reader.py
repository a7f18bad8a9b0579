"""Files to resources: single resources, bundles of every kind, NDJSON; what is not FHIR is told, never passed over."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pyhce.records.reference import every_reference, literal
from pyhce.records.sources import LINES, MAX_LINE, STDIN, Piece, opened, pieces, plain_name, rest_of
from pyhce.records.spelling import NotJson, canonical, parse
from pyhce.schema.r4 import RESOURCE_TYPES

KEPT_WHOLE = frozenset({"document", "message"})
"""Bundles that are one thing: https://hl7.org/fhir/R4/bundle.html."""

is_id = re.compile(r"[A-Za-z0-9.\-]{1,64}\Z").match
"""Whether a string is a FHIR id: R4 datatypes.html#id."""
_URN = re.compile(r"^urn:(?:uuid|oid):([A-Za-z0-9.\-]{1,64})$")
_FULL_URL = re.compile(r"/([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?$")


class Where(NamedTuple):
    """Where a resource was found."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Incoming(NamedTuple):
    """A resource that came in.

    `resource` is what typed columns are computed from: references that the bundle itself resolves are literal there.
    `exact` is the resource as it came, None where that is the same.
    """

    where: Where
    type: str
    id: str
    resource: dict[str, Any]
    exact: dict[str, Any] | None = None


class Rejected(NamedTuple):
    """Something that came in and is no FHIR resource."""

    where: Where
    reason: str
    detail: str
    text: str


class Line(NamedTuple):
    """A line of NDJSON as it came, not looked at yet; `resources_in` does."""

    where: Where
    data: bytes


class Skipped(NamedTuple):
    """An entry of a bundle that carries no resource, such as a response or a DELETE."""

    where: Where
    what: str


Found = Incoming | Rejected | Skipped


def read(path: Path) -> Iterator[Found]:
    """Every resource of a file, in order; of NDJSON one line at a time is in memory."""
    for found in scan(path):
        if isinstance(found, Line):
            yield from resources_in(found)
        else:
            yield found


def scan(path: Path) -> Iterator[Line | Found]:
    """As `read`, but NDJSON as its lines: most need not be looked at closely.

    A file that does not say by its name that it is NDJSON is, if its first line is a whole JSON object.
    """
    name = "standard input" if path == STDIN else str(path)
    with opened(path) as stream:
        lines = pieces(stream)
        first = next(lines, None)
        if first is None:
            return
        if first.problem is None and not plain_name(path).endswith(LINES):
            where, value = Where(name, first.line), _object(first.data)
            if value is None:
                yield from _document(where, stream, first.data)
                return
            yield from resources_of(where, value)
        else:
            yield _line(name, first)
        for piece in lines:
            yield _line(name, piece)


def _object(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a line is, None if it is none."""
    try:
        value = parse(line)
    except NotJson:
        return None
    return value if isinstance(value, dict) else None


def _line(name: str, piece: Piece) -> Line | Rejected:
    where = Where(name, piece.line)
    if piece.problem:
        return Rejected(where, *piece.problem, text=piece.data.decode("utf-8", "replace"))
    return Line(where, piece.data)


def _document(where: Where, stream: BinaryIO, first: bytes) -> Iterator[Found]:
    """A file that is one JSON value."""
    try:
        data = rest_of(stream, first)
    except ValueError as error:
        yield Rejected(where, "unreadable", str(error), first.decode("utf-8", "replace"))
        return
    if len(data) > MAX_LINE:
        detail = f"more than {MAX_LINE // 1024**2} MB in one JSON value: NDJSON has no such limit"
        yield Rejected(where, "too-large", detail, first[:1000].decode("utf-8", "replace"))
        return
    yield from _text(where, data)


def resources_in(line: Line) -> Iterator[Found]:
    """The resources of a line."""
    yield from _text(line.where, line.data)


def _text(where: Where, data: bytes) -> Iterator[Found]:
    try:
        value = parse(data)
    except NotJson as error:
        yield Rejected(where, "not-json", str(error), data.decode("utf-8", "replace"))
        return
    yield from resources_of(where, value)


def resources_of(where: Where, value: Any) -> Iterator[Found]:
    """The resources of a JSON value: itself, or a bundle's entries."""
    if _is_manifest(value):
        yield Skipped(where, "a manifest of an export")
        return
    problem = _problem(value)
    if problem:
        yield Rejected(where, *problem, text=canonical(value))
    elif value["resourceType"] == "Bundle" and str(value.get("type")) not in KEPT_WHOLE and _has_entries(value):
        yield from _unpacked(where, value["entry"])
    else:
        yield Incoming(where, value["resourceType"], value.get("id") or content_id(value), value)


def _is_manifest(value: Any) -> bool:
    """Whether a value is the list of an export's files: of Bulk Data (output), or our own (files)."""
    if not isinstance(value, dict) or "resourceType" in value:
        return False
    bulk = isinstance(value.get("output"), list) and "transactionTime" in value
    ours = isinstance(value.get("files"), list) and {"resources", "snapshot"} <= value.keys()
    return bulk or ours


def _has_entries(bundle: dict[str, Any]) -> bool:
    return isinstance(bundle.get("entry"), list)


def _problem(value: Any) -> tuple[str, str] | None:
    """Why a value is no FHIR resource, as reason code and detail; None if it is one."""
    if not isinstance(value, dict):
        return "not-a-resource", f"a resource is a JSON object, this is {type(value).__name__}"
    kind = value.get("resourceType")
    if not isinstance(kind, str):
        return "not-a-resource", "there is no member resourceType"
    if kind not in RESOURCE_TYPES:
        return "unknown-type", f"FHIR R4 has no resource type {kind!r}"
    given = value.get("id")
    if given is not None and not (isinstance(given, str) and is_id(given)):
        return "invalid-id", f"id {str(given)[:80]!r} is not 1 to 64 letters, digits, hyphens or dots"
    return None


def content_id(resource: dict[str, Any]) -> str:
    """The id of a resource that has none: always the same for the same content."""
    return "sha-" + hashlib.sha256(canonical(resource).encode("utf-8", "surrogatepass")).hexdigest()[:48]


def _unpacked(where: Where, entries: list[Any]) -> Iterator[Found]:
    found: list[tuple[str | None, str, dict[str, Any]]] = []
    later: list[Incoming | Rejected | Skipped] = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            yield Rejected(where, "not-an-entry", f"entry {number} is no JSON object", canonical(entry))
            continue
        resource = entry.get("resource")
        if resource is None:
            request = entry.get("request")
            method = request.get("method") if isinstance(request, dict) else None
            yield Skipped(where, f"entry without a resource ({method or 'response'})")
            continue
        problem = _problem(resource)
        if problem:
            yield Rejected(where, problem[0], f"entry {number}: {problem[1]}", canonical(resource))
        elif resource["resourceType"] == "Bundle":
            later += resources_of(where, resource)
        else:
            full_url = entry.get("fullUrl") if isinstance(entry.get("fullUrl"), str) else None
            found.append((full_url, resource.get("id") or _entry_id(full_url, resource), resource))
    places = {url: (resource["resourceType"], key) for url, key, resource in found if url}
    for _, key, resource in found:
        yield _resolved(where, key, resource, places)
    yield from later


def _entry_id(full_url: str | None, resource: dict[str, Any]) -> str:
    """The id of an entry's resource that has none: from its fullUrl, else from its content."""
    urn = _URN.match(full_url or "")
    if urn:
        return urn[1]
    url = _FULL_URL.search(full_url or "")
    if url and url[1] == resource["resourceType"]:
        return url[2]
    return content_id(resource)


def _resolved(where: Where, key: str, resource: dict[str, Any], places: dict[str, tuple[str, str]]) -> Incoming:
    """References by fullUrl made literal, as a FHIR server does on a transaction (R4 http.html, 3.1.0.11.2)."""
    kind = resource["resourceType"]
    if not any(_needs(r["reference"], places) for r in every_reference(resource)):
        return Incoming(where, kind, key, resource)
    literal_form = copy.deepcopy(resource)
    for reference in every_reference(literal_form):
        if _needs(reference["reference"], places):
            reference["reference"] = "/".join(places[reference["reference"]])
    return Incoming(where, kind, key, literal_form, exact=resource)


def _needs(text: str, places: dict[str, tuple[str, str]]) -> bool:
    found = places.get(text)
    return found is not None and tuple(literal(text) or ()) != found
