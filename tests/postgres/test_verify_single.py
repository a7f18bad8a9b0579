"""`pyhce verify` on one PostgreSQL without Citus."""

from __future__ import annotations

from pyhce.schema.declaration import SCHEMA
from pyhce.verify import Result, status, verify
from tests.shared.database import TestDatabase


def test_no_check_fails_and_checks_of_citus_are_skipped_with_the_reason(db: TestDatabase) -> None:
    report = verify(db.dsn, schema=SCHEMA)
    assert report.ok
    skipped = {check.code: check.found for check in report.checks if check.result is Result.SKIPPED}
    assert {"HCE0101", "HCE0203", "HCE0301", "HCE0601", "HCE0803"} <= set(skipped)
    assert set(skipped.values()) == {"one PostgreSQL without Citus"}


def test_the_report_has_the_newest_migration_of_the_database(db: TestDatabase) -> None:
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


def test_status_counts_patients(db: TestDatabase) -> None:
    overview = status(db.dsn, schema=SCHEMA)
    assert [node.role for node in overview.nodes] == ["single"]
    assert overview.patients == db.value("SELECT count(*) FROM paciente")
