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
from pyhce.deploy.cluster import Cluster
from pyhce.errors import HceError, UsageError
from pyhce.schema.model import Frozen
from pyhce.settings import APP_ROLE, DATABASE, READONLY_ROLE, SUPERUSER

SECRET = "hce-citus"  # noqa: S105 - a Secret's name
KEYS = {SUPERUSER: "postgres-password", APP_ROLE: "app-password", READONLY_ROLE: "readonly-password"}


_NODES_ASKED = 6
_WHILE_STDIN_IS_OPEN = """
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


class Place(Frozen):
    """Where the coordinator answers, for a program on this machine."""

    host: str
    port: int


def password(cluster: Cluster, namespace: str, role: str) -> str:
    """A role's password.

    Raises:
        UsageError: there is no such role.
        HceError: nothing is installed, or its Secret has no such key.
    """
    if role not in KEYS:
        raise UsageError(f"{role!r} does not log in", remedy=f"Choose of: {', '.join(KEYS)}.")
    pod = cluster.get(cluster.apps.read_namespaced_stateful_set, "citus-coordinator", namespace)
    if pod is None:
        raise HceError(
            f"nothing is installed in the namespace {namespace} of {cluster.context}", remedy="pyhce install"
        )
    name = next(
        (v.value_from.secret_key_ref.name for v in pod.spec.template.spec.containers[0].env if v.value_from), SECRET
    )
    held = cluster.secret(namespace, name).get(KEYS[role])
    if not held:
        raise HceError(f"the Secret {name} has no {KEYS[role]}", remedy="Put one into it, then run pyhce upgrade.")
    return held


def dsn(place: Place, role: str, secret: str) -> str:
    """A DSN for libpq; it holds the password."""
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"host={place.host} port={place.port} user={role} dbname={DATABASE} password='{quoted}'"
        " require_auth=scram-sha-256"  # never the password itself to whoever else listens there
    )


def node_port(cluster: Cluster, namespace: str) -> Place | None:
    """Where the coordinator's Service answers to our password: at this machine, a Kubernetes node, a load balancer."""
    service = cluster.get(cluster.core.read_namespaced_service, "citus-coordinator", namespace)
    if service is None or service.spec.type == "ClusterIP":
        return None
    secret = password(cluster, namespace, SUPERUSER)
    for place in _places(cluster, service):
        if _answers(place):
            try:
                connect(dsn(place, SUPERUSER, secret)).close()
            except HceError:
                continue
            return place
    return None


def _places(cluster: Cluster, service: Any) -> Iterator[Place]:
    for ingress in service.status.load_balancer.ingress or []:
        yield Place(host=ingress.hostname or ingress.ip, port=service.spec.ports[0].port)
    port = service.spec.ports[0].node_port
    if not port:
        return
    if cluster.context.startswith("kind-"):
        yield from (Place(host="localhost", port=mapped) for mapped in kind.mapped_ports(cluster.context[5:], port))
    yield Place(host="localhost", port=port)
    try:
        addresses = cluster.node_addresses()
    except HceError:  # not everybody may list nodes
        return
    yield from (Place(host=address, port=port) for address in addresses[:_NODES_ASKED])


def _answers(place: Place) -> bool:
    try:
        with socket.create_connection((place.host, place.port), timeout=1.0):
            return True
    except OSError:
        return False


@contextmanager
def reached(cluster: Cluster, namespace: str) -> Iterator[Place]:
    """A place at which the coordinator answers while the block runs.

    Raises:
        HceError: there is none, and no port can be forwarded.
    """
    found = node_port(cluster, namespace)
    if found is not None:
        yield found
        return
    with _forwarded(cluster, namespace) as place:
        yield place


@contextmanager
def _forwarded(cluster: Cluster, namespace: str) -> Iterator[Place]:
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
        ["/bin/sh", "-c", _WHILE_STDIN_IS_OPEN, "sh", *command, f"{port}:5432"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        place = Place(host="localhost", port=port)
        deadline = time.monotonic() + 30
        while not _answers(place):
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
