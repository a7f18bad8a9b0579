"""A forwarded port ends with the program that asked for it. `kubectl` here is a small program that listens too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared.until import until

LISTENER = """#!{python}
import os, pathlib, socket, sys
pathlib.Path({pid!r}).write_text(str(os.getpid()))  # first, so that the file exists once a connection succeeds
at = socket.create_server(("127.0.0.1", int(sys.argv[-1].partition(":")[0])))
while True:
    at.accept()[0].close()
"""
PROGRAM = """
import types
from pyhce.deploy import endpoint
with endpoint._forwarded_port(types.SimpleNamespace(context="kind-here"), "clinical-database"):
    print("reached", flush=True)
    {then}
"""


def runs(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):  # the process ended, perhaps between two of these calls
        return False


def forwarding(folder: Path, then: str, kubectl: str = LISTENER) -> tuple[subprocess.Popen[str], Path]:
    """A process with a forwarded port, and the file to which its kubectl writes its process id."""
    pid = folder / "pid"
    program = folder / "kubectl"
    program.write_text(kubectl.format(python=sys.executable, pid=str(pid)))
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-c", PROGRAM.format(then=then)]
    run = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return run, pid


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_forwarded_port_ends_with_a_killed_program(tmp_path: Path, how: signal.Signals) -> None:
    run, pid = forwarding(tmp_path, "import time; time.sleep(300)")
    assert run.stdout
    assert run.stdout.readline() == "reached\n"
    kubectl = int(pid.read_text())
    assert runs(kubectl)
    run.send_signal(how)
    run.communicate(timeout=60)
    until(lambda: not runs(kubectl), "kubectl still runs")


def test_a_forwarded_port_ends_with_its_with_block(tmp_path: Path) -> None:
    run, pid = forwarding(tmp_path, "pass")
    _, stderr = run.communicate(timeout=60)
    assert (run.returncode, stderr) == (0, "")
    until(lambda: not runs(int(pid.read_text())), "kubectl still runs")


def test_the_error_quotes_a_kubectl_that_fails(tmp_path: Path) -> None:
    run, _ = forwarding(tmp_path, "pass", "#!/bin/sh\necho 'error: pods is forbidden' >&2\nexit 1\n")
    _, stderr = run.communicate(timeout=60)
    assert "could not forward a port to the coordinator: error: pods is forbidden" in stderr
