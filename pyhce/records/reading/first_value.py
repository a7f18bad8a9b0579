"""What the first value of a text tells of the whole: JSON over several lines, or the errors of a server."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from pyhce.records.reading.entries import parse_or_none
from pyhce.records.reading.incoming import Incoming, ReadItem, Skipped
from pyhce.records.reading.input_file import InputFile
from pyhce.records.reading.limits import SMALL, max_resource_bytes
from pyhce.records.reading.nesting import Nesting
from pyhce.records.reading.splitter import Cursor, Malformed, Truncated, ValueTooLong

SEVERAL_LINES = "JSON over several lines, though its name promises a resource on each line: read as JSON"
ERRORS = "errors of the server that made it: read them, other files may lack what they name"
OUTCOME = "OperationOutcome of a server's errors"


def peek_value(cursor: Cursor) -> bytes | None:
    """The value that begins here, without passing it.

    Raises:
        Cut: the text ends within it. TooLong: it has more than 16 MB.
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
    """Whether JSON over several lines begins here, and not a line that is broken."""
    try:
        value = peek_value(cursor)
    except (Truncated, ValueTooLong):  # the line after it tells: in a file of lines it is an object of its own
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
    """Whether the first value is an OperationOutcome without an id, which no server keeps as a resource."""
    if b'"OperationOutcome"' not in cursor.excerpt():
        return False
    try:
        data = peek_value(cursor)
    except (Truncated, ValueTooLong):
        return False
    value = parse_or_none(data) if data and len(data) <= SMALL else None
    return isinstance(value, dict) and value.get("resourceType") == "OperationOutcome" and "id" not in value


def without_outcomes(source: InputFile, found: Iterator[ReadItem]) -> Iterator[ReadItem]:
    """What a file with a server's errors holds beside them."""
    for item in found:
        if isinstance(item, Incoming) and item.type == "OperationOutcome":
            source.notes[ERRORS] += 1
            yield Skipped(item.where, OUTCOME)
        else:
            yield item


def _is_object(text: bytes) -> bool:
    """Whether a text begins with a line that is one whole object."""
    line = text.partition(b"\n")[0].strip()
    return line[:1] == b"{" and Nesting().find_end(line, 0) == len(line)
