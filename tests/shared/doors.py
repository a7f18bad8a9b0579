"""What comes in and what gets out: connections, privileges, logs. The same on both engines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

import pyhce
from pyhce import local
from pyhce.citus.connection import connect
from pyhce.errors import SchemaMismatch
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import Result, verify
from tests.shared.database import TestDatabase, unique
from tests.shared.saves import at_once, person, weight


def until(holds: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def sessions(db: TestDatabase, name: str) -> int:
    """How many sessions of an application there are on the node that is connected to."""
    return int(db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", name))


def test_without_a_superuser_checks_are_skipped_and_none_fails(db: TestDatabase) -> None:
    for role in ("hce_app", "hce_readonly"):
        report = verify(local.dsn(db.cluster, role), schema=SCHEMA)
        assert [(check.code, check.found) for check in report.failed] == []
        skipped = {check.code for check in report.checks if check.found == "needs a superuser"}
        assert "HCE0106" in skipped, role
        assert all(c.result is Result.SKIPPED for c in report.checks if c.code in skipped)


def test_a_writer_outlives_a_restart_of_the_server_with_all_its_idle_connections(db: TestDatabase) -> None:
    source, number, many = unique(), unique(), 8
    name = f"pyhce-{source}"
    with pyhce.connect(f"{db.dsn} application_name={name}", source=source, connections=many) as writer:
        writer.save(person("p", number))
        for _ in range(20):
            if sessions(db, name) == many:
                break
            at_once(*(lambda n=n: writer.save(weight(f"o{n}", "Patient/p")) for n in range(many)))
        assert sessions(db, name) > 4
        local.stop(db.folder)
        local.start(db.folder, engine=db.cluster.engine, port=db.cluster.coordinator.port)
        db.conn.close()
        db.conn = connect(db.dsn)
        assert writer.save(weight("after", "Patient/p")).outcome == "new"
    until(lambda: sessions(db, name) == 0, "the writer's connections are still open")


def test_a_writer_that_cannot_be_opened_leaves_no_connection(db: TestDatabase) -> None:
    name = f"pyhce-{unique()}"
    db.conn.execute("UPDATE hce.migracion SET numero = numero + 100")
    try:
        with pytest.raises(SchemaMismatch):
            pyhce.connect(f"{db.dsn} application_name={name}")
        until(lambda: sessions(db, name) == 0, "the connection is still open")
    finally:
        db.conn.execute("UPDATE hce.migracion SET numero = numero - 100")


def test_the_event_loop_goes_on_while_an_async_writer_closes(db: TestDatabase) -> None:
    source, number = unique(), unique()

    async def closing() -> str:
        writer = await pyhce.connect_async(db.dsn, source=source).__aenter__()
        await writer.save(person("p", number))
        with connect(db.dsn, autocommit=False) as other:
            other.execute("SELECT 1 FROM expediente WHERE documento_id = %s FOR UPDATE", (f"CC-{number.upper()}",))
            waiting = asyncio.create_task(writer.save(weight("o", "Patient/p")))
            await asyncio.sleep(0)  # it is handed to a thread
            end = asyncio.create_task(writer.close())
            for _ in range(20):  # a loop that is blocked never comes here: the row is released below
                await asyncio.sleep(0.01)
            assert not end.done()
            other.rollback()
            await end
            return (await waiting).outcome

    assert asyncio.run(closing()) == "new"
