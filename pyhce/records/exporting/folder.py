"""The folder of an export: parts and a journal while the export runs, then files and a manifest, all at once.

A folder is either finished, with a manifest.json, or the next run continues in it, whenever the process ends. Every
file is on disk before the journal or the manifest names it, and only its owner can read it.

    out/.export/journal       {"request": …}, {"done": …} for each written part, {"drop": …}, at last {"finish": …}
    out/.export/000001.part   the lines of a part
    out/.export/000001.rows   what the rows of that part hold besides the resources
    out/.export/lock          locked by the process that writes to the folder
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from filelock import FileLock, Timeout

from pyhce.counted import counted
from pyhce.errors import UsageError
from pyhce.records.durable import open_private, sync_folder
from pyhce.records.exporting.parts import WrittenPart
from pyhce.records.reading.finished_export import JOURNAL, MANIFEST, WORK, digest

logger = logging.getLogger(__name__)


class PartFile:
    """A file that is written and hashed; on disk once it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb", buffering=0, opener=open_private)  # noqa: SIM115 - closed by __exit__
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append data, and add it to the hash."""
        self._hash.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hex."""
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            os.fsync(self._file.fileno())
        self._file.close()


class ExportFolder:
    """A folder that an export writes to; safe to use from several threads.

    Attributes:
        parts: the written parts, by the name of their file.
        finish_record: the manifest and the final name of each file, once every part is written.
    """

    def __init__(self, path: Path, journal: IO[bytes]) -> None:
        self.path, self.work = path, path / WORK
        self._journal = journal
        self._lock = threading.Lock()
        self._number = 0
        self.parts: dict[str, WrittenPart] = {}
        self.finish_record: dict[str, Any] | None = None

    def new_part_name(self) -> str:
        """Return a name that no part of this export has."""
        with self._lock:
            self._number += 1
            return f"{self._number:06}.part"

    def rows_path(self, part: str) -> Path:
        """Return the path of the second file of a part: what its rows hold besides the resources."""
        return self.work / part.replace(".part", ".rows")

    def add(self, part: WrittenPart) -> None:
        """Note in the journal that a part is complete."""
        with self._lock:
            self._note({"done": part.model_dump(mode="json", by_alias=True)})
            self.parts[part.file] = part

    def drop(self, parts: Iterable[WrittenPart]) -> None:
        """Delete parts that no longer hold what the database holds."""
        for part in parts:
            self._note({"drop": part.file})
            del self.parts[part.file]
            (self.work / part.file).unlink(missing_ok=True)
            self.rows_path(part.file).unlink(missing_ok=True)

    def finish(self, manifest: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """Give every part its final name, then write the manifest. If the process is killed, the next run finishes it.

        Args:
            manifest: the content of manifest.json.
            names: the final path of each file of the work folder.
        """
        self.finish_record = {"manifest": manifest, "names": dict(names)}
        self._note({"finish": self.finish_record})
        self.complete()

    def complete(self) -> None:
        """Do what `finish_record` says."""
        assert self.finish_record is not None  # noqa: S101 - asked by the caller
        for part, name in self.finish_record["names"].items():
            target = self.path / name
            target.parent.mkdir(mode=0o700, exist_ok=True)
            if (self.work / part).exists():
                (self.work / part).rename(target)
        for folder in {(self.path / name).parent for name in self.finish_record["names"].values()}:
            sync_folder(folder)
        written = self.work / MANIFEST
        with open(written, "w", encoding="utf-8", opener=open_private) as file:
            json.dump(self.finish_record["manifest"], file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        written.rename(self.path / MANIFEST)
        sync_folder(self.path)
        shutil.rmtree(self.work)

    def _note(self, record: Mapping[str, Any]) -> None:
        self._journal.write(json.dumps(record).encode() + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())

    def resume(self, lines: Iterable[bytes], request: Mapping[str, Any]) -> None:
        """Continue from the lines of a journal, or begin an empty one.

        Raises:
            UsageError: the journal is of an export with other arguments or of another database.
        """
        valid_bytes = 0
        for number, line in enumerate(lines):
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if record is None:
                break  # the process was killed while it wrote this line
            valid_bytes += len(line)
            if number == 0:
                _refuse_other(self.path, record["request"], request)
            elif "done" in record:
                part = WrittenPart.model_validate(record["done"])
                self.parts[part.file] = part
                self._number = max(self._number, int(part.file.split(".")[0]))
            elif "drop" in record:
                self.parts.pop(record["drop"], None)
            else:
                self.finish_record = record["finish"]
        self._journal.truncate(valid_bytes)
        self._journal.seek(valid_bytes)
        if not valid_bytes:
            self._note({"request": request})
        if self.finish_record is None:
            self._tidy()

    def _tidy(self) -> None:
        """Delete parts that are incomplete or damaged."""
        damaged = [part for part in self.parts.values() if not self._is_whole(part)]
        if damaged:
            logger.warning("%s damaged and will be read again", counted(len(damaged), "part is", "parts are"))
        self.drop(damaged)
        known = {path for name in self.parts for path in (self.work / name, self.rows_path(name))}
        for file in (*self.work.glob("*.part"), *self.work.glob("*.rows")):
            if file not in known:
                file.unlink()

    def _is_whole(self, part: WrittenPart) -> bool:
        rows = part.rows_bytes, part.rows_sha256
        return digest(self.work / part.file) == (part.bytes, part.sha256) and digest(self.rows_path(part.file)) == rows


@contextmanager
def open_folder(path: Path, request: Mapping[str, Any]) -> Iterator[ExportFolder]:
    """Open a new or empty folder, or one in which an export with the same arguments was interrupted.

    Args:
        path: the folder; it is created if it does not exist.
        request: what tells this export from another, in JSON types; kept in the journal.

    Raises:
        UsageError: the folder holds something else, or another export writes to it.
    """
    journal = path / WORK / JOURNAL
    if path.exists() and (not path.is_dir() or (any(path.iterdir()) and not (path / WORK).is_dir())):
        finished = " (it holds a finished export)" if (path / MANIFEST).is_file() else ""
        raise UsageError(
            f"{path} is not an empty folder{finished}",
            remedy="Give a new folder: an export never overwrites files.",
        )
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    journal.parent.mkdir(mode=0o700, exist_ok=True)
    with _locked(path), open(journal, "r+b" if journal.exists() else "w+b", opener=open_private) as stream:
        store = ExportFolder(path, stream)
        store.resume(stream.readlines(), request)
        sync_folder(journal.parent)
        sync_folder(path)
        yield store


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other exports out of a folder; the kernel releases the lock of a process that was killed.

    The lock file is in the work folder, which is deleted when the export is complete.
    """
    lock = FileLock(path / WORK / "lock", timeout=0, mode=0o600)
    try:
        acquired = lock.acquire()
    except Timeout:
        raise UsageError(
            f"another export is writing to {path}", remedy="Wait until it has finished, or give another folder."
        ) from None
    with acquired:
        yield


def interrupted_request(path: Path) -> dict[str, Any] | None:
    """Return what an interrupted export in a folder was asked for, None if there is none."""
    try:
        with (path / WORK / JOURNAL).open("rb") as journal:
            found = json.loads(journal.readline())["request"]
    except (OSError, ValueError, KeyError):
        return None
    return found if isinstance(found, dict) else None


def _refuse_other(path: Path, had: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    differs = sorted(name for name in had.keys() | given.keys() if had.get(name) != given.get(name))
    if differs:
        raise UsageError(
            f"{path} holds an interrupted export with another {' and '.join(differs)}",
            remedy="Give the same arguments to continue it, give another folder, or delete this one.",
        )
