"""Which files hold resources of another version of FHIR than R4: told once a file; they are stored as they came.

The first resources of each type in a file are looked at; only of a type in which one is of another version all are.
"""

from __future__ import annotations

from collections import Counter

import orjson

from pyhce.records.reading.prepared import PreparedResource
from pyhce.schema.model import Frozen
from pyhce.schema.other_versions import signs_of_other_versions

LOOKED_AT = 3
"""Resources of each type, from the beginning of a file."""
_SHOWN = 5


class OtherVersion(Frozen):
    """A file that holds resources of another version of FHIR.

    Args:
        version: which, such as `STU3`, or `DSTU2 or STU3` where what was seen is in both.
        resources: how many are so, of those that were looked at.
        elements: by which elements that is known, the first of them.
    """

    file: str
    version: str
    resources: int
    elements: tuple[str, ...]


class FhirVersions:
    """The signs of other versions in one file.

    Attributes:
        settled: the types that are not looked at any more.
    """

    def __init__(self) -> None:
        self.settled_types: set[str] = set()
        self._looked: Counter[str] = Counter()
        self._odd: set[str] = set()
        self._found: list[frozenset[str]] = []
        self._elements: dict[str, None] = {}

    def inspect(self, prepared: PreparedResource) -> None:
        """Look at a resource whose type is not settled."""
        kind = prepared.identity[0]
        try:
            signs = signs_of_other_versions(orjson.loads(prepared.exact))
        except orjson.JSONDecodeError:  # a number that orjson does not take
            signs = {}
        if signs:
            self._odd.add(kind)
            self._elements.update(dict.fromkeys(signs))
            self._found.append(_narrowed(list(signs.values())))
        self._looked[kind] += 1
        if kind not in self._odd and self._looked[kind] >= LOOKED_AT:
            self.settled_types.add(kind)

    def report(self, file: str) -> OtherVersion | None:
        """What was found; None if the file is R4 as far as it was looked at."""
        if not self._found:
            return None
        version = " or ".join(sorted(_narrowed(self._found)))
        return OtherVersion(
            file=file, version=version, resources=len(self._found), elements=tuple(self._elements)[:_SHOWN]
        )


def _narrowed(found: list[frozenset[str]]) -> frozenset[str]:
    """The versions that all signs are of; if there is none, those that any is of."""
    return frozenset.intersection(*found) or frozenset.union(*found)
