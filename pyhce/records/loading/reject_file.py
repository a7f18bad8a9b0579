"""The reject file of a load. It is always a new file, readable by its owner only."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import orjson

from pyhce.errors import HceError, UsageError
from pyhce.records.reading.incoming import Rejected

_REMEDY = "Name a file in an existing, writable folder: --rejects FILE."


class RejectFile:
    """The rejects of a load, one JSON object a line.

    The file is created at the first reject. If the name is taken, by an earlier load or by one that is running, a
    number is added: `rejected-2.ndjson`. A device such as /dev/stderr is written to directly.

    Args:
        asked: the file's name.

    Attributes:
        path: the file; None until the first reject.

    Raises:
        UsageError: the file cannot be created.
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
            raise UsageError(f"could not create the reject file {asked}: {error.strerror}", remedy=_REMEDY) from error

    def write(self, rejected: Rejected) -> None:
        """Write a reject. It is in the file when this returns.

        Raises:
            HceError: the file cannot be written.
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
                self._handle, self.path = _create(self._asked)
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            raise HceError(
                f"could not write the reject file {self.path or self._asked}: {error.strerror}",
                remedy="Free some space or give another --rejects FILE, then run the same load again.",
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _create(asked: Path) -> tuple[int, Path]:
    """Create a file of that name, or of the first free name with a number; its descriptor and path."""
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
