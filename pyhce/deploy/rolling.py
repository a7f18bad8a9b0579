"""Replace the pods of groups with standbys: standbys first, then a switchover, then the former leader.

The StatefulSets have the update strategy OnDelete, because Kubernetes would replace both members of a group at once:
they belong to different StatefulSets. The registrar does it after every upgrade, from its pod. Each step is decided
from the present state, so an interrupted run is continued by the next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pyhce.citus.connection import Progress, no_progress
from pyhce.deploy.kubernetes_cluster import GROUP_LABEL, KubernetesCluster, PodState
from pyhce.errors import ConnectionFailed, HceError
from pyhce.patroni import operations
from pyhce.patroni.groups import Group, GroupState, HaFile
from pyhce.patroni.rest import PatroniClient

logger = logging.getLogger(__name__)

_PAUSE = 0.2
_COORDINATOR = "citus-coordinator"
Found = TypeVar("Found")


class RollingUpdate:
    """The pods of the groups, and what is to be done with them.

    Args:
        cluster: reached with the rights of the registrar's ServiceAccount: get, list and delete pods, get and list
            StatefulSets, delete the Endpoints and EndpointSlices of the Service citus-coordinator.
        ha: the groups.
        password: of Patroni's REST API.
        timeout: seconds to wait for each pod and for each standby to be in sync.
    """

    def __init__(
        self,
        cluster: KubernetesCluster,
        namespace: str,
        ha: HaFile,
        password: str,
        *,
        timeout: float = 300.0,
        progress: Progress = no_progress,
    ) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._ha, self._password = ha, password
        self._timeout, self._progress = timeout, progress
        self.changes: list[str] = []

    def run(self) -> list[str]:
        """Bring every pod to the newest template and every setting into force.

        Returns:
            A sentence for each change.

        Raises:
            HceError: a group has no leader, or a pod or standby did not get ready in time.
        """
        self._adopt_pods_without_patroni()
        for group in self._ha.groups:
            self._wait(partial(self._leader, group), f"{group.name} has no leader")
        self.changes += operations.apply_dynamic_config(self._ha, self._password, self._progress)
        self._reload()
        for group in self._ha.groups:
            self._replace_outdated(group)
            self._restart_pending(group)
        return self.changes

    def _reload(self) -> None:
        """Let every member read its files again: a renewed certificate is used only then, by Patroni and PostgreSQL."""
        for group in self._ha.groups:
            client = PatroniClient(group, self._ha, self._password)
            for member in group.members:
                try:
                    client.reload(member.name)
                except ConnectionFailed as error:
                    logger.warning("%s was not told to reload: %s", member.name, error.wrong)

    def _adopt_pods_without_patroni(self) -> None:
        """Replace the pods of a release without standbys, all at once, so that there is one interruption.

        Patroni takes over the data directories as they are. The Service citus-coordinator lost its selector, but
        Kubernetes keeps its Endpoints, which Patroni must write itself: it sees only objects with its own labels, and
        cannot create one of a name that exists. They are deleted as late as possible, as they lead to the running
        coordinator, and also if the pods are Patroni's already, as after an upgrade that failed half-way.
        """
        former = [pod for pod in self._outdated() if not pod.group]
        if former:
            standbys = [m.name for group in self._ha.groups for m in group.members[1:]]
            self._wait(partial(self._compared, standbys), "the standbys have not started, and nothing was changed")
            self._note(f"Patroni takes over {', '.join(pod.name for pod in former)}")
        if self._cluster.endpoints_without_label(self._namespace, _COORDINATOR, GROUP_LABEL):
            self._note(f"deleted the former Endpoints of the Service {_COORDINATOR}")
            self._cluster.delete_endpoints(self._namespace, _COORDINATOR)
        for pod in former:
            self._cluster.delete_pod(self._namespace, pod.name)
        for pod in former:
            self._wait_for_successor(pod)

    def _compared(self, names: list[str]) -> bool:
        """Whether these pods run: each has said what its volume holds, for which the first members will wait."""
        pods = {pod.name: pod for pod in self._cluster.database_pods(self._namespace)}
        return all(name in pods and pods[name].compared for name in names)

    def _replace_outdated(self, group: Group) -> None:
        """Replace a group's pods that were made from a former template: standbys, then the leader."""
        outdated = {pod.name: pod for pod in self._outdated() if pod.name in {m.name for m in group.members}}
        if not outdated:
            return
        leader = self._require_writable_leader(group)
        for name in sorted(outdated, key=lambda name: name == leader):
            if name == leader:
                self._wait_until_in_sync(group)
                self._switch_away(group, name)
            self._require_writable_leader(group)
            self._note(f"replaced {name}")
            self._cluster.delete_pod(self._namespace, name)
            self._wait_for_successor(outdated[name])
            self._wait_until_in_sync(group)

    def _require_writable_leader(self, group: Group) -> str:
        """The leader of a group, which must accept writes: the other member is about to be stopped."""
        client = PatroniClient(group, self._ha, self._password)

        def leader() -> str | None:
            name = self._leader(group)
            return name if name is not None and client.is_writable(name) else None

        return self._wait(leader, f"{group.name} has no leader that accepts writes")

    def _restart_pending(self, group: Group) -> None:
        """Restart PostgreSQL where a setting waits for it: the standbys, then the leader, once it is a standby.

        A standby needs some settings, such as max_connections, at least as high as the leader's. If one is lowered, the
        standby still waits after its own restart. Then the leader is restarted in place, and the standby once more.
        """
        client = PatroniClient(group, self._ha, self._password)
        state = self._settled(client)
        leader = state.leader
        for member in state.members:
            if member.pending_restart and member.name != leader:
                self._restart(client, member.name)
        pending = [m.name for m in group.members if client.member_facts(m.name).get("pending_restart")]
        if leader is not None and leader in pending:
            if pending == [leader]:
                self._wait_until_in_sync(group)
                self._switch_away(group, leader)
            self._restart(client, leader)
        for name in pending:
            if name != leader:
                self._restart(client, name)

    def _restart(self, client: PatroniClient, member: str) -> None:
        self._wait_until_in_sync(client.group)
        self._note(f"restarted PostgreSQL of {member} for its new settings")
        client.restart(member)
        self._wait_until_in_sync(client.group)

    def _settled(self, client: PatroniClient) -> GroupState:
        """The state of a group once its members have read the dynamic configuration.

        A member reads it at its next look at the store, `loop_wait` seconds later at most.
        """
        if any("postgresql.parameters" in change and change.startswith(client.group.name) for change in self.changes):
            deadline = time.monotonic() + 2 * float(self._ha.dynamic.get("loop_wait", 10))
            while time.monotonic() < deadline:
                state = client.state()
                if all(member.pending_restart for member in state.members):
                    return state
                time.sleep(_PAUSE)
        return client.state()

    def _switch_away(self, group: Group, leader: str) -> None:
        report = operations.switchover(
            self._ha, self._password, group.name, timeout=self._timeout, progress=self._progress
        )
        self._note(f"{group.name}: {report.leader} leads in place of {leader} after {report.seconds} s")

    def _outdated(self) -> list[PodState]:
        newest = self._cluster.newest_revisions(self._namespace)
        return [pod for pod in self._cluster.database_pods(self._namespace) if pod.revision not in newest]

    def _leader(self, group: Group) -> str | None:
        try:
            return PatroniClient(group, self._ha, self._password).state().leader
        except HceError:
            return None

    def _wait_for_successor(self, former: PodState) -> None:
        def ready() -> bool:
            pods = self._cluster.database_pods(self._namespace)
            return any(pod.name == former.name and pod.uid != former.uid and pod.ready for pod in pods)

        self._wait(ready, f"the new pod {former.name} is not ready")

    def _wait_until_in_sync(self, group: Group) -> None:
        operations.wait_until_in_sync(self._ha, self._password, group.name, self._timeout, progress=self._progress)

    def _wait(self, find: Callable[[], Found | None], problem: str) -> Found:
        """Call a function until it returns something that is true, and return that."""
        deadline = time.monotonic() + self._timeout
        shown = False
        while not (found := find()):
            if time.monotonic() > deadline:
                raise HceError(
                    f"{problem} after {self._timeout:.0f} s",
                    remedy=f"Read the pods' logs and events (kubectl -n {self._namespace} get events), mend the cause, "
                    "then run the same upgrade again: it goes on where it stopped.",
                )
            if not shown:
                self._progress(f"waiting: {problem}")
                shown = True
            time.sleep(_PAUSE)
        return found

    def _note(self, change: str) -> None:
        logger.info("%s", change)
        self._progress(change)
        self.changes.append(change)
