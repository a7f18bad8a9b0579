"""`pyhce verify` finds what is broken and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pyhce.citus.connection import connect, dsn_at
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import GROUPS, Result, junit, verify
from pyhce.verify.runner import CHECKS
from tests.shared.database import TestDatabase, unique

BROKEN = {
    "HCE0101": (
        "UPDATE pg_dist_node SET nodename = '127.0.0.1' WHERE groupid = 1",
        "UPDATE pg_dist_node SET nodename = 'localhost' WHERE groupid = 1",
    ),
    "HCE0102": (
        "UPDATE pg_dist_node SET shouldhaveshards = false WHERE groupid = 1",
        "UPDATE pg_dist_node SET shouldhaveshards = true WHERE groupid = 1",
    ),
    "HCE0201": (
        "UPDATE hce.migracion SET huella = 'x' || huella",
        "UPDATE hce.migracion SET huella = substr(huella, 2)",
    ),
    "HCE0202": ("ALTER TABLE alerta ADD COLUMN extra text", "ALTER TABLE alerta DROP COLUMN extra"),
    "HCE0205": (
        "DROP INDEX encuentro_documento_id_fecha_idx",
        "CREATE INDEX encuentro_documento_id_fecha_idx ON encuentro (documento_id, lower(fecha))",
    ),
    "HCE0206": ("ALTER FUNCTION hce.plano(text) STABLE", "ALTER FUNCTION hce.plano(text) IMMUTABLE"),
    "HCE0207": ("ALTER TABLE alerta OWNER TO postgres", "ALTER TABLE alerta OWNER TO hce_owner"),
    "HCE0208": ("REVOKE INSERT ON tarea FROM hce_writer", "GRANT INSERT ON tarea TO hce_writer"),
    "HCE0209": ("COMMENT ON TABLE meta IS 'x'", None),
}


@contextmanager
def broken(db: TestDatabase, sql: str, restore: str | None) -> Iterator[None]:
    """The database with one thing broken."""
    comment = db.value("SELECT obj_description('meta'::regclass)")
    db.conn.execute(sql)
    try:
        yield
    finally:
        db.conn.execute(restore or f"COMMENT ON TABLE meta IS '{comment}'")


def failures(db: TestDatabase, *groups: str) -> set[str]:
    return {check.code for check in verify(db.dsn, schema=SCHEMA, groups=groups or None).failed}


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_a_check_finds_what_is_broken_and_no_other_check_fails(db: TestDatabase, code: str) -> None:
    group = GROUPS[int(code[3:5]) - 1]
    assert failures(db, group) == set()
    with broken(db, *BROKEN[code]):
        assert code in failures(db, group) <= {code, "HCE0105"}
    assert failures(db, group) == set()


def test_a_worker_that_is_down_is_named(db: TestDatabase) -> None:
    victim = db.cluster.workers[1]
    assert victim.pid
    os.kill(victim.pid, signal.SIGKILL)
    try:
        report = verify(db.dsn, schema=SCHEMA, groups=["nodes"])
        found = {check.code: check for check in report.failed}
        assert {"HCE0103", "HCE0105"} <= set(found)
        assert str(victim.port) in found["HCE0105"].found
    finally:
        db.start()
    assert verify(db.dsn, schema=SCHEMA, groups=["nodes"], wait=30).ok


def test_a_secret_that_is_missing_on_a_node_is_found(db: TestDatabase) -> None:
    worker = db.cluster.workers[0]
    with connect(dsn_at(db.dsn, worker.host, worker.port)) as conn:
        deleted = conn.execute("DELETE FROM pg_dist_authinfo WHERE rolename = 'hce_app' RETURNING *").fetchall()
        try:
            assert "HCE0107" in failures(db, "nodes")
        finally:
            for row in deleted:
                conn.execute("INSERT INTO pg_dist_authinfo VALUES (%s, %s, %s)", row)
    assert failures(db, "nodes") == set()


def test_a_resource_under_two_documents_is_found(db: TestDatabase) -> None:
    source, documents = unique(), [f"CC-{unique()}" for _ in range(2)]
    for document in documents:
        db.conn.execute("INSERT INTO expediente (documento_id) VALUES (%s)", (document,))
        db.conn.execute(
            "INSERT INTO observacion (documento_id, fuente, id, recurso) VALUES (%s, %s, 'o', %s::jsonb)",
            (document, source, '{"resourceType": "Observation", "id": "o"}'),
        )
    try:
        report = verify(db.dsn, schema=SCHEMA, groups=["identity"])
        assert [check.code for check in report.failed] == ["HCE0401"]
        assert not any(document in check.found for check in report.checks for document in documents)
    finally:
        db.conn.execute("DELETE FROM expediente WHERE documento_id = ANY(%s)", (documents,))


def test_a_resource_in_two_tables_is_found(db: TestDatabase) -> None:
    source, document = unique(), f"CC-{unique()}"
    text = '{"resourceType": "Observation", "id": "o"}'
    db.conn.execute("INSERT INTO expediente (documento_id) VALUES (%s)", (document,))
    db.conn.execute(
        "INSERT INTO observacion (documento_id, fuente, id, recurso) VALUES (%s, %s, 'o', %s::jsonb)",
        (document, source, text),
    )
    db.conn.execute(
        "INSERT INTO recurso_compartido (fuente, tipo, id, recurso) VALUES (%s, 'Observation', 'o', %s::jsonb)",
        (source, text),
    )
    try:
        assert failures(db, "identity") == {"HCE0402"}
    finally:
        db.conn.execute("DELETE FROM expediente WHERE documento_id = %s", (document,))
        db.conn.execute("DELETE FROM recurso_compartido WHERE fuente = %s", (source,))


def test_dangling_references_are_counted_and_fail_nothing(db: TestDatabase) -> None:
    source, document = unique(), f"CC-{unique()}"
    db.conn.execute("INSERT INTO expediente (documento_id) VALUES (%s)", (document,))
    db.conn.execute(
        "INSERT INTO observacion (documento_id, fuente, id, recurso) VALUES (%s, %s, 'o', %s::jsonb)",
        (document, source, '{"encounter": {"reference": "Encounter/nowhere"}}'),
    )
    try:
        check = {c.code: c for c in verify(db.dsn, schema=SCHEMA, groups=["identity"]).checks}["HCE0406"]
        assert check.result is Result.OK
        assert any(detail.startswith("observacion.encuentro_id") for detail in check.details)
    finally:
        db.conn.execute("DELETE FROM expediente WHERE documento_id = %s", (document,))


def test_a_verification_leaves_nothing_behind(db: TestDatabase) -> None:
    before = db.value("SELECT count(*) FROM expediente")
    verify(db.dsn, schema=SCHEMA)
    assert db.value("SELECT count(*) FROM expediente") == before


def test_codes_are_unique_and_belong_to_their_group() -> None:
    codes = [check.code for check in CHECKS]
    assert len(set(codes)) == len(codes)
    assert [c.code for c in CHECKS if GROUPS[min(int(c.code[3:5]), 9) - 1] != c.group] == []  # 09 is of Kubernetes


def test_junit_contains_a_failure_with_its_remedy(db: TestDatabase) -> None:
    with broken(db, *BROKEN["HCE0208"]):
        text = junit(verify(db.dsn, schema=SCHEMA, groups=["schema"]))
    assert 'failures="1"' in text
    assert "hce_writer lacks INSERT on public.tarea" in text
    assert "pyhce register" in text
