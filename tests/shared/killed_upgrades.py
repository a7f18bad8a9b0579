"""`pyhce register` is killed (kill -9) again and again while it upgrades a database of the former release in use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyhce import local
from pyhce.citus.connection import connect
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.conftest import SHARDS
from tests.shared.database import TestDatabase
from tests.shared.former import former_database, unnamed
from tests.shared.former_documents import EXPECTED, PATIENTS, contents, filled, place
from tests.shared.until import until
from tests.shared.upgrade_in_use import BackgroundLoop, SavesAcrossReleases, former_writer, not_stored_once
from tests.shared.upgrades import register_schema

pytestmark = pytest.mark.slow  # each test has servers of its own

PARTS_BETWEEN = 13
"""A run is killed when it has begun so many parts of the migration that no run had begun before."""
SMALL_PAGES = """
from pyhce.citus import online
from pyhce.cli.main import main
from pyhce.records.upgrading import document_step
document_step.PAGE, online.PAUSE = 3, 0.2
main()
"""
"""The command `pyhce`, with a data step in pages of three records and short waits for a lock."""


@pytest.mark.timeout(1800)
def test_a_registrar_killed_at_many_points_beside_writers_is_run_again_and_loses_nothing(
    engine: local.Engine, workers: int, tmp_path: Path
) -> None:
    with former_database(engine, workers) as db:
        filled(db, tmp_path)
        before = of_the_filling(db)
        writing = SavesAcrossReleases(db, SCHEMA)
        with connect(unnamed(db.dsn)) as reading, former_writer(db) as (process, former_acknowledged):
            until(lambda: len(former_acknowledged) > 20)
            reader = BackgroundLoop(lambda: reading.execute("SELECT count(*) FROM observacion") and None)
            writer = BackgroundLoop(writing.step)
            try:
                killed_at = kill_until_it_ends(db)
                process.wait(timeout=60)
                until(lambda: len(writing.acknowledged) > 20)
            finally:
                for background in (writer, reader):
                    background.stop()
                writing.close()

        assert sum("part" in line for line in killed_at) >= 5, killed_at
        assert sum("records done" in line for line in killed_at) >= 2, killed_at
        assert of_the_filling(db) == before
        assert {key: place(db, *key) for key in EXPECTED} == EXPECTED
        assert {key: place(db, *key, kind="Patient") for key in PATIENTS} == PATIENTS
        assert not_stored_once(db, SCHEMA, "former", former_acknowledged) == []
        assert not_stored_once(db, SCHEMA, "present", writing.acknowledged) == []
        assert verify(db.dsn, schema=SCHEMA).failed == ()
        again = register_schema(db, SCHEMA)
        assert (again.migrations, again.distributed, again.data_steps, again.nodes) == ((), (), (), ())


def of_the_filling(db: TestDatabase) -> list[Any]:
    """Every resource and former version of the sources that no writer writes to."""
    return [row for row in contents(db) if row[1] not in {"former", "present"}]


def kill_until_it_ends(db: TestDatabase) -> list[str]:
    """Run the registrar, kill it at a point that no run had reached, and so on until a run ends; the points."""
    seen: set[str] = set()
    killed_at: list[str] = []
    while (line := _killed(db, seen)) is not None:
        killed_at.append(line)
    return killed_at


def _killed(db: TestDatabase, seen: set[str]) -> str | None:
    """Run the registrar until it is killed; the line that it had printed last. None if it ended."""
    nodes = [word for node in db.cluster.workers for word in ("--worker", f"{node.host}:{node.port}")]
    command = [sys.executable, "-c", SMALL_PAGES, "register", "--dsn", db.dsn, "--shards", str(SHARDS), *nodes]
    new = 0
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "COLUMNS": "200"}
    ) as process:
        assert process.stdout is not None
        for line in map(str.strip, process.stdout):
            lines.append(line)
            if line in seen or not ("part" in line or "records done" in line):
                continue
            seen.add(line)
            new += 1
            if new == PARTS_BETWEEN or "records done" in line:
                process.kill()
                return line
    assert process.returncode == 0, "\n".join(lines)
    return None
