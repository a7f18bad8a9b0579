"""Programs of this machine: docker, kind, minikube, kubectl. What they say on failure becomes an error of ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pyhce.errors import HceError, UsageError

_HOW_TO_INSTALL = {
    "docker": "Install Docker and start it: https://docs.docker.com/engine/install",
    "kind": "Install kind (https://kind.sigs.k8s.io), or `make tools` in a checkout.",
    "minikube": "Install Minikube: https://minikube.sigs.k8s.io/docs/start",
    "kubectl": "Install kubectl: https://kubernetes.io/docs/tasks/tools",
}


class ProgramFailed(HceError):
    """A program ran and ended badly."""


def run_program(*command: str, stdin: str | None = None, folder: Path | None = None, timeout: float = 900.0) -> str:
    """Run a program to its end; what it printed.

    Raises:
        UsageError: it is not installed.
        ProgramFailed: it failed, with its last words.
        HceError: Docker does not answer, or the program did not end in time.
    """
    program = shutil.which(command[0])
    if program is None:
        raise UsageError(f"there is no {command[0]} on PATH", remedy=_HOW_TO_INSTALL[command[0]])
    try:
        done = subprocess.run(  # noqa: S603 - our own command lines
            [program, *command[1:]], input=stdin, cwd=folder, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        raise HceError(
            f"{' '.join(command[:3])} did not end in {timeout:.0f} s", remedy="Look at what it does, then try again."
        ) from None
    if done.returncode:
        raise _failure(command, done.stderr.strip() or done.stdout.strip())
    return done.stdout


def _failure(command: tuple[str, ...], said: str) -> HceError:
    what = " ".join(command[:3])
    if "Cannot connect to the Docker daemon" in said or "docker daemon" in said.lower():
        return HceError("Docker does not answer", remedy="Start it, and see that you may use it: docker info")
    return ProgramFailed(
        f"{what} failed: " + " | ".join(said.splitlines()[-4:])[:800], remedy="Mend what it says, then try again."
    )
