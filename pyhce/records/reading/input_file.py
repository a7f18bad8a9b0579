"""Input files: plain, gzip or Zstandard, or standard input, read in pieces of bounded size."""

from __future__ import annotations

import codecs
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import zstandard
from xxhash import xxh3_128

from pyhce.errors import printable

STDIN = Path("-")
LINE_SUFFIXES = (".ndjson", ".jsonl")
SUFFIXES = (".json", *LINE_SUFFIXES)
COMPRESSIONS = (".gz", ".zst")
CHUNK = 256 * 1024
"""Bytes of a file that are read at once, and about as many of plain text that are expanded at once."""
MAX_WINDOW = 128 * 1024 * 1024
"""Bytes of memory that a Zstandard file may request: the default of the zstd command."""
MAX_WITHOUT_RESOURCE = 1024**3
"""Bytes of plain text without one complete resource after which a file with a high compression ratio is abandoned."""
_MAX_RATIO = 100
_ZSTD_STEP = 256  # 4 bytes of Zstandard expand to 128 KB at most, a step to 8 MB
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FIRST = (b"{", b"[", b"<", b" ", b"\t", b"\r", b"\n")
"""How JSON and XML can begin."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class DamagedFile(ValueError):
    """The rest of a file cannot be read. The message says why; `reason` is the reason code of the reject."""

    def __init__(self, text: str, reason: str = "unreadable") -> None:
        super().__init__(text)
        self.reason = reason


class InputFile:
    """A file that is being read: its plain text in chunks, the position in it, a fingerprint of its raw bytes.

    Args:
        path: a file, or `STDIN`.

    Attributes:
        name: the file's name for messages.
        size: bytes of the file on disk, compressed if it is; None if that is unknown, as for a pipe.
        reported_position: the position to report while the reader is ahead of it, as in a bundle; the reader sets it.
        bytes_without_resource: bytes of plain text since the last complete resource; the reader resets it.
        notes: what the reader noticed about the file, with how often.
        not_read: why nothing was read from it; None if something was.
        lists_errors: whether a manifest lists it as errors of an export; None if no manifest lists it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = "standard input" if path == STDIN else printable(path)
        self.notes: Counter[str] = Counter()
        self.not_read: str | None = None
        self.lists_errors: bool | None = None
        self.size: int | None = None
        self.reported_position: int | None = None
        self.bytes_without_resource = self._bytes_read = 0
        self._ended = False
        self._hash = xxh3_128()
        self._file: BinaryIO | None = None

    @property
    def position(self) -> int:
        """Raw bytes of the file whose resources were passed on."""
        return self._bytes_read if self.reported_position is None else self.reported_position

    def fingerprint(self) -> str:
        """A 128-bit hash of all raw bytes, hexadecimal. Reads the rest of the file.

        Raises:
            OSError: the rest cannot be read.
        """
        while not self._ended:
            self._read()
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._file is not None and self.path != STDIN:
            self._file.close()

    def chunks(self) -> Iterator[bytes]:
        """The plain text as UTF-8, in pieces that are not empty.

        Raises:
            DamagedFile: the rest cannot be read.
        """
        try:
            plain = filter(None, self._plain())
            first = next(plain, b"")
            while len(first) < 4 and (more := next(plain, b"")):
                first += more
            encoding, skipped = _encoding(first)
            pieces = _transcoded(first[skipped:], plain, encoding) if encoding != "utf-8" else plain
            if encoding == "utf-8" and first[skipped:]:
                yield from self._counted(first[skipped:])
            for piece in pieces:
                yield from self._counted(piece)
        except OSError as error:
            raise DamagedFile(error.strerror or str(error)) from error
        except (zlib.error, zstandard.ZstdError, UnicodeError, EOFError) as error:
            raise DamagedFile(f"truncated or damaged from here on: {error}") from error

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        if (
            self.bytes_without_resource > MAX_WITHOUT_RESOURCE
            and self.bytes_without_resource > _MAX_RATIO * self._bytes_read
        ):
            size = f"{self._bytes_read >> 10} KB expanded to more than {MAX_WITHOUT_RESOURCE >> 20} MB"
            detail = f"{size} without a complete resource: the rest of the file was not read"
            raise DamagedFile(detail, "too-large")
        self.bytes_without_resource += len(piece)
        if piece:
            yield piece

    def _read(self) -> bytes:
        if self._file is None:
            self._file = sys.stdin.buffer if self.path == STDIN else self.path.open("rb", buffering=0)
            self.size = _size(self.path)
        assert self._file is not None  # noqa: S101 - for mypy
        read = getattr(self._file, "read1", self._file.read)  # of a pipe: what is available
        data: bytes = read(CHUNK) or b""
        self._ended = not data
        self._bytes_read += len(data)
        self._hash.update(data)
        return data

    def _plain(self) -> Iterator[bytes]:
        """The plain text; a file that begins as gzip or Zstandard is expanded. One named .gz or .zst must be."""
        first = self._read()
        while 0 < len(first) < 4 and (more := self._read()):
            first += more
        if first.startswith(_GZIP):
            yield from self._gunzipped(first)
        elif first.startswith(_ZSTD):
            yield from self._expanded(first)
        elif first and self.path.suffix.lower() in COMPRESSIONS:
            raise DamagedFile(f"the name ends in {self.path.suffix}, but the file is not compressed that way")
        else:
            while first:
                yield first
                first = self._read()

    def _gunzipped(self, raw: bytes) -> Iterator[bytes]:
        """The members of a gzip file, as the gzip command reads them. Zero bytes may follow a member."""
        while True:
            unzip = zlib.decompressobj(wbits=31)
            while not unzip.eof:
                piece = unzip.decompress(raw, CHUNK)
                yield piece
                raw = unzip.unconsumed_tail
                if not raw and not unzip.eof and not (raw := self._read()) and not piece:
                    raise EOFError("the compressed data ends too early")
            raw = unzip.unused_data.lstrip(b"\0")
            while not raw and (more := self._read()):
                raw = more.lstrip(b"\0")
            while len(raw) == 1 and (more := self._read()):
                raw += more
            if not raw:
                return
            if not raw.startswith(_GZIP):
                raise DamagedFile("the data after a gzip member is not gzip")

    def _expanded(self, raw: bytes) -> Iterator[bytes]:
        """The frames of a Zstandard file, in steps so small that none expands to much."""
        expand = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        frame = expand.decompressobj()
        while raw:
            for start in range(0, len(raw), _ZSTD_STEP):
                step = raw[start : start + _ZSTD_STEP]
                while step:
                    if frame.eof:
                        frame = expand.decompressobj()
                    yield frame.decompress(step)
                    step = frame.unused_data if frame.eof else b""
            raw = self._read()
        if not frame.eof:
            raise EOFError("the compressed data ends too early")


def _encoding(first: bytes) -> tuple[str, int]:
    """The encoding of a text, and the bytes of its byte order mark. A JSON text begins with an ASCII character."""
    for mark, encoding in _MARKS:
        if first.startswith(mark):
            return encoding, len(mark)
    zeros = [byte == 0 for byte in first[:4]]
    if len(first) > 1 and zeros[0] != zeros[1] and first[:2].strip(b"\0") in _FIRST and zeros[2:] in ([], zeros[:2]):
        return ("utf-16-be" if first[0] == 0 else "utf-16-le"), 0
    return "utf-8", 0


def _transcoded(first: bytes, rest: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The text as UTF-8. Half a surrogate pair becomes invalid bytes, so that only its resource is rejected."""
    decode = codecs.getincrementaldecoder(encoding)("surrogatepass").decode
    yield decode(first).encode("utf-8", "surrogatepass")
    for piece in rest:
        yield decode(piece).encode("utf-8", "surrogatepass")
    yield decode(b"", final=True).encode("utf-8", "surrogatepass")


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path != STDIN and path.is_file() else None
    except OSError:
        return None


def file_fingerprint(path: Path) -> str:
    """The `InputFile.fingerprint` of a file that is not being read.

    Raises:
        OSError: it cannot be read.
    """
    with InputFile(path) as source:
        return source.fingerprint()


def plain_name(path: Path) -> str:
    """A file's name without its compression suffix."""
    return path.stem if path.suffix.lower() in COMPRESSIONS else path.name


def file_size(path: Path) -> int:
    """Bytes of a file on disk; 0 for a pipe and for a file that no longer exists."""
    return _size(path) or 0
