"""What `pyhce verify` finds on a cluster. Each test breaks one thing and restores it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from pyhce.citus.connection import connect, dsn_at
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Helper
from pyhce.verify import Result, status, verify
from tests.shared.database import TestDatabase, unique

DAY = next(helper for helper in SCHEMA.helpers if helper.name == "dia_exacto")


def replaced(helper: Helper, body: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION hce.{helper.name}({helper.arguments}) RETURNS {helper.returns}"
        f" LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$\n    {body}\n$body$"
    )


BROKEN = {
    "a helper changed in place": ("HCE0206", replaced(DAY, "SELECT NULL::date"), replaced(DAY, DAY.body), DAY.name),
    "a table that anyone reads": (
        "HCE0208",
        "GRANT SELECT ON paciente TO PUBLIC",
        "REVOKE SELECT ON paciente FROM PUBLIC",
        "PUBLIC has SELECT on public.paciente",
    ),
    "staged rows that readers see": (
        "HCE0208",
        "GRANT SELECT ON hce.carga TO hce_readonly",
        "REVOKE SELECT ON hce.carga FROM hce_readonly",
        "hce_readonly has SELECT on hce.carga",
    ),
    "a column's label": (
        "HCE0209",
        "COMMENT ON COLUMN meta.recurso IS 'x'",
        "COMMENT ON COLUMN meta.recurso IS 'Recurso FHIR / FHIR resource'",
        "meta.recurso",
    ),
    "a function that writes where it is called": (
        "HCE0210",
        "UPDATE pg_catalog.pg_dist_object SET distribution_argument_index = NULL WHERE"
        " objid = (SELECT oid FROM pg_proc WHERE proname = 'guardar_alerta')",
        "UPDATE pg_catalog.pg_dist_object SET distribution_argument_index = 0 WHERE"
        " objid = (SELECT oid FROM pg_proc WHERE proname = 'guardar_alerta')",
        "hce.guardar_alerta is not distributed with alerta",
    ),
    "a shard away from its patient": (
        "HCE0203",
        *[
            "UPDATE pg_dist_placement SET groupid = 3 - groupid WHERE shardid ="
            " (SELECT min(shardid) FROM pg_dist_shard WHERE logicalrelid = 'alerta'::regclass)"
        ]
        * 2,
        "alerta: 1 of 8 shards not with those of expediente",
    ),
}


@contextmanager
def changed(dsn: str, broken: Sequence[str], restored: Sequence[str]) -> Iterator[None]:
    """Change a node during the block."""
    with connect(dsn) as conn:
        try:
            for statement in broken:
                conn.execute(statement.encode())
            yield
        finally:
            for statement in restored:
                conn.execute(statement.encode())


@contextmanager
def record(db: TestDatabase, *documents: str) -> Iterator[None]:
    for document in documents:
        db.conn.execute("INSERT INTO expediente (documento_id) VALUES (%s)", (document,))
    try:
        yield
    finally:
        db.conn.execute("DELETE FROM expediente WHERE documento_id = ANY(%s)", (list(documents),))


def insert(db: TestDatabase, table: str, document: str, source: str, resource: str) -> None:
    db.conn.execute(
        f"INSERT INTO {table} (documento_id, fuente, id, recurso) VALUES (%s, %s, 'x', %s::jsonb)".encode(),
        (document, source, resource),
    )


def found(db: TestDatabase, group: str) -> dict[str, tuple[Result, tuple[str, ...]]]:
    """The checks of a group that are not OK: result and details by code."""
    checks = verify(db.dsn, schema=SCHEMA, groups=[group]).checks
    return {c.code: (c.result, c.details) for c in checks if c.result is not Result.OK}


@pytest.mark.parametrize("what", BROKEN)
def test_only_the_right_check_fails_for(db: TestDatabase, what: str) -> None:
    code, broken, restored, expected = BROKEN[what]
    assert found(db, "schema") == {}
    with changed(db.dsn, [broken], [restored]):
        (result, details) = found(db, "schema").pop(code)
        assert result is Result.FAILED
        assert any(expected in detail for detail in details)
        assert set(found(db, "schema")) == {code}
    assert found(db, "schema") == {}


def test_a_worker_that_lets_anyone_connect_is_named(db: TestDatabase) -> None:
    worker = db.cluster.workers[0]
    alone = "SET citus.enable_ddl_propagation TO off"
    opened = [alone, "GRANT CONNECT ON DATABASE hce_distribuida TO PUBLIC"]
    closed = [alone, "REVOKE CONNECT ON DATABASE hce_distribuida FROM PUBLIC"]
    with changed(dsn_at(db.dsn, worker.host, worker.port), opened, closed):
        _, details = found(db, "schema")["HCE0208"]
        assert details == (f"{worker.host}:{worker.port}: anyone may connect to the database (PUBLIC)",)
    assert found(db, "schema") == {}


def test_trust_over_tcp_on_one_worker_is_found(db: TestDatabase) -> None:
    worker = db.cluster.workers[0]
    hba = worker.data / "pg_hba.conf"
    before = hba.read_text()
    with connect(dsn_at(db.dsn, worker.host, worker.port)) as conn:
        try:
            with hba.open("a") as file:
                file.write("host all nobody 192.0.2.1/32 trust\n")
            conn.execute("SELECT pg_reload_conf()")
            _, details = found(db, "nodes")["HCE0106"]
            assert len(details) == 1
            assert details[0].startswith(f"{worker.host}:{worker.port}: pg_hba line")
        finally:
            with hba.open("w") as file:
                file.write(before)
            conn.execute("SELECT pg_reload_conf()")
    assert found(db, "nodes") == {}


def test_a_missing_secret_of_a_node_for_itself_is_found(db: TestDatabase) -> None:
    worker = db.cluster.workers[0]
    with connect(dsn_at(db.dsn, worker.host, worker.port)) as conn:
        deleted = conn.execute(
            "DELETE FROM pg_dist_authinfo WHERE rolename = 'hce_app' AND nodeid = -1 RETURNING *"
        ).fetchall()
        try:
            assert set(found(db, "nodes")) == {"HCE0107"}
        finally:
            for row in deleted:
                conn.execute("INSERT INTO pg_dist_authinfo VALUES (%s, %s, %s)", row)


def test_a_typed_resource_in_a_generic_table_is_found(db: TestDatabase) -> None:
    document, key = f"CC-{unique()}", unique()
    with record(db, document):
        db.conn.execute(
            "INSERT INTO recurso_paciente (documento_id, tipo, id, recurso) VALUES (%s, 'Observation', %s, '{}')",
            (document, key),
        )
        _, details = found(db, "identity")["HCE0402"]
        assert details == ("1 Observation is in recurso_paciente, not in observacion", f"Observation/{key}")


def test_a_reference_to_another_patients_resource_does_not_dangle(db: TestDatabase) -> None:
    source, one, other = unique(), f"CC-{unique()}", f"CC-{unique()}"

    def dangling() -> int:
        checks = {c.code: c for c in verify(db.dsn, schema=SCHEMA, groups=["identity"]).checks}
        return int(checks["HCE0406"].found.split()[0])

    with record(db, one, other):
        before = dangling()
        insert(db, "observacion", one, source, '{"encounter": {"reference": "Encounter/x"}}')
        assert dangling() == before + 1
        insert(db, "encuentro", other, source, "{}")
        assert dangling() == before


@pytest.mark.parametrize(
    ("member", "unreadable"),
    [
        ('"effectiveDateTime": "2024-02-30"', True),
        ('"effectivePeriod": {"start": "2024-02-30"}', True),
        ('"effectivePeriod": {"start": "2024-02-30", "end": "2024-03-01"}', True),
        ('"effectivePeriod": {"start": "2024-05-01", "end": "2024-03-01"}', True),
        ('"effectivePeriod": {"start": "2024-05-01"}', False),
        ('"effectiveDateTime": "2024-02"', False),
    ],
)
def test_dates_that_cannot_be_read_are_a_warning(db: TestDatabase, member: str, unreadable: bool) -> None:
    def counted() -> Counter[str]:  # other tests leave some
        checks = found(db, "typed columns")
        result, counts = checks.pop("HCE0502", (Result.WARNING, ()))
        assert (result, checks) == (Result.WARNING, {})
        return Counter({column: int(rest.split()[0]) for column, _, rest in (line.partition(": ") for line in counts)})

    document, before = f"CC-{unique()}", counted()
    with record(db, document):
        insert(db, "observacion", document, unique(), f"{{{member}}}")
        assert counted() - before == (Counter({"observacion.fecha": 1}) if unreadable else Counter())


def test_status_shows_a_worker_that_does_not_answer(db: TestDatabase) -> None:
    victim = db.cluster.workers[1]
    assert victim.pid
    os.kill(victim.pid, signal.SIGSTOP)  # new connections wait, those of other tests stay whole
    try:
        overview = status(db.dsn, schema=SCHEMA)
    finally:
        os.kill(victim.pid, signal.SIGCONT)
    states = {node.name: node.state for node in overview.nodes}
    assert states.pop(f"{victim.host}:{victim.port}") == "does not answer"
    assert set(states.values()) == {"active"}
    assert (overview.patients, overview.database_size) == (None, "unknown")
    assert status(db.dsn, schema=SCHEMA).patients is not None
