"""The registrar on real nodes: it can be repeated and killed, repairs nodes, and refuses foreign workers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyhce import local
from pyhce.citus.connection import connect, dsn_at, scalar
from pyhce.citus.nodes import Node, registered_nodes
from pyhce.citus.register import RegistrationReport, register
from pyhce.errors import ConnectionFailed, ForeignNode, HceError, SchemaMismatch, UsageError
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.shorthand import text
from pyhce.schema.model import Schema
from pyhce.verify import verify
from tests.conftest import free_port, server_folder
from tests.shared.database import TestDatabase
from tests.shared.slices import SMALL, schema_variant, sliced
from tests.shared.until import until

__all__ = ["sliced"]
pytestmark = pytest.mark.usefixtures("sliced")

LATER = SCHEMA.version + 1
"""The number of the migration after those of the declaration."""


@contextmanager
def fresh(engine: local.Engine, workers: int = 2) -> Iterator[local.LocalCluster]:
    """Nodes for one test, with nothing registered."""
    with server_folder() as folder:
        yield local.start(folder, engine=engine, workers=workers, port=free_port())


def workers_of(cluster: local.LocalCluster) -> list[Node]:
    return [Node(host=n.host, port=n.port) for n in cluster.workers]


def registered(cluster: local.LocalCluster, schema: Schema = SMALL, **options: object) -> RegistrationReport:
    options.setdefault("workers", workers_of(cluster))
    return register(
        local.dsn(cluster), schema=schema, passwords=local.passwords(cluster.folder), shard_count=8, **options
    )  # type: ignore[arg-type]


def allow_address(cluster: local.LocalCluster) -> None:
    """Add entries for 127.0.0.1 to the password file."""
    path = cluster.folder / "pgpass"
    path.write_text(path.read_text() + path.read_text().replace("localhost", "127.0.0.1"))


def test_a_second_run_changes_nothing(db: TestDatabase) -> None:
    report = register(db.dsn, schema=SCHEMA, workers=workers_of(db.cluster), passwords=local.passwords(db.folder))
    assert not report.changed, report


def test_every_table_is_distributed_as_declared(db: TestDatabase) -> None:
    report = verify(db.dsn, schema=SCHEMA)
    assert report.failed == ()
    assert [c.code for c in report.checks if c.result == "skipped" and c.group != "standbys"] == []
    patients = {t.name for t in SCHEMA.distributed_by_patient() if t.sql_schema == "public"}
    rows = db.rows(
        "SELECT table_name::text FROM citus_tables WHERE distribution_column = 'documento_id' AND colocation_id ="
        " (SELECT colocation_id FROM citus_tables WHERE table_name = 'expediente'::regclass)"
    )
    assert patients <= {name for (name,) in rows}


@pytest.mark.slow
def test_the_whole_schema_registers_within_its_time(citus_engine: local.Engine) -> None:
    with fresh(citus_engine) as cluster:
        report = register(
            local.dsn(cluster), schema=SCHEMA, workers=workers_of(cluster), passwords=local.passwords(cluster.folder)
        )
    share = max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))  # how many processes want each core
    assert report.seconds < 60 * share, "the goal is 15 s on two idle cores; this limit finds only a large change"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_any_moment_the_next_run_finishes(citus_engine: local.Engine) -> None:
    generator = random.Random(7)  # noqa: S311 - not for security
    with fresh(citus_engine) as cluster:
        command = [
            sys.executable, "-m", "pyhce", "register", "--dsn", local.dsn(cluster), "--shards", "8",
            *(part for node in workers_of(cluster) for part in ("--worker", str(node))),
        ]  # fmt: skip
        for _ in range(8):
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(timeout=0.5 + generator.random() * 2.5)
            except subprocess.TimeoutExpired:
                os.kill(run.pid, signal.SIGKILL)
                run.wait()
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        report = verify(local.dsn(cluster), schema=SCHEMA)
        assert [(c.code, c.found) for c in report.failed if c.code != "HCE0702"] == []


def test_two_registrars_at_once_give_the_result_of_one(citus_engine: local.Engine) -> None:
    with fresh(citus_engine) as cluster, ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: registered(cluster), range(2)))
        assert sorted(bool(report.distributed) for report in reports) == [False, True]


def test_a_registrar_that_waits_too_long_for_another_one_changes_nothing(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster, connect(local.dsn(cluster)) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (0x484345,))
        with pytest.raises(HceError, match="another registrar"):
            registered(cluster, timeout=1.0)
        assert registered_nodes(other) == []


def test_a_node_that_is_down_is_awaited_and_then_named_in_the_error(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster:
        unused = free_port()
        with pytest.raises(ConnectionFailed, match=f"localhost:{unused}"):
            registered(cluster, workers=[Node(host="localhost", port=unused)], timeout=2.0)
        with connect(local.dsn(cluster)) as conn:
            assert registered_nodes(conn) == []
            assert scalar(conn, "SELECT to_regclass('public.expediente')") is None


def test_a_broken_node_is_repaired(citus_engine: local.Engine) -> None:
    with fresh(citus_engine) as cluster, connect(local.dsn(cluster)) as conn:
        registered(cluster)
        one, two = workers_of(cluster)
        conn.execute("SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', false)", (one.host, one.port))
        conn.execute("UPDATE pg_dist_node SET isactive = false WHERE nodeport = %s", (two.port,))
        conn.execute("UPDATE pg_dist_node SET metadatasynced = false WHERE nodeport = %s", (one.port,))
        report = registered(cluster)
        assert report.nodes[:3] == (
            f"activated {one} and synced its metadata",
            f"allowed shards on {one} again",
            f"activated {two} and synced its metadata",
        )
        assert all(n.active and n.synced and n.has_metadata for n in registered_nodes(conn))
        assert not registered(cluster).changed


def test_a_node_under_a_wrong_name_gets_the_right_one(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster, connect(local.dsn(cluster)) as conn:
        allow_address(cluster)
        registered(
            cluster,
            workers=[Node(host="127.0.0.1", port=cluster.workers[0].port)],
            coordinator=Node(host="127.0.0.1", port=cluster.coordinator.port),
        )
        before = scalar(conn, "SELECT count(*) FROM pg_dist_placement")
        report = registered(cluster)
        assert f"renamed 127.0.0.1:{cluster.workers[0].port} to {workers_of(cluster)[0]}" in report.nodes
        assert scalar(conn, "SELECT count(*) FROM pg_dist_placement") == before
        assert not registered(cluster).changed


def test_the_coordinators_name_is_corrected(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster, connect(local.dsn(cluster)) as conn:
        allow_address(cluster)
        registered(cluster, coordinator=Node(host="127.0.0.1", port=cluster.coordinator.port))
        assert not registered(cluster).changed  # without a name, the registered one is kept
        here = Node(host="localhost", port=cluster.coordinator.port)
        assert registered(cluster, coordinator=here).nodes == (f"registered the coordinator as {here}",)
        assert registered_nodes(conn)[0].host == "localhost"


def test_a_worker_of_another_cluster_is_refused_and_nothing_changes(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as one, fresh(citus_engine, 1) as other:
        registered(one)
        registered(other)
        with connect(local.dsn(one)) as conn:
            before = registered_nodes(conn)
            (folder := one.folder / "pgpass").write_text(folder.read_text() + (other.folder / "pgpass").read_text())
            with pytest.raises(ForeignNode, match="another cluster") as caught:
                registered(one, workers=[*workers_of(one), *workers_of(other)])
            assert "empty volume" in caught.value.remedy
            assert registered_nodes(conn) == before
        assert verify(local.dsn(other), schema=SMALL, groups=["nodes"]).ok


def test_a_worker_with_tables_of_its_own_is_refused(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster:
        node = workers_of(cluster)[0]
        with connect(dsn_at(local.dsn(cluster), node.host, node.port)) as worker:
            worker.execute("CREATE TABLE paciente (id text)")
        with pytest.raises(ForeignNode, match="has 1 table in the schemas public and hce"):
            registered(cluster)


def test_a_registered_worker_that_lost_its_data_is_refused(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster, fresh(citus_engine, 1) as empty:
        registered(cluster)
        with connect(local.dsn(cluster)) as conn:
            conn.execute("UPDATE pg_dist_node SET nodeport = %s WHERE groupid <> 0", (empty.workers[0].port,))
        (cluster.folder / "pgpass").write_text(
            (cluster.folder / "pgpass").read_text() + (empty.folder / "pgpass").read_text()
        )
        with pytest.raises(ForeignNode, match="its database is empty"):
            registered(cluster, workers=workers_of(empty))


def test_a_worker_added_later_gets_what_citus_does_not_propagate(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster:
        registered(cluster)
        more = local.start(cluster.folder, engine=citus_engine, workers=2, port=cluster.coordinator.port)
        registered(more)
        late = more.workers[1]
        with connect(dsn_at(local.dsn(more), late.host, late.port)) as worker:
            assert scalar(worker, "SELECT has_database_privilege('hce_app', current_database(), 'CONNECT')")
            assert not scalar(worker, "SELECT has_database_privilege('public', current_database(), 'CONNECT')")
            assert scalar(worker, "SELECT count(*) FROM pg_dist_authinfo WHERE nodeid = 0") == 5
        report = verify(local.dsn(more), schema=SMALL, groups=["nodes", "schema"])
        assert report.failed == ()
        everywhere = {c.code: c for c in verify(local.dsn(more), schema=SMALL, groups=["placement"]).checks}["HCE0304"]
        assert everywhere.result == "ok", everywhere
        with connect(local.dsn(more)) as conn:
            conn.execute("SELECT rebalance_table_shards(shard_transfer_mode => 'block_writes')")
        placement = verify(local.dsn(more), schema=SMALL, groups=["placement", "routing", "round trip"])
        assert placement.failed == ()
        assert {c.code: c.result for c in placement.checks}["HCE0301"] == "ok"


def test_shards_move_while_the_tables_belong_to_a_role_that_cannot_log_in(citus_engine: local.Engine) -> None:
    with fresh(citus_engine) as cluster, connect(local.dsn(cluster)) as conn:
        registered(cluster)
        shard, source = conn.execute(
            "SELECT shardid, nodeport FROM citus_shards WHERE table_name = 'paciente'::regclass LIMIT 1"
        ).fetchone() or (0, 0)
        target = next(n.port for n in cluster.workers if n.port != source)
        conn.execute(
            "SELECT citus_move_shard_placement(%s, 'localhost', %s, 'localhost', %s, 'force_logical')",
            (shard, source, target),
        )
        assert verify(local.dsn(cluster), schema=SMALL).failed == ()


def test_nodes_log_in_to_each_other_after_a_restart(db: TestDatabase) -> None:
    local.stop(db.folder)
    db.start()
    report = verify(db.dsn, schema=SCHEMA, groups=["nodes", "round trip"], wait=30)
    assert report.failed == ()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_killed_node_comes_back_by_the_same_command(db: TestDatabase, number: int) -> None:
    node = db.cluster.nodes[number]
    assert node.pid
    os.kill(node.pid, signal.SIGKILL)
    db.start()
    assert verify(db.dsn, schema=SCHEMA, wait=30).failed == ()


def test_a_registrar_older_than_the_schema_refuses(citus_engine: local.Engine) -> None:
    organization = SMALL.table("organizacion")
    newer = organization.model_copy(
        update={"columns": (*organization.columns, text("sigla", "alias", "Sigla", "Alias", since=LATER))}
    )
    tomorrow = schema_variant(SMALL, tables=tuple(newer if t.name == newer.name else t for t in SMALL.tables))
    with fresh(citus_engine, 1) as cluster:
        registered(cluster)
        report = registered(cluster, tomorrow)
        assert (report.migrations, report.distributed) == ((LATER,), ())
        assert verify(local.dsn(cluster), schema=tomorrow, groups=["schema"]).failed == ()
        with pytest.raises(SchemaMismatch, match=rf"at migration {LATER}, this pyhce .* knows up to {LATER - 1}"):
            registered(cluster, SMALL)


def test_a_migration_of_another_build_is_refused(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster, connect(local.dsn(cluster)) as conn:
        registered(cluster)
        conn.execute("UPDATE hce.migracion SET huella = 'x'")
        with pytest.raises(SchemaMismatch, match="is not the one of"):
            registered(cluster)


def test_a_role_that_is_not_a_superuser_is_refused(db: TestDatabase) -> None:
    dsn = local.dsn(db.cluster, "hce_app")
    with pytest.raises(UsageError, match="hce_app is not a superuser"):
        register(dsn, schema=SCHEMA)


def test_an_unknown_time_zone_is_refused(citus_engine: local.Engine) -> None:
    with fresh(citus_engine, 1) as cluster, pytest.raises(UsageError, match="America/Macondo"):
        registered(cluster, time_zone="America/Macondo")


def test_a_killed_worker_fails_a_load_with_a_clear_error_and_the_next_run_loses_nothing(
    db: TestDatabase, tmp_path: Path
) -> None:
    from pyhce import sample
    from tests.shared.database import unique
    from tests.shared.records import expected

    source = unique()
    command = [
        sys.executable, "-m", "pyhce", "load", "--source", source, "--dsn", db.dsn, "--rejects", str(tmp_path / "r"),
        *map(str, sample.files()),
    ]  # fmt: skip
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%archivo_cargado%'"
        " AND application_name = 'pyhce' AND pid <> pg_backend_pid()"
    )
    with connect(db.dsn, autocommit=False) as other:  # while this table is locked, no file can be finished
        other.execute("LOCK TABLE hce.archivo_cargado IN EXCLUSIVE MODE")
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        until(lambda: db.value(waiting) > 0, "the load does not wait for the lock")
        victim = db.cluster.workers[0].pid
        assert victim
        os.kill(victim, signal.SIGKILL)
    _, errors = run.communicate(timeout=120)
    assert run.returncode != 0
    assert "error:" in errors and "Traceback" not in errors, errors
    db.start()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wanted, found = expected(list(sample.files())), db.exported(tmp_path, source)
    assert found.keys() == wanted.keys()
    assert verify(db.dsn, schema=SCHEMA, wait=30).failed == ()
