"""A kind cluster on this machine, its port 30007 at localhost."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from pyhce.citus.connection import Progress, silent
from pyhce.deploy.programs import ProgramFailed, run_program
from pyhce.errors import HceError, UsageError
from pyhce.settings import NODE_PORT

NAME = "hce-citus"


def exists(name: str = NAME) -> bool:
    """Whether kind knows the cluster."""
    return name in run_program("kind", "get", "clusters").split()


def ensure(
    name: str = NAME,
    *,
    port: int | None = NODE_PORT,
    workers: int = 0,
    image: str | None = None,
    progress: Progress = silent,
) -> bool:
    """Make the cluster if there is none, start it if it was stopped; whether it was made.

    Args:
        port: of this machine, for the node port 30007; None for none.
        workers: Kubernetes nodes beside the control plane.
        image: the node image; else the newest kindest/node that Docker has, else kind's own choice.

    Raises:
        HceError: the port is taken, or kind failed.
    """
    if exists(name):
        _start_stopped_nodes(name, progress)
        if _is_complete(name):
            run_program("kind", "export", "kubeconfig", "--name", name)
            return False
        progress(f"removing the kind cluster {name}, which was never finished")
        delete(name)
    if port is not None:
        _refuse_taken_port(port)
    chosen = image or _newest_local_image()
    progress(f"making the kind cluster {name}" + (f" of {chosen}" if chosen else ""))
    command = ["kind", "create", "cluster", "--name", name, "--wait", "180s", "--config", "-"]
    run_program(*command, *(["--image", chosen] if chosen else []), stdin=cluster_config(port, workers))
    return True


def cluster_config(port: int | None, workers: int) -> str:
    """The configuration of such a cluster, for kind."""
    mapped = f"  extraPortMappings:\n  - {{containerPort: {NODE_PORT}, hostPort: {port}, listenAddress: 127.0.0.1}}\n"
    return (
        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n"
        + (mapped if port is not None else "")
        + "- role: worker\n" * workers
    )


def delete(name: str = NAME) -> None:
    """Delete the cluster, with every volume in it."""
    run_program("kind", "delete", "cluster", "--name", name)


def _is_complete(name: str) -> bool:
    """Whether the making of a cluster came to its end: storage is what comes last."""
    configuration = "--kubeconfig=/etc/kubernetes/admin.conf"
    try:
        run_program(
            "docker", "exec", f"{name}-control-plane", "kubectl", configuration, "get", "storageclass", "standard"
        )
    except ProgramFailed:
        return False
    return True


def mapped_ports(name: str, port: int) -> list[int]:
    """The ports of this machine that lead to a port of the cluster's control plane."""
    try:
        said = run_program("docker", "port", f"{name}-control-plane", f"{port}/tcp")
    except HceError:
        return []
    return [int(line.rpartition(":")[2]) for line in said.split()]


def kill_first_process(node: str, pod_uid: str) -> None:
    """Kill -9 the process that a pod's container runs, from its node: from inside, PID 1 cannot be killed.

    Args:
        node: a kind node, which is a Docker container of that name.

    Raises:
        HceError: there is no such process there.
    """
    uid = f"-e {pod_uid} -e {pod_uid.replace('-', '_')}"  # systemd's cgroup driver writes it with underscores
    listed = run_program("docker", "exec", node, "sh", "-c", f"grep -ls {uid} /proc/[0-9]*/cgroup || true").split()
    for path in listed:
        status = run_program("docker", "exec", node, "sh", "-c", f"cat {Path(path).parent}/status 2>/dev/null || true")
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if lines.get("Name", "").strip() == "postgres" and lines.get("NSpid", "").split()[-1:] == ["1"]:
            run_program("docker", "exec", node, "kill", "-9", Path(path).parent.name)
            return
    raise HceError(f"no PostgreSQL of the pod {pod_uid} runs on {node}", remedy="pyhce status --on kind")


def _start_stopped_nodes(name: str, progress: Progress) -> None:
    """Start the containers of a cluster that was stopped, as after a restart of the machine."""
    of_cluster = f"label=io.x-k8s.kind.cluster={name}"
    stopped = run_program("docker", "ps", "-a", "-q", "--filter", of_cluster, "--filter", "status=exited").split()
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
            return  # without kubectl, whoever comes next waits
        except HceError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _newest_local_image() -> str | None:
    """The newest node image that Docker has."""
    found = run_program("docker", "image", "ls", "kindest/node", "--format", "{{.Repository}}:{{.Tag}}").split()
    tagged = [image for image in found if image.rpartition(":v")[2].replace(".", "").isdigit()]
    return max(tagged, key=lambda image: [int(n) for n in image.rpartition(":v")[2].split(".")], default=None)


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UsageError(
                f"port {port} of this machine is taken: the cluster's node port 30007 goes there",
                remedy="Stop what has it (`pyhce down`, if it is the local database), or give another with --port.",
            ) from None
