"""One pyhce at a time on a release: a second one would take the first for a run that was cut off, and clear it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyhce.errors import HceError


@contextmanager
def release_lock(context: str, namespace: str) -> Iterator[None]:
    """Hold a release of a cluster for this process, as far as this machine and account go; a kill gives it back.

    Raises:
        HceError: another process holds it.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyhce"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]", "_", f"{context}-{namespace}")
    with (folder / f"{name}.lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HceError(
                f"another pyhce is at work on {namespace} of {context}",
                remedy="Wait for it to end, or stop it; then run the same command again.",
            ) from None
        yield
