"""Exports of a Citus cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyhce.citus.connection import connect, dsn_at
from tests.shared.database import TestDatabase
from tests.shared.exports import *  # noqa: F403 - every test of it, on Citus
from tests.shared.exports import exported, interrupted, lines, many, stored

_MOVE = """
SELECT citus_move_shard_placement(s.shardid, n.nodename, n.nodeport, t.nodename, t.nodeport, 'block_writes')
FROM pg_dist_shard AS s
INNER JOIN pg_dist_placement AS p ON p.shardid = s.shardid
INNER JOIN pg_dist_node AS n ON n.groupid = p.groupid
INNER JOIN pg_dist_node AS t ON t.groupid <> n.groupid AND t.groupid <> 0
WHERE s.shardid = %s"""


def move(conn: object, shard: int) -> None:
    """Move a shard, and those co-located with it, to the other worker, and clean up the old placement."""
    conn.execute(_MOVE, (shard,))  # type: ignore[attr-defined]
    conn.execute("CALL citus_cleanup_orphaned_resources()")  # type: ignore[attr-defined]


@contextmanager
def old_placements_kept(db: TestDatabase) -> Iterator[None]:
    """Keep the former placements of moved shards: Citus's maintenance daemon drops none of them meanwhile."""
    db.conn.execute("ALTER SYSTEM SET citus.defer_shard_delete_interval = -1")
    db.conn.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        db.conn.execute("ALTER SYSTEM RESET citus.defer_shard_delete_interval")
        db.conn.execute("SELECT pg_reload_conf()")


def shards_of(db: TestDatabase, source: str) -> list[int]:
    """Return the shards that hold a source's patients, those with the most patients first."""
    query = (
        "SELECT get_shard_id_for_distribution_column('expediente', d) AS shard FROM unnest(%s::text[]) AS d"
        " GROUP BY 1 ORDER BY count(*) DESC, 1"
    )
    documents = [row[0] for row in db.rows("SELECT documento_id FROM paciente WHERE fuente = %s", source)]
    return [row[0] for row in db.rows(query, documents)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shards_that_move_during_an_export_cause_no_missing_and_no_duplicate_lines(
    db: TestDatabase, tmp_path: Path
) -> None:
    source = many(db, tmp_path, patients=8)
    over, moved = threading.Event(), []

    def go_on_moving() -> None:
        with connect(db.dsn) as conn:
            while not over.is_set():
                for shard in shards_of(db_of(conn), source):
                    if not over.is_set():
                        move(conn, shard)
                        moved.append(shard)

    def db_of(conn: object) -> TestDatabase:
        return TestDatabase(folder=db.folder, dsn=db.dsn, conn=conn)  # type: ignore[arg-type]

    mover = threading.Thread(target=go_on_moving)
    mover.start()
    try:
        wanted = stored(db, source)
        for number in range(4):
            before = len(moved)
            report = exported(db, tmp_path / f"out{number}", source, jobs=2)
            assert lines(tmp_path / f"out{number}", report) == wanted
            assert len(moved) >= before
    finally:
        over.set()
        mover.join()
    assert moved


def test_a_kept_part_whose_shards_moved_is_not_read_again(db: TestDatabase, tmp_path: Path) -> None:
    source, moved = many(db, tmp_path, patients=8), []

    def move_many_once(_: object) -> None:  # more than the quarter that is read again, so the parts are kept
        if not moved:
            with connect(db.dsn) as conn:
                for shard in shards_of(db, source)[:3]:  # of at least 3 of the 8 patients
                    conn.execute(_MOVE, (shard,))  # to clean up would wait for the export
                    moved.append(shard)

    wanted = stored(db, source)
    with old_placements_kept(db):  # on a slow machine a part whose shard was dropped would be read again
        report = exported(db, tmp_path / "out", source, progress=move_many_once)
    assert moved
    assert lines(tmp_path / "out", report) == wanted
    assert not report.snapshot


def test_a_shard_that_moved_after_the_kill_is_read_where_it_is_now(db: TestDatabase, tmp_path: Path) -> None:
    source, to = many(db, tmp_path, patients=8), tmp_path / "out"
    with interrupted(db, to, source):
        for shard in shards_of(db, source)[:3]:
            move(db.conn, shard)
    report = exported(db, to, source)
    assert lines(to, report) == stored(db, source)
    assert report.snapshot


def test_an_export_through_the_coordinator_writes_the_same_lines(db: TestDatabase, tmp_path: Path) -> None:
    source = many(db, tmp_path)
    report = exported(db, tmp_path / "out", source, through_coordinator=True)
    assert lines(tmp_path / "out", report) == stored(db, source)
    assert report.snapshot


def test_a_half_committed_transaction_makes_the_export_inconsistent_and_the_manifest_says_so(
    db: TestDatabase, tmp_path: Path
) -> None:
    source = many(db, tmp_path, patients=40)  # on both workers
    worker = db.cluster.workers[0]
    with connect(dsn_at(db.dsn, worker.host, worker.port)) as other:
        other.execute("BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'citus_of_a_test'")
        try:
            report = exported(db, tmp_path / "out", source)
        finally:
            other.execute("ROLLBACK PREPARED 'citus_of_a_test'")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (report.snapshot, manifest["extension"]["snapshot"]) == (False, False)
    assert manifest["extension"]["start"] < manifest["extension"]["end"]
    assert lines(tmp_path / "out", report) == stored(db, source)
