"""Bundles: their entries one at a time, whatever the size; references by fullUrl resolved; deletions.

Twice over each bundle: once to see what it is and which resource each fullUrl names, once for its entries. In
between they wait in a `Spool`. https://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from pyhce.records.incoming import (
    FEW,
    MAX_LINE,
    Deleted,
    Found,
    Incoming,
    Rejected,
    Skipped,
    Where,
    content_id,
    problem_of,
    too_large,
)
from pyhce.records.reference import every_reference, literal
from pyhce.records.spelling import NotJson, canonical, fitting_text, parse
from pyhce.records.splitter import SHOWN, Cursor, Cut, Malformed, TooLong
from pyhce.records.spool import Places, Spool
from pyhce.schema.r4 import RESOURCE_TYPES

KEPT_WHOLE = frozenset({"document", "message"})
"""Bundles that are one thing."""
EMPTY = "a bundle without entries"

_URN = re.compile(r"^urn:(?:uuid|oid):([A-Za-z0-9.\-]{1,64})$")
_FULL_URL = re.compile(r"/([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?$")
_DELETED = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})(?:/([A-Za-z0-9.\-]{1,64})|/?\?([^#]+))\Z")


def is_unpacked(bundle: dict[str, Any]) -> bool:
    """Whether a resource is a bundle that is taken apart."""
    return (
        bundle.get("resourceType") == "Bundle"
        and str(bundle.get("type")) not in KEPT_WHOLE
        and isinstance(bundle.get("entry"), list)
    )


def is_newest_first(bundle: dict[str, Any]) -> bool:
    """Whether the last entry of a bundle is the oldest: https://hl7.org/fhir/R4/http.html#history."""
    return bundle.get("type") == "history"


class Opened(NamedTuple):
    """An object whose `entry` is an array, that was read to its end.

    Args:
        shell: the object without the elements of the array; None if even that is no JSON.
        problem: reason code and detail of what is wrong with its text, if anything.
        left: what stood where that happened.
    """

    shell: dict[str, Any] | None
    problem: tuple[str, str] | None
    left: bytes


def read_bundle(cursor: Cursor, spool: Spool, places: Places) -> Opened:
    """Read the object that begins here: the elements of its `entry` into the spool, what their fullUrls name."""
    members = _Members(cursor, spool, places)
    problem, left = None, b""
    try:
        members.read()
    except (Cut, Malformed) as error:
        left = cursor.data[cursor.at :] if isinstance(error, Cut) else cursor.shown()
        passed = cursor.skip_value(members.depth)
        detail = "the text ends" if isinstance(error, Cut) else f"{passed} bytes are no JSON"
        problem = "not-json", f"after entry {spool.count}: {detail}" if spool.count else detail
    try:
        shell = parse(b"{" + b",".join(members.held) + b"}")
    except NotJson as error:
        return Opened(None, problem or ("not-json", f"beside its entries: {error}"), left)
    return Opened(shell, problem or members.problem, left)


class _Members:
    """The members of the object that begins at a cursor, `entry` without its elements."""

    def __init__(self, cursor: Cursor, spool: Spool, places: Places) -> None:
        self.cursor, self.spool, self.places = cursor, spool, places
        self.held: list[bytes] = []
        self.problem: tuple[str, str] | None = None
        self.depth = 1
        self._left = MAX_LINE

    def read(self) -> None:
        """Read it to its end.

        Raises:
            Cut, Malformed: where that happened; the cursor is there.
        """
        cursor = self.cursor
        cursor.take(cursor.at + 1)
        if cursor.peek() != b"}":
            self._member()
            while cursor.peek() == b",":
                cursor.take(cursor.at + 1)
                self._member()
        self._expect(b"}")

    def _expect(self, byte: bytes) -> None:
        found = self.cursor.peek()
        if not found:
            raise Cut
        if found != byte:
            raise Malformed
        self.cursor.take(self.cursor.at + 1)

    def _member(self) -> None:
        if self.cursor.peek() not in (b'"', b""):
            raise Malformed
        try:
            name = self.cursor.value(SHOWN)
        except TooLong as error:
            raise Malformed from error
        self._expect(b":")
        if name == b'"entry"' and self.cursor.peek() == b"[":
            self.held.append(name + b":[]")
            self._entries()
            return
        try:
            value = self.cursor.value(self._left)
            self._left -= len(value)
        except TooLong:
            size = self.cursor.skip_value()
            self.problem = ("too-large", f"{size} bytes in its member {name.decode('utf-8', 'replace')}")
            value = b"null"
        if too_large(value):
            self.problem = ("too-large", f"{name.decode('utf-8', 'replace')}: {too_large(value)}")
            value = b"null"
        self.held.append(name + b":" + value)

    def _entries(self) -> None:
        self.depth = 2
        for element in self.cursor.elements(MAX_LINE):
            self.spool.append(element)
            if not element.passed:
                _note(self.places, element.value or _glance(element.data), element.data)
        self.depth = 1


def _glance(data: bytes) -> Any:
    """An entry's members, numbers without their spelling; None if it is none or takes too much memory."""
    if len(data) > FEW and too_large(data):
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parsed(data)


def _parsed(data: bytes) -> Any:
    try:
        return parse(data)
    except NotJson:
        return None


def _note(places: Places, entry: Any, text: bytes | None = None) -> None:
    """Keep which resource an entry's fullUrl names, unless it names that by itself.

    Args:
        text: the entry as it came, if its numbers have lost their spelling.
    """
    if not isinstance(entry, dict):
        return
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if not isinstance(url, str) or not isinstance(resource, dict) or problem_of(resource):
        return
    kind = resource["resourceType"]
    if kind == "Bundle":
        return
    key = resource.get("id") or _id_by(url, kind)
    if key is None:
        exact = entry if text is None else _parsed(text)
        if exact is None:
            return
        key = content_id(exact["resource"])
    if tuple(literal(url) or ()) != (kind, key):
        places.add(url, kind, key)


def spooled(where: Where, bundle: dict[str, Any], spool: Spool, places: Places) -> Iterator[tuple[int, list[Found]]]:
    """What each entry in the spool carries, with how many came before it."""
    if not spool.count:
        yield 0, [Skipped(where, EMPTY)]
    backwards = is_newest_first(bundle)
    for done, (number, element) in enumerate(spool.numbered(backwards=backwards)):
        here = Where(where.file, element.line, number)
        size = f"{element.passed} bytes, more than {MAX_LINE >> 20} MB, in one entry" if element.passed else None
        if large := size or too_large(element.data):
            yield done, [Rejected(here, "too-large", large, element.data[:SHOWN].decode("utf-8", "replace"))]
            continue
        try:
            entry = parse(element.data)
        except NotJson as error:
            yield done, [Rejected(here, "not-json", str(error), element.data.decode("utf-8", "replace"))]
            continue
        yield done, list(entry_of(here, entry, places))


def entry_of(where: Where, entry: Any, places: Places) -> Iterator[Found]:
    """What an entry of a bundle carries."""
    if not isinstance(entry, dict):
        yield Rejected(where, "not-an-entry", "an entry is a JSON object", canonical(entry))
        return
    request, resource = entry.get("request"), entry.get("resource")
    method = request.get("method") if isinstance(request, dict) else None
    if method == "DELETE":
        yield _deleted(where, entry)
    elif method == "PATCH":
        yield Rejected(where, "unsupported", "a PATCH says how to change a resource, not what it is", canonical(entry))
    elif resource is None:
        what = method if isinstance(method, str) and method else "response"
        yield Skipped(where, f"entry without a resource ({what[:20]})")
    elif problem := problem_of(resource):
        yield Rejected(where, *problem, text=canonical(resource))
    elif is_unpacked(resource):
        yield from entries_in(where, resource)
    elif resource["resourceType"] == "Bundle":
        yield Incoming(where, "Bundle", resource.get("id") or content_id(resource), resource)
    else:
        url = entry.get("fullUrl")
        kind = resource["resourceType"]
        key = resource.get("id") or _id_by(url, kind) or content_id(resource)
        yield _resolved(where, kind, key, resource, places)


def entries_in(where: Where, bundle: dict[str, Any]) -> Iterator[Found]:
    """What the entries of a bundle carry that is in memory already."""
    entries = list(enumerate(bundle["entry"], 1))
    if not entries:
        yield Skipped(where, EMPTY)
    with Places() as places:
        for _, entry in entries:
            _note(places, entry)
        for number, entry in reversed(entries) if is_newest_first(bundle) else entries:
            yield from entry_of(where if where.entry else where._replace(entry=number), entry, places)


def _id_by(url: Any, kind: str) -> str | None:
    """The id that an entry's fullUrl gives to a resource that has none."""
    if not isinstance(url, str):
        return None
    if urn := _URN.match(url):
        return urn[1]
    found = _FULL_URL.search(url)
    return found[2] if found and found[1] == kind else None


def _deleted(where: Where, entry: dict[str, Any]) -> Deleted | Rejected:
    """A deletion: `Type/id`, or `Type?identifier=system|value`: https://hl7.org/fhir/R4/http.html#delete."""
    url = entry["request"].get("url")
    found = _DELETED.search(url) if isinstance(url, str) else None
    if not found:
        return Rejected(where, "unsupported", "a DELETE names Type/id or Type?identifier=…", canonical(entry))
    kind, key, query = found.groups()
    if kind not in RESOURCE_TYPES:
        return Rejected(where, "unknown-type", f"FHIR R4 has no resource type {kind!r}", canonical(entry))
    if key:
        return Deleted(where, kind, key)
    query = fitting_text(unquote(query)) if "&" not in query else ""
    if not re.match(r"identifier=[^|]*\|.", query):
        detail = "a conditional DELETE is carried out by one identifier with its system only"
        return Rejected(where, "unsupported", detail, canonical(entry))
    return Deleted(where, kind, query)


def _resolved(where: Where, kind: str, key: str, resource: dict[str, Any], places: Places) -> Incoming:
    """References by fullUrl made literal, as a FHIR server does on a transaction (R4 http.html, 3.1.0.11.2)."""
    if not places or not any(_needs(r["reference"], places) for r in every_reference(resource)):
        return Incoming(where, kind, key, resource)
    literal_form = copy.deepcopy(resource)
    for reference in every_reference(literal_form):
        place = _needs(reference["reference"], places)
        if place:
            reference["reference"] = "/".join(place)
    return Incoming(where, kind, key, literal_form, exact=resource)


def _needs(text: str, places: Places) -> tuple[str, str] | None:
    """The type and id that a reference names, if it does not say them itself."""
    found = places.get(text)
    return found if found is not None and tuple(literal(text) or ()) != found else None
