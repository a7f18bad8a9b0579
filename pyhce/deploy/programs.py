"""Run docker, kind, minikube and kubectl; their failures become errors with a remedy."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
import time

from pyhce.errors import HceError, UsageError

logger = logging.getLogger(__name__)

_HOW_TO_INSTALL = {
    "docker": "Install Docker and start it: https://docs.docker.com/engine/install",
    "kind": "Install kind (https://kind.sigs.k8s.io), or run `make tools` in a checkout.",
    "minikube": "Install Minikube: https://minikube.sigs.k8s.io/docs/start",
    "kubectl": "Install kubectl: https://kubernetes.io/docs/tasks/tools",
}


class ProgramFailed(HceError):
    """A program ended with an error."""


def run_program(*command: str, stdin: str | None = None, timeout: float = 900.0) -> str:
    """Run a program to its end and return its standard output.

    The command line is logged, so it must hold no secret.

    Args:
        stdin: text for its standard input.
        timeout: seconds within which it must end.

    Raises:
        UsageError: it is not installed.
        ProgramFailed: it ended with an error; the text holds its last output lines.
        HceError: Docker does not answer, or the program did not end in time.
    """
    program = shutil.which(command[0])
    if program is None:
        raise UsageError(f"there is no {command[0]} on PATH", remedy=_HOW_TO_INSTALL[command[0]])
    logger.debug("running %s", shlex.join(command))
    start = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603 - our own command lines
            [program, *command[1:]], input=stdin, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        raise HceError(
            f"{' '.join(command[:3])} did not end within {timeout:.0f} s",
            remedy=f"Check that {command[0]} works on this machine, then run the same command again.",
        ) from None
    logger.debug("%s ended after %.1f s with status %d", command[0], time.monotonic() - start, done.returncode)
    if done.returncode:
        raise _failure(command, done.stderr.strip() or done.stdout.strip())
    return done.stdout


def _failure(command: tuple[str, ...], output: str) -> HceError:
    if "Cannot connect to the Docker daemon" in output or "docker daemon" in output.lower():
        return HceError("Docker does not answer", remedy="Start it and check that your account may use it: docker info")
    return ProgramFailed(
        f"{' '.join(command[:3])} failed: " + " | ".join(output.splitlines()[-4:])[:800],
        remedy="Fix what its output reports, then run the same command again.",
    )
