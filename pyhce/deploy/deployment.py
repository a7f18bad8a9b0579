"""A database on Kubernetes: install it, look at it, talk to it."""

from __future__ import annotations

import json
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pyhce.citus.connection import Database, Progress, connect, explained, silent
from pyhce.deploy import chart, checks, endpoint, helm
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.deploy.pod_failures import CrashWatch, crash_failure, deployment_failed
from pyhce.deploy.pod_watch import run_watching_pods, wait_message
from pyhce.deploy.release_lock import release_lock
from pyhce.errors import HceError
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Frozen, Schema
from pyhce.settings import APP_ROLE, SUPERUSER
from pyhce.verify import GROUPS, StatusReport, VerificationReport, repeat_until_ok, run_checks, status

NAMESPACE = "clinical-database"
RELEASE = "hce"
_PAUSE = 2.0


class InstallReport(Frozen):
    """What an installation or an upgrade came to.

    Args:
        new: the pods that were made, or made anew; the others went on running.
        kept: the pods that went on running.
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
    """What an uninstallation took away, and what it left."""

    release: str
    namespace: str
    removed: bool
    volumes: tuple[str, ...]


class DeploymentStatus(Frozen):
    """Release, pods and database; the database is None if it does not answer, and `silent` says why."""

    context: str
    namespace: str
    release: helm.ReleaseState | None
    pods: tuple[PodState, ...]
    database: StatusReport | None
    silent: str = ""

    @property
    def exit_code(self) -> int:
        """0 if every pod is ready and the database answers."""
        nodes = [pod for pod in self.pods if pod.name.startswith(("citus-coordinator", "citus-worker"))]
        return 0 if self.database and all(pod.ready for pod in nodes) else 1


class Deployment:
    """A release of the chart in a Kubernetes cluster.

    Args:
        context: of the kubeconfig; the current one if not given.
        namespace: of the database, and of the release where pyhce installs it.
        release: its name.
        chart_path: a chart other than the one that comes with pyhce.
        schema: what the database should be.
        progress: told what is waited for.

    Raises:
        UsageError: the libraries of `pyhce[k8s]` are missing, or there is no such context.
    """

    def __init__(
        self,
        *,
        context: str | None = None,
        namespace: str = NAMESPACE,
        release: str = RELEASE,
        chart_path: Path | str | None = None,
        schema: Schema = SCHEMA,
        progress: Progress = silent,
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
        """Its context in the kubeconfig."""
        return self.cluster.context

    def install(self, values: Mapping[str, Any] | None = None, *, timeout: float = 300.0) -> InstallReport:
        """Install, or upgrade what is there to these values; done when every pod is ready and registered.

        Safe to repeat and to interrupt.

        Args:
            values: of the chart; the namespace is set by this object.
            timeout: seconds for the pods to be ready once helm is done.

        Raises:
            HceError: what is wrong, with what the pods say.
        """
        return self._apply(values or {}, timeout)

    def upgrade(self, values: Mapping[str, Any] | None = None, *, timeout: float = 300.0) -> InstallReport:
        """Upgrade with these values over those that were given before.

        Raises:
            HceError: nothing is installed, or as for `install`.
        """
        self.cluster.version()
        name, namespace = self._helm_release
        before = self._run_helm(helm.release_values(self.context, name, namespace))
        if before is None:
            raise HceError(
                f"there is no release {name} in the namespace {namespace} of {self.context}",
                remedy="Install it first: pyhce install",
            )
        return self._apply(chart.merge_values(before, values or {}), timeout)

    def ensure(self, values: Mapping[str, Any] | None = None, *, timeout: float = 300.0) -> InstallReport:
        """Install, or upgrade what is installed, its former values kept."""
        self.cluster.version()
        before = self._run_helm(helm.release_values(self.context, *self._helm_release))
        return self._apply(chart.merge_values(before or {}, values or {}), timeout)

    def _apply(self, values: Mapping[str, Any], timeout: float) -> InstallReport:
        start = time.monotonic()
        self.cluster.version()
        before = {pod.uid for pod in self.cluster.database_pods(self.namespace)}
        name, namespace = self._helm_release
        own = {"namespace": {"name": "" if namespace == self.namespace else self.namespace}}
        given = chart.merge_values(values, own)
        with release_lock(self.context, self.namespace):
            try:
                deed = helm.install(self.context, name, namespace, self.chart, given)
                self._run_helm(run_watching_pods(deed, self.cluster, self.namespace, self.progress))
            except helm.HelmFailure as error:
                raise self._with_pod_details(error) from error
        self._wait_until_ready(timeout)
        state = self._run_helm(helm.release_state(self.context, name, namespace))
        after = self.cluster.database_pods(self.namespace)
        return InstallReport(
            release=name,
            namespace=self.namespace,
            context=self.context,
            revision=state.revision if state else 0,
            workers=sum(pod.name.startswith("citus-worker") for pod in after),
            new=tuple(pod.name for pod in after if pod.uid not in before),
            kept=tuple(pod.name for pod in after if pod.uid in before),
            seconds=round(time.monotonic() - start, 1),
        )

    def _with_pod_details(self, error: helm.HelmFailure) -> HceError:
        """A failure of helm with what the cluster knows about it."""
        if error.port:
            holder = self.cluster.service_with_node_port(error.port)
            return HceError(f"{error.wrong}: {holder}" if holder else error.wrong, remedy=error.remedy)
        if error.hook:
            return deployment_failed(self.cluster, self.namespace, error.wrong, error.remedy)
        return error

    def uninstall(self) -> UninstallReport:
        """Uninstall the release. Namespace, passwords, certificates and volumes stay; installing again finds the rows.

        Raises:
            HceError: helm failed.
        """
        self.cluster.version()
        name, namespace = self._helm_release
        there = self._run_helm(helm.release_state(self.context, name, namespace)) is not None
        if not there and self.cluster.database_pods(self.namespace):
            raise HceError(
                f"the pods in {self.namespace} do not belong to a release {name}",
                remedy="helm list -A names the releases; give its name with --release.",
            )
        self.progress(f"uninstalling {name}")
        self._run_helm(helm.uninstall(self.context, name, namespace))
        self._wait_until_stopped()
        self.cluster.delete_job(self.namespace, "citus-registrar")  # a hook's, which helm leaves behind
        self.cluster.delete_pod(self.namespace, "citus-verify")
        with self.cluster.errors_explained():
            claims = self.cluster.core.list_namespaced_persistent_volume_claim(self.namespace).items
        held = tuple(sorted(c.metadata.name for c in claims if c.metadata.name.startswith("data-citus-")))
        return UninstallReport(release=name, namespace=self.namespace, removed=there, volumes=held)

    def _wait_until_stopped(self) -> None:
        deadline = time.monotonic() + 180
        while (left := self.cluster.database_pods(self.namespace)) and time.monotonic() < deadline:
            self.progress(f"stopping: {', '.join(pod.name for pod in left)}")
            time.sleep(0.5)

    def verify(self, *, groups: Sequence[str] | None = None, wait: float = 0.0) -> VerificationReport:
        """Every check: those of the database from a pod beside it, which reaches every node, and Kubernetes' own.

        Args:
            groups: only these; `kubernetes` is one.
            wait: seconds to go on looking until all is right.

        Raises:
            HceError: nothing is installed, or the database cannot be looked at.
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
        self.progress("verifying the database from a pod beside it")
        said = self.cluster.run_job_pod(self.namespace, "citus-registrar", "citus-verify-run", arguments, 300.0)
        report = _parse_report(said)
        if groups is None or checks.GROUP in groups:
            view = checks.KubernetesView(self.cluster, self.namespace)
            outside = run_checks(checks.CHECKS, view, self.progress)
            kept = tuple(check for check in report.checks if groups is None or check.group in groups)
            report = report.model_copy(update={"checks": (*kept, *outside)})
        return report.model_copy(update={"seconds": round(time.monotonic() - start, 2)})

    def status(self) -> DeploymentStatus:
        """Release, pods and database at a glance."""
        self.cluster.version()
        database, silent_because = None, ""
        try:
            with self.dsn(SUPERUSER) as place:
                database = status(place, schema=self.schema)
        except HceError as error:
            silent_because = error.wrong
        return DeploymentStatus(
            context=self.context,
            namespace=self.namespace,
            release=self._run_helm(helm.release_state(self.context, *self._helm_release)),
            pods=tuple(self.cluster.pods(self.namespace)),
            database=database,
            silent=silent_because,
        )

    def password(self, role: str = APP_ROLE) -> str:
        """A role's password."""
        return endpoint.password(self.cluster, self.namespace, role)

    def place(self) -> endpoint.Endpoint | None:
        """Where the coordinator answers without a forwarded port, None if nowhere."""
        return endpoint.direct_endpoint(self.cluster, self.namespace)

    def reachable_place(self) -> endpoint.Endpoint:
        """Where the coordinator answers without a forwarded port.

        Raises:
            HceError: nowhere.
        """
        found = self.place()
        if found is None:
            raise HceError(
                "the coordinator's node port does not answer from here",
                remedy="pyhce psql, load, export and patient reach it with --on; for other programs: "
                f"kubectl --context {self.context} -n {self.namespace} port-forward svc/citus-coordinator 5432",
            )
        return found

    @contextmanager
    def address(self) -> Iterator[endpoint.Endpoint]:
        """Where the coordinator answers while the block runs; a port is forwarded where there is no other way."""
        with endpoint.reachable_endpoint(self.cluster, self.namespace) as place:
            yield place

    @contextmanager
    def dsn(self, role: str = APP_ROLE) -> Iterator[str]:
        """A DSN that reaches the coordinator from here while the block runs. It holds the password."""
        secret = self.password(role)  # first: it says if nothing is installed
        with self.address() as place:
            yield endpoint.dsn(place, role, secret)

    def dsn_at(self, place: endpoint.Endpoint, role: str = APP_ROLE) -> str:
        """A DSN at a place that is known to lead to the coordinator."""
        return endpoint.dsn(place, role, self.password(role))

    @contextmanager
    def connection(self, role: str = APP_ROLE) -> Iterator[Database]:
        """An open connection to the coordinator."""
        with self.dsn(role) as place, connect(place) as conn:
            yield conn

    def query(self, statement: str, *values: object, role: str = APP_ROLE) -> list[tuple[Any, ...]]:
        """The rows of one statement; values take the place of each %s."""
        with self.connection(role) as conn, explained():
            return conn.execute(statement.encode(), values or None).fetchall()

    @cached_property
    def _helm_release(self) -> tuple[str, str]:
        """Name and namespace of the release: as installed, else where pyhce would install it."""
        for read, kept in (
            (self.cluster.apps.read_namespaced_stateful_set, "citus-coordinator"),
            (self.cluster.core.read_namespaced_config_map, "hce-citus-fixed"),  # stays when it is uninstalled
        ):
            held = self.cluster.get(read, kept, self.namespace)
            marks = (held.metadata.annotations or {}) if held is not None else {}
            found = marks.get("meta.helm.sh/release-name"), marks.get("meta.helm.sh/release-namespace")
            if found[0] == self.release and found[1]:
                return found[0], found[1]
        return self.release, self.namespace

    def _wait_until_ready(self, timeout: float) -> None:
        """Wait until every pod is ready and of the newest template."""
        deadline = time.monotonic() + timeout
        crashes = CrashWatch()
        while True:
            view = checks.KubernetesView(self.cluster, self.namespace)
            waiting = checks.pods_ready(view)
            if waiting.result.value == "ok":
                return
            broken = crashes.crashing_pod(list(view.nodes.values()))
            if broken:
                raise crash_failure(self.cluster, self.namespace, broken)
            if time.monotonic() > deadline:
                raise deployment_failed(
                    self.cluster,
                    self.namespace,
                    f"not ready within {timeout:.0f} s: {waiting.found}",
                    "Mend what the pods say and run the same command again.",
                )
            self.progress(wait_message(self.cluster, self.namespace, list(view.nodes.values())))
            time.sleep(0.5)

    @staticmethod
    def _run_helm(deed: Coroutine[Any, Any, Any]) -> Any:
        return helm.run_to_end(deed)


def _parse_report(said: str) -> VerificationReport:
    """The report that a pod printed, after its lines of progress."""
    lines = said.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("{")), None)
    text = "\n".join(lines[start:]) if start is not None else ""
    try:
        held = json.loads(text)
    except ValueError:
        told = lines[-1][:300] if lines else "nothing"
        raise HceError(
            f"the pod that verifies said: {told}", remedy="kubectl logs and pyhce status tell more."
        ) from None
    if "error" in held:
        raise HceError(held["error"], remedy=held["remedy"], exit_code=held.get("exit_code", 2))
    return VerificationReport.model_validate(held)
