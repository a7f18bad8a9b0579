"""Programs that run in the background beside PostgreSQL: each has a folder with its process id and its log."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyhce.errors import HceError
from pyhce.local.account import Account, run_as
from pyhce.local.server import last_lines, processes_in, runs_in

logger = logging.getLogger(__name__)

LOG = "log"
STOPPING = "stopping"
"""A file that exists from the beginning of a `stop` until the next `start`."""
SETTLE_TIMEOUT = 70.0
MAX_LOG_BYTES = 5 * 1024 * 1024
_RUN = 'cd "$0" || exit 1; umask 077; "$@" >>log 2>&1 </dev/null & echo $! >pid'
"""Run a program in its folder and leave it running; `$0` is the folder."""


def make_program_folder(folder: Path, account: Account) -> None:
    """Create a program's folder, private to the account that it runs under."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account.is_other_user:
        os.chown(folder, account.uid, account.gid)


def pid_of(folder: Path) -> int | None:
    """The process id of the program of a folder, None if it does not run.

    A program that another pyhce started and could not note before it was killed is found by its working directory.
    """
    try:
        pid = int((folder / "pid").read_text())
    except (OSError, ValueError):
        pid = 0
    if pid and runs_in(pid, folder):
        return pid
    return min(processes_in(folder), default=None)


def wait_for_ending(folder: Path) -> None:
    """Wait until a program that is ending is gone: one that was just killed, or that an interrupted `stop` ended."""
    deadline = time.monotonic() + SETTLE_TIMEOUT
    waiting = False
    while time.monotonic() < deadline:
        pid = pid_of(folder)
        if pid is None or not ((folder / STOPPING).exists() or _is_being_killed(pid)):
            return
        if not waiting:
            logger.info("waiting for the program in %s (pid %d) to end", folder, pid)
            waiting = True
        time.sleep(0.05)


def _is_being_killed(pid: int) -> bool:
    """Whether SIGKILL waits for a process, which a busy machine has not let end yet. See proc(5), /proc/pid/status."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    pending = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask >> (signal.SIGKILL - 1) & 1 for mask in pending)


def start(folder: Path, command: Sequence[str], account: Account, env: Mapping[str, str] | None = None) -> None:
    """Start a program in the background. It survives this process, and Ctrl-C does not reach it.

    Args:
        folder: its folder; see `make_program_folder`.
        command: the program and its arguments, without a secret.
        account: the account to run it under.
        env: variables to add to its environment.
    """
    (folder / STOPPING).unlink(missing_ok=True)
    log = folder / LOG
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.rename(folder / "log.old")
    done = run_as(["/bin/sh", "-c", _RUN, str(folder), *command], account, timeout=20, env=dict(env or {}))
    if done.returncode != 0:
        raise HceError(
            f"could not start {command[0]} in {folder}: {last_lines(done.stdout)}",
            remedy="Check that the account that runs PostgreSQL may write into this folder.",
        )


def stop(folder: Path, *, timeout: float = 60.0) -> bool:
    """End the program of a folder; return whether it ran. What does not end in time is killed."""
    pid = pid_of(folder)
    if pid is None:
        return False
    (folder / STOPPING).touch()
    for signal_number, seconds in ((signal.SIGTERM, timeout), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not runs_in(pid, folder):
                return True
            time.sleep(0.05)
        logger.warning("the program in %s (pid %d) did not end within %.0f s", folder, pid, seconds)
    raise HceError(f"could not end the program in {folder} (pid {pid})", remedy=f"Read its log: {folder / LOG}")


def log_tail(folder: Path) -> str:
    """The last lines of a program's log."""
    try:
        return last_lines((folder / LOG).read_text(errors="replace"))
    except OSError:
        return "there is no log"
