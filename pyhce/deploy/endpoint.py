"""How a program outside the cluster reaches the coordinator: through its Service, or else through a forwarded port."""

from __future__ import annotations

import logging
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

logger = logging.getLogger(__name__)

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
"""A shell script that runs a command and ends it when its own standard input closes.

The standard input is a pipe from this process. The operating system closes it when this process ends, even by kill -9,
so a forwarded port never outlives the program that asked for it.
"""


class Endpoint(Frozen):
    """A host and port at which the coordinator answers this machine."""

    host: str
    port: int


def password(cluster: KubernetesCluster, namespace: str, role: str) -> str:
    """A role's password, from the Secret that the installation uses.

    Raises:
        UsageError: the role is none of those that log in.
        HceError: nothing is installed, or the Secret has no password for the role.
    """
    if role not in SECRET_KEYS:
        raise UsageError(f"{role!r} is not a role that logs in", remedy=f"Give one of: {', '.join(SECRET_KEYS)}.")
    stateful_set = cluster.get(cluster.apps.read_namespaced_stateful_set, "citus-coordinator", namespace)
    if stateful_set is None:
        raise HceError(
            f"nothing is installed in the namespace {namespace} of {cluster.context}",
            remedy="Install with: pyhce install",
        )
    variables = stateful_set.spec.template.spec.containers[0].env
    name = next((v.value_from.secret_key_ref.name for v in variables if v.value_from), DEFAULT_SECRET)
    value = cluster.secret_values(namespace, name).get(SECRET_KEYS[role])
    if not value:
        raise HceError(
            f"the Secret {name} has no {SECRET_KEYS[role]}",
            remedy=f"Add the key to the Secret (kubectl -n {namespace} edit secret {name}), then run pyhce upgrade.",
        )
    return value


def dsn_for(at: Endpoint, role: str, secret: str) -> str:
    """A libpq connection string, password included."""
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"host={at.host} port={at.port} user={role} dbname={DATABASE} password='{quoted}'"
        " require_auth=scram-sha-256"  # another server at this port never receives the password itself
    )


def direct_endpoint(cluster: KubernetesCluster, namespace: str) -> Endpoint | None:
    """An endpoint of the coordinator's Service that accepts the superuser's password from here, None if there is none.

    It tries the load balancer's addresses, then the node port at localhost and at the Kubernetes nodes' addresses.
    """
    service = cluster.get(cluster.core.read_namespaced_service, "citus-coordinator", namespace)
    if service is None or service.spec.type == "ClusterIP":
        return None
    secret = password(cluster, namespace, SUPERUSER)
    for candidate in _candidates(cluster, service):
        if _accepts_connections(candidate):
            try:
                connect(dsn_for(candidate, SUPERUSER, secret)).close()
            except HceError as error:
                logger.debug("%s:%d is not the coordinator: %s", candidate.host, candidate.port, error.wrong)
                continue
            return candidate
        logger.debug("%s:%d does not answer", candidate.host, candidate.port)
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
    except HceError:  # the account may not list nodes
        return
    yield from (Endpoint(host=address, port=port) for address in addresses[:_MAX_NODES_TRIED])


def _accepts_connections(at: Endpoint) -> bool:
    try:
        with socket.create_connection((at.host, at.port), timeout=1.0):
            return True
    except OSError:
        return False


@contextmanager
def reachable_endpoint(cluster: KubernetesCluster, namespace: str) -> Iterator[Endpoint]:
    """An endpoint at which the coordinator answers while the block runs, if need be a forwarded port.

    Raises:
        UsageError: a port must be forwarded, and kubectl is not installed.
        HceError: the port could not be forwarded.
    """
    direct = direct_endpoint(cluster, namespace)
    if direct is not None:
        yield direct
        return
    with _forwarded_port(cluster, namespace) as forwarded:
        yield forwarded


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
    logger.debug("forwarding port %d: kubectl %s %d:5432", port, " ".join(command[1:]), port)
    process = subprocess.Popen(  # noqa: S603 - kubectl itself
        ["/bin/sh", "-c", _RUN_WHILE_STDIN_IS_OPEN, "sh", *command, f"{port}:5432"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        local = Endpoint(host="localhost", port=port)
        deadline = time.monotonic() + 30
        while not _accepts_connections(local):
            if process.poll() is not None or time.monotonic() > deadline:
                ended = process.poll() is not None
                reason = process.stderr.read().strip() if ended and process.stderr else "no answer within 30 s"
                raise HceError(
                    f"could not forward a port to the coordinator: {reason}",
                    remedy=f"Check the coordinator's pod: pyhce status --on {cluster.context} -n {namespace}",
                )
            time.sleep(0.2)
        yield local
    finally:
        for stream in (process.stdin, process.stderr):
            if stream:
                stream.close()
        process.wait()
