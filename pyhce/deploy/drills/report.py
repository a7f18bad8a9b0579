"""What a drill reports: the steps, what happened in each, and what became of every write."""

from __future__ import annotations

from collections.abc import Sequence

from pyhce.schema.model import Frozen
from pyhce.verify.ledger import LaneCounts, LedgerReport, Silence


class DrillEvent(Frozen):
    """Something that happened in a step.

    Args:
        seconds: since the part was broken.
        text: what happened.
    """

    seconds: float
    text: str


class LaneStep(Frozen):
    """The writes of a lane during a step.

    Args:
        lane: its name; see `LaneReport`.
        silence: the longest time without an acknowledged write, in seconds; 0 if none was as long as 0.5 s.
        acknowledged, refused, unknown: the writes by outcome.
        lost, torn: the writes of this step that were lost or torn.
    """

    lane: str
    silence: float
    acknowledged: int
    refused: int
    unknown: int
    lost: int = 0
    torn: int = 0


class DrillStep(Frozen):
    """A part that was broken, and the recovery.

    Args:
        number: of the step, from 1.
        fault: what was broken, such as `kill -9 of PostgreSQL in citus-worker-0`.
        groups: the groups that it hit.
        leaders_before, leaders_after: the leader of each group by its name; None without a leader.
        started_at: when it was broken, in seconds since 1970.
        seconds: until everything had recovered.
        healed: whether it recovered in time.
        missing: what was not as before, if it did not.
        events: what happened, in the order of time.
        lanes: the writes of each lane.
        silences: the times without an acknowledged write, from the break on.
    """

    number: int
    fault: str
    groups: tuple[str, ...]
    leaders_before: dict[str, str | None]
    leaders_after: dict[str, str | None]
    started_at: float
    seconds: float
    healed: bool
    missing: str = ""
    events: tuple[DrillEvent, ...]
    lanes: tuple[LaneStep, ...] = ()
    silences: tuple[Silence, ...] = ()

    @property
    def longest_silence(self) -> float:
        """The longest silence of any lane, in seconds; 0 if none was as long as 0.5 s."""
        return max((lane.silence for lane in self.lanes), default=0.0)

    @property
    def acknowledged(self) -> int:
        """The acknowledged writes of all lanes."""
        return sum(lane.acknowledged for lane in self.lanes)

    @property
    def failed(self) -> int:
        """The refused writes and those of unknown outcome, of all lanes."""
        return sum(lane.refused + lane.unknown for lane in self.lanes)


class FaultReport(Frozen):
    """The result of a drill.

    Args:
        drill: its name, such as machine.
        standbys: whether the release has standbys.
        started_at: seconds since 1970.
        seconds: from the start to the end of the last step.
        load: the load average of this machine over the last minute, when each step began.
        steps: a step for each part that was broken.
        ledger: what became of every write.
    """

    drill: str
    context: str
    namespace: str
    standbys: bool
    started_at: float
    seconds: float
    load: tuple[float, ...]
    steps: tuple[DrillStep, ...]
    ledger: LedgerReport

    @property
    def ok(self) -> bool:
        """Whether every step recovered, nothing was lost or torn, and no prepared transaction was left."""
        return self.ledger.ok and all(step.healed for step in self.steps)

    @property
    def exit_code(self) -> int:
        """0 if `ok`, 1 if not."""
        return 0 if self.ok else 1


def with_writes(
    step: DrillStep, ledger: LedgerReport, before: dict[str, LaneCounts], after: dict[str, LaneCounts]
) -> DrillStep:
    """A step with the writes of its time.

    Args:
        step: the step without writes.
        ledger: the report of the whole drill.
        before, after: the counts of each lane when the step began and when it ended.
    """
    start = step.started_at - ledger.started_at
    end = start + step.seconds
    lanes, silences = [], []
    for lane in ledger.lanes:
        during = _during(lane.silences, start, end)
        first, last = before.get(lane.lane, LaneCounts()), after.get(lane.lane, LaneCounts())
        wrong = [one for one in ledger.wrong if one.lane == lane.lane and start <= one.at <= end]
        silences += during
        lanes.append(
            LaneStep(
                lane=lane.lane,
                silence=max((silence.seconds for silence in during), default=0.0),
                acknowledged=last.acknowledged - first.acknowledged,
                refused=last.refused - first.refused,
                unknown=last.unknown - first.unknown,
                lost=sum(one.found == 0 for one in wrong),
                torn=sum(one.found > 0 for one in wrong),
            )
        )
    shifted = [silence.model_copy(update={"start": round(silence.start - start, 3)}) for silence in silences]
    return step.model_copy(update={"lanes": tuple(lanes), "silences": tuple(shifted)})


def _during(silences: Sequence[Silence], start: float, end: float) -> list[Silence]:
    return [silence for silence in silences if silence.end > start and silence.start < end]
