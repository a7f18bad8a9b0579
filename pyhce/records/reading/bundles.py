"""Bundles of any size: read once to see what one is and which resource each fullUrl names, then given by its entries.

In between the entries wait in a `Spool`. https://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from pyhce.records.reading.conditions import Settled
from pyhce.records.reading.entries import (
    EMPTY,
    asks,
    deletes_first,
    entry_of,
    is_deletion,
    is_newest_first,
    note,
    parsed,
)
from pyhce.records.reading.incoming import Found, Rejected, Skipped, Where
from pyhce.records.reading.limits import FEW, largest, too_large, too_long
from pyhce.records.reading.spelling import NotJson, parse
from pyhce.records.reading.splitter import SHOWN, Cursor, Cut, Element, Malformed, TooLong
from pyhce.records.reading.spool import Places, Spool


class Opened(NamedTuple):
    """An object whose `entry` is an array, that was read to its end.

    Args:
        shell: the object without the elements of the array; None if even that is no JSON.
        problem: reason code and detail of what is wrong with its text, if anything.
        left: what stood where that happened.
        size: bytes of the object.
    """

    shell: dict[str, Any] | None
    problem: tuple[str, str] | None
    left: bytes
    size: int


def read_bundle(cursor: Cursor, spool: Spool, places: Places) -> Opened:
    """Read the object that begins here: the elements of its `entry` into the spool, what their fullUrls name."""
    members = _Members(cursor, spool, places)
    begin = cursor.passed
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
        return Opened(None, problem or ("not-json", f"beside its entries: {error}"), left, cursor.passed - begin)
    if members.longest:
        problem = problem or ("too-large", too_long(cursor.passed - begin, f"object, most in {members.longest}"))
    return Opened(shell, problem or members.problem, left, cursor.passed - begin)


class _Members:
    """The members of the object that begins at a cursor, `entry` without its elements."""

    def __init__(self, cursor: Cursor, spool: Spool, places: Places) -> None:
        self.cursor, self.spool, self.places = cursor, spool, places
        self.held: list[bytes] = []
        self.problem: tuple[str, str] | None = None
        self.longest = ""
        self.depth = 1
        self._left = largest()

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
            name = self.cursor.value(FEW)
            self._left -= len(name)
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
            self.cursor.skip_value()
            self.longest = f"its member {name[:SHOWN].decode('utf-8', 'replace')}"
            value = b"null"
        if large := too_large(value):
            self.problem = ("too-large", f"{name[:SHOWN].decode('utf-8', 'replace')}: {large}")
            value = b"null"
        self.held.append(name + b":" + value)

    def _entries(self) -> None:
        self.depth = 2
        for element in self.cursor.elements(largest()):
            self.spool.append(element)
            if not element.passed:
                note(self.places, element.value or _glance(element.data), self.spool.count, element.data)
        self.depth = 1


def _glance(data: bytes) -> Any:
    """An entry's members, numbers without their spelling; None if it is none or takes too much memory."""
    if len(data) > FEW and too_large(data):
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return parsed(data)


def spooled(
    where: Where, bundle: dict[str, Any], spool: Spool, places: Places
) -> Iterator[tuple[int, Iterable[Found]]]:
    """What each entry in the spool carries, with how many came before it."""
    if not spool.count:
        yield 0, [Skipped(where, EMPTY)]
    places.kind = str(bundle.get("type"))
    first = deletes_first(places)
    if first:
        for number, element in spool.numbered():
            if (entry := _deletion(element)) is not None:
                yield 0, entry_of(Where(where.file, element.line, number), entry, places, number)
    asked = asks(places)
    if asked:
        yield 0, [asked]
        places.answer(asked)
    for done, (number, element) in enumerate(spool.numbered(backwards=is_newest_first(bundle))):
        if first and _deletion(element) is not None:
            continue
        here = Where(where.file, element.line, number)
        size = too_long(element.passed, "entry") if element.passed else None
        if large := size or too_large(element.data):
            yield done, [Rejected(here, "too-large", large, element.data[:SHOWN].decode("utf-8", "replace"))]
            continue
        try:
            entry = parse(element.data)
        except NotJson as error:
            yield done, [Rejected(here, "not-json", str(error), element.data.decode("utf-8", "replace"))]
            continue
        yield done, entry_of(here, entry, places, number)
    if asked:
        yield spool.count, [Settled()]


def _deletion(element: Element) -> Any:
    """An entry that is a deletion, None if it is anything else."""
    if b'"DELETE"' not in element.data or element.passed or too_large(element.data):
        return None
    entry = parsed(element.data)
    return entry if is_deletion(entry) else None
