"""Bundles of any size, read in two passes and in bounded memory. See https://hl7.org/fhir/R4/bundle.html.

The first pass finds the bundle's type and which resource each fullUrl names, and puts the entries into a `Spool`. The
second pass takes them from there, with their references resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from pyhce.counted import counted
from pyhce.records.reading.conditions import ConditionsDone
from pyhce.records.reading.entries import (
    EMPTY_BUNDLE,
    conditions_asked,
    deletes_first,
    is_deletion,
    is_newest_first,
    note_entry,
    parse_or_none,
    read_entry,
)
from pyhce.records.reading.exact_json import InvalidJson, parse
from pyhce.records.reading.incoming import InputLocation, ReadItem, Rejected, Skipped
from pyhce.records.reading.limits import SMALL, max_resource_bytes, size_message, size_problem
from pyhce.records.reading.splitter import EXCERPT_BYTES, Cursor, Element, Malformed, Truncated, ValueTooLong
from pyhce.records.reading.spool import FullUrls, Spool


class ScannedBundle(NamedTuple):
    """A JSON object that was read to its end, its entries to the spool.

    Args:
        shell: the object with an empty `entry`; None if that is not valid JSON either.
        problem: reason code and detail, if something is wrong with its text.
        left: the text where the problem is.
        size: bytes of the object.
    """

    shell: dict[str, Any] | None
    problem: tuple[str, str] | None
    left: bytes
    size: int


def read_bundle(cursor: Cursor, spool: Spool, full_urls: FullUrls) -> ScannedBundle:
    """Read the object at the cursor: its entries into the spool, what their fullUrls name into `full_urls`."""
    members = _Members(cursor, spool, full_urls)
    begin = cursor.offset
    problem, left = None, b""
    try:
        members.read()
    except (Truncated, Malformed) as error:
        left = cursor.data[cursor.at :] if isinstance(error, Truncated) else cursor.excerpt()
        passed = cursor.skip_value(members.depth)
        detail = (
            "the text ends"
            if isinstance(error, Truncated)
            else counted(passed, "byte is not valid JSON", "bytes are not valid JSON")
        )
        problem = "not-json", f"after entry {spool.count}: {detail}" if spool.count else detail
    try:
        shell = parse(b"{" + b",".join(members.texts) + b"}")
    except InvalidJson as error:
        return ScannedBundle(
            None, problem or ("not-json", f"outside of its entries: {error}"), left, cursor.offset - begin
        )
    if members.longest:
        problem = problem or ("too-large", size_message(cursor.offset - begin, f"object, most in {members.longest}"))
    return ScannedBundle(shell, problem or members.problem, left, cursor.offset - begin)


class _Members:
    """The members of the object at a cursor, `entry` as an empty array."""

    def __init__(self, cursor: Cursor, spool: Spool, full_urls: FullUrls) -> None:
        self.cursor, self.spool, self.full_urls = cursor, spool, full_urls
        self.texts: list[bytes] = []
        self.problem: tuple[str, str] | None = None
        self.longest = ""
        self.depth = 1
        self._left = max_resource_bytes()

    def read(self) -> None:
        """Read the object to its end.

        Raises:
            Truncated, Malformed: the text is cut off or not valid JSON; the cursor is at that place.
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
            raise Truncated
        if found != byte:
            raise Malformed
        self.cursor.take(self.cursor.at + 1)

    def _member(self) -> None:
        if self.cursor.peek() not in (b'"', b""):
            raise Malformed
        try:
            name = self.cursor.value(SMALL)
            self._left -= len(name)
        except ValueTooLong as error:
            raise Malformed from error
        self._expect(b":")
        if name == b'"entry"' and self.cursor.peek() == b"[":
            self.texts.append(name + b":[]")
            self._entries()
            return
        try:
            value = self.cursor.value(self._left)
            self._left -= len(value)
        except ValueTooLong:
            self.cursor.skip_value()
            self.longest = f"its member {name[:EXCERPT_BYTES].decode('utf-8', 'replace')}"
            value = b"null"
        if large := size_problem(value):
            self.problem = ("too-large", f"{name[:EXCERPT_BYTES].decode('utf-8', 'replace')}: {large}")
            value = b"null"
        self.texts.append(name + b":" + value)

    def _entries(self) -> None:
        self.depth = 2
        for element in self.cursor.elements(max_resource_bytes()):
            self.spool.append(element)
            if not element.oversized_bytes:
                note_entry(self.full_urls, element.value or _glance(element.data), self.spool.count, element.data)
        self.depth = 1


def _glance(data: bytes) -> Any:
    """An entry, numbers without their spelling; None if it is not valid JSON or needs too much memory."""
    if len(data) > SMALL and size_problem(data):
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return parse_or_none(data)


def read_spooled(
    where: InputLocation, bundle: dict[str, Any], spool: Spool, full_urls: FullUrls
) -> Iterator[tuple[int, Iterable[ReadItem]]]:
    """Read the entries in the spool, each with the number of entries before it."""
    if not spool.count:
        yield 0, [Skipped(where, EMPTY_BUNDLE)]
    full_urls.kind = str(bundle.get("type"))
    first = deletes_first(full_urls)
    if first:
        for number, element in spool.numbered():
            if (entry := _deletion(element)) is not None:
                yield 0, read_entry(InputLocation(where.file, element.line, number), entry, full_urls, number)
    asked = conditions_asked(full_urls)
    if asked:
        yield 0, [asked]
        full_urls.answer(asked)
    for done, (number, element) in enumerate(spool.numbered(backwards=is_newest_first(bundle))):
        if first and _deletion(element) is not None:
            continue
        here = InputLocation(where.file, element.line, number)
        size = size_message(element.oversized_bytes, "entry") if element.oversized_bytes else None
        if large := size or size_problem(element.data):
            yield done, [Rejected(here, "too-large", large, element.data[:EXCERPT_BYTES].decode("utf-8", "replace"))]
            continue
        try:
            entry = parse(element.data)
        except InvalidJson as error:
            yield done, [Rejected(here, "not-json", str(error), element.data.decode("utf-8", "replace"))]
            continue
        yield done, read_entry(here, entry, full_urls, number)
    if asked:
        yield spool.count, [ConditionsDone()]


def _deletion(element: Element) -> Any:
    """An entry that is a deletion; None if it is not."""
    if b'"DELETE"' not in element.data or element.oversized_bytes or size_problem(element.data):
        return None
    entry = parse_or_none(element.data)
    return entry if is_deletion(entry) else None
