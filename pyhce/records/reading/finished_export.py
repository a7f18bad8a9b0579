"""Finished exports of pyhce: find them, read their manifests, check their files.

The manifest is that of a Bulk Data export; what pyhce adds is in its member `extension`, which Bulk Data leaves free.
`extension.restore` lists files with data that FHIR resources cannot hold. `pyhce load` reads them with the resources:

| role | file | a line |
|---|---|---|
| rows | `Type.ndjson.rows` | the rest of the row whose resource is on the same line of `Type.ndjson`: `exported_rows` |
| history | `Type.history`, with `Type.history.rows` | a former version, or a tombstone |
| records | `records.rows` | a record: its document, whether it is provisional, when it was created |
| corrections | `corrections.rows` | a person's decision about documents: a table of `hce`, then the values of its row |
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast
from urllib.parse import unquote

import zstandard

from pyhce.counted import counted
from pyhce.errors import UsageError, printable
from pyhce.records.reading.folders import FilesFound, find_files
from pyhce.records.reading.input_file import COMPRESSIONS, MAX_WINDOW, STDIN, SUFFIXES, plain_name
from pyhce.records.reading.signatures import RECEIPT, REJECT_FILE, REPORT, SIGNATURE_BYTES, known_file
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
WORK, JOURNAL = ".export", "journal"
ROWS, HISTORY, RECORDS, CORRECTIONS = "rows", "history", "records", "corrections"
RESTORE = "restore"
SOFTWARE_PREFIX = "pyhce "
"""How `extension.software` begins."""
SUPERSEDED = "superseded: a later export of the same data is loaded"
"""Why an export is not read."""
_ENDINGS = (*SUFFIXES, f".{ROWS}", f".{HISTORY}")
_CHUNK = 1024 * 1024


class ExportedFile(Frozen):
    """A file of an export.

    Args:
        path: relative to the export's folder.
        count: its lines.
        bytes, sha256: of the file without compression.
        role: "" if it contains resources or deletions, else one of the table above.
    """

    path: str
    type: str
    fuente: str
    count: int
    bytes: int
    sha256: str
    role: str = ""


class ExportCheck(Frozen):
    """The comparison of an export with its manifest. `wrong` lists each file that differs, with the problem."""

    folder: str
    files: int
    resources: int
    bytes: int
    wrong: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 if nothing differs, else 1."""
        return 1 if self.wrong else 0


class Export(NamedTuple):
    """A finished export in a folder.

    Args:
        rows: the file of rows for each file of resources or former versions, by the path of the latter.
        installation: the id of the database's installation.
        id: the SHA-256 of the manifest.
        request: the request that the manifest states.
        time: when the export ended, ISO 8601.
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
        """Every file that the manifest lists."""
        return (*self.read_through, *self.rows.values(), *self.corrections)

    @property
    def read_through(self) -> tuple[ExportedFile, ...]:
        """The files that a load reads one by one. Files of rows are read beside them."""
        return (*self.output, *self.deleted, *self.history, *self.records)


def read_export(folder: Path) -> Export:
    """The finished export in a folder.

    Raises:
        UsageError: there is none, or its manifest was not written by pyhce.
    """
    return _export(folder, read_manifest(folder))


def _export(folder: Path, found: Mapping[str, Any]) -> Export:
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
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UsageError(
        f"{folder} is not a finished export of pyhce",
        remedy=f"Give the folder that contains {MANIFEST}. To finish an interrupted export, run its command again.",
    )


def manifest_files(found: Mapping[str, Any], member: str = "output") -> tuple[ExportedFile, ...]:
    """The files in a list of a manifest.

    Raises:
        UsageError: an item was not written by pyhce, or its path leads out of the folder.
    """
    try:
        files = tuple(
            ExportedFile(path=unquote(item["url"]), type=item["type"], count=item["count"], **item["extension"])
            for item in found.get(member, ())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "the manifest was not written by pyhce",
            remedy="Export again: manifests of other programs have no checksums.",
        ) from error
    for file in files:
        if Path(file.path).is_absolute() or ".." in Path(file.path).parts or "\0" in file.path:
            raise UsageError(f"the manifest lists {file.path}, which is outside of its folder", remedy="Export again.")
    return files


def check_export(folder: Path) -> ExportCheck:
    """Compare the files of a finished export with the manifest: names, lines, bytes, SHA-256.

    Raises:
        UsageError: there is no finished export in the folder.
    """
    return _check(read_export(folder))


def _check(export: Export) -> ExportCheck:
    folder = export.folder
    wrong = [f"{file.path}: {problem}" for file in export.files if (problem := _problem(folder, file))]
    wrong += [f"{path}: not in the manifest" for path in _unlisted_files(folder, export)]
    return ExportCheck(
        folder=printable(folder),
        files=len(export.files),
        resources=sum(file.count for file in export.output),
        bytes=sum(file.bytes for file in export.files),
        wrong=tuple(wrong),
    )


def find_exports(paths: Sequence[Path]) -> list[Export]:
    """The finished exports among some paths: a folder, a folder within it, or a manifest by its name.

    Raises:
        UsageError: an export is not finished, differs from its manifest, or its manifest is missing.
    """
    manifests: dict[Path, tuple[Path, dict[str, Any]]] = {}
    for path in paths:
        if path.is_dir():
            for journal in sorted(path.rglob(f"{WORK}/{JOURNAL}")):
                _refuse_unfinished(journal.parents[1])
            folders = sorted(manifest.parent for manifest in path.rglob(MANIFEST) if manifest.is_file())
        else:
            folders = [path.parent] if path.name == MANIFEST and path.is_file() else []
        for folder in folders:
            if (manifest := _own_manifest(folder)) is not None:
                manifests[folder.resolve()] = folder, manifest
    for path in paths:
        if path.is_dir():
            _refuse_without_manifest(path, manifests.keys())
    exports = [_export(folder, manifest) for folder, manifest in manifests.values()]
    for export in exports:
        logger.info("checking the export in %s", printable(export.folder))
        folder, checked = export.folder, _check(export)
        if checked.wrong:
            more = f", and {len(checked.wrong) - 1} more" if len(checked.wrong) > 1 else ""
            raise UsageError(
                f"the export in {folder} differs from its manifest: {checked.wrong[0]}{more}",
                remedy=f"Nothing was loaded. pyhce export --check {folder} lists every difference. Copy the export "
                "again, or export again. To load files as they are, name them one by one, with --source.",
            )
    return exports


def without_superseded(exports: Sequence[Export]) -> tuple[list[Export], list[Export]]:
    """The exports to load, and those that a later one of them supersedes."""
    later: list[Export] = []
    for export in sorted(exports, key=lambda one: one.time, reverse=True):
        if not any(_replaces(one, export) for one in later):
            later.append(export)
    return [one for one in exports if one in later], [one for one in exports if one not in later]


def _replaces(later: Export, former: Export) -> bool:
    """Whether one export supersedes another: it is a copy, or a later one of the same request and installation.

    An export of one patient never supersedes another: its request does not name the patient.
    """
    if later.id == former.id:
        return True
    asked = {former.request} if "_history=" in former.request else {former.request, _with_history(former.request)}
    same = former.installation and later.installation == former.installation and later.request in asked
    return bool(same) and not former.request.startswith("Patient/")


def _with_history(request: str) -> str:
    return f"{request}{'&' if '?' in request else '?'}_history=true"


def files_outside(exports: Sequence[Export], paths: Sequence[Path]) -> FilesFound:
    """The files to read, and those that are not read, outside of the exports.

    Raises:
        UsageError: a path does not exist, or a folder contains no file to read.
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
    """Open a file of an export to read its lines. It may have been compressed since the export."""
    found = _current_path(path)
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
    """The bytes and SHA-256 of a file without compression; (-1, '') if it does not exist."""
    return count_and_digest(path)[1:]


def count_and_digest(path: Path) -> tuple[int, int, str]:
    """The lines, bytes and SHA-256 of a file without compression; (0, -1, '') if it does not exist."""
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
        return "the file is missing"
    if (size, sha256) != (file.bytes, file.sha256):
        return "the content differs from what was exported"
    if lines != file.count:
        return f"the file has {counted(lines, 'line')}, the manifest states {file.count}"
    return None


def _unlisted_files(folder: Path, export: Export) -> list[str]:
    """Files in the folder whose names are those of data files and that the manifest does not list."""
    named = {folder / file.path for file in export.files} | {folder / MANIFEST}
    found = []
    for path in sorted(folder.rglob("*")):
        plain = path.with_name(plain_name(path))
        holds_data = plain.name.lower().endswith(_ENDINGS) and path.is_file()
        if holds_data and plain not in named and not _is_of_a_run(path):
            found.append(str(path.relative_to(folder)))
    return found


def _is_of_a_run(path: Path) -> bool:
    """Whether a file is empty, a reject file, or another file that a run of pyhce writes."""
    try:
        with path.open("rb") as file:
            text = file.read(SIGNATURE_BYTES).lstrip()
    except OSError:
        return False
    known = known_file(text)
    return not text or (known is not None and known.what in {REJECT_FILE, RECEIPT, REPORT})


def _current_path(path: Path) -> Path:
    if path.exists():
        return path
    there = (path.with_name(path.name + ending) for ending in COMPRESSIONS)
    return next((found for found in there if found.exists()), path)


def _own_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a finished export of pyhce; None if the folder has none."""
    try:
        manifest = read_manifest(folder)
    except UsageError:
        return None
    software = manifest["extension"].get("software")
    return manifest if isinstance(software, str) and software.startswith(SOFTWARE_PREFIX) else None


def _refuse_without_manifest(path: Path, exports: Set[Path]) -> None:
    """Refuse files of an export whose manifest is missing, damaged or above the folder: it names their sources."""
    for beside in path.rglob(f"*.ndjson.{ROWS}"):
        if not _current_path(beside.with_suffix("")).is_file() or not exports.isdisjoint(beside.resolve().parents):
            continue
        whole = next((folder for folder in beside.resolve().parents if _own_manifest(folder)), None)
        remedy = f"Copy the export again, with its {MANIFEST}, or name the files one by one, with --source."
        if whole is not None:
            remedy = f"Load the whole export, {whole}, or name the files one by one, with --source."
        raise UsageError(
            f"{beside.parent} contains files of an export, but no {MANIFEST} that names their sources",
            remedy=f"Nothing was loaded. {remedy}",
        )


def _refuse_unfinished(folder: Path) -> None:
    if not (folder / MANIFEST).is_file():
        raise UsageError(
            f"{folder} contains an interrupted export",
            remedy="Nothing was loaded. Run that export again with the same arguments: it continues.",
        )
