"""Connections of writers, and privileges of the roles that log in, on both engines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import pyhce
from pyhce import local
from pyhce.citus.connection import advisory_lock, connect
from pyhce.errors import ConnectionFailed, HceError, SchemaMismatch
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.writer_functions import PROTOCOL
from pyhce.verify import Result, verify
from tests.shared.database import TestDatabase, unique
from tests.shared.saves import person, weight
from tests.shared.until import until


def sessions(db: TestDatabase, name: str) -> int:
    """The number of sessions with an application name on the node of `db`."""
    return int(db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", name))


def test_an_interruption_under_an_advisory_lock_reaches_the_caller_and_releases_the_lock(db: TestDatabase) -> None:
    key = 4711
    with connect(db.dsn) as conn, pytest.raises(KeyboardInterrupt), advisory_lock(conn, key, timeout=1):
        conn.pgconn.send_query(b"SELECT pg_sleep(300)")  # Ctrl-C can leave a query running on the connection
        raise KeyboardInterrupt
    with advisory_lock(db.conn, key, timeout=120):
        pass


HOLDER = """
import sys
from pyhce.citus.connection import advisory_lock, connect
with connect(sys.argv[1]) as conn, advisory_lock(conn, int(sys.argv[2]), timeout=1):
    conn.execute("SELECT pg_sleep(300)")
"""


@pytest.mark.both_engines
def test_the_advisory_lock_of_a_killed_program_is_free_though_its_statement_still_runs(db: TestDatabase) -> None:
    key, name = 4712, f"holder-{unique()}"
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND query LIKE 'SELECT pg_sleep%%'"
    with subprocess.Popen([sys.executable, "-c", HOLDER, f"{db.dsn} application_name={name}", str(key)]) as holder:
        until(lambda: db.value(running, name) == 1)
        holder.kill()
    with advisory_lock(db.conn, key, timeout=120):
        until(lambda: db.value(running, name) == 0, "the session of the killed program is still there")


def test_without_a_superuser_checks_are_skipped_and_none_fails(db: TestDatabase) -> None:
    for role in ("hce_app", "hce_readonly"):
        report = verify(local.dsn(db.cluster, role), schema=SCHEMA)
        assert [(check.code, check.found) for check in report.failed] == []
        skipped = {check.code for check in report.checks if check.found == "needs a superuser"}
        assert "HCE0106" in skipped, role
        assert all(c.result is Result.SKIPPED for c in report.checks if c.code in skipped)


def test_a_writer_replaces_its_idle_connections_after_a_restart_of_the_server(db: TestDatabase) -> None:
    source, number, many = unique(), unique(), 8
    name = f"pyhce-{source}"
    with pyhce.connect(f"{db.dsn} application_name={name}", source=source, connections=many) as writer:
        writer.save(person("p", number))
        with connect(db.dsn, autocommit=False) as other, ThreadPoolExecutor(many) as pool:
            other.execute("SELECT 1 FROM expediente WHERE documento_id = %s FOR UPDATE", (f"CC-{number.upper()}",))
            saves = [pool.submit(writer.save, weight(f"o{n}", "Patient/p")) for n in range(many)]
            until(lambda: sessions(db, name) == many, "not every save has a connection")
            other.rollback()
            assert {save.result().outcome for save in saves} == {"new"}
        assert sessions(db, name) == many
        local.stop(db.folder)
        db.start()
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


def test_closing_an_async_writer_does_not_block_the_event_loop(db: TestDatabase) -> None:
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


def test_an_async_writer_opens_when_it_is_awaited_and_closes_its_connections(db: TestDatabase) -> None:
    source, number = unique(), unique()
    name = f"pyhce-{source}"

    async def save_and_close() -> str:
        writer = await pyhce.connect_async(f"{db.dsn} application_name={name}", source=source)
        assert await writer is writer  # already open
        async with writer as same:
            assert same is writer
            outcome = (await same.save(person("p", number))).outcome
            assert sessions(db, name) == 1
        with pytest.raises(HceError, match="this writer is closed"):
            await writer.save(person("p", number))
        with pytest.raises(HceError, match="this writer is closed"):
            await writer
        return outcome

    assert asyncio.run(save_and_close()) == "new"
    until(lambda: sessions(db, name) == 0, "the writer's connections are still open")


def test_an_async_writer_that_is_not_open_yet_says_how_to_open_it() -> None:
    async def save_unopened() -> None:
        await pyhce.connect_async("host=localhost port=1").save({"resourceType": "Patient", "id": "p"})

    with pytest.raises(HceError, match="not open yet") as caught:
        asyncio.run(save_unopened())
    assert "await pyhce.connect_async()" in caught.value.remedy


def test_awaiting_a_writer_that_cannot_be_opened_leaves_no_connection_and_no_thread(db: TestDatabase) -> None:
    name = f"pyhce-{unique()}"

    async def fail() -> None:
        await pyhce.connect_async(f"{db.dsn} application_name={name}")

    db.conn.execute("UPDATE hce.migracion SET numero = numero + 100")
    try:
        with pytest.raises(SchemaMismatch):
            asyncio.run(fail())
    finally:
        db.conn.execute("UPDATE hce.migracion SET numero = numero - 100")
    until(lambda: sessions(db, name) == 0, "the connection is still open")
    with pytest.raises(ConnectionFailed):
        asyncio.run(fail_on("host=localhost port=1 connect_timeout=1"))
    until(lambda: not writer_threads(), "a thread of the writer is still running")


async def fail_on(dsn: str) -> None:
    await pyhce.connect_async(dsn)


def writer_threads() -> list[str]:
    """Threads of asyncio writers and of their connection pools."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pyhce")]


def test_a_cancelled_await_closes_the_writer_that_its_thread_opens(db: TestDatabase) -> None:
    name = f"pyhce-{unique()}"

    async def cancel() -> None:
        opening = asyncio.ensure_future(pyhce.connect_async(f"{db.dsn} application_name={name}"))
        await asyncio.sleep(0)  # lets the task start
        until(lambda: sessions(db, name) == 1, "the thread has not begun to open the writer")
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    with connect(db.dsn, autocommit=False) as other:
        other.execute("LOCK TABLE hce.migracion IN ACCESS EXCLUSIVE MODE")  # so that opening takes until the rollback
        asyncio.run(cancel())
        other.rollback()
    until(lambda: sessions(db, name) == 0, "the connection is still open")
    until(lambda: not writer_threads(), "a thread of the writer is still running")


def changing(table: str, column: str) -> list[str]:
    """Statements that change a table without the functions."""
    return [
        f"INSERT INTO {table} ({column}) VALUES ('CC-1')",
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
    ]


@pytest.mark.parametrize("role", ["hce_app", "hce_readonly"])
@pytest.mark.parametrize(
    "statement",
    [
        statement
        for table, column in (
            ("paciente", "documento_id"), ("observacion", "documento_id"), ("historia", "documento_id"),
            ("expediente", "documento_id"), ("hce.asignacion", "fuente"), ("hce.carga", "documento_id"),
        )
        for statement in changing(table, column)
    ]
    + ["DELETE FROM hce.instalacion", "UPDATE hce.instalacion SET zona_horaria = 'UTC'", "TRUNCATE hce.instalacion",
       "DELETE FROM hce.migracion", "TRUNCATE paciente CASCADE", "DROP TABLE observacion"],
)  # fmt: skip
def test_no_application_role_can_change_a_table_directly(db: TestDatabase, role: str, statement: str) -> None:
    with connect(local.dsn(db.cluster, role)) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())
    assert db.value("SELECT count(*) FROM hce.instalacion") == 1


def test_the_writer_role_cannot_change_the_installation_or_truncate_a_table(db: TestDatabase) -> None:
    with connect(local.dsn(db.cluster, "hce_app")) as conn:
        conn.execute("SET ROLE hce_writer")
        for statement in ("DELETE FROM hce.instalacion", "TRUNCATE historia", "DROP TABLE historia"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement.encode())


def test_the_application_role_can_use_every_command_that_writes(db: TestDatabase, tmp_path: Path) -> None:
    source, number, dsn = unique(), unique(), local.dsn(db.cluster, "hce_app")
    document = f"CC-{number.upper()}"
    with pyhce.connect(dsn, source=source) as writer:
        assert writer.save(person("p", number)).outcome == "new"
        assert [writer.save(weight("o", "Patient/p", value)).outcome for value in "12"] == ["new", "changed"]
        assert writer.save_many([weight("a", "Patient/p"), weight("b", None)]).new == 2
        assert writer.delete("Observation", "a").outcome == "deleted"
    path = tmp_path / "more.ndjson"
    path.write_text("\n".join(weight(f"l{n}", "Patient/p") for n in range(5)))
    assert pyhce.load([path], dsn=dsn, source=source, reject_file=tmp_path / "rejected").new == 5
    assert pyhce.rekey(document, f"{document}9", dsn=dsn).moved > 5
    with pyhce.connect(dsn, source=source) as writer:
        writer.save(person("q", f"{number}8"))
    assert pyhce.merge(f"{document}8", f"{document}9", dsn=dsn).patients == 1
    assert len(pyhce.patient(f"{document}9", dsn=dsn).entries) == 8
    assert pyhce.export(tmp_path / "out", dsn=dsn, source=source).resources == 9
    erased = pyhce.erase(f"{document}9", reason="a test", dsn=dsn)
    assert erased.outcome.value in {"erased", "mentioned"}, erased
    assert db.value("SELECT count(*) FROM expediente WHERE documento_id LIKE %s", f"{document}%") == 0


_CALL = f"SELECT (hce.guardar_observacion(%s, %s, 'Observation', %s, 'p', %s, NULL, NULL, %s, {PROTOCOL})).resultado"


def test_the_application_role_writes_through_the_functions_and_a_reader_cannot(db: TestDatabase) -> None:
    source, number = unique(), unique()
    document = f"CC-{number.upper()}"
    with pyhce.connect(db.dsn, source=source) as writer:
        writer.save(person("p", number))
    with connect(local.dsn(db.cluster, "hce_app")) as conn:
        found = [
            conn.execute(_CALL, (document, source, "o", weight("o", "Patient/p", value), version)).fetchone()
            for value, version in (("1", 1), ("2", None), ("2", None))
        ]
        assert found == [("new",), ("changed",), ("unchanged",)]
        with conn.transaction():
            assert conn.execute(_CALL, (document, source, "t", weight("t", "Patient/p"), 1)).fetchone() == ("new",)
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 2
    with (
        connect(local.dsn(db.cluster, "hce_readonly")) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="guardar_observacion"),
    ):
        conn.execute(_CALL, (document, source, "r", weight("r", "Patient/p"), 1))


@pytest.mark.parametrize(
    ("code", "broken", "repaired"),
    [
        ("HCE0207", "ALTER ROLE hce_app INHERIT", "ALTER ROLE hce_app NOINHERIT"),
        ("HCE0208", "GRANT DELETE ON historia TO hce_app", "REVOKE DELETE ON historia FROM hce_app"),
        (
            "HCE0210",
            "GRANT EXECUTE ON FUNCTION hce.guardar_alerta TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION hce.guardar_alerta FROM PUBLIC",
        ),
        (
            "HCE0210",
            "ALTER FUNCTION hce.guardar_alerta SECURITY INVOKER",
            "ALTER FUNCTION hce.guardar_alerta SECURITY DEFINER",
        ),
    ],
)
def test_a_privilege_that_was_granted_by_hand_is_found(db: TestDatabase, code: str, broken: str, repaired: str) -> None:
    def failed() -> set[str]:
        return {check.code for check in verify(db.dsn, schema=SCHEMA, groups=["schema"]).failed}

    assert failed() == set()
    if "INHERIT" in broken and db.conn.info.server_version >= 160000:  # since PostgreSQL 16, each grant has this option
        broken = "GRANT hce_writer TO hce_app WITH INHERIT TRUE"
        repaired = "GRANT hce_writer TO hce_app WITH INHERIT FALSE"
    db.conn.execute(broken.encode())
    try:
        assert failed() == {code}
    finally:
        db.conn.execute(repaired.encode())
    assert failed() == set()
