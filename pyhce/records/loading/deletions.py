"""Deletions that a history tells: what an older page brings of a resource after its deletion does not bring it back.

A server gives its history newest first, in pages. A load of them in that order meets `DELETE Observation/7/_history/3`
before versions 2 and 1 of it. Versions are compared as numbers, as HAPI has them; others tell no order.
"""

from __future__ import annotations

from typing import Any

from pyhce.records.reading.incoming import Deletion
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.reading.requests import version_number

REMEMBERED = 100_000
"""Deletions that a load keeps in mind."""


class HistoryDeletions:
    """The deletions of a load that say which version of their resource they are."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str | None, str, str], int] = {}

    def __bool__(self) -> bool:
        return bool(self._versions)

    def note(self, fuente: str | None, deleted: Deletion) -> None:
        """Keep a deletion in mind, as long as there is room.

        Args:
            fuente: its source, None for the one that is loaded.
        """
        key = fuente, deleted.type, deleted.key
        if deleted.version is not None and (key in self._versions or len(self._versions) < REMEMBERED):
            self._versions[key] = max(deleted.version, self._versions.get(key, 0))

    def supersede(self, made: PreparedResource, resource: dict[str, Any]) -> bool:
        """Whether a resource was deleted after this version of it."""
        deletion = self._versions.get((made.fuente, *made.identity))
        if deletion is None:
            return False
        meta = resource.get("meta")
        version = version_number(meta.get("versionId")) if isinstance(meta, dict) else None
        return version is not None and version < deletion
