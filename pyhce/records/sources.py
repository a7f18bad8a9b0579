"""Where resources come from: files, folders, patterns, standard input; plain, gzip or Zstandard; streamed."""

from __future__ import annotations

import glob
import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import zstandard
from xxhash import xxh3_128

from pyhce.errors import UsageError

STDIN = Path("-")
LINES = (".ndjson", ".jsonl")
SUFFIXES = (".json", *LINES)
COMPRESSIONS = (".gz", ".zst")
MAX_LINE = 256 * 1024 * 1024
"""Bytes of one line, or of one JSON file that is no NDJSON: what is longer is rejected, not read into memory."""
_CHUNK = 1024 * 1024
_SHOWN = 1000
"""Bytes of what is too long that go to the reject file."""
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)


class Piece(NamedTuple):
    """A line, or what was wrong with the rest.

    Args:
        problem: reason code and detail, None if the line is whole.
    """

    line: int
    data: bytes
    problem: tuple[str, str] | None = None


def plain_name(path: Path) -> str:
    """A file's name without the ending that says how it is compressed."""
    return path.stem if path.suffix in COMPRESSIONS else path.name


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The files to read: those named or matched, and those of named folders that hold JSON; `-` is standard input.

    Of a folder, files of Patients come first: any order ends the same, this one spares moving what came before them.

    Raises:
        UsageError: a path is not there, or a folder holds no such file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += _inside(path)
        elif path == STDIN or path.exists():
            found.append(path)
        elif matched := sorted(glob.glob(str(path), recursive=True)):
            found += files_in([Path(name) for name in matched])
        else:
            raise UsageError(f"{path} is not there", remedy="Give files, folders or patterns that can be read, or -.")
    return found


def _inside(folder: Path) -> list[Path]:
    inside = [p for p in folder.rglob("*") if plain_name(p).endswith(SUFFIXES) and p.is_file()]
    if not inside:
        raise UsageError(
            f"{folder} holds no file that ends in {', '.join(SUFFIXES)}, with or without {' or '.join(COMPRESSIONS)}",
            remedy="Name the files one by one, or another folder.",
        )
    return sorted(inside, key=lambda p: (not p.name.startswith("Patient"), p))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file's plain bytes as a stream."""
    if path == STDIN:
        yield sys.stdin.buffer
    elif path.suffix == ".gz":
        with gzip.open(path, "rb") as unzipped, io.BufferedReader(cast(io.RawIOBase, unzipped), _CHUNK) as stream:
            yield stream
    elif path.suffix == ".zst":
        with zstandard.open(path, "rb") as expanded, io.BufferedReader(cast(io.RawIOBase, expanded), _CHUNK) as stream:
            yield stream
    else:
        with path.open("rb") as plain:
            yield plain


def pieces(stream: BinaryIO) -> Iterator[Piece]:
    """The lines that are not blank, one at a time in memory; a line that is too long, or damage, is told and passed."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE:
                yield Piece(number, line[:_SHOWN], ("too-large", f"more than {MAX_LINE // 1024**2} MB in one line"))
                while line and not line.endswith(b"\n"):
                    line = stream.readline(_CHUNK)
            elif line.strip():
                yield Piece(number, line)
        except _DAMAGED as error:
            yield Piece(number, b"", ("unreadable", f"cut off or damaged from here on: {error}"))
            return


def rest_of(stream: BinaryIO, first: bytes) -> bytes:
    """What has been read and everything after it, as far as it is not too large.

    Raises:
        ValueError: it is damaged; the text says how.
    """
    try:
        return first + stream.read(MAX_LINE + 1 - len(first))
    except _DAMAGED as error:
        raise ValueError(f"cut off or damaged: {error}") from error


def fingerprint_of(path: Path) -> str:
    """128 bits that tell a file's bytes from another's; hexadecimal."""
    digest = xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
