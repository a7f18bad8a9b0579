"""Break the machines of a kind cluster, which are Docker containers, and mend them again."""

from __future__ import annotations

import logging
import time

from pyhce.citus.connection import Progress, no_progress
from pyhce.counted import counted
from pyhce.deploy import kind
from pyhce.deploy.programs import run_program

logger = logging.getLogger(__name__)

_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_MANIFEST_ASIDE = "/etc/kubernetes/kube-apiserver-of-a-drill.yaml"
_RULE_NAME = "pyhce-drill"
_CUT = """
set -e
for program in iptables ip6tables; do
  $program -w -t mangle -I PREROUTING -i eth0 -m comment --comment NAME -j DROP
  $program -w -t mangle -I POSTROUTING -o eth0 -m comment --comment NAME -j DROP
done
"""
_JOIN = """
for program in iptables ip6tables; do
  while $program -w -t mangle -D PREROUTING -i eth0 -m comment --comment NAME -j DROP 2>/dev/null; do :; done
  while $program -w -t mangle -D POSTROUTING -o eth0 -m comment --comment NAME -j DROP 2>/dev/null; do :; done
done
true
"""
_START_API_SERVER = f"if [ -e {_MANIFEST_ASIDE} ]; then mv {_MANIFEST_ASIDE} {_MANIFEST}; echo moved; fi"


def machines(cluster: str) -> dict[str, str]:
    """The state that Docker reports of each machine of a kind cluster, such as running, exited or paused."""
    listed = run_program(
        "docker", "ps", "-a", "--filter", f"label=io.x-k8s.kind.cluster={cluster}",
        "--format", "{{.Names}} {{.State}}",
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in listed.splitlines())


def control_plane(cluster: str) -> str:
    """The machine of the control plane, which no drill breaks."""
    return f"{cluster}-control-plane"


def kill(machine: str) -> None:
    """Kill a machine with everything that runs on it."""
    run_program("docker", "kill", machine)


def start(machine: str) -> None:
    """Start a machine that was killed or stopped."""
    run_program("docker", "start", machine)


def cut_network(machine: str) -> None:
    """Drop every packet that enters or leaves a machine; those between its own pods still pass."""
    _shell(machine, _CUT.replace("NAME", _RULE_NAME))


def join_network(machine: str) -> None:
    """Let packets pass again."""
    _shell(machine, _JOIN.replace("NAME", _RULE_NAME))


def freeze(machine: str, pod_uid: str) -> int:
    """Stop every process of a pod with SIGSTOP; return how many."""
    stopped = 0
    for _ in range(3):  # a process can start another one before it is stopped
        running = [p.pid for p in kind.processes(machine, pod_uid) if p.state != "T" and p.name != "pause"]
        _signal(machine, "STOP", running)
        stopped += len(running)
    return stopped


def thaw(machine: str) -> int:
    """Continue every stopped process in the pods of a machine; return how many."""
    stopped = [process.pid for process in kind.processes(machine, "kubepods") if process.state == "T"]
    _signal(machine, "CONT", stopped)
    return len(stopped)


def stop_api_server(machine: str) -> None:
    """Stop the API server of a control plane. Everything else on the machine runs on."""
    _shell(machine, f"mv {_MANIFEST} {_MANIFEST_ASIDE}")
    deadline = time.monotonic() + 30
    while (running := _api_servers(machine)) and time.monotonic() < deadline:
        _signal(machine, "KILL", running)
        time.sleep(0.5)  # the kubelet starts it once more if it has not seen yet that the manifest is gone


def _api_servers(machine: str) -> list[int]:
    return [process.pid for process in kind.processes(machine, "kubepods") if process.name == "kube-apiserver"]


def start_api_server(machine: str) -> bool:
    """Start the API server again; whether it was stopped."""
    return bool(_shell(machine, _START_API_SERVER).strip())


def repair(cluster: str, progress: Progress = no_progress) -> list[str]:
    """Mend what a drill that was killed left broken on the machines of a kind cluster.

    It finds the damage on the machines themselves, so it needs no record of the drill.

    Returns:
        A sentence for each repair.
    """
    done = []
    for machine, state in sorted(machines(cluster).items()):
        if state == "paused":
            run_program("docker", "unpause", machine)
            done.append(f"continued the machine {machine}, which was paused")
        elif state != "running":
            start(machine)
            done.append(f"started the machine {machine}, which was {state}")
        if _RULE_NAME in _shell(machine, "iptables -w -t mangle -S 2>/dev/null || true"):
            join_network(machine)
            done.append(f"connected the machine {machine} to the network again")
        if thawed := thaw(machine):
            done.append(f"continued {counted(thawed, 'stopped process', 'stopped processes')} on {machine}")
    if start_api_server(control_plane(cluster)):
        done.append("started the API server again")
    for sentence in done:
        logger.info("%s", sentence)
        progress(sentence)
    return done


def _signal(machine: str, name: str, pids: list[int]) -> None:
    if pids:
        _shell(machine, f"kill -{name} {' '.join(map(str, pids))} 2>/dev/null || true")


def _shell(machine: str, script: str) -> str:
    return run_program("docker", "exec", machine, "sh", "-c", script)
