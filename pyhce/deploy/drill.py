"""Drills: break something on purpose and time how long the installation takes to recover by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum

from pyhce.citus.connection import Progress, connect, no_progress
from pyhce.citus.nodes import registered_nodes
from pyhce.counted import counted
from pyhce.deploy import kind
from pyhce.deploy.deployment import Deployment
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.deploy.pod_failures import deployment_failed
from pyhce.errors import UsageError
from pyhce.schema.model import Frozen
from pyhce.settings import APP_ROLE, SUPERUSER
from pyhce.verify.insert_thread import InsertReport, InsertThread, query_succeeds

_PAUSE = 0.1
_STEPS = {
    "out": "out of its Service",
    "gone": "restarted",
    "answers": "queries answered",
    "back": "back in its Service",
}
"""How each step of a recovery is reported; see `PodDrill`."""


class Action(StrEnum):
    """How a pod is broken: its PostgreSQL is killed, or the pod is deleted."""

    KILL = "kill -9"
    DELETE = "delete"


class PodDrill(Frozen):
    """How one pod recovered; times in seconds since it was broken.

    Args:
        gone: until its container had restarted, or a new pod had its name.
        out: until its Service no longer led to it.
        answers: until a query over every shard succeeded again.
        back: until its Service led to it again.
        restarts: container restarts of the pod that has its name now.
        new_pod: whether that is a new pod.
    """

    pod: str
    action: Action
    gone: float
    out: float
    answers: float
    back: float
    restarts: int
    new_pod: bool


class DrillReport(Frozen):
    """The result of a drill.

    Args:
        steps: a step for each pod and action.
        names_before, names_after: the nodes as `group host`, as Citus knows them.
        writer: what the thread that inserted rows during the drill found.
    """

    steps: tuple[PodDrill, ...]
    names_before: tuple[str, ...]
    names_after: tuple[str, ...]
    writer: InsertReport

    @property
    def ok(self) -> bool:
        """Whether no acknowledged row was lost and every node kept its name."""
        return self.writer.lost == 0 and self.names_before == self.names_after

    @property
    def exit_code(self) -> int:
        """0 if `ok`, 1 if not."""
        return 0 if self.ok else 1


def pod_failure(
    deployment: Deployment,
    *,
    actions: Sequence[Action] = (),
    timeout: float = 180.0,
    progress: Progress = no_progress,
) -> DrillReport:
    """Break every database pod, one after another, while a thread inserts rows, and time each recovery.

    Args:
        actions: what to do to each pod; every possible action if empty. `Action.KILL` is possible in a kind cluster
            only: the first process of a container can be killed from its Kubernetes node, but not from inside.
        timeout: seconds within which each pod must recover.
        progress: called with a line on each step.

    Raises:
        UsageError: `Action.KILL` was asked for and the cluster is not kind's.
        HceError: a pod did not recover in time; the text quotes the pods. The inserted rows are deleted all the same.
    """
    local = deployment.context.startswith("kind-")
    if Action.KILL in actions and not local:
        raise UsageError(
            f"kill -9 needs a kind cluster, because it is run on the Kubernetes node; {deployment.context} is not one",
            remedy="Delete the pods only: --action delete",
        )
    actions = actions or (tuple(Action) if local else (Action.DELETE,))
    cluster, namespace = deployment.cluster, deployment.namespace
    endpoint = deployment.reachable_place()  # a forwarded port would end with the pod that it leads to
    dsn = deployment.dsn_at(endpoint, SUPERUSER)
    before = _node_names(dsn)
    writer = InsertThread(deployment.dsn_at(endpoint, APP_ROLE))
    writer.start()
    steps: list[PodDrill] = []
    try:
        for action in actions:
            for pod in _pods_in_order(cluster, namespace):
                progress(f"{action.value} {pod.name} ({counted(writer.acknowledged, 'row')} acknowledged)")
                steps.append(_drill_pod(deployment, pod, action, dsn, timeout, progress))
    finally:
        progress("counting the acknowledged rows")
        written = writer.stop()
    return DrillReport(steps=tuple(steps), names_before=before, names_after=_node_names(dsn), writer=written)


def _pods_in_order(cluster: KubernetesCluster, namespace: str) -> list[PodState]:
    """The database pods, workers first."""
    return sorted(
        cluster.database_pods(namespace), key=lambda pod: (pod.name.startswith("citus-coordinator"), pod.name)
    )


def _drill_pod(
    deployment: Deployment, pod: PodState, action: Action, dsn: str, timeout: float, progress: Progress
) -> PodDrill:
    cluster, namespace = deployment.cluster, deployment.namespace
    service = pod.name.rpartition("-")[0]
    start = time.monotonic()
    if action is Action.KILL:
        kind.kill_postgresql(pod.node, pod.uid)
    else:
        cluster.delete_pod(namespace, pod.name)

    def present_pod() -> PodState | None:
        return next((present for present in cluster.database_pods(namespace) if present.name == pod.name), None)

    def replaced() -> bool:
        present = present_pod()
        return present is not None and (present.uid != pod.uid or present.restarts > pod.restarts)

    conditions: dict[str, Callable[[], bool]] = {
        "out": lambda: pod.name not in cluster.ready_pods_behind(namespace, service),
        "gone": replaced,
        "answers": lambda: "gone" in took and query_succeeds(dsn),
        "back": lambda: {"gone", "out"} <= took.keys() and pod.name in cluster.ready_pods_behind(namespace, service),
    }
    took: dict[str, float] = {}
    while len(took) < len(conditions):
        for step, holds in conditions.items():
            if step not in took and holds():
                took[step] = round(time.monotonic() - start, 1)
                progress(f"{action.value} {pod.name}: {_STEPS[step]} after {took[step]} s")
        if time.monotonic() - start > timeout:
            missing = ", ".join(_STEPS[step] for step in conditions if step not in took)
            raise deployment_failed(
                cluster,
                namespace,
                f"{action.value} {pod.name}: not seen within {timeout:.0f} s: {missing}",
                f"Find what is wrong: pyhce verify --on {deployment.context} -n {namespace}",
            )
        time.sleep(_PAUSE)
    present = present_pod()
    return PodDrill(
        pod=pod.name,
        action=action,
        restarts=present.restarts if present else 0,
        new_pod=present is not None and present.uid != pod.uid,
        **took,
    )


def _node_names(dsn: str) -> tuple[str, ...]:
    with connect(dsn) as conn:
        return tuple(f"{node.group} {node.host}" for node in registered_nodes(conn))
