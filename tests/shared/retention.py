"""Tests of how long a record must be kept, and of the notes that an erasure deletes, for every engine."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from pyhce.errors import HceError, UsageError
from pyhce.records.erasing.erase import erase
from pyhce.records.erasing.retention import COLOMBIA, retention
from pyhce.records.identity import provisional_document
from pyhce.records.patient import merge
from pyhce.schema.declaration import SCHEMA
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase, unique
from tests.shared.persons import ANA, LEO, number
from tests.shared.records import person, weight


def record(db: TestDatabase, folder: Path, *resources: object) -> str:
    """Load a new patient and resources that name it as Patient/p; return its document."""
    source, cedula = unique(), number()
    db.load(folder, person("p", cedula, **ANA), *resources, source=source)
    return f"CC-{cedula}"


def encounter(**period: str) -> dict[str, object]:
    return {
        "resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p"}, "period": period,
    }  # fmt: skip


CARE: dict[str, tuple[list[object], date | None]] = {
    "an observation": ([weight("o", "Patient/p")], date(2024, 2, 29)),
    "the last of several": (
        [weight("o", "Patient/p"), encounter(start="2024-03-01T08:00:00-05:00", end="2024-03-04T09:00:00-05:00")],
        date(2024, 3, 4),
    ),
    "a day without a time": ([encounter(start="2023-05-30", end="2023-06-02")], date(2023, 6, 2)),
    "a period that goes on": ([encounter(start="2021-01-10")], date(2021, 1, 10)),
    "a period that ends in years to come": ([encounter(start="2021-01-10", end="2199-01-01")], date(2021, 1, 10)),
    "what is planned does not count": (
        [weight("o", "Patient/p"), {
            "resourceType": "Appointment", "id": "a", "status": "booked", "start": "2199-01-01T08:00:00Z",
            "end": "2199-01-01T08:30:00Z",
            "participant": [{"actor": {"reference": "Patient/p"}, "status": "accepted"}],
        }],
        date(2024, 2, 29),
    ),
    "insurance is no care": (
        [weight("o", "Patient/p"), {
            "resourceType": "Coverage", "id": "c", "status": "active", "beneficiary": {"reference": "Patient/p"},
            "payor": [{"display": "EPS"}], "period": {"start": "2025-01-01", "end": "2025-02-01"},
        }],
        date(2024, 2, 29),
    ),
    "nothing": ([], None),
}  # fmt: skip


@pytest.mark.parametrize("what", CARE)
def test_the_date_of_the_last_care_is_found(db: TestDatabase, tmp_path: Path, what: str) -> None:
    resources, last = CARE[what]
    assert retention(db.conn, record(db, tmp_path, *resources), schema=SCHEMA).last_care == last


def test_colombias_fifteen_years_apply_unless_other_years_are_given(db: TestDatabase, tmp_path: Path) -> None:
    document = record(db, tmp_path, weight("o", "Patient/p"))
    found = retention(db.conn, document, schema=SCHEMA)
    assert (found.years, found.until, found.over, found.rule) == (15, date(2039, 2, 28), False, COLOMBIA)
    assert found.words.endswith("IT IS NOT OVER")
    short = retention(db.conn, document, schema=SCHEMA, years=1)
    assert (short.until, short.over) == (date(2025, 2, 28), True)
    with pytest.raises(UsageError, match="201 years"):
        retention(db.conn, document, schema=SCHEMA, years=201)
    with pytest.raises(HceError, match="no record"):
        retention(db.conn, f"CC-{number()}", schema=SCHEMA)


def test_an_erasure_shows_the_retention_before_it_asks_in_the_dry_run_and_in_json(
    db: TestDatabase, tmp_path: Path
) -> None:
    document = record(db, tmp_path, weight("o", "Patient/p"))
    base = ["erase", document, "--reason", "request", "--dsn", db.dsn]
    words = "last care on 2024-02-29; retention until 2039-02-28 (Colombia, Resolución 839 of 2017: 15 years"
    assert words in pyhce(*base, "--dry-run").stdout
    shown = json.loads(pyhce(*base, "--dry-run", "--retention-years", "20", "-o", "json").stdout)["retention"]
    assert (shown["last_care"], shown["until"], shown["over"]) == ("2024-02-29", "2044-02-29", False)
    asked = pyhce(*base)  # there is no terminal to confirm on
    assert (asked.returncode, words in asked.stderr) == (2, True)
    assert db.value("SELECT count(*) FROM paciente WHERE documento_id = %s", document) == 1
    done = pyhce(*base, "--yes", "--receipt", tmp_path / "receipt.json")
    assert (done.returncode, words in done.stderr) == (0, True)
    assert json.loads((tmp_path / "receipt.json").read_text())["retention"]["last_care"] == "2024-02-29"


def test_an_erasure_deletes_the_notes_about_the_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula = unique(), number()
    persons = person("p1", cedula, **ANA), person("p2", cedula, **LEO), person("p3", cedula, **LEO)
    db.load(tmp_path, *persons, source=source)
    merge(db.conn, provisional_document(source, "p2"), f"CC-{cedula}", schema=SCHEMA)
    erase(db.conn, provisional_document(source, "p3"), schema=SCHEMA, reason="request")
    assert db.rows("SELECT 1 FROM hce.documento_en_disputa WHERE fuente = %s", source) == []
    assert db.value("SELECT count(*) FROM hce.misma_persona WHERE fuente = %s", source) == 1
    erase(db.conn, f"CC-{cedula}", schema=SCHEMA, reason="request")
    assert db.rows("SELECT 1 FROM hce.misma_persona WHERE fuente = %s", source) == []
    assert db.rows("SELECT 1 FROM hce.asignacion WHERE fuente = %s", source) == []
