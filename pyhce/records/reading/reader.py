"""Read resources from files: single resources, bundles of every type, arrays, NDJSON.

Input that is not valid FHIR is yielded as `Rejected`, never dropped silently. Memory is bounded for any input: a text
is split into values first (`splitter`), and only a value within the size limit is parsed.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from pyhce.counted import counted
from pyhce.records.reading.bundles import ScannedBundle, read_bundle, read_spooled
from pyhce.records.reading.entries import KEPT_WHOLE, is_unpacked, read_entries
from pyhce.records.reading.exact_json import InvalidJson, canonical, parse
from pyhce.records.reading.first_value import SEVERAL_LINES, begins_with_outcome, spans_lines, without_outcomes
from pyhce.records.reading.ids import id_of
from pyhce.records.reading.incoming import (
    ConditionSignal,
    Deletion,
    Incoming,
    InputLocation,
    Line,
    ReadItem,
    Rejected,
    Skipped,
    content_id,
    resource_problem,
)
from pyhce.records.reading.input_file import LINE_SUFFIXES, InputFile, plain_name
from pyhce.records.reading.limits import SMALL, max_resource_bytes, size_message, size_problem
from pyhce.records.reading.manifest import is_manifest, manifest_items
from pyhce.records.reading.nesting import Nesting
from pyhce.records.reading.signatures import EMPTY, SIGNATURE_BYTES, KnownFile, known_file, may_be_resource
from pyhce.records.reading.splitter import EXCERPT_BYTES, Cursor, Malformed, Truncated, ValueTooLong
from pyhce.records.reading.spool import FullUrls, Spool

__all__ = [
    "KEPT_WHOLE",
    "Deletion",
    "Incoming",
    "InputLocation",
    "Line",
    "ReadItem",
    "Rejected",
    "Skipped",
    "content_id",
    "read",
    "resources_in",
    "resources_of",
    "scan",
]

_BUNDLE = b'"Bundle"'
_CLOSING = ord("}")
_TRIES = 3
"""Broken lines of a file that are examined for JSON that spans lines; later ones are just broken."""


def read(source: InputFile | Path) -> Iterator[ReadItem]:
    """Every item of a file in order; of a history the oldest first.

    No condition is looked up: an entry with a condition is rejected.
    """
    return (item for item in _parsed(scan(source)) if not isinstance(item, ConditionSignal))


def _parsed(found: Iterator[Line | ReadItem]) -> Iterator[ReadItem]:
    for item in found:
        if isinstance(item, Line):
            yield from resources_in(item)
        else:
            yield item


def scan(source: InputFile | Path) -> Iterator[Line | ReadItem]:
    """Every item of a file in order, as `read`, but small values as unparsed `Line`.

    Most lines can be handled without the full parser (`prepared.LineReader`); `resources_in` parses the others. A file
    has one value on each line if its first line is a complete JSON object, or if its name says so.
    """
    if isinstance(source, Path):
        with InputFile(source) as opened:
            yield from scan(opened)
        return
    cursor = Cursor(source.chunks(), source=source)
    if not cursor.peek():
        source.not_read = None if cursor.damage else EMPTY
    elif known := known_file(cursor.excerpt(SIGNATURE_BYTES)):
        yield from _known_file_items(source, cursor, known)
    else:
        yield from _resources(source, cursor)
    if cursor.damage:
        yield Rejected(InputLocation(source.name, cursor.line), cursor.damage.reason, str(cursor.damage), "")


def _known_file_items(source: InputFile, cursor: Cursor, known: KnownFile) -> Iterator[Line | ReadItem]:
    """Note that a file contains no resources, and yield those that were appended to its lines all the same."""
    source.not_read = known.what
    if known.reason:
        yield Rejected(InputLocation(source.name, cursor.line), known.reason, known.what, _text(cursor.excerpt()))
    elif known.in_lines:
        for item in _lines(source.name, cursor):
            if isinstance(item, Line) and may_be_resource(item.data):
                source.not_read = None
                yield item


def _resources(source: InputFile, cursor: Cursor) -> Iterator[Line | ReadItem]:
    """The items of a text that may contain resources."""
    found = _lines(source.name, cursor) if _has_lines(source, cursor) else _values(source.name, cursor)
    if source.lists_errors or (source.lists_errors is None and begins_with_outcome(cursor)):
        found = without_outcomes(source, _parsed(found))
    yield from found


def _has_lines(source: InputFile, cursor: Cursor) -> bool:
    named = plain_name(source.path).lower().endswith(LINE_SUFFIXES)
    line = cursor.peek_line(max_resource_bytes())
    if line is None:
        return named
    plain = line.strip()
    if plain[:1] == b"{" and Nesting().find_end(plain, 0) == len(plain):
        return True
    if named and (plain in (b"{", b"[", b"[{") or spans_lines(cursor)):
        source.notes[SEVERAL_LINES] += 1
        return False
    return named


def _lines(file: str, cursor: Cursor) -> Iterator[Line | ReadItem]:
    r"""The values of a text with one value on each line; blank lines are skipped.

    A chunk of the text is split at once, which is much faster than looking for each line's end. Its last piece may
    continue in the next chunk, so it waits as `tail`:

        b'{"id":"a"}\n{"id":"b"}\n{"id"'  ->  Line {"id":"a"}, Line {"id":"b"}, tail {"id"

    A line over `SMALL` bytes is read through a cursor, in bounded memory. A line that begins an object and does not end
    one is either broken or the beginning of JSON that spans lines: `spans_lines` decides, for the first `_TRIES` ones.
    """
    data, number, new, small = cursor.data[cursor.at :], cursor.line, tuple.__new__, SMALL
    tries = _TRIES
    while True:
        blank = data.isspace()
        lines = data.split(b"\n") if not blank else [data[data.rfind(b"\n") + 1 :]]
        number += data.count(b"\n") if blank else 0
        tail = lines.pop()
        first = number
        for line in lines:
            if len(line) > small:
                yield from _values(file, Cursor(iter((line,)), number))
            elif line and not line.isspace():
                if line[-1] != _CLOSING and tries and _is_open(line):
                    here = line.lstrip()  # the cursor skips white space, and would count from after it
                    rest = (here, *lines[number - first + 1 :], tail)
                    cursor.data, cursor.at, cursor.line = b"\n".join(rest), 0, number
                    if spans_lines(cursor):
                        yield from _several_lines(file, cursor)
                        return
                    yield Line(line, number, file)
                    tries, number, data = tries - 1, number + 1, cursor.data[cursor.at + len(here) + 1 :]
                    break
                yield new(Line, (line, number, file, 0))  # twice as fast as Line(…)
            number += 1
        else:
            if cursor.source and lines:
                cursor.source.bytes_without_resource = 0
            cursor.line = number
            if len(tail) > SMALL:
                last_line = _RestOfLine(tail, cursor)
                yield from _values(file, Cursor(iter(last_line), number, cursor.source))
                if last_line.after is None:
                    return
                number, data = number + 1, last_line.after
                continue
            parts, size, chunk = [tail], len(tail), None
            while size <= SMALL and (chunk := cursor.next_chunk()) is not None:
                parts.append(chunk)
                size += len(chunk)
                if b"\n" in chunk:
                    break
            data = b"".join(parts)
            if chunk is None:
                if data and not data.isspace():
                    yield Line(data, number, file)
                return


def _is_open(line: bytes) -> bool:
    """Whether a line begins an object and does not end one."""
    return line.lstrip()[:1] == b"{" and line.rstrip()[-1] != _CLOSING


def _several_lines(file: str, cursor: Cursor) -> Iterator[Line | ReadItem]:
    """The rest of a text whose values span lines from here on."""
    if cursor.source:
        cursor.source.notes[SEVERAL_LINES] += 1
    return _values(file, cursor)


class _RestOfLine:
    """The chunks of a long line. `after` is the text after its end; None if the file ended there."""

    def __init__(self, first: bytes, cursor: Cursor) -> None:
        self.first, self.cursor = first, cursor
        self.after: bytes | None = None

    def __iter__(self) -> Iterator[bytes]:
        yield self.first
        while (chunk := self.cursor.next_chunk()) is not None:
            head, newline, after = chunk.partition(b"\n")
            if head:
                yield head
            if newline:
                self.after = after
                return


def _values(file: str, cursor: Cursor) -> Iterator[Line | ReadItem]:
    """The values of a text, separated by any white space."""
    while first := cursor.peek():
        if first == BOM_UTF8[:1] and cursor.skip_byte_order_mark():
            continue
        where = InputLocation(file, cursor.line)
        if first == b"[":
            yield from _elements(where, cursor)
        elif first != b"{":
            yield from _non_object(where, cursor)
        else:
            try:
                data = cursor.value(max_resource_bytes())
            except (Truncated, ValueTooLong) as error:
                yield from _object(where, cursor, cut=isinstance(error, Truncated))
            else:
                yield from _value(Line(data, where.line, file))


def _non_object(where: InputLocation, cursor: Cursor) -> Iterator[Line | ReadItem]:
    """The rest of a line that begins neither an object nor an array."""
    line = cursor.peek_line(SMALL)
    if line is not None:
        yield Line(cursor.take(cursor.at + len(line)), where.line, where.file)
        return
    shown = _text(cursor.excerpt())
    passed = cursor.skip_line()
    reason = "too-large" if passed > max_resource_bytes() else "not-json"
    yield Rejected(
        where, reason, counted(passed, "byte that is not a JSON object", "bytes that are not a JSON object"), shown
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _value(line: Line) -> Iterator[Line | ReadItem]:
    """A value as a `Line`; a large bundle, or a value over the limit, is read in parts instead."""
    if len(line.data) > SMALL and (_BUNDLE in line.data or size_problem(line.data)):
        yield from resources_in(line)
    else:
        yield line


def _elements(where: InputLocation, cursor: Cursor) -> Iterator[Line | ReadItem]:
    """The elements of an array."""
    number = 0
    try:
        for number, element in enumerate(cursor.elements(max_resource_bytes()), 1):
            here = Line(element.data, element.line, where.file, number)
            if element.oversized_bytes:
                detail = size_message(element.oversized_bytes, "element of an array")
                yield Rejected(here.where, "too-large", detail, _text(element.data))
            else:
                yield from _value(here)
    except (Truncated, Malformed) as error:
        cut = isinstance(error, Truncated)
        text = _text(cursor.data[cursor.at :] if cut else cursor.excerpt())
        passed = cursor.skip_value(1)
        detail = "the text ends" if cut else counted(passed, "byte is not valid JSON", "bytes are not valid JSON")
        yield Rejected(where, "not-json", f"after element {number}: {detail}", text)
    else:
        if not number:
            yield Skipped(where, "an empty array")


def _object(where: InputLocation, cursor: Cursor, *, cut: bool) -> Iterator[ReadItem]:
    """An object over the size limit, or cut off: the entries of a bundle, a reject for anything else.

    Args:
        cut: whether the text ends within it; then its beginning is in memory.
    """
    text = _text(cursor.data[cursor.at :] if cut else cursor.excerpt())
    opened = yield from _read_bundle_entries(where, cursor)
    if opened:
        detail = size_message(opened.size, "JSON value that is not a bundle of separate resources")
        yield Rejected(where, *(opened.problem or ("too-large", detail)), text=text)


def _read_bundle_entries(where: InputLocation, cursor: Cursor) -> Generator[ReadItem, None, ScannedBundle | None]:
    """Read the bundle at the cursor by its entries; returns None then, else what was found instead of a bundle."""
    source = cursor.source
    start = source.position if source else 0
    with Spool() as spool, FullUrls() as full_urls:
        if source:
            source.reported_position = start
        opened = read_bundle(cursor, spool, full_urls)
        if source:
            source.reported_position = None
        if opened.shell is None or not is_unpacked(opened.shell):
            return opened
        span = source.position - start if source else 0
        for done, found in read_spooled(where, opened.shell, spool, full_urls):
            if source:
                source.reported_position = start + span * done // max(1, spool.count)
            yield from found
        if source:
            source.reported_position = None
    if opened.problem:
        yield Rejected(where, *opened.problem, text=_text(opened.left))
    return None


def resources_in(line: Line) -> Iterator[ReadItem]:
    """Parse a line: one value, or several values on one line."""
    if _BUNDLE in line.data:
        cursor = Cursor(iter((line.data,)), line.line)
        if cursor.peek() == b"{" and not (yield from _read_bundle_entries(line.where, cursor)):
            yield from _parsed(_values(line.file, cursor))
            return
    large = size_problem(line.data)
    if large:
        yield Rejected(line.where, "too-large", large, _text(line.data[:EXCERPT_BYTES]))
        return
    try:
        value = parse(line.data)
    except InvalidJson as error:
        cursor = Cursor(iter((line.data,)), line.line)
        end = Nesting().find_end(cursor.data, cursor.at) if cursor.peek() == b"{" else None
        if end is None or not cursor.data[end:].strip():
            yield Rejected(line.where, "not-json", str(error), _text(line.data))
        else:
            yield from _parsed(_values(line.file, cursor))
        return
    yield from resources_of(line.where, value)


def resources_of(where: InputLocation, value: Any) -> Iterator[ReadItem]:
    """The items of a JSON value: the resource itself, the entries of a bundle, or the elements of an array."""
    if not isinstance(value, list):
        yield from _of_one(where, value)
    elif value:
        for number, element in enumerate(value, 1):
            yield from _of_one(where._replace(entry=number), element)
    else:
        yield Skipped(where, "an empty array")


def _of_one(where: InputLocation, value: Any) -> Iterator[ReadItem]:
    if is_manifest(value):
        yield from manifest_items(where, value)
    elif is_unpacked(value):
        yield from read_entries(where, value)
    elif problem := resource_problem(value):
        yield Rejected(where, *problem, text=canonical(value))
    else:
        yield Incoming(where, value["resourceType"], id_of(value) or content_id(value), value)
