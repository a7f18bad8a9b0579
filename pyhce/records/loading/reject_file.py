"""The reject file of a load: its own, never one that is there already, and readable by its owner only."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import orjson

from pyhce.errors import HceError, UsageError
from pyhce.records.reading.incoming import Rejected

_REMEDY = "Name a file in a folder that is there and can be written to: --rejects FILE."


class RejectFile:
    """Where a load notes what it rejects, one JSON object a line.

    The file is made at the first reject. If its name is taken, by an earlier load or by one that runs now, the name
    gets a number: `rejected-2.ndjson`. What is no file, such as /dev/stderr, is written to as it is.

    Args:
        asked: the name.

    Attributes:
        path: the file; None until something was rejected.

    Raises:
        UsageError: it could not be made.
    """

    def __init__(self, asked: Path) -> None:
        self._asked = asked
        self._handle: int | None = None
        self.path: Path | None = None
        try:
            if asked.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not _is_device(asked):
                with tempfile.TemporaryFile(dir=asked.parent):
                    pass
        except OSError as error:
            raise UsageError(f"the reject file {asked} could not be made: {error.strerror}", remedy=_REMEDY) from error

    def write(self, rejected: Rejected) -> None:
        """Note a reject; it is in the file when this returns.

        Raises:
            HceError: it could not be written.
        """
        line = {
            "file": rejected.where.file,
            "line": rejected.where.line,
            "entry": rejected.where.entry or None,
            "reason": rejected.reason,
            "detail": rejected.detail,
            "resource": rejected.text.encode("utf-8", "replace").decode(),
        }
        left = memoryview(orjson.dumps(line) + b"\n")
        try:
            if self._handle is None:
                self._handle, self.path = _made(self._asked)
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            raise HceError(
                f"the reject file {self.path or self._asked} could not be written: {error.strerror}",
                remedy="Make room or give another --rejects FILE, then run the same load again: what is loaded stays.",
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _made(asked: Path) -> tuple[int, Path]:
    """A new file of that name or of one with a number, open for writing."""
    if _is_device(asked):
        return os.open(asked, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), asked
    path, number = asked, 1
    while True:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            return os.open(path, flags, 0o600), path
        except FileExistsError:
            number += 1
            path = asked.with_name(f"{asked.stem}-{number}{asked.suffix}")
