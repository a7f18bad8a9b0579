"""The state of the groups, from objects that Kubernetes shows to any client: no member is asked."""

from __future__ import annotations

from pyhce.deploy.kubernetes_cluster import GROUP_LABEL, KubernetesCluster, PodState
from pyhce.schema.model import Frozen


class GroupState(Frozen):
    """A group, or a node without standbys, which is a group of one.

    Args:
        name: of the group; that of the pod without standbys.
        leader: the pod that leads, None if there is none.
        synchronous: the pods for which a commit waits.
        members: its pods.
        standbys: whether it should have any.
    """

    name: str
    leader: str | None
    synchronous: tuple[str, ...]
    members: tuple[PodState, ...]
    standbys: bool

    def member(self, pod: str | None) -> PodState | None:
        """The pod of a name, None if there is none."""
        return next((member for member in self.members if member.name == pod), None)

    @property
    def missing(self) -> str:
        """What the group lacks to survive the loss of its leader; "" if it lacks nothing."""
        leader = self.member(self.leader)
        if leader is None or leader.terminating:
            return f"{self.name} has no leader"
        not_ready = [member.name for member in self.members if not member.ready or member.terminating]
        if not_ready:
            return f"{', '.join(not_ready)} of {self.name} not ready"
        if not self.standbys:
            return ""
        timelines = {member.patroni.get("timeline") for member in self.members}
        if len(timelines) != 1 or None in timelines:
            return f"the members of {self.name} are on different timelines"
        others = {member.name for member in self.members} - {self.leader}
        if not others:
            return f"{self.name} has no standby"
        return "" if others & set(self.synchronous) else f"no standby of {self.name} is synchronous"


def group_states(cluster: KubernetesCluster, namespace: str) -> dict[str, GroupState]:
    """The groups of a release by name, the coordinator's first.

    Patroni writes the leader and the synchronous standbys to Endpoints or ConfigMaps, its store. A pod's label `role`
    is not used: that of a pod on a dead machine stays as it was.
    """
    pods = [pod for pod in cluster.database_pods(namespace)]
    stored = cluster.annotations(namespace, GROUP_LABEL) if any(pod.group for pod in pods) else {}
    names = sorted({pod.group or pod.name for pod in pods}, key=lambda name: ("coordinator" not in name, name))
    return {name: _group(name, [pod for pod in pods if (pod.group or pod.name) == name], stored) for name in names}


def _group(name: str, pods: list[PodState], stored: dict[str, dict[str, str]]) -> GroupState:
    standbys = any(pod.group for pod in pods)
    if not standbys:
        leader = next((pod.name for pod in pods if pod.ready and not pod.terminating), None)
        return GroupState(name=name, leader=leader, synchronous=(), members=tuple(pods), standbys=False)
    found = stored.get(f"{name}-leader", {}).get("leader") or stored.get(name, {}).get("leader")
    synchronous = stored.get(f"{name}-sync", {}).get("sync_standby") or ""
    return GroupState(
        name=name,
        leader=found or None,
        synchronous=tuple(filter(None, synchronous.split(","))),
        members=tuple(sorted(pods, key=lambda pod: pod.name)),
        standbys=True,
    )
