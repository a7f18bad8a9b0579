"""The manifest of an export, as FHIR's Bulk Data defines it, and the names of its files.

https://hl7.org/fhir/uv/bulkdata/export.html#response---output-manifest. What Bulk Data does not define is in the member
`extension` (`pyhce.records.reading.finished_export`). A `url` is relative to the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pyhce.records.exporting.parts import ExportSelection, WrittenPart
from pyhce.records.reading.finished_export import HISTORY, RESTORE, ROWS, SOFTWARE_PREFIX, ExportedFile
from pyhce.records.reading.input_file import COMPRESSIONS, SUFFIXES
from pyhce.version import __version__

_ENDINGS = (*SUFFIXES, *COMPRESSIONS, f".{ROWS}", f".{HISTORY}")


def part_files(
    parts: Iterable[WrittenPart], *, stem: str | None = None, ending: str = "ndjson", role: str = ""
) -> dict[str, ExportedFile]:
    """Return the final file of each part, by the part's name; parts without rows have none.

    A part becomes `Type.ndjson`, or `Type.001.ndjson` if there are several, in a folder for each source.

    Args:
        stem: the name instead of the type.
        ending: the file extension.
        role: the files' role in the manifest.
    """
    groups: dict[tuple[str, str], list[WrittenPart]] = {}
    for part in parts:
        if part.count:
            groups.setdefault((part.planned.source, part.planned.type), []).append(part)
    found = {}
    for (source, kind), several in sorted(groups.items()):
        home = f"{_folder_name(source)}/" if source else ""
        digits = max(3, len(str(len(several))))
        in_order = sorted(several, key=lambda p: (p.planned.table, p.planned.places, p.planned.pages or (0, 0)))
        for number, part in enumerate(in_order, 1):
            name = (stem or kind) + (f".{number:0{digits}}" if len(several) > 1 else "")
            found[part.file] = ExportedFile(
                path=f"{home}{name}.{ending}", type=kind, fuente=source, count=part.count, bytes=part.bytes,
                sha256=part.sha256, role=role,
            )  # fmt: skip
    return found


def row_files(parts: Mapping[str, WrittenPart], files: Mapping[str, ExportedFile]) -> dict[str, ExportedFile]:
    """Return the second file of each part, by its name in the work folder."""
    return {
        name.replace(".part", f".{ROWS}"): file.model_copy(
            update={
                "path": f"{file.path}.{ROWS}",
                "bytes": parts[name].rows_bytes,
                "sha256": parts[name].rows_sha256,
                "role": ROWS,
            }
        )
        for name, file in files.items()
    }


def correction_files(parts: Iterable[WrittenPart]) -> dict[str, ExportedFile]:
    """Return the files of the records and the corrections, by their parts' names."""
    return {
        part.file: ExportedFile(
            path=f"{part.planned.type}.{ROWS}", type=part.planned.type, fuente="", count=part.count, bytes=part.bytes,
            sha256=part.sha256, role=part.planned.type,
        )
        for part in parts
    }  # fmt: skip


def build_manifest(
    files: Sequence[ExportedFile],
    deleted: Sequence[ExportedFile],
    restore: Sequence[ExportedFile],
    selection: ExportSelection,
    *,
    time: str,
    ours: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of `manifest.json`.

    Args:
        files: of resources.
        deleted: Bulk Data's files of what was deleted.
        restore: the files that a restore needs besides.
        time: Bulk Data's `transactionTime`.
        ours: further members of `extension`.
    """
    return {
        "transactionTime": time,
        "request": _request(selection),
        "requiresAccessToken": False,
        "output": [_item(file) for file in files],
        "deleted": [_item(file) for file in deleted],
        "error": [],
        "extension": {
            "software": f"{SOFTWARE_PREFIX}{__version__}",
            **ours,
            RESTORE: [_item(file) for file in restore],
        },
    }


def _item(file: ExportedFile) -> dict[str, Any]:
    more = {"fuente": file.fuente, "bytes": file.bytes, "sha256": file.sha256}
    if file.role:
        more["role"] = file.role
    return {"type": file.type, "url": quote(file.path), "count": file.count, "extension": more}


def _request(selection: ExportSelection) -> str:
    """Return the export as a Bulk Data request; it does not name the patient."""
    asked = {
        "_type": ",".join(selection.types),
        "_since": selection.since or "",
        "_source": selection.source or "",
        "_history": "true" if selection.history else "",
    }
    query = urlencode({name: value for name, value in asked.items() if value}, safe=",:")
    return ("Patient/$export" if selection.document else "$export") + (f"?{query}" if query else "")


def _folder_name(fuente: str) -> str:
    """Return the name of a source's folder: what a file system may refuse is percent-encoded."""
    kept = quote(fuente, safe="")
    if kept.startswith(".") or kept.lower().endswith(
        _ENDINGS
    ):  # else it could be a hidden folder, or have the name of a file
        kept = kept.replace(".", "%2E")
    return kept if len(kept) <= 100 else f"{kept[:80]}-{hashlib.sha256(fuente.encode()).hexdigest()[:16]}"
