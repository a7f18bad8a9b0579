"""Work on the groups through Patroni's REST API: switchover, reinitialization, dynamic configuration."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pyhce.citus.connection import Progress, no_progress
from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.patroni.groups import MISSING, GroupState, HaFile
from pyhce.patroni.rest import PatroniClient, no_leader
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)

_PAUSE = 0.25
_HA_REMEDY = "`pyhce status` shows the members. The logs of their Patroni say what they wait for."


class SwitchoverReport(Frozen):
    """A planned switchover.

    Args:
        group: the group's name.
        former, leader: the members' names.
        seconds: until the new leader accepted writes.
        in_sync_seconds: until the former leader followed it and a standby was synchronous.
    """

    group: str
    former: str
    leader: str
    seconds: float
    in_sync_seconds: float


class ReinitReport(Frozen):
    """A member that copied the leader's data again.

    Args:
        seconds: until it followed the leader in sync.
    """

    group: str
    member: str
    seconds: float


def group_states(ha: HaFile, password: str) -> tuple[GroupState, ...]:
    """The state of each group. A group of which no member answers has no leader, and all its members are missing."""
    states = []
    for group in ha.groups:
        try:
            states.append(PatroniClient(group, ha, password).state())
        except ConnectionFailed as error:
            logger.warning("%s", error.wrong)
            states.append(GroupState.from_answer(group, {}))
    return tuple(states)


def switchover(
    ha: HaFile,
    password: str,
    group: str,
    to: str | None = None,
    timeout: float = 60.0,
    progress: Progress = no_progress,
) -> SwitchoverReport:
    """Hand the leadership of a group over to a standby, without losing a write.

    Returns when the new leader accepts writes and the former one follows it in sync. Clients of the former leader are
    disconnected.

    Args:
        group: the group's name.
        to: the member that becomes the leader; None for a synchronous standby.
        timeout: seconds to wait, for each of the two.

    Raises:
        UsageError: there is no such group or member, or the member leads already.
        HceError: there is no leader, no standby can take over, or the time is over.
    """
    client = PatroniClient(ha.group(group), ha, password)
    state = client.state()
    if state.leader is None:
        raise no_leader(group)
    former, candidate = state.leader, _candidate(ha, client, state, to)
    progress(f"{group}: handing over from {former} to {candidate}")
    start = time.monotonic()
    client.switchover(candidate, former)
    _wait(
        lambda: "" if client.is_writable(candidate) else f"{candidate} does not accept writes yet",
        f"{candidate} did not become the leader of {group}", timeout, progress,
    )  # fmt: skip
    writable = time.monotonic()
    wait_until_in_sync(ha, password, group, timeout, progress=progress)
    report = SwitchoverReport(
        group=group,
        former=former,
        leader=candidate,
        seconds=round(writable - start, 1),
        in_sync_seconds=round(time.monotonic() - start, 1),
    )
    logger.info("%s: %s leads in place of %s after %.1f s", group, candidate, former, report.seconds)
    return report


def _candidate(ha: HaFile, client: PatroniClient, state: GroupState, to: str | None) -> str:
    """The member that can become the leader."""
    synchronous = ha.synchronous != "off"
    able = state.synchronous if synchronous else tuple(
        m.name for m in state.members if m.name != state.leader and m.state == "streaming"
    )  # fmt: skip
    if to is not None:
        client.group.member(to)
        if to == state.leader:
            raise UsageError(f"{to} is the leader of {state.name} already", remedy="Name another member, or omit --to.")
    if able and (to is None or to in able):
        return to or able[0]
    wanted = [m for m in state.members if m.name == to] if to else [m for m in state.members if m.name != state.leader]
    raise HceError(
        f"no standby of {state.name} can take over without losing writes: " + ", ".join(m.words for m in wanted),
        remedy=f"Wait until it is {'a sync_standby' if synchronous else 'streaming'} (pyhce status). If it does not "
        f"become one: pyhce reinit {wanted[0].name if wanted else 'MEMBER'}",
    )


def reinit(
    ha: HaFile, password: str, member: str, timeout: float = 600.0, progress: Progress = no_progress
) -> ReinitReport:
    """Let a standby delete its data and copy the leader's; return when it follows the leader in sync.

    Args:
        member: the standby's name.
        timeout: seconds to wait.

    Raises:
        UsageError: there is no such member, or it is the leader.
        HceError: the group has no leader, Patroni refused, or the time is over.
    """
    group = ha.group_of(member)
    client = PatroniClient(group, ha, password)
    state = client.state()
    if state.leader is None:
        raise no_leader(group.name)
    if state.leader == member:
        raise UsageError(
            f"{member} is the leader of {group.name}; only a standby can copy its data again",
            remedy=f"Hand the leadership over first: pyhce switchover {group.name}",
        )
    if state.member(member).state == MISSING:
        raise HceError(
            f"the Patroni of {member} does not run", remedy="Start it with pyhce up; on Kubernetes, check its pod."
        )
    started_before = client.member_facts(member).get("postmaster_start_time")
    start = time.monotonic()
    progress(f"{group.name}: {member} copies the data of {state.leader}")
    client.reinitialize(member)

    def missing() -> str:
        facts = client.member_facts(member)
        if facts.get("postmaster_start_time") in (None, started_before) or "replication_state" not in facts:
            return f"{member} is {facts.get('state', 'starting')}"
        return ""

    _wait(missing, f"{member} did not come back", timeout, progress)
    wait_until_in_sync(ha, password, group.name, timeout, progress=progress)
    return ReinitReport(group=group.name, member=member, seconds=round(time.monotonic() - start, 1))


class PauseReport(Frozen):
    """Whether Patroni works on the groups by itself.

    Args:
        groups: the names of the groups.
        paused: whether it does nothing by itself: no failover, no restart.
    """

    groups: tuple[str, ...]
    paused: bool


def pause(
    ha: HaFile, password: str, *, paused: bool = True, timeout: float = 60.0, progress: Progress = no_progress
) -> PauseReport:
    """Let Patroni do nothing by itself in any group (maintenance mode), or work again; return when all members know it.

    Paused, a leader whose Patroni or pod stops keeps the lock, and no standby takes over. See
    https://patroni.readthedocs.io/en/latest/pause.html.

    Args:
        paused: False ends the pause.
        timeout: seconds to wait for each group.

    Raises:
        HceError: a group's members did not answer in time.
    """
    for group in ha.groups:
        client = PatroniClient(group, ha, password)
        client.patch_config({"pause": True if paused else None})
        _wait(
            partial(_not_yet_paused, client, group.name, paused),
            f"the members of {group.name} did not {'pause' if paused else 'resume'}", timeout, progress,
        )  # fmt: skip
    return PauseReport(groups=tuple(group.name for group in ha.groups), paused=paused)


def _not_yet_paused(client: PatroniClient, group: str, paused: bool) -> str:
    """The first member that does not know of the pause, or of its end; "" if all do. Stopped members do not count."""
    running = [m.name for m in client.state().members if m.state != MISSING]
    late = [name for name in running if bool(client.member_facts(name).get("pause")) != paused]
    return f"{late[0]} of {group} has not read it yet" if late else ""


def wait_until_in_sync(
    ha: HaFile, password: str, group: str, timeout: float, *, progress: Progress = no_progress
) -> GroupState:
    """Wait until a group has a leader that runs and every other member follows it, one of them synchronously.

    Without synchronous replication (`synchronous` off), all of them only have to stream.

    Raises:
        HceError: the time is over; the text says what is missing.
    """
    client = PatroniClient(ha.group(group), ha, password)
    last: list[GroupState] = []

    def missing() -> str:
        state = client.state()
        last[:] = [state]
        reason = state.why_not_in_sync(synchronous=ha.synchronous != "off")
        if not reason and not client.is_writable(str(state.leader)):
            reason = f"{state.leader} does not accept writes yet"
        return reason

    _wait(missing, f"{group} was not in sync", timeout, progress)
    return last[0]


def _wait(missing: Callable[[], str], failure: str, timeout: float, progress: Progress) -> None:
    """Call `missing` until it returns "", and show what it returns."""
    deadline = time.monotonic() + timeout
    shown = ""
    while True:
        try:
            reason = missing()
        except ConnectionFailed as error:
            reason = error.wrong
        if not reason:
            return
        if time.monotonic() > deadline:
            raise HceError(f"{failure} after {timeout:.0f} s: {reason}", remedy=_HA_REMEDY)
        if reason != shown:
            progress(f"waiting: {reason}")
            shown = reason
        time.sleep(_PAUSE)


def apply_dynamic_config(ha: HaFile, password: str, progress: Progress = no_progress) -> list[str]:
    """Give every group the dynamic configuration of the file of groups; return a sentence for each change.

    PostgreSQL settings that the file does not have are removed; other keys are left alone. A setting that needs a
    restart is shown as pending by `group_states`.

    Raises:
        ConnectionFailed: no member of a group answers.
        HceError: Patroni refused the change.
    """
    sentences = []
    for group in ha.groups:
        progress(f"{group.name}: comparing the dynamic configuration")
        client = PatroniClient(group, ha, password)
        present = client.config()
        wanted = _with_removals(present, ha.dynamic)
        changes = _changes(present, wanted)
        if changes:
            client.patch_config(wanted)
            sentences += [f"{group.name}: {change}" for change in changes]
    return sentences


def _with_removals(present: dict[str, Any], declared: dict[str, Any]) -> dict[str, Any]:
    """The declared configuration, with None for each present PostgreSQL setting that is no longer declared."""
    postgresql = declared.get("postgresql") or {}
    settings = postgresql.get("parameters")
    if settings is None:
        return declared
    left = ((present.get("postgresql") or {}).get("parameters") or {}).keys() - settings.keys()
    return {**declared, "postgresql": {**postgresql, "parameters": {**settings, **dict.fromkeys(left)}}}


def _changes(present: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> list[str]:
    """What a PATCH with the wanted values would change, as `postgresql.parameters.max_connections from 100 to 110`."""
    found = []
    for key, value in wanted.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            inner = present.get(key)
            found += _changes(inner if isinstance(inner, dict) else {}, value, f"{path}.")
        elif value is None and key in present:
            found.append(f"{path} removed")
        elif value is not None and present.get(key) != value:
            found.append(f"{path} from {present[key]} to {value}" if key in present else f"{path} set to {value}")
    return found
