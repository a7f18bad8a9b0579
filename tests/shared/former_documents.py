"""Tests of migration 2's data step on records of the previous grammar, for every engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pyhce import local
from pyhce.citus.connection import connect
from pyhce.citus.migrate import refuse_incomplete_schema
from pyhce.errors import SchemaMismatch
from pyhce.records.identity import provisional_document
from pyhce.records.loading.load import load
from pyhce.records.patient import patient
from pyhce.records.upgrading import document_step
from pyhce.records.upgrading.upgrade import upgrade
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.later_helpers import shortened_for_index
from pyhce.verify import verify
from tests.shared.database import TestDatabase
from tests.shared.former import former, former_database
from tests.shared.records import person, weight
from tests.shared.upgrades import register_schema

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
RENAPER = "http://www.renaper.gob.ar/dni"


def known_by(key: str, code: str, system: str | None, value: str, **members: object) -> dict[str, Any]:
    """Make a Patient with an identifier of one of HL7's types."""
    identifier = {"type": {"coding": [{"system": V2, "code": code}]}, "system": system, "value": value}
    identifiers = [{name: said for name, said in identifier.items() if said}]
    return {"resourceType": "Patient", "id": key, "identifier": identifiers, **members}


LONG_CODE = "".join(f"{n:04}" for n in range(300))
"""A code longer than an index takes since migration 2."""
COMPUTED = [
    ("o1", "29463-7", datetime(2017, 1, 1, tzinfo=UTC)),
    ("o2", shortened_for_index(LONG_CODE), None),
]
"""Values that migration 2 computes again."""
SOURCES: dict[str, list[Any]] = {
    # One NI number of two countries, and one MR number of two hospitals whose addresses differ by a hyphen.
    "a": [
        known_by("p", "NI", "urn:oid:1.2.1", "123"),
        weight("o", "Patient/p", "70.0"),
        known_by("m", "MR", "http://hosp-a.org/mrn", "7"),
        weight("om", "Patient/m", "71.0"),
        person("cc", "5001"),
        weight("occ", "Patient/cc", "72.0"),
        # References to a Patient that is never loaded.
        weight("w", {"identifier": {"system": RENAPER, "value": "23327755"}}, "73.0"),
        weight("g", "Patient/gone", "74.0"),
        # A number that only its issuer could tell, without an issuer.
        known_by("n", "NI", None, "55"),
        weight("on", "Patient/n", "75.0"),
    ],
    "b": [
        known_by("p", "NI", "urn:oid:1.2.2", "123"),
        weight("o", "Patient/p", "80.0"),
        known_by("m", "MR", "http://hospa.org/mrn", "7"),
        weight("om", "Patient/m", "81.0"),
        person("cc", "5001"),
        weight("occ", "Patient/cc", "82.0"),
    ],
    # A person merged two Colombian documents, and two records of which one held two persons.
    "c": [
        person("one", "6001", name=[{"family": "Mun\u0303oz"}]),
        weight("o1", "Patient/one", "90.0", effectiveDateTime="2016-12-31T23:59:60Z"),
        person("two", "6002"),
        weight(
            "o2",
            "Patient/two",
            "91.0",
            code={"coding": [{"code": LONG_CODE}]},
            effectiveDateTime=None,
            effectivePeriod={"start": "2024-01-06", "end": "2024-01-05"},
        ),
        known_by("x", "MR", "http://hosp-x.org/mrn", "9"),
        known_by("y", "MR", "http://hospx.org/mrn", "9"),
        person("three", "6003"),
        # Two persons with one document.
        person("k1", "7001", gender="male", birthDate="1950-01-01", name=[{"family": "Rojas", "given": ["Luis"]}]),
        person("k2", "7001", gender="female", birthDate="1999-12-31", name=[{"family": "Mora", "given": ["Ana"]}]),
        weight("ok2", "Patient/k2", "92.0"),
    ],
}
LATER_VERSIONS = {"a": [weight("o", "Patient/p", "70.5")], "b": [weight("o", "Patient/p", "80.5")]}


def write(folder: Path, name: str, lines: list[Any]) -> Path:
    path = folder / f"{name}.ndjson"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def filled(db: TestDatabase, folder: Path) -> None:
    """Fill a database with the former release."""
    for source, lines in SOURCES.items():
        former("load", "--dsn", db.dsn, "--source", source, str(write(folder, source, lines)))
    for source, lines in LATER_VERSIONS.items():
        former("load", "--dsn", db.dsn, "--source", source, str(write(folder, f"{source}2", lines)))
    former("patient", "merge", "CC-6001", "CC-6002", "--dsn", db.dsn)
    former("patient", "merge", "MR-HOSPX.ORG/MRN-9", "CC-6003", "--dsn", db.dsn)
    deleted = {
        "resourceType": "Bundle", "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Patient/m"}}],
    }  # fmt: skip
    path = folder / "deleted.json"
    path.write_text(json.dumps(deleted))
    former("load", "--dsn", db.dsn, "--source", "b", str(path))


def place(db: TestDatabase, source: str, key: str, kind: str = "Observation") -> str | None:
    return db.document(kind, key, source)


EXPECTED = {
    ("a", "o"): "NI-123@urn:oid:1.2.1",
    ("b", "o"): "NI-123@urn:oid:1.2.2",
    ("a", "om"): "MR-7@http://hosp-a.org/mrn",
    ("b", "om"): "MR-7@http://hospa.org/mrn",
    ("a", "occ"): "CC-5001",
    ("b", "occ"): "CC-5001",
    ("a", "w"): "AR.DNI-23327755",
    ("a", "g"): provisional_document("a", "gone"),
    ("a", "on"): provisional_document("a", "n"),
    ("c", "o1"): "CC-6002",
    ("c", "o2"): "CC-6002",
    ("c", "ok2"): provisional_document("c", "k2"),
}
PATIENTS = {
    ("c", "one"): "CC-6002",
    ("c", "x"): "MR-9@http://hosp-x.org/mrn",
    ("c", "y"): "MR-9@http://hospx.org/mrn",
    ("c", "three"): "CC-6003",
    ("c", "k1"): "CC-7001",
}


def test_records_of_the_former_grammar_are_split_and_moved_and_nothing_is_lost(
    engine: local.Engine, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_step, "PAGE", 3)
    with former_database(engine, workers) as db:
        filled(db, tmp_path)
        assert place(db, "a", "o") == place(db, "b", "o") == "NI-123"
        before = contents(db)

        assert register_schema(db, SCHEMA).migrations == (2,)
        with pytest.raises(SchemaMismatch, match="'documents' of migration 2 is not finished"):
            refuse_incomplete_schema(db.conn, SCHEMA)
        seen = "SELECT id, codigo, lower(fecha) FROM observacion WHERE fuente = 'c' AND id IN ('o1', 'o2') ORDER BY id"
        assert db.rows(seen) == COMPUTED
        assert db.rows("SELECT id FROM paciente WHERE nombre_busqueda = 'munoz'") == [("one",)]
        cut_off_once_a_page(db)
        (report,) = upgrade(db.conn, schema=SCHEMA)

        assert {key: place(db, *key) for key in EXPECTED} == EXPECTED
        assert {key: place(db, *key, kind="Patient") for key in PATIENTS} == PATIENTS
        assert contents(db) == before
        assert db.rows("SELECT documento_id FROM historia WHERE id = 'o' AND fuente = 'b'") == [
            ("NI-123@urn:oid:1.2.2",)
        ]
        assert report.counts["records"] == 9
        assert report.counts["records split"] == 4
        assert report.counts["kept apart"] == 1
        assert report.counts["to a provisional record"] == 2
        assert [line.split(" ")[0] for line in report.notes] == ["c/Patient/x", "c/Patient/y"]
        assert "pyhce patient merge" in report.notes[0]
        assert db.rows("SELECT hasta FROM hce.paso_datos") == [(None,)]
        assert verify(db.dsn, schema=SCHEMA, groups=["identity", "schema", "typed columns"]).failed == ()

        for source, lines in SOURCES.items():
            again = load(
                db.conn, [write(tmp_path, f"{source}-again", lines)], schema=SCHEMA, fuente=source,
                reject_file=tmp_path / "r", again=True,
            )  # fmt: skip
            assert (again.new, again.moved, again.rejected) == (int(source == "b"), 0, 0), source
        assert {key: place(db, *key) for key in EXPECTED} == EXPECTED
        record = patient(db.conn, "MR-7@http://hospa.org/mrn", schema=SCHEMA)
        assert record.counts == {"Observation": 1, "Patient": 1}


def contents(db: TestDatabase) -> list[Any]:
    """Return every resource and every former version, wherever it is stored."""
    found = []
    for table in SCHEMA.resource_tables():
        kind = "tipo" if table.is_generic else f"'{table.fhir_type}'"
        found += db.rows(f"SELECT {kind}, fuente, id, version, recurso::text FROM {table.qualified}")
    history = "SELECT tipo, fuente, id, version, recurso::text || borrado::text FROM historia"
    return sorted([*found, *db.rows(history)])


def cut_off_once_a_page(db: TestDatabase) -> None:
    """Interrupt the upgrade after each new page, until only the last page is left."""
    for page in range(1, 4):
        seen = 0

        def say(line: str) -> None:
            nonlocal seen
            seen += 1
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), connect(db.dsn) as conn:
            upgrade(conn, schema=SCHEMA, progress=say)
        (counts,) = db.rows("SELECT (informe #>> '{counts,records}')::int FROM hce.paso_datos")
        assert counts[0] == 3 * page
