"""One location for each identity, on a Citus cluster."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import pyhce
from pyhce.citus.connection import connect, dsn_at
from pyhce.errors import UsageError
from pyhce.records.writing.locks import GATE, close_gate, shared_gate
from pyhce.records.writing.retry import retry_transaction
from tests.shared.database import TestDatabase, unique
from tests.shared.erasure import waiting
from tests.shared.places import *  # noqa: F403 - every test of it
from tests.shared.records import weight
from tests.shared.until import until


def test_writes_that_begin_at_a_worker_are_refused(db: TestDatabase, tmp_path: Path) -> None:
    worker = db.cluster.workers[0]
    dsn = dsn_at(db.dsn, "localhost", worker.port)
    path = tmp_path / "o.ndjson"
    path.write_text(weight("o", None))
    source = unique()
    for write in (
        lambda: pyhce.connect(dsn, source=source),
        lambda: pyhce.load([path], dsn=dsn, source=source),
        lambda: pyhce.erase("CC-1", dsn=dsn, reason="test"),
        lambda: pyhce.rekey("CC-1", "CC-2", dsn=dsn),
        lambda: pyhce.repair_identities(dsn=dsn),
        lambda: pyhce.patient("CC-1", dsn=dsn),
    ):
        with pytest.raises(UsageError, match="is a worker of a Citus cluster") as refused:
            write()
        assert f":{db.cluster.coordinator.port}" in refused.value.remedy
    assert rows_per_identity(db, source) == {}  # noqa: F405


def test_a_look_up_waits_for_the_commit_of_a_moving_record_and_leaves_no_lock(db: TestDatabase) -> None:
    def look() -> str:
        with connect(db.dsn) as conn, shared_gate(conn):
            return "looked"

    with ThreadPoolExecutor(1) as pool, connect(db.dsn) as mover:
        with mover.transaction():
            close_gate(mover)
            looking = pool.submit(look)
            until(lambda: waiting(db) > 0)
            assert not looking.done()
        assert looking.result(timeout=60) == "looked"
    assert gates(db) == 0


def test_a_look_up_that_fails_in_a_transaction_releases_the_gate(db: TestDatabase) -> None:
    def work(divisor: int) -> None:
        with shared_gate(conn):
            conn.execute("SELECT 1 / %s", (divisor,))

    with connect(db.dsn) as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            retry_transaction(conn, lambda _: work(0), remedy="Again.")
        assert gates(db) == 0, "released after the rollback"
        retry_transaction(conn, lambda _: work(1), remedy="Again.")
        assert gates(db) == 0


def gates(db: TestDatabase) -> int:
    """The number of sessions that hold the gate."""
    return int(db.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s", GATE[0]))
