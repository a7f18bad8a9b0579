"""What holds for references to patients: in the patient's record, or kept and counted, never in another one's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyhce
from pyhce.records.identity import provisional
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.schema.declaration import SCHEMA
from tests.shared.database import TestDatabase, unique
from tests.shared.records import weight

CASES = Path(__file__).parents[1] / "cases"
CEDULA = "https://www.registraduria.gov.co/cedula"
OWN, OTHER = "https://own.example/fhir", "https://other.example/fhir"


def load_case(db: TestDatabase, folder: Path, case: str, **options: Any) -> tuple[str, LoadReport]:
    """Load a case's folder under a source of its own; the source and what came of it."""
    source = unique()
    return source, loaded(db, folder, [CASES / case / "in"], source, **options)


def loaded(db: TestDatabase, folder: Path, paths: list[Path], source: str, **options: Any) -> LoadReport:
    """Load paths."""
    return load(
        db.conn, paths, schema=SCHEMA, fuente=source, reject_file=folder / "rejected.ndjson", again=True, **options
    )


def load_bundle(db: TestDatabase, folder: Path, source: str, bundle: dict[str, Any], **options: Any) -> LoadReport:
    """Load one bundle."""
    path = folder / f"{unique()}.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    return loaded(db, folder, [path], source, **options)


def collection(*entries: tuple[str | None, dict[str, Any]], kind: str = "collection", **members: Any) -> dict[str, Any]:
    """A bundle of resources with their fullUrls."""
    listed = [{"fullUrl": url, "resource": held} if url else {"resource": held} for url, held in entries]
    return {"resourceType": "Bundle", "type": kind, **members, "entry": listed}


def observation(key: str, subject: object, **members: Any) -> dict[str, Any]:
    """An Observation as a dict."""
    return {**json.loads(weight(key, subject, "1")), **members}


def where(db: TestDatabase, source: str, key: str) -> tuple[str, str | None, str | None]:
    """Table, document and patient key of a resource; it must be in one place."""
    found: list[tuple[str, str | None, str | None]] = []
    for table in SCHEMA.resource_tables():
        by_patient = table.distribution_column == "documento_id"
        columns = "documento_id, paciente_id" if by_patient else "NULL, NULL"
        query = f"SELECT {columns} FROM {table.qualified} WHERE fuente = %s AND id = %s"
        found += [(table.name, *row) for row in db.rows(query, source, key)]
    assert len(found) == 1, f"{key}: {found}"
    return found[0]


def verified(db: TestDatabase, code: str) -> Any:
    """How a check ends."""
    (result,) = [c for c in pyhce.verify(db.dsn, groups=["identity"]).checks if c.code == code]
    return result


def test_case_07_every_form_of_a_reference_finds_the_record_or_is_counted(db: TestDatabase, tmp_path: Path) -> None:
    source, report = load_case(db, tmp_path, "07-references", bases=["https://ehr.example/fhir/"])
    mine = {
        "r-rel", "r-hist", "r-abs", "r-abshist", "r-slash", "r-trail", "r-cond", "r-condenc", "r-logical",
        "r-logical-typed", "r-contained", "r-both", "c-logical", "cov1", "ap1",
    }  # fmt: skip
    for key in mine:
        assert where(db, source, key)[1] == "CC-910000071", key
    assert where(db, source, "r-oid")[1] == "CC-910000072"
    for key in ("r-uuid", "r-uuidtyped"):
        assert where(db, source, key)[1] == "CC-910000073", key
    for key in ("r-bare", "r-space", "r-frag", "r-display", "r-group", "r-none"):
        assert where(db, source, key)[:2] == ("recurso_compartido", None), key
    assert report.unreadable_references == {"Observation": 3}
    assert report.of_other_servers == {}
    assert (report.rejected, report.read) == (0, 27)


def test_case_07_another_servers_patient_is_not_ours_until_its_base_is_said_to_be(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, report = load_case(db, tmp_path, "07-references")
    waiting = provisional("https://ehr.example/fhir", "rp")
    assert {where(db, source, key)[1:] for key in ("r-abs", "r-abshist")} == {
        (waiting, "https://ehr.example/fhir/Patient/rp")
    }
    assert report.of_other_servers == {"https://ehr.example/fhir": 2}
    again = loaded(db, tmp_path, [CASES / "07-references" / "in"], source, bases=["https://ehr.example/fhir"])
    assert again.of_other_servers == {}
    assert where(db, source, "r-abs")[1:] == where(db, source, "r-abshist")[1:] == ("CC-910000071", "rp")


def test_case_38_an_identifier_alone_names_the_patient_wherever_r4_allows_any_resource(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, _ = load_case(db, tmp_path, "38-task-for-identifier")
    for key in ("tf-o", "tf-t", "tf-tt", "tf-q", "tf-c", "tf-b"):
        assert where(db, source, key)[1] == "CC-910000381", key
    assert where(db, source, "tf-u")[1] == provisional(source, "9e9e9e9e-0000-4000-8000-000000000001")


def test_case_08_two_servers_in_one_bundle_are_two_sources(db: TestDatabase, tmp_path: Path) -> None:
    source, report = load_case(db, tmp_path, "08-two-servers-one-bundle")
    a, b = "https://a.example/fhir", "https://b.example/fhir"
    assert where(db, a, "1")[1:] == ("CC-910000081", "1")
    assert where(db, b, "1")[1:] == ("CC-910000082", "1")
    assert where(db, a, "a1")[1:] == ("CC-910000081", "1")
    assert where(db, b, "b1")[1:] == ("CC-910000082", "1")
    assert where(db, b, "b2")[1:] == ("CC-910000081", f"{a}/Patient/1")
    assert where(db, source, "7")[1] == "CC-910000083"
    assert where(db, source, "c1")[1:] == (provisional("https://other.example/fhir", "7"), f"{OTHER}/Patient/7")
    assert report.of_other_servers == {a: 2, b: 3, OTHER: 1}
    people = {(f, key): held for f, key, held in db.rows("SELECT fuente, id, documento_id FROM paciente")}
    named = db.rows("SELECT fuente, paciente_id, documento_id FROM observacion WHERE fuente = ANY(%s)", [a, b, source])
    assert len(named) == 4
    assert [row for row in named if people.get((row[0], row[1]), row[2]) != row[2]] == []
    assert loaded(db, tmp_path, [CASES / "08-two-servers-one-bundle" / "in"], source).unchanged == report.read
