"""Which files hold resources of another version of FHIR than R4. They are stored as they came and reported.

The first resources of each type in a file are examined. All resources of a type are examined once one of them is of
another version.
"""

from __future__ import annotations

from collections import Counter

import orjson

from pyhce.records.reading.prepared import PreparedResource
from pyhce.schema.model import Frozen
from pyhce.schema.other_versions import signs_of_other_versions

LOOKED_AT = 3
"""Resources of each type that are examined, from the beginning of a file."""
_SHOWN = 5


class OtherVersion(Frozen):
    """A file that holds resources of another version of FHIR.

    Args:
        version: `STU3`, or `DSTU2 or STU3` if the elements exist in both.
        resources: how many of the examined resources are of that version.
        elements: the first elements that tell it.
    """

    file: str
    version: str
    resources: int
    elements: tuple[str, ...]


class FhirVersions:
    """What one file shows of other versions of FHIR.

    Attributes:
        settled: the types of which no more resources are examined.
    """

    def __init__(self) -> None:
        self.settled_types: set[str] = set()
        self._looked: Counter[str] = Counter()
        self._odd: set[str] = set()
        self._found: list[frozenset[str]] = []
        self._elements: dict[str, None] = {}

    def inspect(self, prepared: PreparedResource) -> None:
        """Examine a resource whose type is not in `settled_types`."""
        kind = prepared.identity[0]
        try:
            signs = signs_of_other_versions(orjson.loads(prepared.exact))
        except orjson.JSONDecodeError:  # a number beyond orjson's range
            signs = {}
        if signs:
            self._odd.add(kind)
            self._elements.update(dict.fromkeys(signs))
            self._found.append(_narrowed(list(signs.values())))
        self._looked[kind] += 1
        if kind not in self._odd and self._looked[kind] >= LOOKED_AT:
            self.settled_types.add(kind)

    def report(self, file: str) -> OtherVersion | None:
        """The other version in this file; None if every examined resource is R4."""
        if not self._found:
            return None
        version = " or ".join(sorted(_narrowed(self._found)))
        return OtherVersion(
            file=file, version=version, resources=len(self._found), elements=tuple(self._elements)[:_SHOWN]
        )


def _narrowed(found: list[frozenset[str]]) -> frozenset[str]:
    """The versions that all signs have in common; without one, all versions of any sign."""
    return frozenset.intersection(*found) or frozenset.union(*found)
