"""The verifier on one PostgreSQL without Citus."""

from __future__ import annotations

from pyhce.schema.declaration import SCHEMA
from pyhce.verify import Result, status, verify
from tests.shared.database import TestDatabase


def test_all_is_right_and_what_only_citus_answers_is_skipped_with_the_reason(db: TestDatabase) -> None:
    report = verify(db.dsn, schema=SCHEMA)
    assert report.ok
    skipped = {check.code: check.found for check in report.checks if check.result is Result.SKIPPED}
    assert {"HCE0101", "HCE0203", "HCE0301", "HCE0601", "HCE0803"} <= set(skipped)
    assert set(skipped.values()) == {"one PostgreSQL without Citus"}


def test_the_report_tells_the_migration_that_the_database_is_at(db: TestDatabase) -> None:
    db.conn.execute("UPDATE hce.migracion SET numero = numero + 100")
    try:
        report = verify(db.dsn, schema=SCHEMA, groups=["schema"])
        assert report.schema_version == SCHEMA.version + 100
        assert [check.code for check in report.failed] == ["HCE0201"]
    finally:
        db.conn.execute("UPDATE hce.migracion SET numero = numero - 100")


def test_a_table_that_anyone_reads_is_found(db: TestDatabase) -> None:
    db.conn.execute("GRANT SELECT ON paciente TO PUBLIC")
    try:
        assert [check.code for check in verify(db.dsn, schema=SCHEMA, groups=["schema"]).failed] == ["HCE0208"]
    finally:
        db.conn.execute("REVOKE SELECT ON paciente FROM PUBLIC")
    assert verify(db.dsn, schema=SCHEMA, groups=["schema"]).ok


def test_status_counts_what_is_there(db: TestDatabase) -> None:
    told = status(db.dsn, schema=SCHEMA)
    assert [node.role for node in told.nodes] == ["single"]
    assert told.patients == db.value("SELECT count(*) FROM paciente")
