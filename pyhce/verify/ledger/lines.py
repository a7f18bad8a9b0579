"""What a running ledger reports: one JSON line for each event, the report in the last line."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from pyhce.schema.model import Frozen
from pyhce.verify.ledger.accounts import LedgerReport


class Kind(StrEnum):
    """What a line reports.

    Start: the lanes. Counts: once a second, the counts of every lane. Silence: a silence of a lane ended. Reading: the
    writes ended, and the rows are read. Report: the report.
    """

    START = "start"
    COUNTS = "counts"
    SILENCE = "silence"
    READING = "reading"
    REPORT = "report"


class LaneCounts(Frozen):
    """The writes of a lane so far.

    Args:
        acknowledged, refused, unknown: the writes by outcome.
        last: when the last write was acknowledged, in seconds since 1970; None if none was.
    """

    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    last: float | None = None


class LedgerLine(Frozen):
    """A line of a running ledger.

    Args:
        kind: what it reports; see `Kind`.
        at: seconds since 1970.
        lane: the lane that was silent.
        seconds: how long it was silent.
        lanes: the counts of each lane by its name.
        report: the report, in the last line.
    """

    kind: Kind
    at: float
    lane: str = ""
    seconds: float = 0.0
    lanes: dict[str, LaneCounts] = Field(default_factory=dict)
    report: LedgerReport | None = None
