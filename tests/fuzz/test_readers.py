"""The fuzz: `python tests/run.py fuzz --minutes N`. PYHCE_FUZZ_SEED repeats a run."""

from __future__ import annotations

import os
import resource
import time

import pytest

from tests.fuzz.rounds import run


@pytest.mark.timeout(0)
def test_no_input_breaks_the_readers(capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("PYHCE_FUZZ_SEED") or time.time())
    minutes = float(os.environ.get("PYHCE_FUZZ_MINUTES", "1"))
    with capsys.disabled():
        print(f"\nseed {seed}, {minutes:g} minutes")
    counts = run(seed, seconds=60 * minutes)
    with capsys.disabled():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{dict(counts)}, {peak} MB at most")
