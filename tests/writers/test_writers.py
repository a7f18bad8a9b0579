"""The stress test of writers on each engine, for PYHCE_MINUTES minutes, with a new seed every minute."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from tests.conftest import registered_database
from tests.shared.database import TestDatabase
from tests.shared.stress import writers_leave_each_identity_once

MINUTES = float(os.environ.get("PYHCE_MINUTES") or 1)
FIRST_SEED = int(os.environ.get("PYHCE_SEED") or time.time())


@pytest.fixture(params=["one", "citus"])
def db(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of each engine."""
    engine: local.Engine = request.getfixturevalue("embedded_engine" if request.param == "one" else "citus_engine")
    with registered_database(engine, 0 if request.param == "one" else 2) as made:
        yield made


@pytest.mark.timeout(MINUTES * 60 + 1800)
def test_writers_of_all_kinds_leave_each_identity_once(db: TestDatabase, tmp_path: Path) -> None:
    until, seed, operations = time.monotonic() + MINUTES * 60, FIRST_SEED, Counter[str]()
    while time.monotonic() < until:
        seconds = min(60.0, until - time.monotonic())
        operations.update(writers_leave_each_identity_once(db, tmp_path, seed, seconds).operations)
        print(f"seed {seed}: {dict(operations)}", file=sys.stderr, flush=True)
        seed += 1
