"""The faults: what each breaks, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from pyhce.deploy import kind
from pyhce.deploy.drills import machines
from pyhce.deploy.drills.groups import GroupState
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState


@dataclass(frozen=True)
class Fault:
    """A part that is broken in one step of a drill.

    Args:
        what: what is broken, for the report.
        groups: the groups that it hits.
        inject: breaks the part.
        mend: repairs the part; None if nothing is left to repair.
        mended: what is reported then.
        replaced: the pods that are only healthy again when they have restarted or new ones have their names.
        seconds: how long the part stays broken at least.
        is_done: whether an injection that goes on in the background has ended; it raises the injection's error.
    """

    what: str
    groups: tuple[str, ...]
    inject: Callable[[], None]
    mend: Callable[[], None] | None = None
    mended: str = ""
    replaced: tuple[PodState, ...] = ()
    seconds: float = 0.0
    is_done: Callable[[], bool] = field(default=lambda: True)


def pod_kill(group: GroupState, pod: PodState) -> Fault:
    """Kill -9 of the PostgreSQL of a pod."""
    return Fault(
        what=f"kill -9 of PostgreSQL in {_described(group, pod)}",
        groups=(group.name,),
        inject=lambda: kind.kill_postgresql(pod.node, pod.uid),
        replaced=() if group.standbys else (pod,),
    )


def pod_deletion(cluster: KubernetesCluster, namespace: str, group: GroupState, pod: PodState) -> Fault:
    """Delete a pod."""
    return Fault(
        what=f"deleted the pod {_described(group, pod)}",
        groups=(group.name,),
        inject=lambda: cluster.delete_pod(namespace, pod.name),
        replaced=(pod,),
    )


def handover(group: GroupState, run: Callable[[], object]) -> Fault:
    """A planned switchover, which `run` performs from its beginning to its end."""
    pool = ThreadPoolExecutor(1, "switchover")
    running: list[Future[object]] = []

    def is_done() -> bool:
        if running[0].done():
            running[0].result()
            return True
        return False

    return Fault(
        what=f"switchover of {group.name}",
        groups=(group.name,),
        inject=lambda: running.append(pool.submit(run)),
        is_done=is_done,
    )


def machine_kill(machine: str, groups: list[GroupState], seconds: float) -> Fault:
    """Kill a machine of a kind cluster, and start it again later."""
    return Fault(
        what=f"killed the machine {machine}{_led(machine, groups)}",
        groups=_names(machine, groups),
        inject=lambda: machines.kill(machine),
        mend=lambda: machines.start(machine),
        mended=f"started the machine {machine} again",
        replaced=tuple(_pods_on(machine, groups)),
        seconds=seconds,
    )


def network_cut(machine: str, groups: list[GroupState], seconds: float) -> Fault:
    """Cut a machine of a kind cluster off the network, and connect it again later."""
    return Fault(
        what=f"cut the network of the machine {machine}{_led(machine, groups)}",
        groups=_names(machine, groups),
        inject=lambda: machines.cut_network(machine),
        mend=lambda: machines.join_network(machine),
        mended=f"connected the machine {machine} again",
        seconds=seconds,
    )


def frozen_member(group: GroupState, pod: PodState, seconds: float) -> Fault:
    """Stop every process of a pod of a kind cluster, and continue them later."""

    def inject() -> None:
        machines.freeze(pod.node, pod.uid)

    def mend() -> None:
        machines.thaw(pod.node)

    return Fault(
        what=f"froze {_described(group, pod)}",
        groups=(group.name,),
        inject=inject,
        mend=mend,
        mended=f"continued {pod.name}",
        seconds=seconds,
    )


def api_server_outage(machine: str, seconds: float) -> Fault:
    """Stop the API server of a kind cluster, and start it again later."""

    def mend() -> None:
        machines.start_api_server(machine)

    return Fault(
        what="stopped the API server",
        groups=(),
        inject=lambda: machines.stop_api_server(machine),
        mend=mend,
        mended="started the API server again",
        seconds=seconds,
    )


def _described(group: GroupState, pod: PodState) -> str:
    if not group.standbys:
        return pod.name
    return f"{pod.name}, {'the leader' if pod.name == group.leader else 'a standby'} of {group.name}"


def _pods_on(machine: str, groups: list[GroupState]) -> list[PodState]:
    return [pod for group in groups for pod in group.members if pod.node == machine]


def _names(machine: str, groups: list[GroupState]) -> tuple[str, ...]:
    return tuple(group.name for group in groups if any(pod.node == machine for pod in group.members))


def led_groups(machine: str, groups: list[GroupState]) -> list[str]:
    """The groups whose leader is on a machine."""
    return [group.name for group in groups if (pod := group.member(group.leader)) and pod.node == machine]


def _led(machine: str, groups: list[GroupState]) -> str:
    led = led_groups(machine, groups)
    return f" with the leader{'s' if len(led) > 1 else ''} of {', '.join(led)}" if led else ""
