"""A kind cluster on this machine, whose node port 30007 is reached at localhost."""

from __future__ import annotations

import logging
import socket
import time
from typing import NamedTuple

from pyhce.citus.connection import Progress, no_progress
from pyhce.deploy.programs import ProgramFailed, run_program
from pyhce.errors import HceError, UsageError
from pyhce.settings import NODE_PORT

NAME = "hce-citus"

logger = logging.getLogger(__name__)


def exists(name: str = NAME) -> bool:
    """Whether kind lists the cluster."""
    return name in run_program("kind", "get", "clusters").split()


def ensure(
    name: str = NAME,
    *,
    port: int | None = NODE_PORT,
    workers: int = 0,
    image: str | None = None,
    progress: Progress = no_progress,
) -> bool:
    """Create the cluster if there is none, or start it if it was stopped; return whether it was created.

    Args:
        name: the cluster's name.
        port: the port of this machine that leads to the node port 30007; None for no port.
        workers: Kubernetes nodes beside the control plane.
        image: the node image; if None, the newest kindest/node that Docker has, else kind's default.
        progress: called with a line on what is being done.

    Raises:
        UsageError: the port is taken.
        HceError: kind or Docker failed.
    """
    if exists(name):
        _start_stopped_nodes(name, progress)
        if _is_complete(name):
            run_program("kind", "export", "kubeconfig", "--name", name)
            return False
        progress(f"deleting the kind cluster {name}, whose creation was interrupted")
        delete(name)
    if port is not None:
        _refuse_taken_port(port)
    chosen = image or _newest_local_image()
    progress(f"creating the kind cluster {name}" + (f" from {chosen}" if chosen else ""))
    command = ["kind", "create", "cluster", "--name", name, "--wait", "180s", "--config", "-"]
    run_program(*command, *(["--image", chosen] if chosen else []), stdin=cluster_config(port, workers))
    return True


def cluster_config(port: int | None, workers: int) -> str:
    """Kind's configuration for such a cluster, as YAML; arguments as for `ensure`."""
    port_mapping = (
        f"  extraPortMappings:\n  - {{containerPort: {NODE_PORT}, hostPort: {port}, listenAddress: 127.0.0.1}}\n"
    )
    return (
        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n"
        + (port_mapping if port is not None else "")
        + "- role: worker\n" * workers
    )


def delete(name: str = NAME) -> None:
    """Delete the cluster with every volume in it."""
    run_program("kind", "delete", "cluster", "--name", name)


def _is_complete(name: str) -> bool:
    """Whether the creation of a cluster finished: its last step is the storage class."""
    kubeconfig = "--kubeconfig=/etc/kubernetes/admin.conf"
    try:
        run_program("docker", "exec", f"{name}-control-plane", "kubectl", kubeconfig, "get", "storageclass", "standard")
    except ProgramFailed:
        return False
    return True


def mapped_ports(name: str, port: int) -> list[int]:
    """The ports of this machine that lead to a port of the cluster's control plane; [] if there are none."""
    try:
        lines = run_program("docker", "port", f"{name}-control-plane", f"{port}/tcp")
    except HceError:
        return []
    return [int(line.rpartition(":")[2]) for line in lines.split()]


class Process(NamedTuple):
    """A process in a container of a kind node.

    Args:
        pid: its number on the node.
        name: its program, such as postgres.
        parent: the number of its parent.
        state: the letter that Linux reports; T is stopped.
        first: whether it is the first process of its container.
    """

    pid: int
    name: str
    parent: int
    state: str
    first: bool


_LIST_PROCESSES = r"""
for file in $(grep -ls PATTERNS /proc/[0-9]*/cgroup); do
  grep -E '^(Name|State|Pid|PPid|NSpid):' "${file%/cgroup}/status" 2>/dev/null
done
true
"""


def processes(node: str, pattern: str) -> list[Process]:
    """The processes of a kind node whose cgroup has a text in its name, such as a pod's uid; no ended ones."""
    patterns = f"-e {pattern} -e {pattern.replace('-', '_')}"  # the systemd cgroup driver writes underscores
    listed = run_program("docker", "exec", node, "sh", "-c", _LIST_PROCESSES.replace("PATTERNS", patterns))
    found = []
    for block in f"\n{listed}".split("\nName:")[1:]:
        facts = dict(line.split(":", 1) for line in f"Name:{block}".splitlines())
        if len(facts) < 5:
            continue  # it ended while it was read
        process = Process(
            pid=int(facts["Pid"]),
            name=facts["Name"].strip(),
            parent=int(facts["PPid"]),
            state=facts["State"].split()[0],
            first=facts["NSpid"].split()[-1] == "1",
        )
        if process.state != "Z":
            found.append(process)
    return found


def kill_postgresql(node: str, pod_uid: str) -> None:
    """Kill -9 the PostgreSQL server of a pod, from the pod's node.

    From inside the container the first process cannot be killed: Linux protects PID 1 from signals of its own
    namespace. With Patroni, the server is not the first process, and Patroni starts it again.

    Args:
        node: the name of the kind node, which is the name of its Docker container too.
        pod_uid: the pod's uid.

    Raises:
        HceError: no PostgreSQL of the pod runs on the node.
    """
    found = [process for process in processes(node, pod_uid) if process.name == "postgres"]
    servers = {process.pid for process in found}
    postmaster = next((process for process in found if process.first or process.parent not in servers), None)
    if postmaster is None:
        raise HceError(
            f"no PostgreSQL of the pod {pod_uid} runs on {node}", remedy="Check the pods: pyhce status --on kind"
        )
    run_program("docker", "exec", node, "kill", "-9", str(postmaster.pid))


def _start_stopped_nodes(name: str, progress: Progress) -> None:
    """Start the Docker containers of a stopped cluster, for example after a restart of the machine."""
    node_filter = f"label=io.x-k8s.kind.cluster={name}"
    stopped = run_program("docker", "ps", "-a", "-q", "--filter", node_filter, "--filter", "status=exited").split()
    if not stopped:
        return
    progress(f"starting the kind cluster {name}")
    run_program("docker", "start", *stopped)
    run_program("kind", "export", "kubeconfig", "--name", name)
    deadline = time.monotonic() + 120
    while True:
        try:
            run_program("kubectl", "--context", f"kind-{name}", "wait", "--for=condition=Ready", "node", "--all")
            return
        except UsageError:
            return  # kubectl is not installed: the installation waits for the pods itself
        except HceError as error:
            if time.monotonic() > deadline:
                raise
            logger.info("the nodes of %s are not ready, trying again in 1 s: %s", name, error.wrong)
            time.sleep(1)


def _newest_local_image() -> str | None:
    """The newest kindest/node image that Docker has, None if it has none."""
    listed = run_program("docker", "image", "ls", "kindest/node", "--format", "{{.Repository}}:{{.Tag}}").split()
    tagged = [image for image in listed if image.rpartition(":v")[2].replace(".", "").isdigit()]
    return max(tagged, key=lambda image: [int(n) for n in image.rpartition(":v")[2].split(".")], default=None)


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UsageError(
                f"port {port} of this machine is taken; the kind cluster needs it for its node port 30007",
                remedy="Stop the program that uses it (the local database: pyhce down), or give another port with "
                "--port.",
            ) from None
