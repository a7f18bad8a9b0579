"""09: what only Kubernetes can tell. The same protocol as the checks of the database."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.settings import DATABASE, NODE_PORT
from pyhce.verify.model import Finding, FunctionCheck, ok, ok_unless, skipped

GROUP = "kubernetes"
LIVENESS = ("pg_isready -U postgres -d postgres", 30, 10, 5, 6)
READINESS = ("pg_isready -U postgres", 10, 5, 5, 3)
"""Command, delay, period, time-out (seconds), failure threshold."""


class KubernetesView:
    """One look at a namespace; each thing is asked for once."""

    def __init__(self, cluster: KubernetesCluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.unreachable_nodes: set[str] = set()

    @cached_property
    def sets(self) -> dict[str, Any]:
        """The two StatefulSets that are there, by name."""
        read = self.cluster.apps.read_namespaced_stateful_set
        found = {name: self.cluster.get(read, name, self.namespace) for name in ("citus-coordinator", "citus-worker")}
        return {name: held for name, held in found.items() if held is not None}

    @cached_property
    def nodes(self) -> dict[str, PodState]:
        """The database pods by name."""
        return {p.name: p for p in self.cluster.database_pods(self.namespace)}

    @property
    def expected_pods(self) -> list[str]:
        """The database pods that should be there."""
        return [f"{name}-{n}" for name, held in self.sets.items() for n in range(held.spec.replicas)]


def pods_ready(view: KubernetesView) -> Finding:
    """Every pod is there and ready, of the newest template."""
    problems = [f"there is no StatefulSet {n}" for n in ("citus-coordinator", "citus-worker") if n not in view.sets]
    for name in view.expected_pods:
        held = view.nodes.get(name)
        if held is None:
            problems.append(f"{name} is not there")
        elif not held.ready or held.terminating:
            problems.append(f"{name}: {held.words} {held.message}".strip())
    for name, held in view.sets.items():
        seen = held.status.observed_generation == held.metadata.generation
        if not problems and not (seen and held.status.update_revision == held.status.current_revision):
            problems.append(f"{name} is being rolled out: {held.status.updated_replicas or 0} of {held.spec.replicas}")
    restarts = sum(pod.restarts for pod in view.nodes.values())
    return ok_unless(problems, f"{len(view.expected_pods)} pods ready, {restarts} restarts since they were made")


def probes_as_declared(view: KubernetesView) -> Finding:
    """Liveness, readiness and start-up as the project fixes them."""
    problems = []
    for name, held in view.sets.items():
        container = held.spec.template.spec.containers[0]
        for kind, wanted in (("liveness", LIVENESS), ("readiness", READINESS)):
            probe = getattr(container, f"{kind}_probe")
            found = probe and (
                " ".join(probe._exec.command),
                probe.initial_delay_seconds or 0,
                probe.period_seconds,
                probe.timeout_seconds,
                probe.failure_threshold,
            )
            if found != wanted:
                problems.append(f"{name}: {kind} is {found}, declared {wanted}")
        start = container.startup_probe
        if not start or start.period_seconds * start.failure_threshold < 600:
            problems.append(f"{name}: a long replay of the write-ahead log would be killed")
    return ok_unless(problems, "liveness, readiness and start-up probes as declared")


def volumes_bound(view: KubernetesView) -> Finding:
    """Each pod's volume is bound."""
    problems, sizes = [], []
    for name in view.expected_pods:
        claim = f"data-{name}"
        held = view.cluster.get(view.cluster.core.read_namespaced_persistent_volume_claim, claim, view.namespace)
        if held is None or held.status.phase != "Bound":
            problems.append(f"{claim} is {held.status.phase if held else 'not there'}")
        else:
            sizes.append(f"{claim} {held.status.capacity['storage']}")
    return ok_unless(problems, f"{len(sizes)} volumes bound: {', '.join(sizes)}")


def services_lead_to_pods(view: KubernetesView) -> Finding:
    """Each Service leads to the pods that it should lead to."""
    problems = []
    of_workers = {name for name in view.expected_pods if name.startswith("citus-worker")}
    wanted = {
        "citus-coordinator": {"citus-coordinator-0"},
        "citus-worker": of_workers,
        "citus-nodes": set(view.expected_pods),
    }
    for service, names in wanted.items():
        held = view.cluster.get(view.cluster.core.read_namespaced_service, service, view.namespace)
        if held is None:
            problems.append(f"there is no Service {service}")
            continue
        found = view.cluster.ready_pods_behind(view.namespace, service)
        if found != names:
            problems.append(f"{service} leads to {sorted(found) or 'nobody'}, should to {sorted(names)}")
        if service == "citus-nodes" and not held.spec.publish_not_ready_addresses:
            problems.append("citus-nodes hides nodes that are not ready: a restarted one is found late")
    return ok_unless(problems, f"{len(wanted)} services lead to their pods")


def registrar_job_complete(view: KubernetesView) -> Finding:
    """The registrar's Job has ended well."""
    job = view.cluster.get(view.cluster.batch.read_namespaced_job, "citus-registrar", view.namespace)
    if job is None:
        return ok_unless(["there is no Job citus-registrar"], "")
    complete = any(c.type == "Complete" and c.status == "True" for c in job.status.conditions or [])
    took = (
        f" in {(job.status.completion_time - job.status.start_time).total_seconds():.0f} s"
        if job.status.completion_time
        else ""
    )
    said = f"citus-registrar complete{took}"
    return ok_unless([] if complete else [f"citus-registrar: {job.status.failed or 0} failed, not complete"], said)


def coordinator_node_port(view: KubernetesView) -> Finding:
    """The coordinator's node port."""
    held = view.cluster.get(view.cluster.core.read_namespaced_service, "citus-coordinator", view.namespace)
    if held is None:
        return ok_unless(["there is no Service citus-coordinator"], "")
    if held.spec.type != "NodePort":
        return skipped(f"the Service is of type {held.spec.type}: there is no node port")
    port = held.spec.ports[0]
    problems = [] if port.port == 5432 else [f"the Service's port is {port.port}, should be 5432"]
    usual = "" if port.node_port == NODE_PORT else f" (the usual one is {NODE_PORT})"
    return ok_unless(problems, f"5432 at node port {port.node_port}{usual}")


def pods_unprivileged(view: KubernetesView) -> Finding:
    """No database pod runs as root, writes to its root file system or holds a Kubernetes token."""
    problems = []
    for name, held in view.sets.items():
        pod = held.spec.template.spec
        security = pod.containers[0].security_context
        for good, what in (
            (pod.automount_service_account_token is False, "holds a Kubernetes token"),
            (pod.security_context.run_as_non_root, "may run as root"),
            (security.read_only_root_filesystem, "may write to its root file system"),
            (security.allow_privilege_escalation is False, "may gain privileges"),
            (security.capabilities and security.capabilities.drop == ["ALL"], "keeps capabilities"),
        ):
            if not good:
                problems.append(f"{name} {what}")
    return ok_unless(problems, "no root, no token, no capability, root file system read-only")


def workers_registered(view: KubernetesView) -> Finding:
    """The workers that Citus knows are the pods that run."""
    if not view.nodes.get("citus-coordinator-0"):
        return ok_unless(["the coordinator's pod is not there to be asked"], "")
    asked = "SELECT json_agg(nodename) FROM pg_dist_node WHERE groupid > 0 AND isactive"
    said = view.cluster.execute(
        view.namespace, "citus-coordinator-0", ["psql", "-U", "postgres", "-d", DATABASE, "-XAtc", asked]
    )
    try:
        names = {str(host).partition(".")[0] for host in json.loads(said)}
    except (ValueError, TypeError):
        return ok_unless([f"the coordinator did not say: {said.strip()[:200] or 'no worker'}"], "")
    wanted = {name for name in view.expected_pods if name.startswith("citus-worker")}
    if names == wanted:
        return ok(f"{len(names)} workers, each a pod")
    return ok_unless(
        [f"{name} is a pod and no active worker" for name in sorted(wanted - names)]
        + [f"{name} is a worker and no pod" for name in sorted(names - wanted)],
        "",
    )


CHECKS = (
    FunctionCheck("HCE0901", GROUP, "Pods are ready", "kubectl describe pod tells why one is not.", pods_ready),
    FunctionCheck(
        "HCE0902", GROUP, "Probes are as declared", "pyhce upgrade puts the chart's own back.", probes_as_declared
    ),
    FunctionCheck("HCE0903", GROUP, "Volumes are bound", "Check the storage class: kubectl get pvc,sc.", volumes_bound),
    FunctionCheck(
        "HCE0904",
        GROUP,
        "Services lead to ready pods",
        "Wait for readiness; pyhce upgrade mends Services.",
        services_lead_to_pods,
    ),
    FunctionCheck(
        "HCE0905",
        GROUP,
        "The registrar's Job is complete",
        "Its log tells why; then pyhce upgrade.",
        registrar_job_complete,
    ),
    FunctionCheck(
        "HCE0906", GROUP, "The coordinator has its node port", "Set coordinator.service.", coordinator_node_port
    ),
    FunctionCheck("HCE0907", GROUP, "Pods are confined", "pyhce upgrade puts the chart's own back.", pods_unprivileged),
    FunctionCheck(
        "HCE0908",
        GROUP,
        "Every worker pod is a member of the cluster",
        "pyhce upgrade runs the registrar.",
        workers_registered,
    ),
)
