"""The drills: which parts each breaks, one after another, while a ledger writes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pyhce.citus.connection import Progress, no_progress
from pyhce.deploy import kind
from pyhce.deploy.deployment import Deployment
from pyhce.deploy.drill import Action
from pyhce.deploy.drills import faults, machines
from pyhce.deploy.drills.faults import Fault
from pyhce.deploy.drills.groups import GroupState, group_states
from pyhce.deploy.drills.ledger_pod import LedgerPod
from pyhce.deploy.drills.report import DrillStep, FaultReport, with_writes
from pyhce.deploy.drills.step import OnEvent, Step
from pyhce.deploy.release_lock import drill_lock
from pyhce.errors import HceError, UsageError

TIMEOUT = 300.0
"""Seconds within which everything must have recovered."""

States = Callable[[], dict[str, GroupState]]
_PAUSE = 1.0


def _no_event(*_: object) -> None:
    """Ignore the events."""


def pod_failure(
    deployment: Deployment,
    *,
    groups: Sequence[str] = (),
    times: int = 1,
    actions: Sequence[Action] = (),
    timeout: float = TIMEOUT,
    progress: Progress = no_progress,
    on_event: OnEvent = _no_event,
) -> FaultReport:
    """Kill PostgreSQL in every member of the groups, then delete every member's pod, one after another.

    Args:
        groups: their names; all if empty.
        times: how often each is done.
        actions: what is done to each pod; both if empty, but only deletions if the cluster is not kind's.
        timeout: seconds within which everything must have recovered each time.
        progress: called with a line on each step of the preparation.
        on_event: called with each event of a step as it happens.

    Raises:
        UsageError: an action needs a kind cluster, or there is no such group.
        HceError: the release is not healthy before the drill, or the ledger gives no report.
    """
    if Action.KILL in actions:
        _require_kind(deployment, "kill -9", "Delete the pods only: --action delete")
    on_kind = deployment.context.startswith("kind-")
    chosen = tuple(actions) or (tuple(Action) if on_kind else (Action.DELETE,))

    def plan(states: States) -> Iterator[Fault]:
        for _ in range(times):
            for action in chosen:
                for name in _chosen_groups(states(), groups):
                    for pod_name in [pod.name for pod in states()[name].members]:
                        group = states()[name]
                        pod = group.member(pod_name)
                        if pod is None:
                            continue
                        if action is Action.KILL:
                            yield faults.pod_kill(group, pod)
                        else:
                            yield faults.pod_deletion(deployment.cluster, deployment.namespace, group, pod)

    return _drill(deployment, "pod-failure", plan, groups, timeout, progress, on_event)


def switchover(
    deployment: Deployment,
    *,
    groups: Sequence[str] = (),
    times: int = 1,
    timeout: float = TIMEOUT,
    progress: Progress = no_progress,
    on_event: OnEvent = _no_event,
) -> FaultReport:
    """Hand the leadership of every group over to its standby; arguments and errors as for `pod_failure`.

    Raises:
        UsageError: the release has no standbys.
    """

    def plan(states: States) -> Iterator[Fault]:
        for _ in range(times):
            for name in _chosen_groups(states(), groups):
                yield faults.handover(states()[name], partial(deployment.switchover, name, timeout=timeout))

    return _drill(deployment, "switchover", plan, groups, timeout, progress, on_event, standbys=True)


def machine(
    deployment: Deployment,
    *,
    groups: Sequence[str] = (),
    times: int = 1,
    seconds: float = 30.0,
    timeout: float = TIMEOUT,
    progress: Progress = no_progress,
    on_event: OnEvent = _no_event,
) -> FaultReport:
    """Kill a machine of a kind cluster that holds leaders, and start it again when the writes have gone on.

    Args:
        groups: kill the machine that holds the leader of each; if empty, the one that holds most leaders.
        times: how often.
        seconds: how long the machine stays off at least.
        timeout: as for `pod_failure`.
        progress: as for `pod_failure`.
        on_event: as for `pod_failure`.

    Raises:
        UsageError: the cluster is not kind's, or the machine is that of the control plane.
    """
    return _machine_drill(
        deployment, "machine", faults.machine_kill, groups, times, seconds, timeout, progress, on_event
    )


def network(
    deployment: Deployment,
    *,
    groups: Sequence[str] = (),
    times: int = 1,
    seconds: float = 30.0,
    timeout: float = TIMEOUT,
    progress: Progress = no_progress,
    on_event: OnEvent = _no_event,
) -> FaultReport:
    """Cut a machine of a kind cluster that holds leaders off the network, and connect it again later.

    Arguments and errors as for `machine`.
    """
    return _machine_drill(
        deployment, "network", faults.network_cut, groups, times, seconds, timeout, progress, on_event
    )


def _machine_drill(
    deployment: Deployment,
    name: str,
    fault: Callable[[str, list[GroupState], float], Fault],
    groups: Sequence[str],
    times: int,
    seconds: float,
    timeout: float,
    progress: Progress,
    on_event: OnEvent,
) -> FaultReport:
    _require_kind(deployment, f"drill {name}", "Break a pod instead: pyhce drill pod-failure")

    def plan(states: States) -> Iterator[Fault]:
        for _ in range(times):
            for chosen in _chosen_groups(states(), groups) if groups else [None]:
                found = states()
                yield fault(_victim(found, chosen), list(found.values()), seconds)

    return _drill(deployment, name, plan, groups, timeout, progress, on_event)


def _victim(states: dict[str, GroupState], group: str | None) -> str:
    """The machine of a group's leader; without a group the one that holds most leaders."""
    leaders = {name: pod for name, state in states.items() if (pod := state.member(state.leader))}
    if group is not None:
        found = leaders[group].node
    else:
        found = Counter(pod.node for pod in leaders.values()).most_common(1)[0][0]
    if found.endswith("-control-plane"):
        raise UsageError(
            f"{found} is the machine of the control plane, which the drill needs",
            remedy="Create a cluster with machines for the database: pyhce up --on kind --kind-nodes 4",
        )
    return found


def freeze(
    deployment: Deployment,
    *,
    groups: Sequence[str] = (),
    times: int = 1,
    seconds: float = 30.0,
    timeout: float = TIMEOUT,
    progress: Progress = no_progress,
    on_event: OnEvent = _no_event,
) -> FaultReport:
    """Stop every process of each leader in a kind cluster, and continue them when the writes have gone on.

    Arguments and errors as for `machine`; without groups, every leader in turn.
    """
    _require_kind(deployment, "drill freeze", "Break a pod instead: pyhce drill pod-failure")

    def plan(states: States) -> Iterator[Fault]:
        for _ in range(times):
            for name in _chosen_groups(states(), groups):
                group = states()[name]
                leader = group.member(group.leader)
                if leader is not None:
                    yield faults.frozen_member(group, leader, seconds)

    return _drill(deployment, "freeze", plan, groups, timeout, progress, on_event)


def api_server(
    deployment: Deployment,
    *,
    times: int = 1,
    seconds: float = 80.0,
    timeout: float = TIMEOUT,
    progress: Progress = no_progress,
    on_event: OnEvent = _no_event,
) -> FaultReport:
    """Stop the API server of a kind cluster, and start it again. Arguments and errors as for `machine`."""
    _require_kind(deployment, "drill api-server", "Break a pod instead: pyhce drill pod-failure")
    control_plane = machines.control_plane(deployment.context.removeprefix("kind-"))

    def plan(_states: States) -> Iterator[Fault]:
        for _ in range(times):
            yield faults.api_server_outage(control_plane, seconds)

    return _drill(deployment, "api-server", plan, (), timeout, progress, on_event)


def _require_kind(deployment: Deployment, what: str, otherwise: str) -> None:
    if not deployment.context.startswith("kind-"):
        raise UsageError(
            f"{what} needs a kind cluster, because it works on the machines; {deployment.context} is not one",
            remedy=otherwise,
        )


def _chosen_groups(states: dict[str, GroupState], groups: Sequence[str]) -> list[str]:
    unknown = [name for name in groups if name not in states]
    if unknown:
        raise UsageError(f"there is no group {', '.join(unknown)}", remedy=f"Choose from: {', '.join(states)}.")
    return list(groups) or [*list(states)[1:], *list(states)[:1]]  # the coordinator last


def _drill(
    deployment: Deployment,
    name: str,
    plan: Callable[[States], Iterator[Fault]],
    groups: Sequence[str],
    timeout: float,
    progress: Progress,
    on_event: OnEvent,
    *,
    standbys: bool = False,
) -> FaultReport:
    """Run the steps of a plan while a ledger writes. Everything that a step broke is mended, Ctrl-C included."""
    cluster, namespace = deployment.cluster, deployment.namespace
    states = partial(group_states, cluster, namespace)
    kind_cluster = deployment.context.removeprefix("kind-") if deployment.context.startswith("kind-") else ""
    with drill_lock(deployment.context):
        if kind_cluster and kind.exists(kind_cluster):
            machines.repair(kind_cluster, progress)
        found = _healthy_states(states, timeout, progress)
        _chosen_groups(found, groups)
        if standbys and not all(state.standbys for state in found.values()):
            raise UsageError(
                f"the release in {namespace} has no standbys",
                remedy="Give each node one: pyhce upgrade --set ha.enabled=true",
            )
        machine = machines.control_plane(kind_cluster) if kind_cluster else ""
        ledger = LedgerPod(cluster, namespace, machine, kind=bool(kind_cluster))
        started = time.time()
        steps: list[DrillStep] = []
        load: list[float] = []
        try:
            ledger.start(progress=progress)
            for number, fault in enumerate(plan(states), 1):
                load.append(round(os.getloadavg()[0], 1))
                step = Step(cluster, namespace, ledger, fault, number, timeout=timeout, on_event=on_event)
                steps.append(step.run())
                if not steps[-1].healed:
                    break
        except BaseException:
            ledger.abandon()
            raise
        seconds = time.time() - started
        written = ledger.stop(progress=progress)
    return FaultReport(
        drill=name,
        context=deployment.context,
        namespace=namespace,
        standbys=any(state.standbys for state in found.values()),
        started_at=round(started, 3),
        seconds=round(seconds, 1),
        load=tuple(load),
        steps=tuple(
            with_writes(
                step, written, ledger.counts_at(step.started_at),
                ledger.counts_at(step.started_at + step.seconds, after=True),
            )
            for step in steps
        ),
        ledger=written,
    )  # fmt: skip


def _healthy_states(states: States, timeout: float, progress: Progress) -> dict[str, GroupState]:
    """The groups, when every one is healthy.

    Raises:
        HceError: nothing is installed, or one is not healthy in time.
    """
    deadline = time.monotonic() + timeout
    shown = ""
    while True:
        try:
            found = states()
            missing = next((state.missing for state in found.values() if state.missing), "") if found else "no pods"
        except HceError as error:  # the API server starts again after a drill that was killed
            missing = error.wrong
        if not missing:
            return found
        if time.monotonic() > deadline or missing == "no pods":
            raise HceError(
                f"the release is not healthy, so no drill was started: {missing}",
                remedy="Find the cause: pyhce status --on CONTEXT",
            )
        if missing != shown:
            progress(f"waiting: {missing}")
            shown = missing
        time.sleep(_PAUSE)
