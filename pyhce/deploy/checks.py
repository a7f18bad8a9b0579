"""Checks HCE0901 to HCE0910: what only Kubernetes can tell, by the same protocol as the database's checks."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from pyhce.counted import counted
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.settings import DATABASE, NODE_PORT
from pyhce.verify.model import Finding, FunctionCheck, Result, ok, ok_unless, skipped

GROUP = "kubernetes"
_BASE_SETS = ("citus-coordinator", "citus-worker")
LIVENESS = ("pg_isready -U postgres -d postgres", 30, 10, 5, 6)
READINESS = ("pg_isready -U postgres", 10, 5, 5, 3)
"""Command; initial delay, period and timeout in seconds; failure threshold."""


class KubernetesView:
    """The objects of one namespace as the checks see them; StatefulSets and pods are read once."""

    def __init__(self, cluster: KubernetesCluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.unreachable_nodes: set[str] = set()

    @cached_property
    def stateful_sets(self) -> dict[str, Any]:
        """The StatefulSets of the coordinator, the workers and their standbys that exist, by name."""
        read = self.cluster.apps.read_namespaced_stateful_set
        names = [f"{base}{suffix}" for base in _BASE_SETS for suffix in ("", "-b", "-c")]
        stateful_sets = {name: self.cluster.get(read, name, self.namespace) for name in names}
        return {name: stateful_set for name, stateful_set in stateful_sets.items() if stateful_set is not None}

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The pods that each group with standbys should have, by the group's name; {} without standbys."""
        if not any(name.endswith(("-b", "-c")) for name in self.stateful_sets):
            return {}
        found: dict[str, list[str]] = {}
        for pod in self.expected_pods:
            name, _, number = pod.rpartition("-")
            base = name.removesuffix("-b").removesuffix("-c")
            found.setdefault(base if base == _BASE_SETS[0] else f"{base}-{number}", []).append(pod)
        return found

    def leader(self, group: str) -> str | None:
        """The member that holds the leader's lock in Patroni's store; None if none does."""
        for read, name in (
            (self.cluster.core.read_namespaced_endpoints, group),
            (self.cluster.core.read_namespaced_config_map, f"{group}-leader"),
        ):
            found = self.cluster.get(read, name, self.namespace)
            leader = ((found and found.metadata.annotations) or {}).get("leader")
            if leader:
                return str(leader)
        return None

    @cached_property
    def nodes(self) -> dict[str, PodState]:
        """The database pods by name."""
        return {p.name: p for p in self.cluster.database_pods(self.namespace)}

    @property
    def expected_pods(self) -> list[str]:
        """The names of the pods that the StatefulSets ask for."""
        return [
            f"{name}-{n}"
            for name, stateful_set in self.stateful_sets.items()
            for n in range(stateful_set.spec.replicas)
        ]


def pods_ready(view: KubernetesView) -> Finding:
    """Every expected pod exists, is ready, and was made from the newest template."""
    problems = [f"the StatefulSet {name} does not exist" for name in _BASE_SETS if name not in view.stateful_sets]
    for name in view.expected_pods:
        pod = view.nodes.get(name)
        if pod is None:
            problems.append(f"the pod {name} does not exist")
        elif not pod.ready or pod.terminating:
            problems.append(f"{name}: {pod.words} {pod.message}".strip())
    for name, stateful_set in view.stateful_sets.items():
        status = stateful_set.status
        observed = status.observed_generation == stateful_set.metadata.generation
        outdated = any(
            view.nodes[pod].revision != status.update_revision
            for pod in view.expected_pods
            if pod.rpartition("-")[0] == name and pod in view.nodes
        )
        if not problems and (not observed or outdated):
            wanted = counted(stateful_set.spec.replicas, "pod")
            problems.append(f"{name} is being rolled out: {status.updated_replicas or 0} of {wanted}")
    restarts = sum(pod.restarts for pod in view.nodes.values())
    return ok_unless(
        problems, f"{counted(len(view.expected_pods), 'pod')} ready, {counted(restarts, 'container restart')}"
    )


def probes_as_declared(view: KubernetesView) -> Finding:
    """The liveness and readiness probes are the declared ones, and the startup probe allows 10 minutes or more."""
    problems = []
    for name, stateful_set in view.stateful_sets.items():
        container = stateful_set.spec.template.spec.containers[0]
        if view.groups:
            problems += _patroni_probe_problems(name, container)
            continue
        for kind, declared in (("liveness", LIVENESS), ("readiness", READINESS)):
            probe = getattr(container, f"{kind}_probe")
            actual = probe and (
                " ".join(probe._exec.command),
                probe.initial_delay_seconds or 0,
                probe.period_seconds,
                probe.timeout_seconds,
                probe.failure_threshold,
            )
            if actual != declared:
                problems.append(f"{name}: the {kind} probe is {actual}, declared is {declared}")
        startup = container.startup_probe
        if not startup or startup.period_seconds * startup.failure_threshold < 600:
            problems.append(
                f"{name}: the startup probe allows less than 600 s; a long WAL replay would be interrupted by a restart"
            )
    return ok_unless(problems, "liveness, readiness and startup probes as declared")


def _patroni_probe_problems(name: str, container: Any) -> list[str]:
    """The probes of a member of a group that do not ask Patroni, or not as declared."""
    declared = {"startup": "/liveness", "liveness": "/liveness", "readiness": "/readiness"}
    actual = {
        kind: (probe := getattr(container, f"{kind}_probe")) and probe.http_get and probe.http_get.path
        for kind in declared
    }
    return [
        f"{name}: the {kind} probe asks {actual[kind] or 'no path'}, declared is {path} of Patroni"
        for kind, path in declared.items()
        if actual[kind] != path
    ]


def volumes_bound(view: KubernetesView) -> Finding:
    """The volume claim of every expected pod is bound."""
    problems, sizes = [], []
    for name in view.expected_pods:
        claim_name = f"data-{name}"
        claim = view.cluster.get(view.cluster.core.read_namespaced_persistent_volume_claim, claim_name, view.namespace)
        if claim is None:
            problems.append(f"the volume claim {claim_name} does not exist")
        elif claim.status.phase != "Bound":
            problems.append(f"the volume claim {claim_name} is {claim.status.phase}")
        else:
            sizes.append(f"{claim_name} {claim.status.capacity['storage']}")
    return ok_unless(problems, f"{counted(len(sizes), 'volume')} bound: {', '.join(sizes)}")


def services_lead_to_pods(view: KubernetesView) -> Finding:
    """Each Service has exactly the expected pods as ready endpoints."""
    problems = []
    workers = {name for name in view.expected_pods if name.startswith("citus-worker")}
    expected = {
        "citus-coordinator": {"citus-coordinator-0"},
        "citus-worker": workers,
        "citus-nodes": set(view.expected_pods),
    }
    if view.groups:
        expected["citus-coordinator"] = {view.leader("citus-coordinator") or "the leader, but there is none"}
    for name, pods in expected.items():
        service = view.cluster.get(view.cluster.core.read_namespaced_service, name, view.namespace)
        if service is None:
            problems.append(f"the Service {name} does not exist")
            continue
        ready = view.cluster.ready_pods_behind(view.namespace, name)
        if ready != pods:
            problems.append(f"the Service {name} leads to {sorted(ready) or 'no pod'}, expected {sorted(pods)}")
        if name == "citus-nodes" and not service.spec.publish_not_ready_addresses:
            problems.append("the Service citus-nodes does not publish pods that are not ready: restarts take longer")
    return ok_unless(problems, f"{len(expected)} Services lead to their pods")


def registrar_job_complete(view: KubernetesView) -> Finding:
    """The registrar's Job completed."""
    job = view.cluster.get(view.cluster.batch.read_namespaced_job, "citus-registrar", view.namespace)
    if job is None:
        return ok_unless(["the Job citus-registrar does not exist"], "")
    complete = any(c.type == "Complete" and c.status == "True" for c in job.status.conditions or [])
    took = (
        f" in {(job.status.completion_time - job.status.start_time).total_seconds():.0f} s"
        if job.status.completion_time
        else ""
    )
    problem = f"the Job citus-registrar is not complete: {job.status.failed or 0} of its pods failed"
    return ok_unless([] if complete else [problem], f"citus-registrar complete{took}")


def coordinator_node_port(view: KubernetesView) -> Finding:
    """The coordinator's Service offers port 5432 at a node port."""
    service = view.cluster.get(view.cluster.core.read_namespaced_service, "citus-coordinator", view.namespace)
    if service is None:
        return ok_unless(["the Service citus-coordinator does not exist"], "")
    if service.spec.type != "NodePort":
        return skipped(f"the Service is of type {service.spec.type}, which has no node port to check")
    port = service.spec.ports[0]
    problems = [] if port.port == 5432 else [f"the Service's port is {port.port}, expected 5432"]
    default = "" if port.node_port == NODE_PORT else f" (the default is {NODE_PORT})"
    return ok_unless(problems, f"port 5432 at node port {port.node_port}{default}")


def pods_unprivileged(view: KubernetesView) -> Finding:
    """No database pod can run as root, write to its root file system, gain privileges or use a Kubernetes token."""
    problems = []
    for name, stateful_set in view.stateful_sets.items():
        pod = stateful_set.spec.template.spec
        security = pod.containers[0].security_context
        for holds, problem in (
            (pod.automount_service_account_token is False, "mounts a Kubernetes token"),
            (pod.security_context.run_as_non_root, "may run as root"),
            (security.read_only_root_filesystem, "may write to its root file system"),
            (security.allow_privilege_escalation is False, "may gain privileges"),
            (security.capabilities and security.capabilities.drop == ["ALL"], "keeps capabilities"),
        ):
            if not holds:
                problems.append(f"{name} {problem}")
    token = "only the token with which Patroni reaches its store" if view.groups else "no token"
    return ok_unless(
        problems, f"unprivileged user, {token}, no capability, no privilege escalation, read-only root file system"
    )


def workers_registered(view: KubernetesView) -> Finding:
    """The active workers in pg_dist_node are exactly the worker pods."""
    coordinator = (view.leader("citus-coordinator") if view.groups else "citus-coordinator-0") or ""
    if not view.nodes.get(coordinator):
        return ok_unless([f"could not ask the coordinator: {coordinator or 'its leader'} does not exist"], "")
    query = "SELECT json_agg(nodename) FROM pg_dist_node WHERE groupid > 0 AND isactive AND noderole = 'primary'"
    answer = view.cluster.execute(
        view.namespace, coordinator, ["psql", "-U", "postgres", "-d", DATABASE, "-XAtc", query]
    )
    try:
        names = {str(host).partition(".")[0] for host in json.loads(answer)}
    except (ValueError, TypeError):
        return ok_unless(
            [f"could not read the workers from the coordinator: {answer.strip()[:200] or 'it has no worker'}"], ""
        )
    expected = {name for name in view.groups or view.expected_pods if name.startswith("citus-worker")}
    if names == expected:
        return ok(f"{counted(len(names), 'worker pod')}, each an active worker")
    return ok_unless(
        [f"the pod {name} is not an active worker" for name in sorted(expected - names)]
        + [f"the worker {name} has no pod" for name in sorted(names - expected)],
        "",
    )


def leaders_behind_services(view: KubernetesView) -> Finding:
    """The Service of each group leads to the member that Patroni calls the leader, and to no other."""
    if not view.groups:
        return skipped("no standbys: ha.enabled is false")
    problems = []
    for group in view.groups:
        leader, behind = view.leader(group), view.cluster.ready_pods_behind(view.namespace, group)
        if leader is None:
            problems.append(f"{group} has no leader")
        elif behind != {leader}:
            problems.append(f"the Service {group} leads to {sorted(behind) or 'no pod'}, the leader is {leader}")
    return ok_unless(problems, f"{len(view.groups)} Services lead to their leaders")


def members_apart(view: KubernetesView) -> Finding:
    """No two members of a group run on the same Kubernetes node; a warning where `ha.spread` only prefers it."""
    if not view.groups:
        return skipped("no standbys: ha.enabled is false")
    problems = []
    for group, members in view.groups.items():
        nodes = [view.nodes[member].node for member in members if member in view.nodes]
        shared = {node for node in nodes if nodes.count(node) > 1 and node}
        problems += [f"{group}: more than one member runs on {node}" for node in sorted(shared)]
    required = any(
        rule.when_unsatisfiable == "DoNotSchedule"
        for stateful_set in view.stateful_sets.values()
        for rule in stateful_set.spec.template.spec.topology_spread_constraints or ()
    )
    severity = Result.FAILED if required else Result.WARNING
    return ok_unless(problems, f"the members of {len(view.groups)} groups run on different nodes", severity=severity)


CHECKS = (
    FunctionCheck(
        "HCE0901",
        GROUP,
        "Every database pod is ready and runs the newest template",
        "kubectl -n NAMESPACE describe pod POD",
        pods_ready,
    ),
    FunctionCheck(
        "HCE0902", GROUP, "Probes are as the chart declares them", "Restore them: pyhce upgrade", probes_as_declared
    ),
    FunctionCheck(
        "HCE0903",
        GROUP,
        "Every volume claim is bound",
        "Check the claims and the storage class: kubectl -n NAMESPACE get pvc,sc",
        volumes_bound,
    ),
    FunctionCheck(
        "HCE0904",
        GROUP,
        "Every Service leads to its ready pods",
        "Wait until the pods are ready: pyhce verify --on CONTEXT --wait 5m. "
        "If a Service was changed or deleted: pyhce upgrade",
        services_lead_to_pods,
    ),
    FunctionCheck(
        "HCE0905",
        GROUP,
        "The registrar's Job is complete",
        "Read its log: kubectl -n NAMESPACE logs job/citus-registrar. Fix the cause, then run: pyhce upgrade",
        registrar_job_complete,
    ),
    FunctionCheck(
        "HCE0906",
        GROUP,
        "The coordinator's Service offers port 5432 at a node port",
        "Restore the Service: pyhce upgrade",
        coordinator_node_port,
    ),
    FunctionCheck(
        "HCE0907", GROUP, "Database pods run unprivileged", "Restore the pods: pyhce upgrade", pods_unprivileged
    ),
    FunctionCheck(
        "HCE0908",
        GROUP,
        "Every worker pod is an active worker in Citus",
        "Run the registrar again: pyhce upgrade",
        workers_registered,
    ),
    FunctionCheck(
        "HCE0909",
        GROUP,
        "The Service of each group leads to its leader",
        "Wait for Patroni: pyhce verify --on CONTEXT --wait 2m. If it stays: kubectl -n NAMESPACE logs POD",
        leaders_behind_services,
    ),
    FunctionCheck(
        "HCE0910",
        GROUP,
        "The members of a group run on different Kubernetes nodes",
        "Add Kubernetes nodes and set ha.spread=required, then delete one of the pods: Kubernetes starts it elsewhere",
        members_apart,
    ),
)
