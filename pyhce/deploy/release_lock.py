"""One pyhce at a time changes a release: a second one would take the first for an interrupted run and clear it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pyhce.errors import HceError


@contextmanager
def release_lock(context: str, namespace: str) -> Iterator[None]:
    """Hold a lock on a release while the block runs, without waiting for it.

    The lock is a file of this account on this machine: a pyhce elsewhere does not see it. The operating system
    releases it when the process ends, even by kill -9.

    Raises:
        HceError: another process holds the lock.
    """
    with _file_lock(f"{context}-{namespace}", f"another pyhce is changing the release in {namespace} of {context}"):
        yield


@contextmanager
def drill_lock(context: str) -> Iterator[None]:
    """Hold a lock on the machines of a cluster while the block runs, without waiting for it; as `release_lock`.

    Raises:
        HceError: another drill runs in the cluster.
    """
    with _file_lock(f"{context}.drill", f"another drill runs in {context}"):
        yield


@contextmanager
def _file_lock(name: str, wrong: str) -> Iterator[None]:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyhce"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / (re.sub(r"[^\w.-]", "_", name) + ".lock"), blocking=False)
    try:
        acquired = lock.acquire()
    except Timeout:
        raise HceError(wrong, remedy="Wait until it ends, or stop it; then run the same command again.") from None
    with acquired:
        yield
