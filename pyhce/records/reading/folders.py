"""The files that a load reads: those named, and those in named folders. The others are listed with a reason."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from pyhce.errors import UsageError
from pyhce.records.reading.input_file import COMPRESSIONS, STDIN, SUFFIXES, plain_name
from pyhce.records.reading.signatures import APPLE_DOUBLE, ARCHIVE, BZIP2, TAR, XML, XZ, ZIP, known_file

_ENDINGS = f"{', '.join(SUFFIXES)}, with or without {' or '.join(COMPRESSIONS)}"
OTHER_NAME = f"the name does not end in {_ENDINGS}: name the file itself to read it"
LINKED_FOLDER = "a link to a folder: name it to read what is in it"
DEAD_LINK = "a broken link"
NO_FILE = "not a regular file: name it to read it"
DATA_FOLDER = "the data folder of a PostgreSQL server"
_DATABASE = "PG_VERSION"
"""https://www.postgresql.org/docs/current/storage-file-layout.html"""
_BY_ENDING = {
    (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.zst", ".tar.bz2", ".tar.xz"): TAR,
    (".zip",): ZIP,
    (".xml", ".html"): XML,
    (".bz2",): BZIP2,
    (".xz",): XZ,
    (".7z", ".rar"): ARCHIVE,
}


class UnreadFile(NamedTuple):
    """A file in a named folder that is not read.

    Args:
        why: the reason, and what to do if it should be read.
    """

    path: Path
    why: str


class FilesFound(NamedTuple):
    """The files to read, each once, files of Patients first; and the files that are not read."""

    to_read: list[Path]
    not_read: list[UnreadFile]


def find_files(paths: Sequence[Path]) -> FilesFound:
    """The files to read.

    Any order of files gives the same result. With Patients first, fewer resources have to move to their patient later.

    Args:
        paths: files, folders, glob patterns, or `-` for standard input. A folder gives the files whose names end in
            `.json`, `.ndjson` or `.jsonl`, compressed or not, at any depth.

    Raises:
        UsageError: a path does not exist or cannot be opened, or a folder contains no file to read.
    """
    found = FilesFound([], [])
    for path in paths:
        if path == STDIN:
            found.to_read.append(path)
            continue
        matched = [path] if _exists(path) else [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
        for one in matched or [path]:
            _add(found, one)
    once: dict[Path, Path] = {}
    for path in found.to_read:
        once.setdefault(path if path == STDIN else path.resolve(), path)
    read = {path.absolute() for path in found.to_read}
    not_read = dict.fromkeys(one for one in found.not_read if one.path.absolute() not in read)
    return FilesFound(sorted(once.values(), key=lambda path: not path.name.startswith("Patient")), list(not_read))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise UsageError(
            f"could not open {path}: {error.strerror}", remedy="Give files and folders that can be read."
        ) from error


def _not_there(path: Path) -> NoReturn:
    link = f" (a link to {os.readlink(path)})" if path.is_symlink() else ""
    raise UsageError(
        f"{path}{link} does not exist",
        remedy="Give existing files, folders or patterns, or - for standard input.",
    )


def _add(found: FilesFound, path: Path) -> None:
    """Add a file, or the files in a folder."""
    if not _exists(path):
        _not_there(path)
    if not path.is_dir():
        found.to_read.append(path)
        return
    inside = list(_walked(path))
    read = [one for one in inside if isinstance(one, Path)]
    others = [one for one in inside if isinstance(one, UnreadFile)]
    if not read:
        beside = f"; it contains {others[0].path.name}: {others[0].why}" if others else ""
        raise UsageError(
            f"{path} contains no file whose name ends in {_ENDINGS}{beside}",
            remedy="Name the files themselves, or another folder.",
        )
    found.to_read.extend(read)
    found.not_read.extend(others)


def _walked(folder: Path) -> Iterator[Path | UnreadFile]:
    """Every file in a folder, at any depth. Links to folders are not followed."""
    closed: list[UnreadFile] = []

    def cannot_open(error: OSError) -> None:
        closed.append(UnreadFile(Path(error.filename), f"a folder that cannot be opened: {error.strerror}"))

    for parent, folders, names in os.walk(folder, onerror=cannot_open):
        here = Path(parent)
        if _DATABASE in names:
            folders.clear()
            yield UnreadFile(here, DATA_FOLDER)
            continue
        folders.sort()
        yield from (UnreadFile(here / name, LINKED_FOLDER) for name in folders if (here / name).is_symlink())
        for name in sorted(names):
            path = here / name
            why = _why_not(path)
            yield UnreadFile(path, why) if why else path
    yield from closed


def _why_not(path: Path) -> str | None:
    """Why a file in a folder is not read; None if it is read."""
    if not path.exists():
        return DEAD_LINK
    if not path.is_file():
        return NO_FILE
    name = path.name.lower()
    if name.startswith("._") and _is_apple_double(path):
        return APPLE_DOUBLE
    reason = next((why for endings, why in _BY_ENDING.items() if name.endswith(endings)), None)
    return reason or (None if plain_name(path).lower().endswith(SUFFIXES) else OTHER_NAME)


def _is_apple_double(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            found = known_file(file.read(4))
    except OSError:
        return False
    return found is not None and found.what == APPLE_DOUBLE
