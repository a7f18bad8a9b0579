"""The site's own roles on Citus: on every node, on workers added later, and after a registrar that failed halfway."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import pyhce
from pyhce import local
from pyhce.citus.connection import DatabaseConnection, connect, dsn_at, scalar, wait_for_connection
from pyhce.citus.nodes import Node
from pyhce.citus.register import RegistrationReport, register
from pyhce.errors import ConnectionFailed, HceError
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.shorthand import text
from pyhce.schema.model import Schema
from pyhce.verify import verify
from tests.conftest import registered_database
from tests.shared.database import TestDatabase
from tests.shared.roles import *  # noqa: F403 - every test of it, on a coordinator and two workers
from tests.shared.roles import as_role

EVERY_SHARD = "SELECT count(*) FROM observacion"


@pytest.fixture
def own(citus_engine: local.Engine) -> Iterator[TestDatabase]:
    """A cluster of one test's own: a coordinator and a worker."""
    with registered_database(citus_engine, 1) as made:
        yield made


def registered(db: TestDatabase, **more: str) -> RegistrationReport:
    """Register what runs now; `more` are other passwords than those of the folder."""
    nodes = [Node(host=node.host, port=node.port) for node in db.cluster.workers]
    return register(db.dsn, schema=SCHEMA, workers=nodes, passwords={**local.passwords(db.folder), **more})


def count_at_every_node(db: TestDatabase, dsn: str) -> None:
    """A query over all shards from each node: nodes log in to each other as the role."""
    for node in db.cluster.nodes:
        with connect(dsn_at(dsn, node.host, node.port)) as conn:
            assert scalar(conn, EVERY_SHARD) is not None


def with_password(db: TestDatabase, role: str, password: str) -> str:
    node = db.cluster.coordinator
    return (
        f"host={node.host} port={node.port} user={role} dbname=hce_distribuida passfile=/dev/null password={password}"
    )


def workers_at(db: TestDatabase) -> list[DatabaseConnection]:
    return [connect(dsn_at(db.dsn, node.host, node.port)) for node in db.cluster.workers]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_role_is_added_used_copied_to_a_new_worker_rotated_and_dropped(
    own: TestDatabase, citus_engine: local.Engine, tmp_path: Path
) -> None:
    file = tmp_path / "lis.pgpass"
    pyhce.add_role("lis", like="readonly", pgpass=file, dsn=own.dsn)
    count_at_every_node(own, as_role(own, "lis", file))
    local.start(own.folder, engine=citus_engine, workers=2, port=own.cluster.coordinator.port)
    registered(own)
    own.conn.execute("SELECT rebalance_table_shards(shard_transfer_mode => 'block_writes')")
    assert len(own.cluster.workers) == 2
    count_at_every_node(own, as_role(own, "lis", file))
    assert verify(own.dsn, schema=SCHEMA, groups=["nodes", "schema", "placement"]).failed == ()
    pyhce.rotate_role("lis", pgpass=file, dsn=own.dsn)
    count_at_every_node(own, as_role(own, "lis", file))
    assert not registered(own).changed
    pyhce.drop_role("lis", dsn=own.dsn)
    for conn in [connect(own.dsn), *workers_at(own)]:
        with conn:
            assert scalar(conn, "SELECT count(*) FROM pg_roles WHERE rolname = 'lis'") == 0
            assert scalar(conn, "SELECT count(*) FROM pg_dist_authinfo WHERE rolename = 'lis'") == 0
    with pytest.raises(ConnectionFailed):
        connect(as_role(own, "lis", file))
    assert verify(own.dsn, schema=SCHEMA, groups=["nodes"]).failed == ()


def test_a_role_created_by_hand_is_reported_and_works_after_rotation(db: TestDatabase, tmp_path: Path) -> None:
    db.conn.execute("CREATE ROLE manual LOGIN PASSWORD 'made-by-hand' IN ROLE hce_readonly")
    try:
        with connect(with_password(db, "manual", "made-by-hand")) as conn, pytest.raises(psycopg.OperationalError):
            conn.execute(EVERY_SHARD.encode())
        (problem,) = registered(db).not_mended
        assert problem.endswith("repair it with: pyhce role rotate manual")
        assert {c.code for c in verify(db.dsn, schema=SCHEMA, groups=["nodes"]).failed} == {"HCE0108"}
        pyhce.rotate_role("manual", password="made-by-hand", dsn=db.dsn)
        count_at_every_node(db, with_password(db, "manual", "made-by-hand"))
        assert verify(db.dsn, schema=SCHEMA, groups=["nodes"]).failed == ()
        assert not registered(db).changed
    finally:
        pyhce.drop_role("manual", dsn=db.dsn)


BREAKS = {
    "no secret": "DELETE FROM pg_dist_authinfo WHERE rolename = 'broken'",
    "a wrong secret": "UPDATE pg_dist_authinfo SET authinfo = 'password=wrong-one' WHERE rolename = 'broken'",
    "no login": "ALTER ROLE broken NOLOGIN",
    "another password": "ALTER ROLE broken PASSWORD 'another-one'",
    "no membership": "REVOKE hce_readonly FROM broken",
    "no role": "DELETE FROM pg_dist_authinfo WHERE rolename = 'broken'; DROP ROLE broken",
}


@pytest.mark.parametrize("what", sorted(BREAKS))
def test_a_broken_role_on_one_worker_is_reported_and_register_repairs_it(
    db: TestDatabase, tmp_path: Path, what: str
) -> None:
    pyhce.add_role("broken", like="readonly", password="a-good-password", dsn=db.dsn)
    node = db.cluster.workers[1]
    try:
        with connect(dsn_at(db.dsn, node.host, node.port)) as worker:
            worker.execute("SET citus.enable_ddl_propagation TO off")
            for statement in BREAKS[what].split("; "):
                worker.execute(statement.encode())
        (failed,) = verify(db.dsn, schema=SCHEMA, groups=["nodes"]).failed
        assert failed.code == "HCE0108"
        assert str(node.port) in failed.found
        assert registered(db).changed
        assert verify(db.dsn, schema=SCHEMA, groups=["nodes"]).failed == ()
        count_at_every_node(db, with_password(db, "broken", "a-good-password"))
        assert not registered(db).changed
    finally:
        pyhce.drop_role("broken", dsn=db.dsn)


def test_a_role_command_with_a_worker_down_changes_nothing(db: TestDatabase, tmp_path: Path) -> None:
    pyhce.add_role("held", like="readonly", password="a-good-password", dsn=db.dsn)
    victim = db.cluster.workers[0].pid
    assert victim
    os.kill(victim, signal.SIGKILL)
    try:
        with pytest.raises(HceError):
            pyhce.rotate_role("held", password="not-that-one", dsn=db.dsn)
        with pytest.raises(HceError):
            pyhce.add_role("late", like="readonly", password="a-good-password", dsn=db.dsn)
    finally:
        db.start()
        wait_for_connection(dsn_at(db.dsn, "localhost", db.cluster.workers[0].port), timeout=60).close()
    assert db.value("SELECT count(*) FROM pg_roles WHERE rolname = 'late'") == 0
    count_at_every_node(db, with_password(db, "held", "a-good-password"))
    pyhce.drop_role("held", dsn=db.dsn)
    assert verify(db.dsn, schema=SCHEMA, groups=["nodes"], wait=30).failed == ()


LATER = Schema(
    tables=tuple(
        table.model_copy(update={"columns": (*table.columns, text("sigla", "alias", "Sigla", "Alias", since=99))})
        if table.name == "organizacion"
        else table
        for table in SCHEMA.tables
    ),
    helpers=SCHEMA.helpers,
    patient_paths=SCHEMA.patient_paths,
    bare_migrations=SCHEMA.bare_migrations,
)
"""The declaration with one more column, so that there is a migration to apply."""
STEPS = {
    "a worker that joins": "worker localhost:{port}",
    "a migration": "migration 99",
    "the passwords": "roles and their passwords",
}
"""The registrar's progress line at the beginning of a step."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", sorted(STEPS))
def test_a_registrar_that_fails_halfway_leaves_the_passwords_unchanged(
    own: TestDatabase, citus_engine: local.Engine, step: str
) -> None:
    """A worker is killed when the step begins; the run also has a new password."""
    old = local.passwords(own.folder)["hce_app"]
    local.start(own.folder, engine=citus_engine, workers=2, port=own.cluster.coordinator.port)
    nodes = [Node(host=node.host, port=node.port) for node in own.cluster.workers]
    wanted = {**local.passwords(own.folder), "hce_app": "another-password"}
    line = STEPS[step].format(port=nodes[1].port)
    lines: list[str] = []

    def kill(progress: str) -> None:
        lines.append(progress)
        victim = own.cluster.workers[0].pid
        if progress.startswith(line) and victim:
            os.kill(victim, signal.SIGKILL)

    with pytest.raises(HceError):
        register(own.dsn, schema=LATER, workers=nodes, passwords=wanted, timeout=30, progress=kill)
    assert any(progress.startswith(line) for progress in lines)
    local.start(own.folder, engine=citus_engine, port=own.cluster.coordinator.port)
    wait_for_connection(dsn_at(own.dsn, nodes[0].host, nodes[0].port), timeout=60).close()
    with connect(with_password(own, "hce_app", old)) as conn:
        assert scalar(conn, EVERY_SHARD) == 0
    with pytest.raises(ConnectionFailed, match="password"):
        connect(with_password(own, "hce_app", "another-password"))
    register(own.dsn, schema=LATER, workers=nodes, passwords=wanted)
    count_at_every_node(own, with_password(own, "hce_app", "another-password"))
    with pytest.raises(ConnectionFailed, match="password"):
        connect(with_password(own, "hce_app", old))
