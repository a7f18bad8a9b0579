"""A load that is killed twenty times at random moments, then run to its end; on each engine."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from pyhce.errors import HceError
from tests.conftest import registered_database
from tests.shared.database import TestDatabase, unique
from tests.shared.loads import loaded, people, state, written

KILLS = 20


@pytest.fixture(params=["embedded", "citus"])
def db(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of the engine's own."""
    try:
        engine = local.find_engine(citus=request.param == "citus")
    except HceError as error:
        pytest.skip(str(error))
    with registered_database(engine, 2 if request.param == "citus" else 0) as made:
        yield made


@pytest.mark.timeout(1800)
def test_twenty_kills_leave_what_an_undisturbed_load_leaves(db: TestDatabase, tmp_path: Path) -> None:
    calm, killed, seed = unique(), unique(), int(time.time())
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    lines = list(people(40, 1500))
    files = [written(tmp_path / f"{n:02}.ndjson", lines[n::12]) for n in range(12)]
    whole = loaded(db, *files, source=calm, jobs=2)
    command = [
        sys.executable, "-m", "pyhce", "load", *map(str, files), "--dsn", db.dsn,
        "--rejects", str(tmp_path / "r"), "--output", "json", "--source",
    ]  # fmt: skip
    kills, rounds = 0, []
    while kills < KILLS:
        run = subprocess.Popen([*command, killed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(timeout=chance.uniform(0.5, whole.seconds + 2))
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            kills += 1
        else:  # it finished between two kills
            assert state(db, killed) == state(db, calm)
            killed = unique()
        rounds.append(db.value("SELECT count(*) FROM observacion WHERE fuente = %s", killed))
    done = json.loads(subprocess.run([*command, killed], check=True, capture_output=True, text=True).stdout)
    print(f"seed {seed}: rows after each kill {rounds}; {done['passed_over']} files passed over at last")
    assert state(db, killed) == state(db, calm)
    assert db.value("SELECT count(*) FROM hce.carga") == 0
