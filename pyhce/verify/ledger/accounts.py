"""The accounting of a ledger: what became of each write, and how long each lane was silent. It needs no database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from pyhce.schema.model import Frozen

SHORTEST_SILENCE = 0.5
"""Seconds between two acknowledged writes of a lane from which they count as a silence."""

LONGEST_PREPARED = 90.0
"""Seconds after which a prepared transaction counts as left behind. Citus resolves them every 60 s."""


class Outcome(StrEnum):
    """What the client knows of a write.

    Acknowledged: COMMIT returned. Refused: an error came before COMMIT, or the transaction was aborted for certain.
    Unknown: the connection was lost while the database committed.
    """

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Write(NamedTuple):
    """A transaction of a lane.

    Args:
        lane: the name of the lane.
        rows: the ids of the rows that it writes; empty if it failed before it had any.
        outcome: what the client knows of it.
        at: when the client learned it, in seconds since the start of the ledger.
    """

    lane: str
    rows: tuple[str, ...]
    outcome: Outcome
    at: float


class Silence(Frozen):
    """A time without an acknowledged write of a lane.

    Args:
        lane: the name of the lane.
        start: in seconds since the start of the ledger.
        seconds: its length.
    """

    lane: str
    start: float
    seconds: float

    @property
    def end(self) -> float:
        """When it ended, in seconds since the start of the ledger."""
        return self.start + self.seconds


class WrongWrite(Frozen):
    """A write that is not stored as it should be.

    Args:
        lane: the name of the lane.
        at: when the client learned its outcome, in seconds since the start of the ledger.
        outcome: what the client was told.
        found, expected: the copies of its rows that exist, and that should: a row of a reference table has a copy on
            every node.
    """

    lane: str
    at: float
    outcome: Outcome
    found: int
    expected: int


class PreparedTransaction(Frozen):
    """A transaction that is prepared on a node and neither committed nor rolled back.

    Args:
        node: host and port of the node.
        gid: its global identifier.
        age: seconds since it was prepared.
    """

    node: str
    gid: str
    age: float


class LaneReport(Frozen):
    """The writes of a lane.

    Args:
        lane: its name: `single NODE` and `direct NODE` write to shards of one node, through the coordinator or
            straight at the node; `multi` writes to every node in one transaction; `reference` to a reference table.
        acknowledged, refused, unknown: the writes by outcome.
        unknown_stored: the writes of unknown outcome that are stored.
        refused_stored: the refused writes that are stored.
        lost: the acknowledged writes of which nothing is stored.
        torn: the writes of any outcome of which a part is stored.
        longest_silence: the longest time between two acknowledged writes, in seconds.
        silences: the times of at least `SHORTEST_SILENCE` seconds without an acknowledged write.
    """

    lane: str
    acknowledged: int
    refused: int
    unknown: int
    unknown_stored: int
    refused_stored: int
    lost: int
    torn: int
    longest_silence: float
    silences: tuple[Silence, ...]


class LedgerReport(Frozen):
    """What a ledger found at its end, row by row.

    Args:
        source: the source (`fuente`) of the rows that it wrote and deleted.
        started_at: seconds since 1970.
        seconds: from the start to the end of the writes.
        lanes: the writes of each lane.
        wrong: the lost and the torn writes.
        prepared: the prepared transactions that were left on the nodes at the end.
        rows_kept: whether the rows could not be deleted; the next ledger deletes them a day later.
    """

    source: str
    started_at: float
    seconds: float
    lanes: tuple[LaneReport, ...]
    wrong: tuple[WrongWrite, ...] = ()
    prepared: tuple[PreparedTransaction, ...] = ()
    rows_kept: bool = False

    @property
    def acknowledged(self) -> int:
        """The acknowledged writes of all lanes."""
        return sum(lane.acknowledged for lane in self.lanes)

    @property
    def refused(self) -> int:
        """The refused writes of all lanes."""
        return sum(lane.refused for lane in self.lanes)

    @property
    def unknown(self) -> int:
        """The writes of all lanes whose outcome is unknown."""
        return sum(lane.unknown for lane in self.lanes)

    @property
    def lost(self) -> int:
        """The lost writes of all lanes."""
        return sum(lane.lost for lane in self.lanes)

    @property
    def torn(self) -> int:
        """The torn writes of all lanes."""
        return sum(lane.torn for lane in self.lanes)

    @property
    def ok(self) -> bool:
        """Whether nothing is lost or torn, and no prepared transaction is older than `LONGEST_PREPARED` seconds."""
        return not self.lost and not self.torn and all(one.age <= LONGEST_PREPARED for one in self.prepared)


def silences(lane: str, acknowledged: Sequence[float], end: float) -> tuple[Silence, ...]:
    """Every time between two acknowledged writes of a lane, from the start of the ledger at 0 to its end.

    Args:
        lane: the name of the lane.
        acknowledged: when each write was acknowledged, in order.
        end: when the writes ended.
    """
    times = (0.0, *acknowledged, max(end, acknowledged[-1] if acknowledged else 0.0))
    return tuple(Silence(lane=lane, start=round(a, 3), seconds=round(b - a, 3)) for a, b in pairwise(times))


def lane_report(
    lane: str, writes: Collection[Write], copies: Mapping[str, int], *, copies_a_row: int, end: float
) -> tuple[LaneReport, tuple[WrongWrite, ...]]:
    """Compare the writes of a lane with the rows that exist.

    Args:
        lane: the name of the lane.
        writes: its writes in the order of time.
        copies: how many copies of each row were found; a row that is missing was not found.
        copies_a_row: how many copies of a stored row exist.
        end: when the writes ended, in seconds since the start.

    Returns:
        The report, and the writes that are lost or torn.
    """
    stored = dict.fromkeys(Outcome, 0)
    total = dict.fromkeys(Outcome, 0)
    wrong = []
    for write in writes:
        total[write.outcome] += 1
        expected = len(write.rows) * copies_a_row
        found = sum(min(copies.get(row, 0), copies_a_row) for row in write.rows)
        if not write.rows:
            continue
        if found == expected:
            stored[write.outcome] += 1
        elif found or write.outcome is Outcome.ACKNOWLEDGED:
            wrong.append(
                WrongWrite(lane=lane, at=round(write.at, 3), outcome=write.outcome, found=found, expected=expected)
            )
    pauses = silences(lane, [write.at for write in writes if write.outcome is Outcome.ACKNOWLEDGED], end)
    report = LaneReport(
        lane=lane,
        acknowledged=total[Outcome.ACKNOWLEDGED],
        refused=total[Outcome.REFUSED],
        unknown=total[Outcome.UNKNOWN],
        unknown_stored=stored[Outcome.UNKNOWN],
        refused_stored=stored[Outcome.REFUSED],
        lost=sum(one.found == 0 for one in wrong),
        torn=sum(one.found > 0 for one in wrong),
        longest_silence=max(pause.seconds for pause in pauses),
        silences=tuple(pause for pause in pauses if pause.seconds >= SHORTEST_SILENCE),
    )
    return report, tuple(wrong)
