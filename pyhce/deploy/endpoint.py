"""How a program outside of the cluster reaches the coordinator: the node port, else a forwarded port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyhce.citus.connection import connect
from pyhce.deploy import kind
from pyhce.deploy.kubernetes_cluster import KubernetesCluster
from pyhce.errors import HceError, UsageError
from pyhce.schema.model import Frozen
from pyhce.settings import APP_ROLE, DATABASE, READONLY_ROLE, SUPERUSER

DEFAULT_SECRET = "hce-citus"  # noqa: S105 - a Secret's name
SECRET_KEYS = {SUPERUSER: "postgres-password", APP_ROLE: "app-password", READONLY_ROLE: "readonly-password"}


_MAX_NODES_TRIED = 6
_RUN_WHILE_STDIN_IS_OPEN = """
exec 3<&0
"$@" <&- 3<&- &
command=$!
{ read -r _ <&3; kill "$command"; } 2>&- &
watcher=$!
wait "$command"
status=$?
kill "$watcher" 2>&-
exit "$status"
"""
"""Runs a command until its own standard input ends: when this process ends, killed or not, so does the command."""


class Endpoint(Frozen):
    """Where the coordinator answers, for a program on this machine."""

    host: str
    port: int


def password(cluster: KubernetesCluster, namespace: str, role: str) -> str:
    """A role's password.

    Raises:
        UsageError: there is no such role.
        HceError: nothing is installed, or its Secret has no such key.
    """
    if role not in SECRET_KEYS:
        raise UsageError(f"{role!r} does not log in", remedy=f"Choose of: {', '.join(SECRET_KEYS)}.")
    pod = cluster.get(cluster.apps.read_namespaced_stateful_set, "citus-coordinator", namespace)
    if pod is None:
        raise HceError(
            f"nothing is installed in the namespace {namespace} of {cluster.context}", remedy="pyhce install"
        )
    name = next(
        (v.value_from.secret_key_ref.name for v in pod.spec.template.spec.containers[0].env if v.value_from),
        DEFAULT_SECRET,
    )
    held = cluster.secret_values(namespace, name).get(SECRET_KEYS[role])
    if not held:
        raise HceError(
            f"the Secret {name} has no {SECRET_KEYS[role]}", remedy="Put one into it, then run pyhce upgrade."
        )
    return held


def dsn(place: Endpoint, role: str, secret: str) -> str:
    """A DSN for libpq; it holds the password."""
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"host={place.host} port={place.port} user={role} dbname={DATABASE} password='{quoted}'"
        " require_auth=scram-sha-256"  # never the password itself to whoever else listens there
    )


def direct_endpoint(cluster: KubernetesCluster, namespace: str) -> Endpoint | None:
    """Where the coordinator's Service answers to our password: at this machine, a Kubernetes node, a load balancer."""
    service = cluster.get(cluster.core.read_namespaced_service, "citus-coordinator", namespace)
    if service is None or service.spec.type == "ClusterIP":
        return None
    secret = password(cluster, namespace, SUPERUSER)
    for place in _candidates(cluster, service):
        if _accepts_connections(place):
            try:
                connect(dsn(place, SUPERUSER, secret)).close()
            except HceError:
                continue
            return place
    return None


def _candidates(cluster: KubernetesCluster, service: Any) -> Iterator[Endpoint]:
    for ingress in service.status.load_balancer.ingress or []:
        yield Endpoint(host=ingress.hostname or ingress.ip, port=service.spec.ports[0].port)
    port = service.spec.ports[0].node_port
    if not port:
        return
    if cluster.context.startswith("kind-"):
        yield from (Endpoint(host="localhost", port=mapped) for mapped in kind.mapped_ports(cluster.context[5:], port))
    yield Endpoint(host="localhost", port=port)
    try:
        addresses = cluster.node_addresses()
    except HceError:  # not everybody may list nodes
        return
    yield from (Endpoint(host=address, port=port) for address in addresses[:_MAX_NODES_TRIED])


def _accepts_connections(place: Endpoint) -> bool:
    try:
        with socket.create_connection((place.host, place.port), timeout=1.0):
            return True
    except OSError:
        return False


@contextmanager
def reachable_endpoint(cluster: KubernetesCluster, namespace: str) -> Iterator[Endpoint]:
    """A place at which the coordinator answers while the block runs.

    Raises:
        HceError: there is none, and no port can be forwarded.
    """
    found = direct_endpoint(cluster, namespace)
    if found is not None:
        yield found
        return
    with _forwarded_port(cluster, namespace) as place:
        yield place


@contextmanager
def _forwarded_port(cluster: KubernetesCluster, namespace: str) -> Iterator[Endpoint]:
    program = shutil.which("kubectl")
    if program is None:
        raise UsageError(
            "the coordinator's node port does not answer from here, and there is no kubectl to forward a port",
            remedy="Install kubectl, or run this where the Kubernetes nodes can be reached.",
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [program, "--context", cluster.context, "-n", namespace, "port-forward", "svc/citus-coordinator"]
    process = subprocess.Popen(  # noqa: S603 - kubectl itself
        ["/bin/sh", "-c", _RUN_WHILE_STDIN_IS_OPEN, "sh", *command, f"{port}:5432"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        place = Endpoint(host="localhost", port=port)
        deadline = time.monotonic() + 30
        while not _accepts_connections(place):
            if process.poll() is not None or time.monotonic() > deadline:
                said = process.stderr.read().strip() if process.poll() is not None and process.stderr else "no answer"
                raise HceError(f"no port can be forwarded to the coordinator: {said}", remedy="pyhce status tells why.")
            time.sleep(0.2)
        yield place
    finally:
        for stream in (process.stdin, process.stderr):
            if stream:
                stream.close()
        process.wait()
