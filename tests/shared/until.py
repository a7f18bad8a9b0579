"""Wait for a condition, not for the clock."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    condition: Callable[[], bool], failure: str = "the condition did not become true in time", *, seconds: float = 60
) -> None:
    """Wait until a condition is true; the test fails with `failure` if it is not after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.02)
