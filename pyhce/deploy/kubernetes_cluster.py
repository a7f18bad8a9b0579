"""A Kubernetes cluster: the only module that imports its client, and the one that explains its errors."""

from __future__ import annotations

import base64
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)

_NOT_FOUND = 404
_SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
"""The controller that makes EndpointSlices from a Service's selector; another one mirrors Endpoints into slices."""
GROUP_LABEL = "hce-citus/group"
"""The label with which a database pod names its group; its own start program sets it."""


def own_namespace() -> str | None:
    """The namespace of the pod that this runs in; None outside of a pod with a token."""
    path = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


class PodState(Frozen):
    """The state of a pod.

    Args:
        uid: differs between a pod and the one of the same name that replaces it.
        restarts: of all its containers.
        node: the Kubernetes node it runs on, "" if it has none yet.
        waiting: the reason why its container does not run, such as ImagePullBackOff; "" if it runs.
        message: what Kubernetes adds to that reason.
        terminating: whether it is being deleted.
        revision: the revision of the StatefulSet's template that it was made from; "" if it belongs to no StatefulSet.
        group: the group with standbys that it is a member of; "" if it is none.
        role: its role in the group as Patroni last wrote it: primary, replica or "".
        compared: whether it has said what its volume holds, as members do before Patroni starts.
        patroni: what Patroni reports of the member, such as `state` and `timeline`; empty without Patroni.
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
    group: str = ""
    role: str = ""
    compared: bool = False
    patroni: dict[str, Any] = Field(default_factory=dict)

    @property
    def words(self) -> str:
        """The state in one word: ready, starting, terminating, the reason for waiting, or the pod's phase."""
        if self.terminating:
            return "terminating"
        if self.waiting:
            return self.waiting
        return "ready" if self.ready else "starting" if self.phase == "Running" else self.phase


class KubernetesCluster:
    """A Kubernetes cluster, reached through a context of the kubeconfig.

    Args:
        context: the context's name; the current one if None.
        inside: use the ServiceAccount of the pod that this runs in, in place of a kubeconfig.

    Raises:
        UsageError: the client library is not installed, or there is no such context.
    """

    def __init__(self, context: str | None = None, *, inside: bool = False) -> None:
        try:
            import kubernetes
        except ImportError:
            raise UsageError(
                "the Kubernetes client is not installed", remedy="Install it with: pip install 'pyhce[k8s]'"
            ) from None
        self._api: Any = kubernetes.client
        config: Any = kubernetes.config
        self._api_exception: type[Exception] = kubernetes.client.ApiException
        if inside:
            self.context = "the pod's own"
            configuration: Any = kubernetes.client.Configuration()
            config.load_incluster_config(client_configuration=configuration)
            self._client: Any = kubernetes.client.ApiClient(configuration)
        else:
            self._client = self._client_of_context(config, context)
        self.core: Any = kubernetes.client.CoreV1Api(self._client)
        self.apps: Any = kubernetes.client.AppsV1Api(self._client)
        self.batch: Any = kubernetes.client.BatchV1Api(self._client)
        self.discovery: Any = kubernetes.client.DiscoveryV1Api(self._client)

    def _client_of_context(self, config: Any, context: str | None) -> Any:
        try:
            # A list of contexts fails without a current one, so it is read only if no context was named.
            self.context = context or config.list_kube_config_contexts()[1]["name"]
            return config.new_client_from_config(context=self.context)
        except config.ConfigException:
            raise UsageError(
                f"there is no Kubernetes context {context!r} in the kubeconfig"
                if context
                else "no Kubernetes cluster is configured: there is no kubeconfig, or it has no current context",
                remedy="List the contexts with `kubectl config get-contexts` and name one with --context, set "
                "KUBECONFIG, or create a cluster on this machine with: pyhce up --on kind",
            ) from None

    def close(self) -> None:
        """Close the connections to the cluster's API."""
        _close_client(self._client)

    @contextmanager
    def explained_errors(self) -> Iterator[None]:
        """Raise the client's errors in the block as errors with a remedy.

        Raises:
            ConnectionFailed: the cluster's API does not answer.
            HceError: it refused the request.
        """
        try:
            yield
        except self._api_exception as error:
            status, reason = getattr(error, "status", 0), getattr(error, "reason", "")
            raise HceError(
                f"Kubernetes refused the request: {status} {reason}",
                remedy="Check what your account may do: kubectl auth can-i --list"
                if status in {401, 403}
                else "Find the cause with kubectl get events -A, fix it and run the same command again.",
            ) from error
        except (OSError, self._transport_error()) as error:
            raise ConnectionFailed(
                f"no Kubernetes cluster answers at {self._client.configuration.host} (context {self.context})",
                remedy="Start the cluster or name another context with --context. For a cluster on this machine: "
                "pyhce up --on kind",
            ) from error

    @staticmethod
    def _transport_error() -> type[Exception]:
        from urllib3.exceptions import HTTPError

        return HTTPError

    def version(self) -> str:
        """The version of Kubernetes, such as v1.34.0.

        Raises:
            ConnectionFailed: the cluster's API does not answer within 10 s.
        """
        with self.explained_errors():
            version: str = self._api.VersionApi(self._client).get_code(_request_timeout=10).git_version
            return version

    def get(self, read: Callable[..., Any], *names: str) -> Any:
        """The object that a method of the client returns, None if it does not exist.

        Args:
            read: the method, such as `cluster.core.read_namespaced_service`.
            names: its arguments: the object's name, then its namespace.
        """
        with self.explained_errors():
            try:
                return read(*names, _request_timeout=10)
            except self._api_exception as error:
                if getattr(error, "status", 0) == _NOT_FOUND:
                    return None
                raise

    def pods(self, namespace: str, selector: str = "app.kubernetes.io/name=hce-citus") -> list[PodState]:
        """The pods with these labels; by default every pod of the chart, Jobs' included."""
        with self.explained_errors():
            items = self.core.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=10).items
        return [_pod_state(pod) for pod in items]

    def database_pods(self, namespace: str) -> list[PodState]:
        """The pods of the coordinator and the workers."""
        return self.pods(namespace, "hce-citus/node=true")

    def newest_revisions(self, namespace: str) -> set[str]:
        """The newest template revision of each StatefulSet; a pod of an older revision will be replaced."""
        with self.explained_errors():
            items = self.apps.list_namespaced_stateful_set(
                namespace, label_selector="app.kubernetes.io/name=hce-citus", _request_timeout=10
            ).items
        return {stateful_set.status.update_revision for stateful_set in items}

    def secret_values(self, namespace: str, name: str) -> dict[str, str]:
        """The decoded values of a Secret by key; {} if it does not exist."""
        secret = self.get(self.core.read_namespaced_secret, name, namespace)
        return {key: base64.b64decode(value).decode() for key, value in ((secret and secret.data) or {}).items()}

    def last_log_lines(self, namespace: str, pod: str, lines: int = 10) -> list[str]:
        """The last log lines of a pod; those of its previous container if the present one has logged nothing."""
        for previous in (False, True):
            with self.explained_errors():
                try:
                    text: str = self.core.read_namespaced_pod_log(
                        pod, namespace, tail_lines=lines, previous=previous, _request_timeout=10
                    )
                except self._api_exception:
                    continue
            if text.strip():
                return text.strip().splitlines()
        return []

    def log_since(self, namespace: str, pod: str, seconds: int) -> list[str]:
        """The log lines of a pod of the last so many seconds."""
        with self.explained_errors():
            text: str | None = self.core.read_namespaced_pod_log(
                pod, namespace, since_seconds=max(seconds, 1), _request_timeout=10
            )
        return (text or "").splitlines()

    def annotations(self, namespace: str, selector: str) -> dict[str, dict[str, str]]:
        """The annotations of the Endpoints and the ConfigMaps with these labels, by name."""
        with self.explained_errors():
            items = [
                *self.core.list_namespaced_endpoints(namespace, label_selector=selector, _request_timeout=10).items,
                *self.core.list_namespaced_config_map(namespace, label_selector=selector, _request_timeout=10).items,
            ]
        return {item.metadata.name: item.metadata.annotations or {} for item in items}

    def last_warnings(self, namespace: str, name: str, last: int = 4) -> list[str]:
        """The last warning events of an object as `reason: message`, equal ones once."""
        with self.explained_errors():
            items = self.core.list_namespaced_event(
                namespace, field_selector=f"involvedObject.name={name}", _request_timeout=10
            ).items
        warnings = [event for event in items if event.type == "Warning"]
        texts = dict.fromkeys(f"{event.reason}: {(event.message or '').strip()}" for event in warnings)
        return list(texts)[-last:]

    def ready_pods_behind(self, namespace: str, service: str) -> set[str]:
        """The names of the ready pods that a Service leads to."""
        with self.explained_errors():
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
        """The Service that has a node port, as namespace/name; None if the port is free."""
        with self.explained_errors():
            services = self.core.list_service_for_all_namespaces(_request_timeout=10).items
        for service in services:
            if any(offered.node_port == port for offered in service.spec.ports or []):
                return f"{service.metadata.namespace}/{service.metadata.name}"
        return None

    def node_addresses(self) -> list[str]:
        """The internal and external addresses of the Kubernetes nodes."""
        with self.explained_errors():
            nodes = self.core.list_node(_request_timeout=10).items
        return [a.address for node in nodes for a in node.status.addresses if a.type in {"InternalIP", "ExternalIP"}]

    def delete_job(self, namespace: str, job: str) -> None:
        """Delete a Job and its pods, if it exists."""
        self.get(partial(self.batch.delete_namespaced_job, propagation_policy="Background"), job, namespace)

    def delete_pod(self, namespace: str, pod: str) -> None:
        """Delete a pod, if it exists."""
        self.get(self.core.delete_namespaced_pod, pod, namespace)

    def endpoints_without_label(self, namespace: str, service: str, label: str) -> bool:
        """Whether a Service has Endpoints that lack a label."""
        found = self.get(self.core.read_namespaced_endpoints, service, namespace)
        return found is not None and label not in (found.metadata.labels or {})

    def delete_endpoints(self, namespace: str, service: str) -> None:
        """Delete the Endpoints and EndpointSlices of a Service that Kubernetes no longer maintains.

        A Service that loses its selector keeps both: they go on leading to the former pods.
        """
        with self.explained_errors():
            slices = self.discovery.list_namespaced_endpoint_slice(
                namespace, label_selector=f"kubernetes.io/service-name={service}", _request_timeout=10
            ).items
        for part in slices:
            if (part.metadata.labels or {}).get("endpointslice.kubernetes.io/managed-by") == _SLICE_CONTROLLER:
                self.get(self.discovery.delete_namespaced_endpoint_slice, part.metadata.name, namespace)
        self.get(self.core.delete_namespaced_endpoints, service, namespace)

    def delete_patroni_state(self, namespace: str) -> None:
        """Delete the Endpoints and ConfigMaps that Patroni made, which Helm does not know."""
        with self.explained_errors():
            self.core.delete_collection_namespaced_endpoints(namespace, label_selector=GROUP_LABEL)
            self.core.delete_collection_namespaced_config_map(namespace, label_selector=GROUP_LABEL)

    def execute(self, namespace: str, pod: str, command: list[str]) -> str:
        """Run a command in a pod for at most 30 s and return what it printed, on either stream."""
        from kubernetes.stream import stream

        logger.debug("running %s in the pod %s", command[0], pod)
        client = self._fresh_client()
        with self.explained_errors():
            session: Any = stream(
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
                session.run_forever(timeout=30)
                printed: str = session.read_all()
            finally:
                session.close()
                session.sock.shutdown()  # `close` leaves the socket open if the other end closed first
                _close_client(client)
        return printed

    def _fresh_client(self) -> Any:
        """A client of its own for `stream`, which changes the client it is given."""
        from kubernetes import config

        make: Any = config.new_client_from_config
        return make(context=self.context)

    def run_job_pod(self, namespace: str, job: str, name: str, arguments: list[str], timeout: float) -> str:
        """Run other arguments in a copy of a Job's pod, with the Job's image and secrets; return what it printed.

        Args:
            name: the beginning of the pod's name; the pod is deleted at the end.
            timeout: seconds within which the pod must end.

        Raises:
            HceError: the Job does not exist, or the pod did not end in time.
        """
        pod = self.create_job_pod(namespace, job, name, arguments)
        try:
            self._wait_until_ended(namespace, pod, timeout)
            with self.explained_errors():
                text: str = self.core.read_namespaced_pod_log(pod, namespace, _request_timeout=30)
            return text
        finally:
            self.delete_pod(namespace, pod)

    def create_job_pod(
        self,
        namespace: str,
        job: str,
        name: str,
        arguments: list[str],
        *,
        labels: Mapping[str, str] | None = None,
        node: str = "",
        grace: int | None = None,
    ) -> str:
        """Create a copy of a Job's pod that runs other arguments; return its name, which ends in a random suffix.

        Args:
            name: the beginning of the pod's name.
            labels: further labels of the pod.
            node: the Kubernetes node to run on, whatever its taints; "" leaves the choice to the scheduler.
            grace: seconds that the pod may take to end when it is deleted; None for the Job's own.

        Raises:
            HceError: the Job does not exist.
        """
        template = self.get(self.batch.read_namespaced_job, job, namespace)
        if template is None:
            raise HceError(
                f"there is no Job {job} in the namespace {namespace}: nothing is installed there",
                remedy="Install with: pyhce install",
            )
        spec = template.spec.template.spec
        spec.containers[0].args = arguments
        spec.restart_policy = "Never"
        if grace is not None:
            spec.termination_grace_period_seconds = grace
        if node:
            spec.node_selector = {"kubernetes.io/hostname": node}
            spec.tolerations = [self._api.V1Toleration(operator="Exists")]
        name = f"{name}-{uuid.uuid4().hex[:6]}"
        metadata = self._api.V1ObjectMeta(
            name=name, namespace=namespace, labels={"hce-citus/run": name, **(labels or {})}
        )
        logger.debug("running pyhce %s in the pod %s", " ".join(arguments), name)
        with self.explained_errors():
            self.core.create_namespaced_pod(
                namespace, self._api.V1Pod(metadata=metadata, spec=spec), _request_timeout=10
            )
        return name

    def _wait_until_ended(self, namespace: str, name: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            (state,) = self.pods(namespace, f"hce-citus/run={name}") or (None,)
            if state and state.phase in {"Succeeded", "Failed"}:
                return
            if state is None or time.monotonic() > deadline:
                reason = f"{state.words} {state.message}".strip() if state else "it was deleted"
                raise HceError(
                    f"the pod {name} did not end within {timeout:.0f} s: {reason}",
                    remedy=f"Find the cause: kubectl -n {namespace} get events",
                )
            time.sleep(0.3)


def _close_client(client: Any) -> None:
    """Close a client and the connections of its pool, which its own `close` leaves open."""
    client.close()
    client.rest_client.pool_manager.clear()


def _pod_state(pod: Any) -> PodState:
    statuses, labels = pod.status.container_statuses or [], pod.metadata.labels or {}
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
        revision=labels.get("controller-revision-hash", ""),
        group=labels.get(GROUP_LABEL, ""),
        role=labels.get("role", ""),
        compared="hce-citus/data" in (pod.metadata.annotations or {}),
        patroni=_json_object((pod.metadata.annotations or {}).get("status", "")),
    )


def _json_object(text: str) -> dict[str, Any]:
    """The JSON object of an annotation; empty if it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
