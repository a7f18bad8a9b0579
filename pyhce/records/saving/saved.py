"""What a save or a delete did."""

from __future__ import annotations

from typing import Literal

from pyhce.schema.model import Frozen

Outcome = Literal["new", "changed", "unchanged", "superseded"]


class Saved(Frozen):
    """What a save did.

    Args:
        id: the resource's id; a new one if it came without.
        version: our version of the row that is there now; not `meta.versionId`.
        outcome: `new`; `changed`: what was there went to the history; `unchanged`: it was there as it came;
            `superseded`: it is older by meta.lastUpdated than what is there, which stays. A content that was there
            before is a change like any other.
    """

    type: str
    id: str
    version: int
    outcome: Outcome


class SavedMany(Frozen):
    """What a save of several resources did, all of them or none.

    Args:
        references: `Type/id` of each, in the order given.
        moved: resources that changed home: a patient arrived, or a patient was corrected.
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
        outcome: `deleted`, or `absent` if it was not there.
    """

    type: str
    id: str
    outcome: Literal["deleted", "absent"]
