"""Drills: break something on purpose, watch it heal with no one's hand, print how long each step took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum

from pyhce.citus.connection import Progress, connect, silent
from pyhce.citus.nodes import known_nodes
from pyhce.deploy import kind
from pyhce.deploy.deployment import Deployment
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.deploy.pod_failures import deployment_failed
from pyhce.errors import UsageError
from pyhce.schema.model import Frozen
from pyhce.settings import APP_ROLE, SUPERUSER
from pyhce.verify.insert_thread import InsertReport, InsertThread, query_succeeds

_PAUSE = 0.1


class Action(StrEnum):
    """What is done to a pod."""

    KILL = "kill -9"
    DELETE = "delete"


class PodDrill(Frozen):
    """What became of one pod; seconds since it was broken.

    Args:
        gone: until its container had restarted, or another pod had its name.
        out: until its Service no longer led to it.
        answers: until a query over every shard succeeded again.
        back: until its Service led to it again.
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
    """A drill, pod by pod, and what the writer says."""

    steps: tuple[PodDrill, ...]
    names_before: tuple[str, ...]
    names_after: tuple[str, ...]
    writer: InsertReport

    @property
    def ok(self) -> bool:
        """Nothing acknowledged was lost, and every node has its name."""
        return self.writer.lost == 0 and self.names_before == self.names_after

    @property
    def exit_code(self) -> int:
        """0 if all is right, 1 if not."""
        return 0 if self.ok else 1


def pod_failure(
    deployment: Deployment,
    *,
    actions: Sequence[Action] = (),
    timeout: float = 180.0,
    progress: Progress = silent,
) -> DrillReport:
    """Kill PostgreSQL in every pod once and delete every pod once, one after another, while a writer writes.

    Args:
        actions: what to do to each pod; all that can be done here if empty. PID 1 of a container can only be killed
            from its node, which is within reach where the nodes are kind's.
        timeout: seconds that each pod may take to be back.

    Raises:
        UsageError: the nodes are not kind's and kill -9 was asked for.
        HceError: a pod did not come back, with what it says; the writer's rows are deleted all the same.
    """
    local = deployment.context.startswith("kind-")
    if Action.KILL in actions and not local:
        raise UsageError(
            f"kill -9 must come from the Kubernetes node, and those of {deployment.context} are not kind's",
            remedy="Give --action delete.",
        )
    actions = actions or (tuple(Action) if local else (Action.DELETE,))
    cluster, namespace = deployment.cluster, deployment.namespace
    place = deployment.reachable_place()  # a forwarded port would end with the pod that it leads to
    dsn = deployment.dsn_at(place, SUPERUSER)
    before = _node_names(dsn)
    writer = InsertThread(deployment.dsn_at(place, APP_ROLE))
    writer.start()
    steps: list[PodDrill] = []
    try:
        for action in actions:
            for pod in _pods_in_order(cluster, namespace):
                progress(f"{action.value} {pod.name} ({writer.acknowledged} rows acknowledged)")
                steps.append(_drill_pod(deployment, pod, action, dsn, timeout, progress))
    finally:
        progress("counting what was acknowledged")
        written = writer.stop()
    return DrillReport(steps=tuple(steps), names_before=before, names_after=_node_names(dsn), writer=written)


def _pods_in_order(cluster: KubernetesCluster, namespace: str) -> list[PodState]:
    """The database pods, workers first."""
    found = cluster.database_pods(namespace)
    return sorted(found, key=lambda pod: (pod.name.startswith("citus-coordinator"), pod.name))


def _drill_pod(
    deployment: Deployment, pod: PodState, action: Action, dsn: str, timeout: float, progress: Progress
) -> PodDrill:
    cluster, namespace = deployment.cluster, deployment.namespace
    service = pod.name.rpartition("-")[0]
    start = time.monotonic()
    if action is Action.KILL:
        kind.kill_first_process(pod.node, pod.uid)
    else:
        cluster.delete_pod(namespace, pod.name)

    def now() -> PodState | None:
        return next((held for held in cluster.database_pods(namespace) if held.name == pod.name), None)

    def replaced() -> bool:
        held = now()
        return held is not None and (held.uid != pod.uid or held.restarts > pod.restarts)

    wanted: dict[str, Callable[[], bool]] = {
        "out": lambda: pod.name not in cluster.ready_pods_behind(namespace, service),
        "gone": replaced,
        "answers": lambda: "gone" in took and query_succeeds(dsn),
        "back": lambda: {"gone", "out"} <= took.keys() and pod.name in cluster.ready_pods_behind(namespace, service),
    }
    took: dict[str, float] = {}
    while len(took) < len(wanted):
        for step, seen in wanted.items():
            if step not in took and seen():
                took[step] = round(time.monotonic() - start, 1)
                progress(f"{action.value} {pod.name}: {step} after {took[step]} s")
        if time.monotonic() - start > timeout:
            missing = ", ".join(step for step in wanted if step not in took)
            raise deployment_failed(
                cluster, namespace, f"{action.value} {pod.name}: not seen in {timeout:.0f} s: {missing}", "pyhce verify"
            )
        time.sleep(_PAUSE)
    held = now()
    return PodDrill(
        pod=pod.name,
        action=action,
        restarts=held.restarts if held else 0,
        new_pod=held is not None and held.uid != pod.uid,
        **took,
    )


def _node_names(dsn: str) -> tuple[str, ...]:
    with connect(dsn) as conn:
        return tuple(f"{node.group} {node.host}" for node in known_nodes(conn))
