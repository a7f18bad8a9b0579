"""What the first value of a file says about the file: JSON that spans lines, or a server's errors."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from pyhce.records.reading.entries import parse_or_none
from pyhce.records.reading.incoming import Incoming, ReadItem, Skipped
from pyhce.records.reading.input_file import InputFile
from pyhce.records.reading.limits import SMALL, max_resource_bytes
from pyhce.records.reading.nesting import Nesting
from pyhce.records.reading.splitter import Cursor, Malformed, Truncated, ValueTooLong

SEVERAL_LINES = "JSON that spans several lines, although the name stands for one resource on each line: read as JSON"
ERRORS = "errors of the exporting server: read them, other files may be incomplete because of them"
OUTCOME = "OperationOutcome of a server's errors"


def peek_value(cursor: Cursor) -> bytes | None:
    """The next value. The cursor advances over the white space before it, and no further.

    Raises:
        Truncated: the text ends within it. ValueTooLong: it has more than 16 MB.
    """
    line = cursor.line
    try:
        value = cursor.value(max_resource_bytes())
    except Malformed:
        return None
    cursor.at -= len(value)
    cursor.line = line
    return value


def spans_lines(cursor: Cursor) -> bool:
    """Whether JSON that spans lines begins here, and not a broken line."""
    try:
        value = peek_value(cursor)
    except (Truncated, ValueTooLong):  # if the next line is a complete object, this line is broken
        after = cursor.data[cursor.at : cursor.at + SMALL].partition(b"\n")[2].lstrip()
        return bool(after) and not _is_object(after)
    if value is None or b"\n" not in value:
        return False
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def begins_with_outcome(cursor: Cursor) -> bool:
    """Whether the first value is an OperationOutcome without an id, which no server stores as a resource."""
    if b'"OperationOutcome"' not in cursor.excerpt():
        return False
    try:
        data = peek_value(cursor)
    except (Truncated, ValueTooLong):
        return False
    value = parse_or_none(data) if data and len(data) <= SMALL else None
    return isinstance(value, dict) and value.get("resourceType") == "OperationOutcome" and "id" not in value


def without_outcomes(source: InputFile, found: Iterator[ReadItem]) -> Iterator[ReadItem]:
    """The items of a file with a server's errors, without the errors."""
    for item in found:
        if isinstance(item, Incoming) and item.type == "OperationOutcome":
            source.notes[ERRORS] += 1
            yield Skipped(item.where, OUTCOME)
        else:
            yield item


def _is_object(text: bytes) -> bool:
    """Whether a text begins with a line that is one complete object."""
    line = text.partition(b"\n")[0].strip()
    return line[:1] == b"{" and Nesting().find_end(line, 0) == len(line)
