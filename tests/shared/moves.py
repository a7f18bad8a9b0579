"""Moves of a resource to another patient while another writer changes it; run on each engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pyhce
from pyhce.citus.connection import DatabaseConnection, connect
from pyhce.records.identity import DEFAULT_RULES
from pyhce.records.loading.load import LoadReport, load
from pyhce.records.saving.application_input import resource_to_save
from pyhce.records.saving.save import SourceRecords, save
from pyhce.records.writing.record_moves import move_patient
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tests.shared.erasure import waiting
from tests.shared.records import person, weight
from tests.shared.until import until

pytestmark = pytest.mark.both_engines


def load_during(
    db: TestDatabase, folder: Path, source: str, operation: Callable[[DatabaseConnection], object], line: str
) -> LoadReport:
    """Run an operation in a transaction that commits once a load of the line waits for its locks."""
    path = folder / "line.ndjson"
    path.write_text(line)

    def loads() -> LoadReport:
        with connect(db.dsn) as conn:
            return load(conn, [path], schema=SCHEMA, fuente=source, reject_file=folder / "r")

    with ThreadPoolExecutor(1) as pool, connect(db.dsn) as conn:
        with conn.transaction():
            operation(conn)
            loading = pool.submit(loads)
            until(lambda: waiting(db) > 0)
        return loading.result()


def two_patients(db: TestDatabase, folder: Path) -> tuple[str, str]:
    """Load the patients p0 and p1 and an observation of p1. Returns the source, and an unused document."""
    source = unique()
    lines = [json.dumps(person(f"p{n}", unique())) for n in range(2)]
    db.load(folder, *lines, weight("o", "Patient/p1", "1.0"), source=source)
    return source, f"CC-{unique().upper()}"


def test_a_resource_that_moves_while_its_former_patient_moves_is_stored_once(db: TestDatabase, tmp_path: Path) -> None:
    source, new = two_patients(db, tmp_path)
    old = db.document("Patient", "p1", source)
    assert old

    def moves(conn: DatabaseConnection) -> None:
        move_patient(conn, SCHEMA, old=old, new=new, fuente=source, keys=["p1"])

    report = load_during(db, tmp_path, source, moves, weight("o", "Patient/p0", "2.0"))
    assert (report.changed, report.moved) == (1, 1)
    assert db.document("Patient", "p1", source) == new
    assert db.document("Observation", "o", source) == db.document("Patient", "p0", source)
    assert [version for version, _ in db.history("Observation", "o", source)] == [1]
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_a_save_during_a_move_to_another_patient_is_kept(db: TestDatabase, tmp_path: Path) -> None:
    source, _ = two_patients(db, tmp_path)
    records = SourceRecords(SCHEMA, source, DEFAULT_RULES)

    def saves(conn: DatabaseConnection) -> None:
        saved = save(conn, records, resource_to_save(SCHEMA, weight("o", "Patient/p1", "1.5")))
        assert (saved.outcome, saved.version) == ("changed", 2)

    report = load_during(db, tmp_path, source, saves, weight("o", "Patient/p0", "2.0"))
    assert (report.changed, report.moved) == (1, 1)
    assert db.document("Observation", "o", source) == db.document("Patient", "p0", source)
    former = [(version, held["valueQuantity"]["value"]) for version, held in db.history("Observation", "o", source)]
    assert former == [(1, 1.0), (2, 1.5)]
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_a_save_without_a_patient_during_a_save_that_adds_one_is_kept(db: TestDatabase, tmp_path: Path) -> None:
    source, _ = two_patients(db, tmp_path)
    records = SourceRecords(SCHEMA, source, DEFAULT_RULES)
    alone = {"resourceType": "Observation", "id": "alone", "status": "final", "code": {"text": "weight"}}
    db.load(tmp_path, alone, source=source)
    with (
        pyhce.connect(db.dsn, source=source) as application,
        ThreadPoolExecutor(1) as pool,
        connect(db.dsn) as conn,
    ):
        with conn.transaction():
            save(conn, records, resource_to_save(SCHEMA, {**alone, "subject": {"reference": "Patient/p1"}}))
            saving = pool.submit(application.save, {**alone, "status": "amended"})
            until(lambda: waiting(db) > 0)
        saved = saving.result()
    assert (saved.outcome, saved.version) == ("changed", 3)
    assert db.document("Observation", "alone", source) is None
    assert [v for v, _ in db.history("Observation", "alone", source, "historia_compartida")] == [1, 2]
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok
