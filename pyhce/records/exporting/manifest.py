"""The manifest of an export, as FHIR's Bulk Data has it, and whether the files are what it says.

https://hl7.org/fhir/uv/bulkdata/export.html#response---output-manifest; what is ours is in the member `extension`,
which the guide leaves free. `url` is relative to the manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from pyhce.errors import HceError, UsageError, printable
from pyhce.records.exporting.folder import MANIFEST, digest
from pyhce.records.exporting.units import Done, Wanted
from pyhce.records.reading.sources import COMPRESSIONS, SUFFIXES
from pyhce.schema.model import Frozen
from pyhce.version import __version__

_ENDINGS = (*SUFFIXES, *COMPRESSIONS)


class ExportedFile(Frozen):
    """A file of an export, its path within the folder; `count` is of resources, or of deletions."""

    path: str
    type: str
    fuente: str
    count: int
    bytes: int
    sha256: str


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


def named(parts: Iterable[Done], *, stem: str | None = None) -> dict[str, ExportedFile]:
    """The file that each part becomes: `Type.ndjson`, or `Type.001.ndjson` …, by source in a folder of its own."""
    groups: dict[tuple[str, str], list[Done]] = {}
    for part in parts:
        if part.count:
            groups.setdefault((part.unit.source, part.unit.type), []).append(part)
    found = {}
    for (source, kind), several in sorted(groups.items()):
        home = f"{_folder_name(source)}/" if source else ""
        digits = max(3, len(str(len(several))))
        in_order = sorted(several, key=lambda p: (p.unit.table, p.unit.places, p.unit.pages or (0, 0)))
        for number, part in enumerate(in_order, 1):
            name = (stem or kind) + (f".{number:0{digits}}" if len(several) > 1 else "")
            found[part.file] = ExportedFile(
                path=f"{home}{name}.ndjson", type=kind, fuente=source, count=part.count, bytes=part.bytes,
                sha256=part.sha256,
            )  # fmt: skip
    return found


def manifest(
    files: Sequence[ExportedFile],
    deleted: Sequence[ExportedFile],
    wanted: Wanted,
    *,
    time: str,
    ours: Mapping[str, Any],
) -> dict[str, Any]:
    """What `manifest.json` says."""
    return {
        "transactionTime": time,
        "request": _request(wanted),
        "requiresAccessToken": False,
        "output": [_item(file) for file in files],
        "deleted": [_item(file) for file in deleted],
        "error": [],
        "extension": {"software": f"pyhce {__version__}", **ours},
    }


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


def files_of(found: Mapping[str, Any], member: str = "output") -> tuple[ExportedFile, ...]:
    """The files that a manifest names.

    Raises:
        HceError: an item of it is not ours.
    """
    try:
        return tuple(
            ExportedFile(path=unquote(item["url"]), type=item["type"], count=item["count"], **item["extension"])
            for item in found.get(member, ())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HceError(
            "the manifest is not as pyhce writes it", remedy="Export again; another program's has no checksums."
        ) from error


def check_export(folder: Path) -> ExportCheck:
    """Compare every file of a finished export with the manifest: bytes and SHA-256.

    Raises:
        UsageError: there is no finished export in the folder.
    """
    found = read_manifest(folder)
    output = files_of(found)
    files = (*output, *files_of(found, "deleted"))
    wrong = []
    for file in files:
        size, sha256 = digest(folder / file.path)
        if (size, sha256) != (file.bytes, file.sha256):
            wrong.append(f"{file.path}: " + ("it is not there" if size < 0 else "other bytes than were written"))
    return ExportCheck(
        folder=printable(folder),
        files=len(files),
        resources=sum(file.count for file in output),
        bytes=sum(file.bytes for file in files),
        wrong=tuple(wrong),
    )


def _item(file: ExportedFile) -> dict[str, Any]:
    more = {"fuente": file.fuente, "bytes": file.bytes, "sha256": file.sha256}
    return {"type": file.type, "url": quote(file.path), "count": file.count, "extension": more}


def _request(wanted: Wanted) -> str:
    """The export as Bulk Data would ask for it; a patient is not named."""
    asked = {
        "_type": ",".join(wanted.types),
        "_since": wanted.since or "",
        "_source": wanted.source or "",
    }
    query = urlencode({name: value for name, value in asked.items() if value}, safe=",:")
    return ("Patient/$export" if wanted.document else "$export") + (f"?{query}" if query else "")


def _folder_name(fuente: str) -> str:
    """A source's name as a folder's: what a file system may refuse is percent-encoded."""
    kept = quote(fuente, safe="")
    if kept.startswith(".") or kept.lower().endswith(_ENDINGS):  # a hidden folder, or the name of a file beside it
        kept = kept.replace(".", "%2E")
    return kept if len(kept) <= 100 else f"{kept[:80]}-{hashlib.sha256(fuente.encode()).hexdigest()[:16]}"
