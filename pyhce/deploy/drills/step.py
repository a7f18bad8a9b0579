"""One step of a drill: break a part, watch the groups and the writes, mend the part, and wait for the recovery."""

from __future__ import annotations

import time
from collections.abc import Callable

from pyhce.deploy.drills.faults import Fault
from pyhce.deploy.drills.groups import GroupState, group_states
from pyhce.deploy.drills.ledger_pod import LedgerPod
from pyhce.deploy.drills.report import DrillEvent, DrillStep
from pyhce.deploy.kubernetes_cluster import KubernetesCluster
from pyhce.errors import HceError
from pyhce.verify.ledger.lines import Kind

OnEvent = Callable[[int, DrillEvent], None]
"""A function that is called with the number of the step and each event as it happens."""

_PAUSE = 0.3
_STABLE_SECONDS = 10.0
"""Seconds for which everything must be as before until a step counts as recovered."""
_FRESH_SECONDS = 8.0
"""Age of a lane's last acknowledged write up to which it counts as writing. Shorter than `_STABLE_SECONDS`, so that a
write that was acknowledged while the part was broken does not count."""
_SHOWN_SILENCE = 1.5
"""Seconds of a lane's first silence from which it is an event. On a busy machine there are many short ones."""
_LONG_SILENCE = 5.0
"""Seconds of a further silence from which it is an event."""


class Step:
    """A step that runs.

    Args:
        cluster, namespace: of the database.
        ledger: the ledger, which writes.
        fault: what to break.
        number: of the step.
        timeout: seconds within which everything must have recovered after the part was mended.
        on_event: called with each event as it happens.
    """

    def __init__(
        self,
        cluster: KubernetesCluster,
        namespace: str,
        ledger: LedgerPod,
        fault: Fault,
        number: int,
        *,
        timeout: float,
        on_event: OnEvent,
    ) -> None:
        self._cluster, self._namespace, self._ledger = cluster, namespace, ledger
        self._fault, self._number, self._timeout, self._on_event = fault, number, timeout, on_event
        self._states: dict[str, GroupState] = {}
        self._start = 0.0
        self._unreachable = False
        self._events: list[DrillEvent] = []
        self._resumed: set[str] = set()

    def run(self) -> DrillStep:
        """Break the part and return when everything has recovered, or when the time is over.

        Raises:
            HceError: the part could not be broken or mended.
        """
        fault = self._fault
        self._states = group_states(self._cluster, self._namespace)
        before = {name: state.leader for name, state in self._states.items()}
        self._ledger.read()
        self._start = time.time()
        mend = fault.mend
        try:
            self._event(0.0, fault.what)
            fault.inject()
            if mend is not None:
                self._watch(self._is_mendable, fault.seconds + self._timeout)
        finally:
            if mend is not None:
                mend()
                self._event(self._elapsed(), fault.mended)
        recovered = self._watch_until_stable()
        missing = self._missing() if recovered is None else ""
        seconds = self._elapsed() if recovered is None else recovered
        self._event(seconds, f"not recovered in time: {missing}" if recovered is None else "everything is as before")
        return DrillStep(
            number=self._number,
            fault=fault.what,
            groups=fault.groups,
            leaders_before=before,
            leaders_after={name: state.leader for name, state in self._states.items()},
            started_at=round(self._start, 3),
            seconds=round(seconds, 1),
            healed=recovered is not None,
            missing=missing,
            events=tuple(sorted(self._events, key=lambda event: event.seconds)),
        )

    def _elapsed(self) -> float:
        return time.time() - self._start

    def _event(self, seconds: float, text: str) -> None:
        event = DrillEvent(seconds=round(max(seconds, 0.0), 1), text=text)
        self._events.append(event)
        self._on_event(self._number, event)

    def _watch(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Observe until a condition is true; False if it is not within so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._observe()
            if condition():
                return True
            time.sleep(_PAUSE)
        return False

    def _watch_until_stable(self) -> float | None:
        """Observe until everything has been as before for some seconds; when that began, None if it did not in time."""
        since: list[float] = []

        def stable() -> bool:
            if self._missing():
                since.clear()
                return False
            since.append(self._elapsed())
            return since[-1] - since[0] >= _STABLE_SECONDS

        return since[0] if self._watch(stable, self._timeout + _STABLE_SECONDS) else None

    def _is_mendable(self) -> bool:
        """Whether the part was broken for long enough, and what can work without it works again."""
        if self._elapsed() < self._fault.seconds:
            return False
        return not self._silent_lanes() or not all(state.standbys for state in self._states.values())

    def _missing(self) -> str:
        """What is not as before; "" if nothing."""
        if self._unreachable:
            return "the API server does not answer"
        for state in self._states.values():
            if state.missing:
                return state.missing
        pods = {pod.name: pod for state in self._states.values() for pod in state.members}
        for old in self._fault.replaced:
            pod = pods.get(old.name)
            if pod is None or (pod.uid == old.uid and pod.restarts == old.restarts):
                return f"{old.name} has not restarted"
        if not self._fault.is_done():
            return f"the {self._fault.what} has not ended"
        silent = self._silent_lanes()
        return f"no writes: {', '.join(silent)}" if silent else ""

    def _silent_lanes(self) -> list[str]:
        oldest = max(self._start, time.time() - _FRESH_SECONDS)
        return [name for name, lane in self._ledger.counts.items() if (lane.last or 0.0) < oldest]

    def _observe(self) -> None:
        for line in self._ledger.read():
            if line.kind is not Kind.SILENCE or line.at <= self._start or line.seconds < _SHOWN_SILENCE:
                continue
            if line.lane not in self._resumed or line.seconds >= _LONG_SILENCE:
                self._resumed.add(line.lane)
                self._event(line.at - self._start, f"{line.lane} writes again, after {line.seconds:.1f} s")
        try:
            states = group_states(self._cluster, self._namespace)
        except HceError:
            if not self._unreachable:
                self._event(self._elapsed(), "the API server does not answer")
            self._unreachable = True
            return
        if self._unreachable:
            self._event(self._elapsed(), "the API server answers again")
        self._unreachable = False
        for text in changes(self._states, states):
            self._event(self._elapsed(), text)
        self._states = states


def changes(before: dict[str, GroupState], after: dict[str, GroupState]) -> list[str]:
    """What changed in the groups: leaders, synchronous standbys, and which pods are ready."""
    found = []
    for name, state in after.items():
        former = before.get(name)
        if former is None:
            continue
        if state.leader != former.leader and state.standbys:
            found.append(f"{state.leader} leads {name}" if state.leader else f"{name} has no leader")
        for pod in state.members:
            old = former.member(pod.name)
            if pod.name in state.synchronous and pod.name not in former.synchronous:
                found.append(f"{pod.name} follows {name} in sync")
            if old is not None and old.ready != pod.ready:
                found.append(f"{pod.name} is {'ready' if pod.ready else 'not ready'}")
    return found
