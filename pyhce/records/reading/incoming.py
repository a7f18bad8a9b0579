"""What the reader finds in its input: resources, deletions, rejects, and input that is skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from typing import Any, NamedTuple

from pyhce.records.reading.exact_json import canonical
from pyhce.schema.other_versions import versions_with_type
from pyhce.schema.r4 import RESOURCE_TYPES


class InputLocation(NamedTuple):
    """Where an item was found.

    Args:
        file: the file's name.
        line: the number of its first line, from 1.
        entry: the number of the bundle's entry or of the array's element, from 1; 0 outside of both.
    """

    file: str
    line: int
    entry: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f" entry {self.entry}" if self.entry else "")


class Incoming(NamedTuple):
    """A resource that was read.

    Args:
        id: the id under which it is stored. It differs from the one it came with if FHIR does not allow that one.
        resource: the resource that typed columns are computed from. References by fullUrl are replaced by `Type/id`.
        exact: the resource as it came; None if that is the same.
        base: the base URL of the entry's fullUrl, the part before `Type/id`; None without one.
        bases: the base URLs of all entries of its bundle.
    """

    where: InputLocation
    type: str
    id: str
    resource: dict[str, Any]
    exact: dict[str, Any] | None = None
    base: str | None = None
    bases: Set[str] = frozenset()


class Deletion(NamedTuple):
    """A request to delete a resource.

    Args:
        key: its id, or the terms of a conditional delete, one on each line: ids and `identifier=system|value`. Only a
            term with an identifier contains `=`.
        base, bases: see `Incoming`.
        version: the version number of the deletion, if it comes from a history that gives one. An older version that
            is read later does not restore the resource.
    """

    where: InputLocation
    type: str
    key: str
    base: str | None = None
    bases: Set[str] = frozenset()
    version: int | None = None


class Rejected(NamedTuple):
    """Input that is not a valid FHIR resource. docs/rejects.md lists the reason codes.

    Args:
        reason: the reason code.
        detail: what is wrong, in words.
        text: the input, or its beginning if it is too long or cannot be read.
    """

    where: InputLocation
    reason: str
    detail: str
    text: str


class Skipped(NamedTuple):
    """Input that contains no resource, such as an entry with a response, or a manifest."""

    where: InputLocation
    what: str


class ConditionSignal:
    """Conditions that the caller must look up before it takes the next item, or their end; see `conditions`."""


ReadItem = Incoming | Deletion | Rejected | Skipped | ConditionSignal


class Line(NamedTuple):
    """The text of one JSON value that is not parsed yet; see `reader.resources_in`."""

    data: bytes
    line: int
    file: str
    entry: int = 0

    @property
    def where(self) -> InputLocation:
        """Where it was found."""
        return InputLocation(self.file, self.line, self.entry)


def resource_problem(value: Any) -> tuple[str, str] | None:
    """Why a value is not a FHIR resource, as reason code and detail; None if it is one. The id is not checked."""
    if not isinstance(value, dict):
        return "not-a-resource", f"a resource must be a JSON object, not {type(value).__name__}"
    kind = value.get("resourceType")
    if not isinstance(kind, str):
        return "not-a-resource", "the member resourceType is missing or not a string"
    if kind not in RESOURCE_TYPES:
        others = " or ".join(versions_with_type(kind))
        return "unknown-type", f"FHIR R4 has no resource type {kind[:80]!r}" + (
            f"; it is a type of {others}" if others else ""
        )
    return None


def content_id(resource: dict[str, Any]) -> str:
    """The id of a resource that came without one: always the same for the same content."""
    return "sha-" + hashlib.sha256(canonical(resource).encode("utf-8", "surrogatepass")).hexdigest()[:48]
