"""What a save or a delete did."""

from __future__ import annotations

from typing import Literal

from pyhce.schema.model import Frozen

Outcome = Literal["new", "changed", "unchanged", "superseded"]


class Saved(Frozen):
    """What a save did.

    Args:
        id: the id of the resource; a new UUID if it came without one.
        version: the version of the stored row, counted by the database; not `meta.versionId`.
        outcome: `new`; `changed`: the former content went to the history; `unchanged`: the same content was stored
            already; `superseded`: the stored row is newer by meta.lastUpdated and stays. Content that equals a former
            version is a change like any other.
    """

    type: str
    id: str
    version: int
    outcome: Outcome


class SavedMany(Frozen):
    """What a save of several resources did, all of them or none.

    Args:
        references: `Type/id` of each, in the order given.
        moved: number of resources that moved to another record, because a patient arrived or a document changed.
    """

    references: tuple[str, ...]
    new: int
    changed: int
    unchanged: int
    superseded: int
    moved: int


class Deleted(Frozen):
    """What a delete did.

    Args:
        outcome: `deleted`, or `absent` if it was not stored.
    """

    type: str
    id: str
    outcome: Literal["deleted", "absent"]
