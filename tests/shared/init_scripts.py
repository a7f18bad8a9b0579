"""The image's init scripts give the same schema as the registrar's migrations."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from pyhce import local
from pyhce.citus.connection import connect, scalar
from pyhce.citus.migrate import applied_migrations, migrate
from pyhce.citus.register import register
from pyhce.schema.declaration import SCHEMA
from tests.conftest import free_port, server_folder

SCRIPT = Path(__file__).parents[2] / "postgres-citus" / "init" / "02-schema-fhir.sql"


def run(cluster: local.LocalCluster, program: str, *arguments: str, **environment: str) -> str:
    """Run one of PostgreSQL's programs against the coordinator and return its output."""
    done = subprocess.run(
        [cluster.engine.program(program), *arguments],
        env={**os.environ, **local.environment(cluster), **environment}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def dumped(cluster: local.LocalCluster) -> str:
    """The output of pg_dump --schema-only without the lines that differ in each run."""
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", run(cluster, "pg_dump", "--schema-only"))


def test_the_script_and_the_migrations_give_the_same_dump(engine: local.Engine) -> None:
    with server_folder() as one, server_folder() as other:
        scripted = local.start(one, engine=engine, workers=1, port=free_port())
        run(scripted, "psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPT), HCE_TIME_ZONE="America/Lima")
        migrated = local.start(other, engine=engine, workers=1, port=free_port())
        with connect(local.dsn(migrated)) as conn:
            migrate(conn, SCHEMA, time_zone="America/Lima")
        assert dumped(scripted) == dumped(migrated)
        with connect(local.dsn(scripted)) as conn, connect(local.dsn(migrated)) as second:
            assert applied_migrations(conn) == applied_migrations(second)
            assert scalar(conn, "SELECT zona_horaria FROM hce.instalacion") == "America/Lima"


def test_the_script_can_run_twice_and_the_registrar_has_no_migration_to_apply(engine: local.Engine) -> None:
    with server_folder() as folder:
        cluster = local.start(folder, engine=engine, workers=1, port=free_port())
        for _ in range(2):
            run(cluster, "psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPT))
        assert register(local.dsn(cluster), schema=SCHEMA, workers=[]).migrations == ()


def test_the_script_does_nothing_on_a_worker(engine: local.Engine) -> None:
    with server_folder() as folder:
        cluster = local.start(folder, engine=engine, workers=1, port=free_port())
        run(cluster, "psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPT), HCE_NODE_ROLE="worker")
        with connect(local.dsn(cluster)) as conn:
            assert scalar(conn, "SELECT to_regnamespace('hce')") is None
