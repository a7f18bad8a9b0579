"""A database on Kubernetes: install, upgrade, uninstall, verify and connect to it."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pyhce.citus.connection import DatabaseConnection, Progress, connect, explained_errors, no_progress
from pyhce.deploy import chart, checks, endpoint, helm
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.deploy.pod_failures import CrashWatch, crash_failure, deployment_failed
from pyhce.deploy.pod_watch import run_watching_pods, wait_message
from pyhce.deploy.release_lock import release_lock
from pyhce.errors import HceError
from pyhce.patroni import PauseReport, ReinitReport, SwitchoverReport
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Frozen, Schema
from pyhce.settings import APP_ROLE, SUPERUSER
from pyhce.verify import GROUPS, StatusReport, VerificationReport, repeat_until_ok, run_checks, status

NAMESPACE = "clinical-database"
RELEASE = "hce"
HA_CONFIG_MAP = "citus-patroni"
"""The ConfigMap with the file of groups, which a release with standbys has."""
_PAUSE = 2.0

logger = logging.getLogger(__name__)


class InstallReport(Frozen):
    """The result of an installation or an upgrade.

    Args:
        workers: number of worker pods.
        new: the pods that were created or replaced.
        kept: the pods that ran on without a restart.
        seconds: how long it took.
    """

    release: str
    namespace: str
    context: str
    revision: int
    workers: int
    new: tuple[str, ...]
    kept: tuple[str, ...]
    seconds: float


class UninstallReport(Frozen):
    """The result of an uninstallation.

    Args:
        removed: whether there was a release to remove.
        volumes: the names of the volume claims that were kept.
    """

    release: str
    namespace: str
    removed: bool
    volumes: tuple[str, ...]


class DeploymentStatus(Frozen):
    """The state of the release, its pods and the database.

    Args:
        release: None if there is no release.
        database: None if the database does not answer.
        silent: why it does not answer.
    """

    context: str
    namespace: str
    release: helm.ReleaseState | None
    pods: tuple[PodState, ...]
    database: StatusReport | None
    silent: str = ""

    @property
    def exit_code(self) -> int:
        """0 if the database answers and every database pod is ready, 1 if not."""
        nodes = [pod for pod in self.pods if pod.name.startswith(("citus-coordinator", "citus-worker"))]
        return 0 if self.database and all(pod.ready for pod in nodes) else 1


class Deployment:
    """A release of the chart in a Kubernetes cluster.

    Args:
        context: a context of the kubeconfig; the current one if None.
        namespace: of the database. A new release is installed into it as well.
        release: the release's name.
        chart_path: a chart (folder, archive, oci://…) to use in place of the one that ships with pyhce.
        schema: the declaration that the database is compared with.
        progress: called with a line on what is being done or waited for.

    Raises:
        UsageError: the Kubernetes client of `pyhce[k8s]` is not installed, or there is no such context.
    """

    def __init__(
        self,
        *,
        context: str | None = None,
        namespace: str = NAMESPACE,
        release: str = RELEASE,
        chart_path: Path | str | None = None,
        schema: Schema = SCHEMA,
        progress: Progress = no_progress,
    ) -> None:
        self.schema = schema
        self.cluster = KubernetesCluster(context)
        self.namespace, self.release = namespace, release
        self.chart = chart.find_chart(chart_path)
        self.progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the cluster's API."""
        self.cluster.close()

    @property
    def context(self) -> str:
        """The name of the kubeconfig context."""
        return self.cluster.context

    def install(self, values: Mapping[str, Any] | None = None, *, timeout: float = 300.0) -> InstallReport:
        """Install the chart, or upgrade the release to exactly these values.

        Returns when every pod is ready and every worker is registered. Safe to repeat and to interrupt.

        Args:
            values: of the chart, except `namespace.name`, which this object sets.
            timeout: seconds for the pods to become ready after Helm is done.

        Raises:
            HceError: Helm failed, or a pod did not become ready; the text quotes the pods.
        """
        return self._install_or_upgrade(values or {}, timeout)

    def upgrade(self, values: Mapping[str, Any] | None = None, *, timeout: float = 300.0) -> InstallReport:
        """Upgrade the release with these values merged over its present ones.

        Args:
            values: as for `install`.
            timeout: as for `install`.

        Raises:
            HceError: there is no release, or as for `install`.
        """
        self.cluster.version()
        name, namespace = self._helm_release
        before = helm.run_to_end(helm.release_values(self.context, name, namespace))
        if before is None:
            raise HceError(
                f"there is no release {name} in the namespace {namespace} of {self.context}",
                remedy="Install with: pyhce install",
            )
        return self._install_or_upgrade(chart.merge_values(before, values or {}), timeout)

    def ensure(self, values: Mapping[str, Any] | None = None, *, timeout: float = 300.0) -> InstallReport:
        """Upgrade the release as `upgrade` does, or install it if there is none. Raises as `install`."""
        self.cluster.version()
        before = helm.run_to_end(helm.release_values(self.context, *self._helm_release))
        return self._install_or_upgrade(chart.merge_values(before or {}, values or {}), timeout)

    def _install_or_upgrade(self, values: Mapping[str, Any], timeout: float) -> InstallReport:
        start = time.monotonic()
        self.cluster.version()
        before = {pod.uid for pod in self.cluster.database_pods(self.namespace)}
        name, namespace = self._helm_release
        chart_namespace = "" if namespace == self.namespace else self.namespace
        all_values = chart.merge_values(values, {"namespace": {"name": chart_namespace}})
        with release_lock(self.context, self.namespace):
            logger.info("installing the release %s in %s of %s", name, namespace, self.context)
            leaving = not (all_values.get("ha") or {}).get("enabled")
            self._forget_interrupted_upgrade(name, namespace)
            try:
                install = helm.install(self.context, name, namespace, self.chart, all_values)
                with self._leaving_standbys(leaving):
                    helm.run_to_end(run_watching_pods(install, self.cluster, self.namespace, self.progress))
            except helm.HelmFailure as error:
                raise self._with_pod_details(error) from error
        self._wait_until_ready(timeout)
        state = helm.run_to_end(helm.release_state(self.context, name, namespace))
        after = self.cluster.database_pods(self.namespace)
        return InstallReport(
            release=name,
            namespace=self.namespace,
            context=self.context,
            revision=state.revision if state else 0,
            workers=sum(re.fullmatch(r"citus-worker-\d+", pod.name) is not None for pod in after),
            new=tuple(pod.name for pod in after if pod.uid not in before),
            kept=tuple(pod.name for pod in after if pod.uid in before),
            seconds=round(time.monotonic() - start, 1),
        )

    def _forget_interrupted_upgrade(self, name: str, namespace: str) -> None:
        """Delete the record of an upgrade or rollback that was killed, so that Helm compares with the one before.

        To roll back first, as pyhelm3 would, is not safe: it applies the former manifests without the chart's checks,
        which could remove the standbys that lead.
        """
        state = helm.run_to_end(helm.release_state(self.context, name, namespace))
        if state is None or state.status not in {"pending-upgrade", "pending-rollback"}:
            return
        self.progress(f"forgetting revision {state.revision}, which was interrupted")
        record = f"sh.helm.release.v1.{name}.v{state.revision}"
        self.cluster.get(self.cluster.core.delete_namespaced_secret, record, namespace)

    @contextmanager
    def _leaving_standbys(self, leaving: bool) -> Iterator[None]:
        """Prepare a release with standbys for an upgrade in the block that removes them.

        1. The first member of each group leads: only its volume stays in use.
        2. Patroni is paused. Else, when Kubernetes replaces the first member's pod, the standby would take over and
           acknowledge writes before it is deleted; and a leader that has lost its rights would become a standby.

        If the upgrade fails before Helm has removed the standbys, Patroni works again.
        """
        view = checks.KubernetesView(self.cluster, self.namespace)
        if not leaving or not view.groups:
            yield
            return
        for group, members in view.groups.items():
            if view.leader(group) not in (None, members[0]):
                self.progress(f"{group}: handing over to {members[0]}, which stays")
                self.switchover(group, to=members[0])
        self.pause()
        try:
            yield
        except BaseException:
            if self.has_standbys():
                self.pause(paused=False)
            raise

    def _with_pod_details(self, error: helm.HelmFailure) -> HceError:
        """Helm's error, with the Service that has the port or the pods that failed."""
        if error.port:
            holder = self.cluster.service_with_node_port(error.port)
            return HceError(f"{error.wrong}: {holder}" if holder else error.wrong, remedy=error.remedy)
        if error.hook:
            return deployment_failed(self.cluster, self.namespace, error.wrong, error.remedy)
        return error

    def uninstall(self) -> UninstallReport:
        """Uninstall the release and wait until its database pods are gone.

        The namespace, the passwords, the certificates and the volumes are kept, so that a new installation finds the
        data again.

        Raises:
            HceError: Helm failed, or the pods belong to a release of another name.
        """
        self.cluster.version()
        name, namespace = self._helm_release
        exists = helm.run_to_end(helm.release_state(self.context, name, namespace)) is not None
        if not exists and self.cluster.database_pods(self.namespace):
            raise HceError(
                f"the pods in {self.namespace} do not belong to the release {name}",
                remedy="Find the release with helm list -A and give its name with --release.",
            )
        self.progress(f"uninstalling {name}")
        helm.run_to_end(helm.uninstall(self.context, name, namespace))
        self._wait_until_stopped()
        self.cluster.delete_patroni_state(self.namespace)
        self.cluster.delete_job(self.namespace, "citus-registrar")  # Helm keeps a hook's Job
        self.cluster.delete_pod(self.namespace, "citus-verify")
        with self.cluster.explained_errors():
            claims = self.cluster.core.list_namespaced_persistent_volume_claim(self.namespace).items
        volumes = tuple(sorted(c.metadata.name for c in claims if c.metadata.name.startswith("data-citus-")))
        return UninstallReport(release=name, namespace=self.namespace, removed=exists, volumes=volumes)

    def _wait_until_stopped(self) -> None:
        deadline = time.monotonic() + 180
        while (left := self.cluster.database_pods(self.namespace)) and time.monotonic() < deadline:
            self.progress(f"waiting for {', '.join(pod.name for pod in left)} to stop")
            time.sleep(0.5)

    def verify(self, *, groups: Sequence[str] | None = None, wait: float = 0.0) -> VerificationReport:
        """Run the checks of the database, in a pod that reaches every node, and those of Kubernetes.

        Args:
            groups: only the checks of these groups; `kubernetes` is one of them.
            wait: seconds for which to repeat the checks until none fails.

        Raises:
            HceError: nothing is installed, or the database does not answer.
        """
        return repeat_until_ok(
            lambda: self._verify_once(groups), wait=wait, progress=self.progress, pause=_PAUSE, forgiven=HceError
        )

    def _verify_once(self, groups: Sequence[str] | None) -> VerificationReport:
        start = time.monotonic()
        inside = [group for group in groups or () if group != checks.GROUP]
        if groups and not inside:
            inside = [GROUPS[0]]
        arguments = ["verify", "--output", "json"] + [word for group in inside for word in ("--group", group)]
        self.progress("verifying the database from a pod in its namespace")
        printed = self.cluster.run_job_pod(self.namespace, "citus-registrar", "citus-verify-run", arguments, 300.0)
        report = VerificationReport.model_validate(_parse_answer(printed))
        if groups is None or checks.GROUP in groups:
            view = checks.KubernetesView(self.cluster, self.namespace)
            kubernetes = run_checks(checks.CHECKS, view, self.progress)
            kept = tuple(check for check in report.checks if groups is None or check.group in groups)
            report = report.model_copy(update={"checks": (*kept, *kubernetes)})
        return report.model_copy(update={"seconds": round(time.monotonic() - start, 2)})

    def status(self) -> DeploymentStatus:
        """The state of the release, its pods and the database; see `DeploymentStatus`."""
        self.cluster.version()
        database, reason = None, ""
        try:
            if self.has_standbys():
                database = StatusReport.model_validate(self._run_inside("status"))
            else:
                with self.dsn(SUPERUSER) as reachable:
                    database = status(reachable, schema=self.schema)
        except HceError as error:
            reason = error.wrong
        return DeploymentStatus(
            context=self.context,
            namespace=self.namespace,
            release=helm.run_to_end(helm.release_state(self.context, *self._helm_release)),
            pods=tuple(self.cluster.pods(self.namespace)),
            database=database,
            silent=reason,
        )

    def has_standbys(self) -> bool:
        """Whether the release runs with standbys."""
        return self.cluster.get(self.cluster.core.read_namespaced_config_map, HA_CONFIG_MAP, self.namespace) is not None

    def switchover(self, group: str, *, to: str | None = None, timeout: float = 60.0) -> SwitchoverReport:
        """Hand the leadership of a group over to a standby, from a pod; see `pyhce.patroni.switchover`.

        Raises:
            HceError: nothing is installed, or as in the pod.
        """
        self.progress(f"handing over {group} from a pod in its namespace")
        chosen = ["--to", to] if to else []
        printed = self._run_inside("switchover", group, *chosen, "--yes", "--timeout", f"{timeout:g}s", wait=timeout)
        return SwitchoverReport.model_validate(printed)

    def reinit(self, member: str, *, timeout: float = 600.0) -> ReinitReport:
        """Let a standby copy its leader's data again, from a pod; see `pyhce.patroni.reinit`.

        Raises:
            HceError: nothing is installed, or as in the pod.
        """
        self.progress(f"reinitializing {member} from a pod in its namespace")
        printed = self._run_inside("reinit", member, "--yes", "--timeout", f"{timeout:g}s", wait=timeout)
        return ReinitReport.model_validate(printed)

    def pause(self, *, paused: bool = True) -> PauseReport:
        """Let Patroni do nothing by itself in any group, or work again, from a pod; see `pyhce.patroni.pause`.

        Raises:
            HceError: nothing is installed, or as in the pod.
        """
        self.progress(f"{'pausing' if paused else 'resuming'} Patroni from a pod in its namespace")
        return PauseReport.model_validate(self._run_inside("pause", *([] if paused else ["--off"]), "--yes"))

    def _run_inside(self, command: str, *arguments: str, wait: float = 0.0) -> dict[str, Any]:
        """Run a command of pyhce in a pod that reaches every member; return the report that it prints.

        Args:
            wait: seconds that the command itself may wait, twice.

        Raises:
            HceError: nothing is installed, the pod did not end, or the command's own error.
        """
        printed = self.cluster.run_job_pod(
            self.namespace, "citus-registrar", f"citus-{command}", [command, *arguments, "--output", "json"],
            300.0 + 2 * wait,
        )  # fmt: skip
        return _parse_answer(printed)

    def password(self, role: str = APP_ROLE) -> str:
        """The password of one of the roles that log in. Raises as `endpoint.password`."""
        return endpoint.password(self.cluster, self.namespace, role)

    def place(self) -> endpoint.Endpoint | None:
        """Where the coordinator answers from here without a forwarded port, None if nowhere."""
        return endpoint.direct_endpoint(self.cluster, self.namespace)

    def reachable_place(self) -> endpoint.Endpoint:
        """Where the coordinator answers from here without a forwarded port.

        Raises:
            HceError: it answers nowhere.
        """
        direct = self.place()
        if direct is None:
            raise HceError(
                "the coordinator's node port does not answer from here",
                remedy="pyhce psql, load, export and patient forward a port themselves with --on. For other programs: "
                f"kubectl --context {self.context} -n {self.namespace} port-forward svc/citus-coordinator 5432",
            )
        return direct

    @contextmanager
    def address(self) -> Iterator[endpoint.Endpoint]:
        """Where the coordinator answers while the block runs; a port is forwarded if it answers nowhere else."""
        with endpoint.reachable_endpoint(self.cluster, self.namespace) as reachable:
            yield reachable

    @contextmanager
    def dsn(self, role: str = APP_ROLE) -> Iterator[str]:
        """A DSN that reaches the coordinator from here while the block runs, password included."""
        secret = self.password(role)  # first, as its error tells that nothing is installed
        with self.address() as reachable:
            yield endpoint.dsn_for(reachable, role, secret)

    def dsn_at(self, place: endpoint.Endpoint, role: str = APP_ROLE) -> str:
        """A DSN for an endpoint that is known to lead to the coordinator, password included."""
        return endpoint.dsn_for(place, role, self.password(role))

    @contextmanager
    def connection(self, role: str = APP_ROLE) -> Iterator[DatabaseConnection]:
        """An open connection to the coordinator."""
        with self.dsn(role) as dsn, connect(dsn) as conn:
            yield conn

    def query(self, statement: str, *values: object, role: str = APP_ROLE) -> list[tuple[Any, ...]]:
        """The rows of one SQL statement, in which each %s stands for one of the values."""
        with self.connection(role) as conn, explained_errors():
            return conn.execute(statement.encode(), values or None).fetchall()

    @cached_property
    def _helm_release(self) -> tuple[str, str]:
        """The release's name and namespace: as installed before, else the ones given to this object."""
        for read, object_name in (
            (self.cluster.apps.read_namespaced_stateful_set, "citus-coordinator"),
            (self.cluster.core.read_namespaced_config_map, "hce-citus-fixed"),  # kept on uninstall
        ):
            installed = self.cluster.get(read, object_name, self.namespace)
            marks = (installed.metadata.annotations or {}) if installed is not None else {}
            name, namespace = marks.get("meta.helm.sh/release-name"), marks.get("meta.helm.sh/release-namespace")
            if name == self.release and namespace:
                return name, namespace
        return self.release, self.namespace

    def _wait_until_ready(self, timeout: float) -> None:
        """Wait until every database pod is ready and made from the newest template."""
        deadline = time.monotonic() + timeout
        crashes = CrashWatch()
        message = ""
        while True:
            view = checks.KubernetesView(self.cluster, self.namespace)
            ready = checks.pods_ready(view)
            if ready.result.value == "ok":
                return
            crashing = crashes.crashing_pod(list(view.nodes.values()))
            if crashing:
                raise crash_failure(self.cluster, self.namespace, crashing)
            if time.monotonic() > deadline:
                raise deployment_failed(
                    self.cluster,
                    self.namespace,
                    f"the pods were not ready within {timeout:.0f} s: {ready.found}",
                    "Fix what the pods' events and logs report and run the same command again.",
                )
            before, message = message, wait_message(self.cluster, self.namespace, list(view.nodes.values()))
            if message != before:
                logger.info("%s", message)
            self.progress(message)
            time.sleep(0.5)


def _parse_answer(printed: str) -> dict[str, Any]:
    """The report in what a pod printed, between its lines of progress and its warnings.

    Raises:
        HceError: there is none; or the error that the pod printed, with its remedy and exit code.
    """
    lines = printed.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("{")), None)
    try:
        if start is None:
            raise ValueError
        report: dict[str, Any] = json.JSONDecoder().raw_decode("\n".join(lines[start:]))[0]
    except ValueError:
        last = lines[-1][:300] if lines else "nothing"
        raise HceError(
            f"the pod that ran pyhce printed no report; its last line was: {last}",
            remedy="Check the pods: kubectl get pods, in the namespace of the database.",
        ) from None
    if "error" in report:
        raise HceError(report["error"], remedy=report["remedy"], exit_code=report.get("exit_code", 2))
    return report
