"""The lists of a Bulk Data manifest that files are in: data, deletions, or errors of the export.

https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status: `output`, `deleted` and `error`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyhce.records.reading.entries import parse_or_none
from pyhce.records.reading.input_file import COMPRESSIONS, file_size
from pyhce.records.reading.manifest import is_manifest, listed_files

_MANIFEST = "manifest.json"
_LARGEST = 16 * 1024 * 1024
ERRORS, DELETED = "error", "deleted"
"""Lists in a manifest."""
_LEVELS = 3
"""A file's manifest may be up to so many folders above: exports have folders for lists and for sources."""


class ManifestLists:
    """The lists that files are in. Each manifest is read once."""

    def __init__(self) -> None:
        self._lists: dict[Path, dict[str, str]] = {}

    def in_order(self, paths: list[Path]) -> list[Path]:
        """Files in the order in which to read them: deletions after all data."""
        return sorted(paths, key=lambda path: self.list_of(path) == DELETED)

    def has_errors(self, path: Path) -> bool | None:
        """Whether a file is in a list of errors; None if no manifest lists it."""
        found = self.list_of(path)
        return None if found is None else found == ERRORS

    def list_of(self, path: Path) -> str | None:
        """The list that a file is in; None if no manifest lists it."""
        for folder in path.parents[:_LEVELS]:
            lists = self._in(folder)
            name = path.relative_to(folder).as_posix()
            for ending in ("", *COMPRESSIONS):
                if found := lists.get(name.removesuffix(ending)):
                    return found
        return None

    def _in(self, folder: Path) -> dict[str, str]:
        """The files that a folder's manifest lists, each with its list."""
        if folder not in self._lists:
            manifest = folder / _MANIFEST
            value: Any = None
            if 0 < file_size(manifest) <= _LARGEST:
                try:
                    value = parse_or_none(manifest.read_bytes())
                except OSError:
                    value = None  # the load reports the error when it reads the file
            listed = listed_files(value) if is_manifest(value) else ()
            self._lists[folder] = {path: file.list for file in listed for path in reversed(file.paths)}
        return self._lists[folder]
