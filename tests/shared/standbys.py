"""Streaming standbys of the nodes of a database under test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from psycopg.conninfo import make_conninfo

from pyhce import local
from pyhce.citus.connection import connect, dsn_at, scalar
from pyhce.local.account import run_as, server_account
from tests.conftest import free_port
from tests.shared.database import TestDatabase
from tests.shared.until import until


@contextmanager
def standbys(db: TestDatabase) -> Iterator[dict[str, int]]:
    """Clone every node with pg_basebackup and run it as a streaming standby. Gives the ports by the node's name."""
    engine, account = db.cluster.engine, server_account()
    password = local.passwords(db.folder)["postgres"]
    base = db.folder.parent / "standbys"
    base.mkdir()
    if account.is_other_user:
        os.chown(base, account.uid, account.gid)
    first = free_port(len(db.cluster.nodes))
    ports = {node.name: first + number for number, node in enumerate(db.cluster.nodes)}
    with ExitStack() as stack:
        for node in db.cluster.nodes:
            data = str(base / node.name)
            clone = [
                engine.program("pg_basebackup"), "--pgdata", data, "--host", node.host, "--port", str(node.port),
                "--username", "postgres", "--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast",
            ]  # fmt: skip
            start = ["start", "--pgdata", data, "--wait", "--silent", "--options", f"-p {ports[node.name]}"]
            done = run_as(clone, account, timeout=120, env={"PGPASSWORD": password})
            assert done.returncode == 0, done.stdout
            stack.callback(
                run_as, [engine.program("pg_ctl"), "stop", "-D", data, "-m", "immediate"], account, timeout=60
            )
            log = ["--log", f"{data}/start.log"]
            assert run_as([engine.program("pg_ctl"), *start, *log], account, timeout=120).returncode == 0
        yield ports


def standby_dsn(db: TestDatabase, port: int, **parameters: str) -> str:
    """The DSN of a standby, as a superuser."""
    password = local.passwords(db.folder)[parameters.get("user", "postgres")]
    return make_conninfo(dsn_at(db.dsn, "localhost", port), **{"password": password, **parameters})


def until_replayed(db: TestDatabase, ports: dict[str, int]) -> None:
    """Wait until every standby has replayed what its node has written until now."""
    for node in db.cluster.nodes:
        with connect(dsn_at(db.dsn, node.host, node.port)) as leader:
            written = scalar(leader, "SELECT pg_current_wal_lsn()::text")
        with connect(standby_dsn(db, ports[node.name])) as standby:
            until(lambda s=standby, w=written: scalar(s, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", w))  # type: ignore[misc]
