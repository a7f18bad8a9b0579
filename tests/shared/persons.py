"""Tests of Patients with the same document, for every engine: whether they share a record, in any order of loads."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyhce.citus.connection import connect
from pyhce.records.identity import DEFAULT_RULES, provisional_document
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.saving.application_input import resource_to_save
from pyhce.records.saving.save import SourceRecords, save, save_many
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight

ANA = {"name": [{"family": "Kil", "given": ["Ana"]}], "gender": "female", "birthDate": "2003-04-19"}
LEO = {"name": [{"family": "Har", "given": ["Leo"]}], "gender": "male", "birthDate": "1958-09-28"}
EVA = {"name": [{"family": "Paz", "given": ["Eva"]}], "gender": "female", "birthDate": "1931-12-01"}
CEDULA = "https://www.registraduria.gov.co/cedula"
ORDERS = list(itertools.permutations(range(3)))


def number() -> str:
    """Make the number of a cédula that no other test uses."""
    return str(int(unique(), 16))[:10]


def sent(source: str, key: str, cedula: str, traits: dict[str, Any]) -> tuple[str, list[str]]:
    """Make a source's name and its lines: a Patient with an observation."""
    return source, [json.dumps(person(key, cedula, **traits)), weight(f"o-{key}", f"Patient/{key}")]


def places(db: TestDatabase, patients: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Return the documents under which Patients and their observations are stored."""
    return {
        (source, key): (db.document("Patient", key, source), db.document("Observation", f"o-{key}", source))
        for source, key in patients
    }


def apart(source: str, key: str) -> tuple[str, str]:
    """Return the documents of a Patient that is kept apart and of its observation."""
    return provisional_document(source, key), provisional_document(source, key)


def noted(db: TestDatabase, document: str) -> set[tuple[str, str]]:
    return set(
        db.rows("SELECT fuente, paciente_id FROM hce.documento_en_disputa WHERE documento_calculado = %s", document)
    )


def test_two_persons_with_one_document_get_two_records(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula = unique(), number()
    report = db.load(
        tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO), weight("o-p2", "Patient/p2"), source=source
    )
    assert (report.new, report.kept_apart) == (3, 1)
    assert db.document("Patient", "p1", source) == f"CC-{cedula}"
    assert (
        db.document("Patient", "p2", source)
        == db.document("Observation", "o-p2", source)
        == provisional_document(source, "p2")
    )
    again = db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO), source=source)
    assert (again.unchanged, again.moved, again.kept_apart) == (2, 0, 1)
    assert noted(db, f"CC-{cedula}") == {(source, "p2")}


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_and_repetition_of_loads_do_not_matter(
    db: TestDatabase, tmp_path: Path, order: tuple[int, ...]
) -> None:
    mark, cedula = unique(), number()
    loads = [
        sent(f"{mark}-a", "p", cedula, ANA),
        sent(f"{mark}-b", "p", cedula, LEO),
        sent(f"{mark}-c", "p", cedula, {**LEO, "birthDate": "1958-09-23"}),
    ]
    for position in (*order, *order):
        source, lines = loads[position]
        db.load(tmp_path, *lines, source=source)
    found = places(db, [(source, "p") for source, _ in loads])
    assert found == {
        (f"{mark}-a", "p"): (f"CC-{cedula}", f"CC-{cedula}"),
        (f"{mark}-b", "p"): apart(f"{mark}-b", "p"),
        (f"{mark}-c", "p"): apart(f"{mark}-c", "p"),
    }
    assert noted(db, f"CC-{cedula}") == {(f"{mark}-b", "p"), (f"{mark}-c", "p")}


def test_a_patient_that_takes_over_the_document_does_not_get_the_other_patients_resources(
    db: TestDatabase, tmp_path: Path
) -> None:
    mark, cedula = unique(), number()
    db.load(tmp_path, *sent(f"{mark}-b", "p", cedula, LEO)[1], source=f"{mark}-b")
    db.load(tmp_path, weight("o-p", "Patient/p", value="81.0"), source=f"{mark}-b")
    report = db.load(tmp_path, *sent(f"{mark}-a", "p", cedula, ANA)[1], source=f"{mark}-a")
    assert (report.new, report.moved, report.kept_apart) == (2, 2, 1)
    assert places(db, [(f"{mark}-b", "p")]) == {(f"{mark}-b", "p"): apart(f"{mark}-b", "p")}
    assert [version for version, _ in db.history("Observation", "o-p", f"{mark}-b")] == [1]
    assert db.value("SELECT count(*) FROM historia WHERE documento_id = %s", f"CC-{cedula}") == 0


@pytest.mark.parametrize("traits", [{}, {"gender": "male"}, {"birthDate": "1958-09-28"}, {**ANA, "gender": "male"}])
def test_patients_that_contradict_in_one_element_or_none_share_the_record(
    db: TestDatabase, tmp_path: Path, traits: dict[str, Any]
) -> None:
    source, cedula = unique(), number()
    report = db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **traits), source=source)
    assert report.kept_apart == 0
    assert db.document("Patient", "p2", source) == f"CC-{cedula}"


def test_a_new_version_of_a_patient_is_a_correction(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula = unique(), number()
    db.load(tmp_path, person("p1", cedula, **ANA), weight("o-p1", "Patient/p1"), source=source)
    report = db.load(tmp_path, person("p1", cedula, **LEO), source=source)
    assert (report.changed, report.kept_apart) == (1, 0)
    assert places(db, [(source, "p1")]) == {(source, "p1"): (f"CC-{cedula}", f"CC-{cedula}")}


def test_a_correction_of_the_contradiction_moves_the_patient_into_the_record(db: TestDatabase, tmp_path: Path) -> None:
    mark, cedula = unique(), number()
    one, other = f"{mark}-a", f"{mark}-b"
    db.load(tmp_path, *sent(one, "p", cedula, ANA)[1], source=one)
    db.load(tmp_path, *sent(other, "p", cedula, LEO)[1], source=other)
    report = db.load(tmp_path, person("p", cedula, **LEO, active=True), source=one)
    assert report.kept_apart == 0
    assert places(db, [(other, "p")]) == {(other, "p"): (f"CC-{cedula}", f"CC-{cedula}")}
    assert noted(db, f"CC-{cedula}") == set()


def test_a_corrected_document_lets_the_patient_kept_apart_have_it(db: TestDatabase, tmp_path: Path) -> None:
    source, wrong, right = unique(), number(), number()
    db.load(
        tmp_path, person("p1", wrong, **ANA), person("p2", wrong, **LEO), weight("o-p2", "Patient/p2"), source=source
    )
    db.load(tmp_path, person("p1", right, **ANA), source=source)
    assert db.document("Patient", "p1", source) == f"CC-{right}"
    assert places(db, [(source, "p2")]) == {(source, "p2"): (f"CC-{wrong}", f"CC-{wrong}")}


def test_a_deleted_patient_still_keeps_another_person_out_of_its_record(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula = unique(), number()
    db.load(tmp_path, person("p1", cedula, **ANA), weight("o-p1", "Patient/p1"), source=source)
    gone = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Patient/p1"}}],
    }
    assert db.load(tmp_path, gone, source=source).deleted == 1
    report = db.load(tmp_path, person("p2", cedula, **LEO), source=source)
    assert report.kept_apart == 1
    assert db.document("Patient", "p2", source) == provisional_document(source, "p2")


def test_saves_keep_contradicting_patients_apart_too(db: TestDatabase, tmp_path: Path) -> None:
    mark, cedula = unique(), number()
    one, other = f"{mark}-a", f"{mark}-b"
    (_, first), (_, second) = sent(one, "p", cedula, ANA), sent(other, "p", cedula, LEO)
    with connect(db.dsn) as conn:
        for line in second:
            save(conn, SourceRecords(SCHEMA, other, DEFAULT_RULES), resource_to_save(SCHEMA, line))
        save_many(conn, SourceRecords(SCHEMA, one, DEFAULT_RULES), [resource_to_save(SCHEMA, line) for line in first])
        saved = save(
            conn, SourceRecords(SCHEMA, other, DEFAULT_RULES), resource_to_save(SCHEMA, weight("late", "Patient/p"))
        )
    assert saved.outcome == "new"
    assert db.document("Observation", "late", other) == provisional_document(other, "p")
    assert places(db, [(one, "p"), (other, "p")]) == {
        (one, "p"): (f"CC-{cedula}", f"CC-{cedula}"),
        (other, "p"): apart(other, "p"),
    }


@pytest.mark.parametrize("attempt", range(3))
def test_parallel_loads_of_contradicting_patients_give_the_result_of_loads_in_sequence(
    db: TestDatabase, tmp_path: Path, attempt: int
) -> None:
    mark, cedulas = unique(), [number() for _ in range(20)]
    sources = {f"{mark}-a": ANA, f"{mark}-b": LEO, f"{mark}-c": EVA}

    def loads(source: str) -> LoadReport:
        lines = [line for i, c in enumerate(cedulas) for line in sent(source, f"p{i}", c, sources[source])[1]]
        path = tmp_path / f"{source}.ndjson"
        path.write_text("\n".join(lines if source.endswith("a") else reversed(lines)))
        with connect(db.dsn) as conn, connect(db.dsn) as one, connect(db.dsn) as other:
            return load(
                conn, [path], schema=SCHEMA, fuente=source, writers=[one, other], reject_file=tmp_path / f"r{source}"
            )

    with ThreadPoolExecutor(3) as pool:
        assert [report.new for report in pool.map(loads, sources)] == [40, 40, 40]
    keys = [f"p{i}" for i in range(len(cedulas))]
    for key, cedula in zip(keys, cedulas, strict=True):
        assert places(db, [(source, key) for source in sources]) == {
            (f"{mark}-a", key): (f"CC-{cedula}", f"CC-{cedula}"),
            (f"{mark}-b", key): apart(f"{mark}-b", key),
            (f"{mark}-c", key): apart(f"{mark}-c", key),
        }
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


@pytest.mark.parametrize("order", ORDERS)
def test_an_identifier_that_fits_several_records_names_none_of_them(
    db: TestDatabase, tmp_path: Path, order: tuple[int, ...]
) -> None:
    source, cedula = unique(), number()
    lines = [
        json.dumps(person("p1", cedula, **ANA)),
        json.dumps(person("p2", cedula, **LEO)),
        weight("o", f"Patient?identifier={CEDULA}|{cedula}"),
    ]
    reports = [db.load(tmp_path, lines[position], source=source) for position in (*order, *order)]
    assert db.document("Observation", "o", source) == provisional_document(source, f"identifier={CEDULA}|{cedula}")
    assert reports[3 + order.index(2)].ambiguous == 1
    assert db.document("Patient", "p1", source) == f"CC-{cedula}"
    assert db.document("Patient", "p2", source) == provisional_document(source, "p2")


def test_an_identifier_that_fits_one_record_again_names_it(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula, other = unique(), number(), number()
    key = f"Patient?identifier={CEDULA}|{cedula}"
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO), weight("o", key), source=source)
    db.load(tmp_path, person("p2", other, **LEO), source=source)
    assert db.document("Patient", "p2", source) == f"CC-{other}"
    assert db.document("Observation", "o", source) == f"CC-{cedula}"


@pytest.mark.parametrize("order", ORDERS)
def test_an_identifier_of_a_disputed_document_names_no_record_in_another_source(
    db: TestDatabase, tmp_path: Path, order: tuple[int, ...]
) -> None:
    mark, cedula = unique(), number()
    loads = [
        (f"{mark}-a", json.dumps(person("p1", cedula, **ANA))),
        (f"{mark}-a", json.dumps(person("p2", cedula, **LEO))),
        (f"{mark}-b", weight("o", f"Patient?identifier={CEDULA}|{cedula}")),
    ]
    for position in order:
        report = db.load(tmp_path, loads[position][1], source=loads[position][0])
    assert report.ambiguous == (order[-1] == 2)
    assert db.document("Observation", "o", f"{mark}-b") == provisional_document(
        f"{mark}-b", f"identifier={CEDULA}|{cedula}"
    )
    assert db.document("Patient", "p1", f"{mark}-a") == f"CC-{cedula}"


def test_the_patient_that_disputes_a_document_gets_the_resources_that_name_it_by_the_identifier(
    db: TestDatabase, tmp_path: Path
) -> None:
    """Its identifier fits one Patient of its source, so it names that Patient, even if it was loaded last."""
    mark, cedula = unique(), number()
    first, other = f"{mark}-a", f"{mark}-b"
    db.load(tmp_path, weight("o", f"Patient?identifier={CEDULA}|{cedula}"), source=first)
    db.load(tmp_path, person("p", cedula, **LEO), source=other)
    assert db.load(tmp_path, person("p", cedula, **ANA), source=first).kept_apart == 1
    assert db.document("Patient", "p", first) == db.document("Observation", "o", first) == f"CC-{cedula}"
    assert db.document("Patient", "p", other) == provisional_document(other, "p")


def test_a_former_version_without_the_document_does_not_end_the_dispute(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula = unique(), number()
    now, before = ({"meta": {"lastUpdated": f"2024-0{month}-01T00:00:00Z"}} for month in (2, 1))
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO, **now), source=source)
    assert db.load(tmp_path, person("p2", None, **LEO, **before), source=source).superseded == 1
    assert noted(db, f"CC-{cedula}") == {(source, "p2")}
