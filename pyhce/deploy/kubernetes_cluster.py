"""Kubernetes: the only module that imports its client. What it does not reach is said in plain words."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.schema.model import Frozen

_NOT_FOUND = 404


class PodState(Frozen):
    """A pod in a line.

    Args:
        uid: tells a new pod from the old one of the same name.
        waiting: why its container does not run, such as ImagePullBackOff; "" if it runs.
        revision: of the StatefulSet's template that it was made from; "" if it belongs to none.
    """

    name: str
    uid: str
    phase: str
    ready: bool
    restarts: int
    node: str
    waiting: str = ""
    message: str = ""
    terminating: bool = False
    revision: str = ""

    @property
    def words(self) -> str:
        """Its state in a word or two."""
        if self.terminating:
            return "terminating"
        if self.waiting:
            return self.waiting
        return "ready" if self.ready else "starting" if self.phase == "Running" else self.phase


class KubernetesCluster:
    """A Kubernetes cluster, by its context in the kubeconfig; the current one if none is named.

    Raises:
        UsageError: the client library is not installed, or there is no such context.
    """

    def __init__(self, context: str | None = None) -> None:
        try:
            import kubernetes
        except ImportError:
            raise UsageError(
                "the Kubernetes client is not installed", remedy="Install it with: pip install 'pyhce[k8s]'"
            ) from None
        self._api: Any = kubernetes.client
        config: Any = kubernetes.config
        self._api_exception: type[Exception] = kubernetes.client.ApiException
        try:
            # The list needs a current context to be set, a named one does not.
            self.context = context or config.list_kube_config_contexts()[1]["name"]
            self._client: Any = config.new_client_from_config(context=self.context)
        except config.ConfigException:
            raise UsageError(
                f"there is no Kubernetes context {context!r} in the kubeconfig"
                if context
                else "there is no Kubernetes cluster to talk to: no kubeconfig, or no current context in it",
                remedy="Name one of `kubectl config get-contexts` with --context, set KUBECONFIG, or make a cluster "
                "on this machine with: pyhce up --on kind",
            ) from None
        self.core: Any = kubernetes.client.CoreV1Api(self._client)
        self.apps: Any = kubernetes.client.AppsV1Api(self._client)
        self.batch: Any = kubernetes.client.BatchV1Api(self._client)
        self.discovery: Any = kubernetes.client.DiscoveryV1Api(self._client)

    def close(self) -> None:
        """Close the connections to the cluster's API."""
        _close_client(self._client)

    @contextmanager
    def errors_explained(self) -> Iterator[None]:
        """What Kubernetes refuses or does not answer, in plain words.

        Raises:
            ConnectionFailed: nobody answers.
            HceError: it refused.
        """
        try:
            yield
        except self._api_exception as error:
            status, reason = getattr(error, "status", 0), getattr(error, "reason", "")
            raise HceError(
                f"Kubernetes refused: {status} {reason}",
                remedy="Check what your account may do: kubectl auth can-i --list"
                if status in {401, 403}
                else "Look at it with kubectl; run the same command again when it is mended.",
            ) from error
        except (OSError, self._transport_error()) as error:
            raise ConnectionFailed(
                f"no Kubernetes cluster answers at {self._client.configuration.host} (context {self.context})",
                remedy="Start it, or name another context with --context; for one on this machine: pyhce up --on kind",
            ) from error

    @staticmethod
    def _transport_error() -> type[Exception]:
        from urllib3.exceptions import HTTPError

        return HTTPError

    def version(self) -> str:
        """The cluster's version.

        Raises:
            ConnectionFailed: nobody answers.
        """
        with self.errors_explained():
            version: str = self._api.VersionApi(self._client).get_code(_request_timeout=10).git_version
            return version

    def get(self, read: Callable[..., Any], *names: str) -> Any:
        """An object, None if there is none."""
        with self.errors_explained():
            try:
                return read(*names, _request_timeout=10)
            except self._api_exception as error:
                if getattr(error, "status", 0) == _NOT_FOUND:
                    return None
                raise

    def pods(self, namespace: str, selector: str = "app.kubernetes.io/name=hce-citus") -> list[PodState]:
        """Every pod of the release."""
        with self.errors_explained():
            found = self.core.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=10).items
        return [_pod_state(pod) for pod in found]

    def database_pods(self, namespace: str) -> list[PodState]:
        """The pods of the database's nodes."""
        return self.pods(namespace, "hce-citus/node=true")

    def newest_revisions(self, namespace: str) -> set[str]:
        """The newest template of each StatefulSet of the release; a pod made from another one will be replaced."""
        with self.errors_explained():
            found = self.apps.list_namespaced_stateful_set(
                namespace, label_selector="app.kubernetes.io/name=hce-citus", _request_timeout=10
            ).items
        return {held.status.update_revision for held in found}

    def secret_values(self, namespace: str, name: str) -> dict[str, str]:
        """A Secret's values; empty if there is none."""
        held = self.get(self.core.read_namespaced_secret, name, namespace)
        return {key: base64.b64decode(value).decode() for key, value in ((held and held.data) or {}).items()}

    def last_log_lines(self, namespace: str, pod: str, lines: int = 10) -> list[str]:
        """A pod's last lines; of its former run if the present one has said nothing."""
        for previous in (False, True):
            with self.errors_explained():
                try:
                    text: str = self.core.read_namespaced_pod_log(
                        pod, namespace, tail_lines=lines, previous=previous, _request_timeout=10
                    )
                except self._api_exception:
                    continue
            if text.strip():
                return text.strip().splitlines()
        return []

    def last_warnings(self, namespace: str, name: str, last: int = 4) -> list[str]:
        """An object's last warnings."""
        with self.errors_explained():
            found = self.core.list_namespaced_event(
                namespace, field_selector=f"involvedObject.name={name}", _request_timeout=10
            ).items
        warnings = [event for event in found if event.type == "Warning"]
        said = dict.fromkeys(f"{event.reason}: {(event.message or '').strip()}" for event in warnings)
        return list(said)[-last:]

    def ready_pods_behind(self, namespace: str, service: str) -> set[str]:
        """The pods that a Service leads to now."""
        with self.errors_explained():
            slices = self.discovery.list_namespaced_endpoint_slice(
                namespace, label_selector=f"kubernetes.io/service-name={service}", _request_timeout=10
            ).items
        return {
            endpoint.target_ref.name
            for part in slices
            for endpoint in part.endpoints or []
            if endpoint.conditions.ready and endpoint.target_ref
        }

    def service_with_node_port(self, port: int) -> str | None:
        """Who has a node port, as namespace/service."""
        with self.errors_explained():
            services = self.core.list_service_for_all_namespaces(_request_timeout=10).items
        for service in services:
            if any(held.node_port == port for held in service.spec.ports or []):
                return f"{service.metadata.namespace}/{service.metadata.name}"
        return None

    def node_addresses(self) -> list[str]:
        """Addresses of the Kubernetes nodes."""
        with self.errors_explained():
            nodes = self.core.list_node(_request_timeout=10).items
        return [a.address for node in nodes for a in node.status.addresses if a.type in {"InternalIP", "ExternalIP"}]

    def delete_job(self, namespace: str, job: str) -> None:
        """Delete a Job with its pods; gone already is fine."""
        self.get(partial(self.batch.delete_namespaced_job, propagation_policy="Background"), job, namespace)

    def delete_pod(self, namespace: str, pod: str) -> None:
        """Delete a pod; gone already is fine."""
        self.get(self.core.delete_namespaced_pod, pod, namespace)

    def execute(self, namespace: str, pod: str, command: list[str]) -> str:
        """Run a command in a pod; what it printed."""
        from kubernetes.stream import stream

        client = self._fresh_client()
        with self.errors_explained():
            talk: Any = stream(
                self._api.CoreV1Api(client).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=command,
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
                _request_timeout=30,
            )
            try:
                talk.run_forever(timeout=30)
                printed: str = talk.read_all()
            finally:
                talk.close()
                talk.sock.shutdown()  # which `close` leaves open when the other end closed first
                _close_client(client)
        return printed

    def _fresh_client(self) -> Any:
        """`stream` changes the client that it is given."""
        from kubernetes import config

        make: Any = config.new_client_from_config
        return make(context=self.context)

    def run_job_pod(self, namespace: str, job: str, name: str, arguments: list[str], timeout: float) -> str:
        """Run another command in a pod such as a Job's, with its image and secrets; what it printed.

        Raises:
            HceError: there is no such Job, or the pod did not end in time.
        """
        held = self.get(self.batch.read_namespaced_job, job, namespace)
        if held is None:
            raise HceError(
                f"there is no Job {job} in the namespace {namespace}: nothing is installed there",
                remedy="Install with: pyhce install",
            )
        spec = held.spec.template.spec
        spec.containers[0].args = arguments
        spec.restart_policy = "Never"
        name = f"{name}-{uuid.uuid4().hex[:6]}"
        pod = self._api.V1Pod(
            metadata=self._api.V1ObjectMeta(name=name, namespace=namespace, labels={"hce-citus/run": name}), spec=spec
        )
        try:
            with self.errors_explained():
                self.core.create_namespaced_pod(namespace, pod, _request_timeout=10)
            self._wait_until_ended(namespace, name, timeout)
            with self.errors_explained():
                text: str = self.core.read_namespaced_pod_log(name, namespace, _request_timeout=30)
            return text
        finally:
            self.delete_pod(namespace, name)

    def _wait_until_ended(self, namespace: str, name: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            (state,) = self.pods(namespace, f"hce-citus/run={name}") or (None,)
            if state and state.phase in {"Succeeded", "Failed"}:
                return
            if state is None or time.monotonic() > deadline:
                told = f"{state.words} {state.message}".strip() if state else "it was deleted"
                raise HceError(
                    f"the pod {name} did not end within {timeout:.0f} s: {told}",
                    remedy=f"Look at it: kubectl -n {namespace} describe pod {name}",
                )
            time.sleep(0.3)


def _close_client(client: Any) -> None:
    """Close a client's connections; its own `close` leaves those of its pool open."""
    client.close()
    client.rest_client.pool_manager.clear()


def _pod_state(pod: Any) -> PodState:
    statuses = pod.status.container_statuses or []
    waiting = next((s.state.waiting for s in statuses if s.state and s.state.waiting), None)
    unscheduled = next((c for c in pod.status.conditions or [] if c.reason == "Unschedulable"), None)
    return PodState(
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        phase=pod.status.phase,
        ready=any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or []),
        restarts=sum(s.restart_count for s in statuses),
        node=pod.spec.node_name or "",
        waiting=waiting.reason if waiting else "Unschedulable" if unscheduled else "",
        message=(waiting.message or "" if waiting else unscheduled.message if unscheduled else "") or "",
        terminating=pod.metadata.deletion_timestamp is not None,
        revision=(pod.metadata.labels or {}).get("controller-revision-hash", ""),
    )
