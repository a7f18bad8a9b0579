"""Storage for a bundle between its two passes: its entries, and which resource each fullUrl names.

A small bundle stays in memory. A large one goes to temporary files in TMPDIR. They have no name and are readable by
their owner only, and they vanish with the process, however it ends.
"""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import zstandard

from pyhce.records.reading.conditions import (
    MOST_CHARACTERS,
    MOST_CONDITIONS,
    ConditionalEntry,
    ConditionOutcome,
    ConditionsAsked,
    kept_characters,
)
from pyhce.records.reading.splitter import Element

_BLOCK = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_HEAD = struct.Struct("<QQQ")
_URLS_IN_MEMORY = 100_000


class Spool:
    """The entries of a bundle, to be read forwards or backwards."""

    def __init__(self) -> None:
        self.count = 0
        self._block: list[Element] = []
        self._size = 0
        self._blocks: list[tuple[int, int]] = []
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, element: Element) -> None:
        """Add an entry."""
        self._block.append(element._replace(value=None))
        self._size += len(element.data)
        self.count += 1
        if self._size >= _BLOCK:
            self._write_to_file()

    def _write_to_file(self) -> None:
        if self._file is None:
            self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with the spool
        packed = b"".join(_HEAD.pack(len(e.data), e.line, e.oversized_bytes) + e.data for e in self._block)
        block = zstandard.ZstdCompressor(level=1).compress(packed)
        self._blocks.append((self._file.tell(), len(block)))
        self._file.write(block)
        self._block, self._size = [], 0

    def numbered(self, *, backwards: bool = False) -> Iterator[tuple[int, Element]]:
        """Each entry with its number, from 1; the last one first if `backwards`."""
        if self._file is None:
            numbers = range(1, self.count + 1)
            pairs = list(zip(numbers, self._block, strict=True))
            yield from reversed(pairs) if backwards else pairs
            return
        if self._block:
            self._write_to_file()
        number = self.count if backwards else 1
        for start, size in reversed(self._blocks) if backwards else self._blocks:
            elements = self._unpacked(start, size)
            for element in reversed(elements) if backwards else elements:
                yield number, element
                number += -1 if backwards else 1

    def _unpacked(self, start: int, size: int) -> list[Element]:
        assert self._file is not None  # noqa: S101 - for mypy
        self._file.seek(start)
        packed = zstandard.ZstdDecompressor().decompress(self._file.read(size))
        elements, at = [], 0
        while at < len(packed):
            length, line, passed = _HEAD.unpack_from(packed, at)
            at += _HEAD.size + length
            elements.append(Element(packed[at - length : at], line, passed))
        return elements


class FullUrls:
    """The type and id of the resource that each fullUrl of a bundle names."""

    def __init__(self) -> None:
        self.bases: set[str] = set()
        """The bases of the fullUrls."""
        self.kind = ""
        """The bundle's type, once it is known."""
        self.deletes = False
        """Whether an entry is a deletion."""
        self.decisions: dict[int, ConditionOutcome] = {}
        """The outcomes of conditions by the entry's number, once they are answered."""
        self._conditional: list[ConditionalEntry] = []
        self._room = MOST_CHARACTERS
        self._few: dict[str, tuple[str, str]] = {}
        self._many: sqlite3.Connection | None = None

    def __bool__(self) -> bool:
        return bool(self._few) or self._many is not None

    def add(self, url: str, fhir_type: str, key: str) -> None:
        """Remember which resource a fullUrl names. Of two, the last one counts."""
        self._few[_spelled(url)] = (fhir_type, key)
        if len(self._few) >= _URLS_IN_MEMORY:
            self._write_to_file()

    def add_conditional(self, one: ConditionalEntry) -> None:
        """Remember an entry with a condition. Beyond the limits it is not remembered and so refused later."""
        self._room -= kept_characters(one)
        if self._room >= 0 and len(self._conditional) < MOST_CONDITIONS:
            self._conditional.append(one)

    def asked(self) -> ConditionsAsked | None:
        """The conditions to look up before the entries are read; None without any."""
        return ConditionsAsked(self._conditional, self.bases) if self._conditional else None

    def answer(self, asked: ConditionsAsked) -> None:
        """Take over the outcomes: from now on a fullUrl names the resource that was found."""
        self.decisions = asked.decisions()
        for one in asked.conditional:
            decision = self.decisions.get(one.number)
            if decision is None or decision.key == one.key:
                continue
            kind = one.condition.type
            if one.url is not None:
                self.add(one.url, kind, decision.key)
            if len(self.bases) < 2:
                self.add(f"{kind}/{one.key}", kind, decision.key)
        self._conditional = []

    def _write_to_file(self) -> None:
        if self._many is None:
            # "" is a temporary file that SQLite deletes on closing
            self._many = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._many.execute("PRAGMA journal_mode = OFF")
            self._many.execute("PRAGMA cache_size = -8000")
            self._many.execute("CREATE TABLE place (url BLOB PRIMARY KEY, type TEXT, key TEXT) WITHOUT ROWID")
        rows = ((_blob(url), kind, key) for url, (kind, key) in self._few.items())
        self._many.execute("BEGIN")
        self._many.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", rows)
        self._many.execute("COMMIT")
        self._few = {}

    def get(self, url: str) -> tuple[str, str] | None:
        """The type and id that a fullUrl names; None if it is not one of the bundle's."""
        url = _spelled(url)
        found = self._few.get(url)
        if found is None and self._many is not None:
            asked = self._many.execute("SELECT type, key FROM place WHERE url = ?", (_blob(url),))
            row: tuple[str, str] | None = asked.fetchone()
            return row
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._many is not None:
            self._many.close()


def _spelled(url: str) -> str:
    """A URL in the form that is compared: the letters of a UUID have no case (RFC 4122, 3)."""
    return url.lower() if url[:9].lower() == "urn:uuid:" else url


def _blob(url: str) -> bytes:
    return url.encode("utf-8", "surrogatepass")
