"""The folder of an export: parts and a journal while it is being made, then files and a manifest, all at once.

Whatever happens on the way, the folder is either finished (it has a manifest.json) or can be gone on with. Every file
is on disk before the journal or the manifest names it, and only its owner may read it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pyhce.errors import UsageError
from pyhce.records.durable import open_private, sync_folder
from pyhce.records.exporting.parts import WrittenPart
from pyhce.records.reading.finished_export import JOURNAL, MANIFEST, WORK, digest


class PartFile:
    """A file that is being written, hashed on the way; on disk when it is closed."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb", buffering=0, opener=open_private)  # noqa: SIM115 - closed by __exit__
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write all of this."""
        self._hash.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            os.fsync(self._file.fileno())
        self._file.close()


class ExportFolder:
    """A folder that an export is being made in; safe to use from several threads."""

    def __init__(self, path: Path, journal: IO[bytes]) -> None:
        self.path, self.work = path, path / WORK
        self._journal = journal
        self._lock = threading.Lock()
        self._number = 0
        self.done: dict[str, WrittenPart] = {}
        self.finish_record: dict[str, Any] | None = None

    def new_part_name(self) -> str:
        """A name for a part that nobody has."""
        with self._lock:
            self._number += 1
            return f"{self._number:06}.part"

    def rows_path(self, part: str) -> Path:
        """The file beside a part: what its rows hold besides the resources."""
        return self.work / part.replace(".part", ".rows")

    def add(self, done: WrittenPart) -> None:
        """Note that a part is whole."""
        with self._lock:
            self._note({"done": done.model_dump(mode="json", by_alias=True)})
            self.done[done.file] = done

    def drop(self, parts: Iterable[WrittenPart]) -> None:
        """Forget parts: what they were read from is no longer so."""
        for part in parts:
            self._note({"drop": part.file})
            del self.done[part.file]
            (self.work / part.file).unlink(missing_ok=True)
            self.rows_path(part.file).unlink(missing_ok=True)

    def finish(self, manifest: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """Give every part its name, then write the manifest; a kill on the way is made good by the next run."""
        self.finish_record = {"manifest": manifest, "names": dict(names)}
        self._note({"finish": self.finish_record})
        self.complete()

    def complete(self) -> None:
        """Do what the journal says about finishing."""
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
        """Go on from a journal, or begin it.

        Raises:
            UsageError: it is of other arguments, or of another database.
        """
        whole = 0
        for number, line in enumerate(lines):
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if record is None:
                break  # cut off by a kill
            whole += len(line)
            if number == 0:
                _refuse_other(self.path, record["request"], request)
            elif "done" in record:
                done = WrittenPart.model_validate(record["done"])
                self.done[done.file] = done
                self._number = max(self._number, int(done.file.split(".")[0]))
            elif "drop" in record:
                self.done.pop(record["drop"], None)
            else:
                self.finish_record = record["finish"]
        self._journal.truncate(whole)
        self._journal.seek(whole)
        if not whole:
            self._note({"request": request})
        if self.finish_record is None:
            self._tidy()

    def _tidy(self) -> None:
        """Only whole parts that are as they were written stay."""
        self.drop([done for done in self.done.values() if not self._is_whole(done)])
        there = {path for name in self.done for path in (self.work / name, self.rows_path(name))}
        for file in (*self.work.glob("*.part"), *self.work.glob("*.rows")):
            if file not in there:
                file.unlink()

    def _is_whole(self, done: WrittenPart) -> bool:
        rows = done.rows_bytes, done.rows_sha256
        return digest(self.work / done.file) == (done.bytes, done.sha256) and digest(self.rows_path(done.file)) == rows


@contextmanager
def open_folder(path: Path, request: Mapping[str, Any]) -> Iterator[ExportFolder]:
    """A new or empty folder, or one where an export of the same arguments was interrupted.

    Raises:
        UsageError: it holds something else, or another export is at work in it.
    """
    journal = path / WORK / JOURNAL
    if path.exists() and (not path.is_dir() or (any(path.iterdir()) and not (path / WORK).is_dir())):
        finished = " (it holds a finished export)" if (path / MANIFEST).is_file() else ""
        raise UsageError(
            f"{path} is not an empty folder{finished}", remedy="Give a new one: an export never overwrites."
        )
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    journal.parent.mkdir(mode=0o700, exist_ok=True)
    with open(journal, "r+b" if journal.exists() else "w+b", opener=open_private) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another export is at work in {path}", remedy="Let it finish, or give another folder."
            ) from None
        made = ExportFolder(path, stream)
        made.resume(stream.readlines(), request)
        sync_folder(journal.parent)
        sync_folder(path)
        yield made


def interrupted_request(path: Path) -> dict[str, Any] | None:
    """What an interrupted export in a folder was asked for, None if there is none."""
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
            f"{path} holds an interrupted export of another {' and '.join(differs)}",
            remedy="Give the arguments of then to go on with it, another folder, or delete this one.",
        )
