"""What comes in: resources, deletions, and what is neither, each with where it was found."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from typing import Any, NamedTuple

from pyhce.records.reading.exact_json import canonical
from pyhce.schema.other_versions import versions_with_type
from pyhce.schema.r4 import RESOURCE_TYPES


class InputLocation(NamedTuple):
    """Where something was found.

    Args:
        entry: the number of the entry of a bundle, or of the element of an array; 0 without one.
    """

    file: str
    line: int
    entry: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f" entry {self.entry}" if self.entry else "")


class Incoming(NamedTuple):
    """A resource that came in.

    `resource` is what typed columns are computed from: references that the bundle itself resolves are literal there.
    `exact` is the resource as it came, None where that is the same.

    Args:
        id: the one under which it is known: not as it came, where that is not FHIR's (`ids.id_problem`).
        base: what stands before `Type/id` in the fullUrl that it came under; None without one.
        bases: those of all entries of its bundle.
    """

    where: InputLocation
    type: str
    id: str
    resource: dict[str, Any]
    exact: dict[str, Any] | None = None
    base: str | None = None
    bases: Set[str] = frozenset()


class Deletion(NamedTuple):
    """A resource that is to be deleted.

    Args:
        key: its id, or the terms of a conditional delete, a line each: ids and `identifier=system|value`. An id alone
            has no `=` in it.
        base, bases: as of `Incoming`.
        version: which version of the resource the deletion was, if a history tells; an older one does not undo it.
    """

    where: InputLocation
    type: str
    key: str
    base: str | None = None
    bases: Set[str] = frozenset()
    version: int | None = None


class Rejected(NamedTuple):
    """Something that came in and is no FHIR resource; the reasons are in docs/loading.md.

    Args:
        text: what it is, or its beginning if it is too long or cannot be read.
    """

    where: InputLocation
    reason: str
    detail: str
    text: str


class Skipped(NamedTuple):
    """Something that carries no resource, such as an entry that is a response, or a manifest."""

    where: InputLocation
    what: str


class ConditionSignal:
    """A question that a bundle asks before it goes on, or the end of one that asked: see `reading.conditions`."""


ReadItem = Incoming | Deletion | Rejected | Skipped | ConditionSignal


class Line(NamedTuple):
    """The text of one JSON value as it came, not looked at yet; `reader.resources_in` does."""

    data: bytes
    line: int
    file: str
    entry: int = 0

    @property
    def where(self) -> InputLocation:
        """Where it was found."""
        return InputLocation(self.file, self.line, self.entry)


def resource_problem(value: Any) -> tuple[str, str] | None:
    """Why a value is no FHIR resource, as reason code and detail; None if it is one. `ids.id_problem` checks the id."""
    if not isinstance(value, dict):
        return "not-a-resource", f"a resource is a JSON object, this is {type(value).__name__}"
    kind = value.get("resourceType")
    if not isinstance(kind, str):
        return "not-a-resource", "there is no member resourceType"
    if kind not in RESOURCE_TYPES:
        others = " or ".join(versions_with_type(kind))
        return "unknown-type", f"FHIR R4 has no resource type {kind[:80]!r}" + (
            f": it is of {others}" if others else ""
        )
    return None


def content_id(resource: dict[str, Any]) -> str:
    """The id of a resource that has none: always the same for the same content."""
    return "sha-" + hashlib.sha256(canonical(resource).encode("utf-8", "surrogatepass")).hexdigest()[:48]
