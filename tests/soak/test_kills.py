"""A load that is killed twenty times at random moments and then completes, on each engine."""

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
from tests.shared.loads import loaded, people, rows_with_versions, written

KILLS = 20


@pytest.fixture(params=["embedded", "citus"])
def db(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A registered database of each engine."""
    try:
        engine = local.find_engine(citus=request.param == "citus")
    except HceError as error:
        pytest.skip(str(error))
    with registered_database(engine, 2 if request.param == "citus" else 0) as database:
        yield database


@pytest.mark.timeout(1800)
def test_a_load_killed_twenty_times_leaves_the_same_rows_as_an_undisturbed_load(
    db: TestDatabase, tmp_path: Path
) -> None:
    undisturbed, killed, seed = unique(), unique(), int(time.time())
    chance = random.Random(seed)  # noqa: S311 - not a secret
    lines = list(people(40, 1500))
    files = [written(tmp_path / f"{n:02}.ndjson", lines[n::12]) for n in range(12)]
    undisturbed_report = loaded(db, *files, source=undisturbed, jobs=2)
    command = [
        sys.executable, "-m", "pyhce", "load", *map(str, files), "--dsn", db.dsn,
        "--rejects", str(tmp_path / "r"), "--output", "json", "--source",
    ]  # fmt: skip
    kills, row_counts = 0, []
    while kills < KILLS:
        run = subprocess.Popen([*command, killed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(timeout=chance.uniform(0.5, undisturbed_report.seconds + 2))
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            kills += 1
        else:  # the load completed between two kills; the next one has a new source
            assert rows_with_versions(db, killed) == rows_with_versions(db, undisturbed)
            killed = unique()
        row_counts.append(db.value("SELECT count(*) FROM observacion WHERE fuente = %s", killed))
    report = json.loads(subprocess.run([*command, killed], check=True, capture_output=True, text=True).stdout)
    print(f"seed {seed}: rows after each kill {row_counts}; the last run passed over {report['passed_over']} files")
    assert rows_with_versions(db, killed) == rows_with_versions(db, undisturbed)
    assert db.value("SELECT count(*) FROM hce.carga") == 0
