"""A finished export of ours: what its manifest says, whether its files are so, and which folders hold one.

What is ours in the manifest is in its member `extension`, which Bulk Data leaves free. `extension.restore` lists the
files that hold what FHIR has no place for; `pyhce load` reads them beside the resources:

| role | file | a line |
|---|---|---|
| rows | `Type.ndjson.rows` | what a row holds besides the resource on the same line of `Type.ndjson`: `kept` |
| history | `Type.history`, with `Type.history.rows` | a former version, or a tombstone |
| records | `records.rows` | a record: its document, whether it is provisional, when it was made |
| corrections | `corrections.rows` | what persons decided about documents: a table of `hce`, then the values of a row |
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast
from urllib.parse import unquote

import zstandard

from pyhce.errors import UsageError, printable
from pyhce.records.reading.folders import FilesFound, find_files
from pyhce.records.reading.input_file import COMPRESSIONS, MAX_WINDOW, STDIN, SUFFIXES, plain_name
from pyhce.records.reading.signatures import RECEIPT, REJECT_FILE, REPORT, SIGNATURE_BYTES, known_file
from pyhce.schema.model import Frozen

MANIFEST = "manifest.json"
WORK, JOURNAL = ".export", "journal"
ROWS, HISTORY, RECORDS, CORRECTIONS = "rows", "history", "records", "corrections"
RESTORE = "restore"
SOFTWARE_PREFIX = "pyhce "
"""How `extension.software` begins."""
SUPERSEDED = "an export of which a later one is read"
"""Why an export is not read."""
_ENDINGS = (*SUFFIXES, f".{ROWS}", f".{HISTORY}")
_CHUNK = 1024 * 1024


class ExportedFile(Frozen):
    """A file of an export, its path within the folder; `count` is of resources, or of deletions.

    Args:
        role: what it is for, if it does not hold resources: see the table of this module.
    """

    path: str
    type: str
    fuente: str
    count: int
    bytes: int
    sha256: str
    role: str = ""


class ExportCheck(Frozen):
    """Whether an export is as its manifest says. `wrong` names the files that are not."""

    folder: str
    files: int
    resources: int
    bytes: int
    wrong: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 if all is right."""
        return 1 if self.wrong else 0


class Export(NamedTuple):
    """A finished export in a folder.

    Args:
        rows: the file beside each file of resources or former versions, by the path of that.
        id: of its manifest.
        request: what was asked for, as the manifest says it.
        time: when it was made, ISO.
    """

    folder: Path
    output: tuple[ExportedFile, ...]
    deleted: tuple[ExportedFile, ...]
    rows: dict[str, ExportedFile]
    history: tuple[ExportedFile, ...]
    records: tuple[ExportedFile, ...]
    corrections: tuple[ExportedFile, ...]
    installation: str
    id: str
    request: str = ""
    time: str = ""

    @property
    def files(self) -> tuple[ExportedFile, ...]:
        """Every file that the manifest names."""
        return (*self.read_through, *self.rows.values(), *self.corrections)

    @property
    def read_through(self) -> tuple[ExportedFile, ...]:
        """The files that a load reads one after the other, those of rows beside them."""
        return (*self.output, *self.deleted, *self.history, *self.records)


def read_export(folder: Path) -> Export:
    """The finished export that a folder holds.

    Raises:
        UsageError: there is none, or an item of its manifest is not ours.
    """
    found = read_manifest(folder)
    more = manifest_files(found["extension"], RESTORE)
    by_role = {role: tuple(file for file in more if file.role == role) for role in (HISTORY, RECORDS, CORRECTIONS)}
    return Export(
        folder,
        manifest_files(found),
        manifest_files(found, "deleted"),
        {file.path.removesuffix(f".{ROWS}"): file for file in more if file.role == ROWS},
        by_role[HISTORY],
        by_role[RECORDS],
        by_role[CORRECTIONS],
        str(found["extension"].get("installation", "")),
        hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        str(found.get("request", "")),
        str(found["extension"].get("end") or found.get("transactionTime", "")),
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished export.

    Raises:
        UsageError: there is none.
    """
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        if isinstance(found["output"], list) and isinstance(found["extension"], dict):
            return dict(found)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UsageError(
        f"{folder} holds no finished export of pyhce",
        remedy=f"Give a folder with its {MANIFEST}; an interrupted export is gone on with by its own command.",
    )


def manifest_files(found: Mapping[str, Any], member: str = "output") -> tuple[ExportedFile, ...]:
    """The files that a member of a manifest names.

    Raises:
        UsageError: an item of it is not ours.
    """
    try:
        files = tuple(
            ExportedFile(path=unquote(item["url"]), type=item["type"], count=item["count"], **item["extension"])
            for item in found.get(member, ())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "the manifest is not as pyhce writes it", remedy="Export again; another program's has no checksums."
        ) from error
    for file in files:
        if Path(file.path).is_absolute() or ".." in Path(file.path).parts or "\0" in file.path:
            raise UsageError(f"the manifest names {file.path}, outside of its folder", remedy="Export again.")
    return files


def check_export(folder: Path) -> ExportCheck:
    """Compare the files of a finished export with the manifest: names, lines, bytes, SHA-256.

    Raises:
        UsageError: there is no finished export in the folder.
    """
    export = read_export(folder)
    wrong = [f"{file.path}: {problem}" for file in export.files if (problem := _problem(folder, file))]
    wrong += [f"{path}: it is not in the manifest" for path in _more_than(folder, export)]
    return ExportCheck(
        folder=printable(folder),
        files=len(export.files),
        resources=sum(file.count for file in export.output),
        bytes=sum(file.bytes for file in export.files),
        wrong=tuple(wrong),
    )


def find_exports(paths: Sequence[Path]) -> list[Export]:
    """The finished exports of ours among what is to be read: a folder, one inside of it, or a manifest by its name.

    Raises:
        UsageError: an export is not finished, is not as its manifest says, or its manifest is not there.
    """
    folders: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            for journal in sorted(path.rglob(f"{WORK}/{JOURNAL}")):
                _refuse_unfinished(journal.parents[1])
            found = sorted(manifest.parent for manifest in path.rglob(MANIFEST) if manifest.is_file())
        else:
            found = [path.parent] if path.name == MANIFEST and path.is_file() else []
        folders |= {folder.resolve(): folder for folder in found if _is_ours(folder)}
    for path in paths:
        if path.is_dir():
            _refuse_without_manifest(path, folders.keys())
    exports = []
    for folder in folders.values():
        checked = check_export(folder)
        if checked.wrong:
            more = f", and {len(checked.wrong) - 1} more" if len(checked.wrong) > 1 else ""
            raise UsageError(
                f"the export in {folder} is not as its manifest says: {checked.wrong[0]}{more}",
                remedy=f"Nothing was loaded. pyhce export --check {folder} lists every file that is wrong; copy the "
                "export again, or export again. To load files as they are, name them one by one, with --source.",
            )
        exports.append(read_export(folder))
    return exports


def without_superseded(exports: Sequence[Export]) -> tuple[list[Export], list[Export]]:
    """The exports to load, and those in whose place a later one is."""
    later: list[Export] = []
    for export in sorted(exports, key=lambda one: one.time, reverse=True):
        if not any(_replaces(one, export) for one in later):
            later.append(export)
    return [one for one in exports if one in later], [one for one in exports if one not in later]


def _replaces(later: Export, former: Export) -> bool:
    """Whether one of two exports is a copy of the other, or the same was asked for later, of the same installation.

    Of an export of a patient the request does not say of whom.
    """
    if later.id == former.id:
        return True
    asked = {former.request} if "_history=" in former.request else {former.request, _with_history(former.request)}
    same = former.installation and later.installation == former.installation and later.request in asked
    return bool(same) and not former.request.startswith("Patient/")


def _with_history(request: str) -> str:
    return f"{request}{'&' if '?' in request else '?'}_history=true"


def files_outside(exports: Sequence[Export], paths: Sequence[Path]) -> FilesFound:
    """The files to read, and those that are not read, beside these exports.

    Raises:
        UsageError: a path is not there, or a folder holds no file that is read.
    """
    folders = [export.folder.resolve() for export in exports]
    left = [path for path in paths if not path.exists() or path.resolve() not in folders]
    found = find_files(left) if left else FilesFound([], [])

    def is_outside(path: Path) -> bool:
        return path == STDIN or not any(path.resolve().is_relative_to(folder) for folder in folders)

    return FilesFound(
        [path for path in found.to_read if is_outside(path)], [one for one in found.not_read if is_outside(one.path)]
    )


@contextmanager
def open_uncompressed(path: Path) -> Iterator[IO[bytes]]:
    """A file of an export, to be read by lines; it may have been compressed since."""
    found = _as_it_is_now(path)
    if found.suffix == ".gz" and found != path:
        with gzip.open(found, "rb") as stream:
            yield cast(IO[bytes], stream)
    elif found != path:
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        with found.open("rb") as raw, reader.stream_reader(raw, read_across_frames=True) as plain:
            yield cast(IO[bytes], io.BufferedReader(plain))
    else:
        with found.open("rb") as stream:
            yield stream


def digest(path: Path) -> tuple[int, str]:
    """A file's bytes and their SHA-256; (-1, '') if it is not there."""
    return count_and_digest(path)[1:]


def count_and_digest(path: Path) -> tuple[int, int, str]:
    """A file's lines, its bytes and their SHA-256, as it is without compression; (0, -1, '') if it is not there."""
    found, lines, size = hashlib.sha256(), 0, 0
    try:
        with open_uncompressed(path) as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
                lines += chunk.count(b"\n")
                size += len(chunk)
    except FileNotFoundError:
        return 0, -1, ""
    except (EOFError, OSError, zstandard.ZstdError):
        return lines, size, "damaged"
    return lines, size, found.hexdigest()


def _problem(folder: Path, file: ExportedFile) -> str | None:
    lines, size, sha256 = count_and_digest(folder / file.path)
    if size < 0:
        return "it is not there"
    if (size, sha256) != (file.bytes, file.sha256):
        return "other bytes than were written"
    if lines != file.count:
        return f"{lines} lines, the manifest says {file.count}"
    return None


def _more_than(folder: Path, export: Export) -> list[str]:
    """Files in the folder that hold data, as far as their names tell, and that the manifest does not name."""
    named = {folder / file.path for file in export.files} | {folder / MANIFEST}
    found = []
    for path in sorted(folder.rglob("*")):
        plain = path.with_name(plain_name(path))
        holds_data = plain.name.lower().endswith(_ENDINGS) and path.is_file()
        if holds_data and plain not in named and not _is_of_a_run(path):
            found.append(str(path.relative_to(folder)))
    return found


def _is_of_a_run(path: Path) -> bool:
    """Whether a file is empty, a reject file, or what else a run of pyhce writes beside what it reads."""
    try:
        with path.open("rb") as file:
            text = file.read(SIGNATURE_BYTES).lstrip()
    except OSError:
        return False
    known = known_file(text)
    return not text or (known is not None and known.what in {REJECT_FILE, RECEIPT, REPORT})


def _as_it_is_now(path: Path) -> Path:
    if path.exists():
        return path
    there = (path.with_name(path.name + ending) for ending in COMPRESSIONS)
    return next((found for found in there if found.exists()), path)


def _is_ours(folder: Path) -> bool:
    try:
        software = read_manifest(folder)["extension"].get("software")
    except UsageError:
        return False
    return isinstance(software, str) and software.startswith(SOFTWARE_PREFIX)


def _refuse_without_manifest(path: Path, exports: Set[Path]) -> None:
    """Refuse files of an export whose manifest is missing, damaged or above the folder: it says whose they are."""
    for beside in path.rglob(f"*.ndjson.{ROWS}"):
        if not _as_it_is_now(beside.with_suffix("")).is_file() or not exports.isdisjoint(beside.resolve().parents):
            continue
        whole = next((folder for folder in beside.resolve().parents if _is_ours(folder)), None)
        remedy = f"Copy the export again, with its {MANIFEST}; or name the files one by one, with --source."
        if whole is not None:
            remedy = f"Load the whole export, {whole}; or name the files one by one, with --source."
        raise UsageError(
            f"{beside.parent} holds files of an export, but no {MANIFEST} that says whose they are",
            remedy=f"Nothing was loaded. {remedy}",
        )


def _refuse_unfinished(folder: Path) -> None:
    if not (folder / MANIFEST).is_file():
        raise UsageError(
            f"{folder} holds an export that was interrupted",
            remedy="Nothing was loaded. Run that export again, with the same arguments: it goes on.",
        )
