"""Transactions that stayed prepared on a worker: writers wait for them after a lost node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg import sql

from pyhce import local
from pyhce.citus.connection import connect, dsn_at
from pyhce.citus.failover import wait_for_interrupted_commits
from pyhce.errors import HceError
from tests.shared.database import TestDatabase, unique


@contextmanager
def prepared_on_a_worker(db: TestDatabase) -> Iterator[str]:
    """A transaction as Citus leaves it on a worker if the coordinator is killed before COMMIT."""
    worker, gid = db.cluster.workers[0], f"citus_0_99999_{int(unique()[:6], 16)}_1"
    with connect(dsn_at(db.dsn, worker.host, worker.port)) as conn:
        conn.execute("BEGIN")
        conn.execute("SELECT pg_current_xact_id()")
        conn.execute(sql.SQL("PREPARE TRANSACTION {}").format(gid))
        yield gid


def is_prepared(db: TestDatabase, gid: str) -> bool:
    worker = db.cluster.workers[0]
    with connect(dsn_at(db.dsn, worker.host, worker.port)) as conn:
        return conn.execute("SELECT 1 FROM pg_prepared_xacts WHERE gid = %s", (gid,)).fetchone() is not None


def test_an_application_waits_for_them_and_a_superuser_finishes_them(db: TestDatabase) -> None:
    with prepared_on_a_worker(db) as gid:
        with (
            connect(local.dsn(db.cluster, "hce_app")) as app,
            pytest.raises(HceError, match="1 transaction that a lost node") as late,
        ):
            wait_for_interrupted_commits(app, timeout=0)
        assert "recover_prepared_transactions" in late.value.remedy
        assert is_prepared(db, gid)
        wait_for_interrupted_commits(db.conn, timeout=60)
        assert not is_prepared(db, gid)
