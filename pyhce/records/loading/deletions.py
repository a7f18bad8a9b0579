"""Deletions in a history: an older version that is read after the deletion does not restore the resource.

A server sends its history newest first, in pages. A load of the pages in that order reads `DELETE
Observation/7/_history/3` before versions 2 and 1 of Observation/7. Versions are compared as numbers, as HAPI writes
them; other versions have no order.
"""

from __future__ import annotations

from typing import Any

from pyhce.records.reading.incoming import Deletion
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.reading.requests import version_number

REMEMBERED = 100_000
"""Deletions that one load remembers, at most."""


class HistoryDeletions:
    """The deletions of a load whose version is known."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str | None, str, str], int] = {}

    def __bool__(self) -> bool:
        return bool(self._versions)

    def note(self, fuente: str | None, deleted: Deletion) -> None:
        """Remember a deletion, up to `REMEMBERED` of them.

        Args:
            fuente: the source of the resource; None for the source that is loaded.
        """
        key = fuente, deleted.type, deleted.key
        if deleted.version is not None and (key in self._versions or len(self._versions) < REMEMBERED):
            self._versions[key] = max(deleted.version, self._versions.get(key, 0))

    def supersedes(self, made: PreparedResource, resource: dict[str, Any]) -> bool:
        """Whether the resource was deleted after this version of it."""
        deletion = self._versions.get((made.fuente, *made.identity))
        if deletion is None:
            return False
        meta = resource.get("meta")
        version = version_number(meta.get("versionId")) if isinstance(meta, dict) else None
        return version is not None and version < deletion
