"""Split a JSON text into its values without parsing them: across chunks, in bounded memory, at any depth.

Only brackets and strings are looked at. Whether a value is valid JSON is found out when it is parsed.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from pyhce.records.reading.input_file import DamagedFile, InputFile
from pyhce.records.reading.nesting import Nesting

_SPACE = re.compile(rb"[ \t\r\n]*+")
_SCALAR = re.compile(rb'[^\s{}\[\]",:]*+')
_NEXT = re.compile(rb'\s*,\s*\{\s*"[^"\\]{1,64}"\s*:')
"""The text between two objects of an array, with the name of the second one's first member."""
_LONGEST_SCALAR = 65536
_LONGEST_GUESS = 1024 * 1024
EXCERPT_BYTES = 1000
"""Bytes of a value that is too long that are shown in its reject."""


class Truncated(ValueError):
    """The text ends within a value."""


class ValueTooLong(ValueError):
    """A value has more bytes than the limit."""


class Malformed(ValueError):
    """The text at this place is not JSON."""


class Element(NamedTuple):
    """An element of an array.

    Args:
        line: the number of its first line.
        oversized_bytes: its size if that is over the limit, and then `data` is only its beginning; else 0.
        value: its value if it was parsed on the way, without the spelling of numbers; else None.
    """

    data: bytes
    line: int
    oversized_bytes: int = 0
    value: Any = None


class Cursor:
    """A position in a text that is read in chunks.

    Args:
        line: the number of the line at the position.
        source: the file, whose `bytes_without_resource` is reset at each complete value.

    Attributes:
        data: the part of the text in memory; `at` is the position in it.
        offset: bytes of the text before the position.
        damage: why the text ends early; None if it does not.
    """

    def __init__(self, chunks: Iterator[bytes], line: int = 1, source: InputFile | None = None) -> None:
        self.chunks, self.line, self.source = chunks, line, source
        self.data, self.at, self.offset = b"", 0, 0
        self.damage: DamagedFile | None = None

    def next_chunk(self) -> bytes | None:
        """The next chunk of the text; None at its end."""
        try:
            return next(self.chunks, None)
        except DamagedFile as error:
            self.damage = error
            return None

    def read_more(self) -> bool:
        """Append the next chunk to the data; False at the end of the text."""
        chunk = self.next_chunk()
        if chunk is None:
            return False
        self.data = self.data[self.at :] + chunk
        self.at = 0
        return True

    def peek(self) -> bytes:
        """Skip white space; the byte after it, b"" at the end of the text."""
        while True:
            found = _SPACE.match(self.data, self.at)
            self.take(found.end() if found else self.at)
            if self.at < len(self.data) or not self.read_more():
                return self.data[self.at : self.at + 1]

    def skip_byte_order_mark(self) -> bool:
        """Skip a byte order mark, which may stand between concatenated files; whether there was one."""
        while len(self.data) - self.at < len(BOM_UTF8) and self.read_more():
            pass
        found = self.data.startswith(BOM_UTF8, self.at)
        self.at += len(BOM_UTF8) if found else 0
        return found

    def take(self, end: int) -> bytes:
        """Advance to a position in the data; the text passed."""
        taken = self.data[self.at : end]
        self.line += taken.count(b"\n")
        self.offset += len(taken)
        self.at = end
        return taken

    def value(self, limit: int) -> bytes:
        """Advance past the value at the position; its text.

        Raises:
            Truncated: the text ends within the value; the position stays.
            ValueTooLong: the value has more than `limit` bytes; the position stays.
            Malformed: no value begins here.
        """
        if self.peek() not in (b"{", b"[", b'"'):
            return self._scalar()
        nesting = Nesting()
        end = nesting.find_end(self.data, self.at)
        if end is not None and end - self.at <= limit:
            return self._whole(end)
        parts = [self.data[self.at :]]
        size = len(parts[0])
        while end is None and size <= limit:
            chunk = self.next_chunk()
            if chunk is None:
                self.data, self.at = b"".join(parts), 0
                raise Truncated
            parts.append(chunk)
            end = nesting.find_end(chunk, 0)
            size += len(chunk) if end is None else end
        self.data, self.at = b"".join(parts), 0
        if size > limit:
            raise ValueTooLong
        return self._whole(size)

    def _whole(self, end: int) -> bytes:
        if self.source:
            self.source.bytes_without_resource = 0
        return self.take(end)

    def _scalar(self) -> bytes:
        while True:
            found = _SCALAR.match(self.data, self.at)
            end = found.end() if found else self.at
            if end == self.at or end - self.at > _LONGEST_SCALAR:
                raise Malformed
            if end < len(self.data):
                return self.take(end)
            if not self.read_more():
                return self.take(len(self.data))

    def excerpt(self, size: int = EXCERPT_BYTES) -> bytes:
        """The text after the position, up to a number of bytes, without advancing."""
        while len(self.data) - self.at < size and self.read_more():
            pass
        return self.data[self.at : self.at + size]

    def skip_value(self, depth: int = 0) -> int:
        """Advance past the rest of a value, from `depth` brackets within it, or to the end of the text; the bytes."""
        nesting = Nesting(depth)
        passed = 0
        while True:
            end = nesting.find_end(self.data, self.at)
            passed += len(self.take(len(self.data) if end is None else end))
            if end is not None or not self.read_more():
                return passed

    def skip_line(self) -> int:
        """Advance past the end of the line; the bytes."""
        passed = 0
        while True:
            end = self.data.find(b"\n", self.at)
            passed += len(self.take(len(self.data) if end < 0 else end + 1))
            if end >= 0 or not self.read_more():
                return passed

    def peek_line(self, limit: int) -> bytes | None:
        """The rest of the line, without advancing; None if it has more than `limit` bytes."""
        parts = [self.data[self.at :]]
        size = len(parts[0])
        while b"\n" not in parts[-1] and size <= limit and (chunk := self.next_chunk()) is not None:
            parts.append(chunk)
            size += len(chunk)
        self.data, self.at = b"".join(parts), 0
        end = self.data.find(b"\n")
        line = self.data if end < 0 else self.data[:end]
        return line if len(line) <= limit else None

    def elements(self, limit: int) -> Iterator[Element]:
        """Advance past the array at the position; its elements, of those over `limit` bytes only their beginning.

        Raises:
            Truncated, Malformed: the text is cut off or not valid JSON; the position is at that place.
        """
        self.take(self.at + 1)
        if self.peek() == b"]":
            self.take(self.at + 1)
            return
        separator = b""
        while True:
            if not separator:
                self.peek()
            line = self.line
            try:
                yield (separator and self._guessed(separator)) or Element(self.value(limit), line)
            except ValueTooLong:
                yield Element(self.excerpt(), line, oversized_bytes=self.skip_value())
            if found := _NEXT.match(self.data, self.at):
                separator = found[0]
                self.take(self.at + separator.index(b"{"))
                continue
            separator = b""
            following = self.peek()
            if not following:
                raise Truncated
            if following not in (b",", b"]"):
                raise Malformed
            self.take(self.at + 1)
            if following == b"]":
                return

    def _guessed(self, separator: bytes) -> Element | None:
        """The object at the position, if it ends where the separator of the last two objects occurs next.

        Parsing proves the guess: no prefix of a JSON object is itself a JSON object. It saves matching every bracket.
        """
        end = self.data.find(separator, self.at, self.at + _LONGEST_GUESS)
        if end < 0:
            return None
        data, line = self.data[self.at : end], self.line
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return None
        self._whole(end)
        return Element(data, line, value=value)
