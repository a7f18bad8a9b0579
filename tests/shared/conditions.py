"""Conditional entries of bundles on every engine; test_conditions.py of each tier runs these tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

import pyhce
from pyhce.citus.connection import connect
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.saving.application_input import InvalidResource
from pyhce.records.writing.condition_matches import CONDITION_LOCK_CLASS, CONDITION_LOCK_COUNT, lock_conditions
from pyhce.schema.declaration import SCHEMA
from tests.shared.database import TestDatabase, unique
from tests.shared.records import weight
from tests.shared.references import CEDULA, row_location

NPI, LAB = "http://hl7.org/fhir/sid/us-npi", "http://lab.example/id"


def identified(kind: str, system: str, value: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": kind, "identifier": [{"system": system, "value": value}], **members}


def observation(subject: str, value: str, **members: Any) -> dict[str, Any]:
    made = {**json.loads(weight("x", subject, "1")), **members}
    return {**{k: v for k, v in made.items() if k != "id"}, "identifier": [{"system": LAB, "value": value}]}


def create(resource: dict[str, Any], search: str, url: str | None = None) -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": search}
    return {**({"fullUrl": url} if url else {}), "resource": resource, "request": request}


def put(resource: dict[str, Any], url: str, full: str | None = None) -> dict[str, Any]:
    return {**({"fullUrl": full} if full else {}), "resource": resource, "request": {"method": "PUT", "url": url}}


def transaction(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def load_bundles(db: TestDatabase, folder: Path, source: str, *bundles: dict[str, Any], **options: Any) -> LoadReport:
    path = folder / f"{unique()}.ndjson"
    path.write_text("".join(json.dumps(bundle) + "\n" for bundle in bundles), encoding="utf-8")
    return db.load_paths([path], source=source, rejects=folder / "rejected.ndjson", **options)


def ids(db: TestDatabase, table: str, source: str) -> list[str]:
    return [key for (key,) in db.rows(f"SELECT id FROM {table} WHERE fuente = %s ORDER BY id", source)]


def rejects(report: LoadReport) -> list[tuple[str, str]]:
    lines = Path(str(report.reject_file)).read_text("utf-8").splitlines()
    return [(held["reason"], held["detail"]) for held in map(json.loads, lines)]


def locks(db: TestDatabase) -> int:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2"
    return int(db.value(query, CONDITION_LOCK_CLASS))


@pytest.fixture(autouse=True)
def no_lock_is_left(db: TestDatabase) -> Iterator[None]:
    yield
    assert locks(db) == 0


def urn(number: int) -> str:
    return f"urn:uuid:{unique()[:8]}-0000-4000-8000-{number:012d}"


def visit(mark: str) -> dict[str, Any]:
    """A bundle of an own practitioner, patient and result, each created if it is not there, and an encounter."""
    doctor, person, result = urn(1), urn(2), urn(3)
    return transaction(
        create(identified("Practitioner", NPI, mark), f"identifier={NPI}|{mark}", doctor),
        create(identified("Patient", CEDULA, mark), f"identifier={CEDULA}|{mark}", person),
        create(observation(person, mark), f"identifier={LAB}|{mark}", result),
        {
            "fullUrl": urn(4),
            "resource": {
                "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
                "subject": {"reference": person}, "participant": [{"individual": {"reference": doctor}}],
            },
            "request": {"method": "POST", "url": "Encounter"},
        },
    )  # fmt: skip


def test_of_concurrent_loads_one_creates_and_the_others_find_the_resource(db: TestDatabase, tmp_path: Path) -> None:
    source, marks = unique(), [unique() for _ in range(6)]
    together = Barrier(3)

    def loading(turn: int) -> list[LoadReport]:
        reports = []
        with ExitStack() as stack:
            conn, *writers = [stack.enter_context(connect(db.dsn)) for _ in range(3)]
            for mark in marks:
                path = tmp_path / f"{turn}-{mark}.json"
                path.write_text(json.dumps(visit(mark)), encoding="utf-8")
                together.wait(30)
                reports.append(
                    load(conn, [path], schema=SCHEMA, writers=writers, fuente=source, reject_file=tmp_path / f"r{turn}")
                )
        return reports

    with ThreadPoolExecutor(3) as pool:
        reports = [report for found in pool.map(loading, range(3)) for report in found]
    assert sum(report.conditional.get("created", 0) for report in reports) == 3 * len(marks)
    assert sum(report.conditional.get("matched", 0) for report in reports) == 6 * len(marks)
    for table in ("profesional", "paciente", "observacion"):
        assert len(ids(db, table, source)) == len(marks), table
    encounters = db.rows("SELECT documento_id, recurso FROM encuentro WHERE fuente = %s", source)
    assert len(encounters) == 3 * len(marks)
    assert {document for document, _ in encounters} == {f"CC-{mark.upper()}" for mark in marks}
    doctors = {held["participant"][0]["individual"]["reference"] for _, held in encounters}
    assert doctors == {f"Practitioner/{key}" for key in ids(db, "profesional", source)}


def test_a_load_waits_for_the_conditions_of_another_until_it_is_killed(db: TestDatabase, tmp_path: Path) -> None:
    source, mark = unique(), unique()
    path = tmp_path / "b.json"
    path.write_text(json.dumps(visit(mark)), encoding="utf-8")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND NOT granted"

    def loading() -> LoadReport:
        with connect(db.dsn) as conn:
            return load(conn, [path], schema=SCHEMA, fuente=source, reject_file=tmp_path / "r")

    with ThreadPoolExecutor(1) as pool, connect(db.dsn) as killed:  # closed first, should the test fail
        lock_conditions(killed, range(CONDITION_LOCK_COUNT))
        done = pool.submit(loading)
        deadline = time.monotonic() + 30
        while not db.value(waiting, CONDITION_LOCK_CLASS) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not done.done()
        assert ids(db, "profesional", source) == []
        db.conn.execute("SELECT pg_terminate_backend(%s::integer)", (killed.info.backend_pid,))
        assert done.result(30).conditional == {"created": 3}


def test_entries_of_one_bundle_with_the_same_condition_make_one_resource(db: TestDatabase, tmp_path: Path) -> None:
    source, mark = unique(), unique()
    first, again, by_other = urn(1), urn(2), urn(3)
    both = {**identified("Practitioner", NPI, mark), "identifier": [{"value": mark}, {"system": NPI, "value": mark}]}
    roles = [
        {"resource": {"resourceType": "PractitionerRole", "id": f"r{number}", "practitioner": {"reference": url}}}
        for number, url in enumerate((first, again, by_other))
    ]
    report = load_bundles(
        db, tmp_path, source,
        transaction(
            *roles,
            create(both, f"identifier={NPI}|{mark}", first),
            create(both, f"identifier={NPI}|{mark}", again),
            create(identified("Practitioner", "", mark), f"identifier=|{mark}", by_other),
        ),
    )  # fmt: skip
    assert report.conditional == {"created": 1, "matched": 2}
    (key,) = ids(db, "profesional", source)
    assert key == first.removeprefix("urn:uuid:")
    referred = db.rows("SELECT recurso #>> '{practitioner,reference}' FROM rol_profesional WHERE fuente = %s", source)
    assert referred == [(f"Practitioner/{key}",)] * 3


def test_a_match_in_another_record_is_found_and_an_update_moves_it(db: TestDatabase, tmp_path: Path) -> None:
    source, mark, other = unique(), unique(), unique()
    people = [{**identified("Patient", CEDULA, value), "id": key} for key, value in (("p", mark), ("q", other))]
    db.load(tmp_path, *people, {**observation("Patient/p", mark), "id": "o"}, source=source)
    search = f"identifier={LAB}|{mark}"
    done = load_bundles(db, tmp_path, source, transaction(create(observation("Patient/q", mark), search)))
    assert (done.conditional, done.read) == ({"matched": 1}, 0)
    assert row_location(db, source, "o")[1] == f"CC-{mark.upper()}"
    done = load_bundles(
        db,
        tmp_path,
        source,
        transaction(put(observation("Patient/q", mark, status="amended"), f"Observation?{search}")),
    )
    assert (done.conditional, done.moved, done.changed) == ({"updated": 1}, 1, 1)
    assert row_location(db, source, "o")[1] == f"CC-{other.upper()}"
    assert len(ids(db, "observacion", source)) == 1
    assert load_bundles(db, tmp_path, unique(), transaction(create(observation("Patient/q", mark), search))).new == 1, (
        "another source has resources of its own"
    )


def test_a_condition_with_several_matches_or_another_id_is_refused(db: TestDatabase, tmp_path: Path) -> None:
    source, mark, patient = unique(), unique(), unique()
    person = {**identified("Patient", CEDULA, patient), "id": "p"}
    twice = [{**observation("Patient/p", mark), "id": key} for key in ("a", "b")]
    db.load(tmp_path, person, *twice, source=source)
    before = db.exported(tmp_path, source)
    search, changed = f"identifier={LAB}|{mark}", observation("Patient/p", mark, status="amended")
    doctor = identified("Practitioner", NPI, mark)
    done = load_bundles(
        db, tmp_path, source,
        transaction(
            create(changed, search), put(changed, f"Observation?{search}"),
            put({**person, "id": "other", "gender": "female"}, f"Patient?identifier={CEDULA}|{patient}"),
            create(doctor, "name=Doe"), create(doctor, f"identifier={NPI}|1,{NPI}|2"),
            create(doctor, f"identifier={mark}"), create(doctor, ""),
            {"request": {"method": "DELETE", "url": f"Observation?{search}"}},
        ),
    )  # fmt: skip
    assert done.conditional == {"refused": 7}
    assert done.by_reason == {"condition": 7, "delete-not-done": 1}
    assert db.exported(tmp_path, source) == before
    told = rejects(done)
    assert sum("more than one resource matches" in detail for _, detail in told) == 3
    assert sum("has another id" in detail for _, detail in told) == 1
    assert not any(mark in detail or patient in detail for _, detail in told), "no identifier is in a detail"


def test_supported_searches_match_by_id_and_by_every_term(db: TestDatabase, tmp_path: Path) -> None:
    source, mark, patient = unique(), unique(), unique()
    two = [{"system": LAB, "value": f"{mark} 1&2"}, {"system": "urn:x", "value": mark}]
    there = {**observation("Patient/p", ""), "id": "o", "identifier": two}
    other = {**observation("Patient/p", ""), "id": "n", "identifier": two[1:]}
    db.load(tmp_path, {**identified("Patient", CEDULA, patient), "id": "p"}, there, other, source=source)
    held = {**there, "status": "amended"}
    del held["id"]
    encoded = "identifier=http%3A%2F%2Flab.example%2Fid%7C" + f"{mark}%201%262"
    for search in (encoded, f"?{encoded}&_format=json", f"identifier=urn:x|{mark}&{encoded}", "_id=o",
                   f"_id=o&identifier=urn:x|{mark}"):  # fmt: skip
        done = load_bundles(db, tmp_path, source, transaction(create(held, search)))
        assert (done.conditional, done.read) == ({"matched": 1}, 0), search
    done = load_bundles(db, tmp_path, source, transaction(put(held, f"Observation?identifier=urn:x|{mark}&{encoded}")))
    assert (done.conditional, done.changed) == ({"updated": 1}, 1)
    gone = {"request": {"method": "DELETE", "url": f"Observation?_id=n&identifier=urn:x|{mark}"}}
    assert load_bundles(db, tmp_path, source, transaction(gone)).deleted == 1
    assert ids(db, "observacion", source) == ["o"]
    done = load_bundles(
        db, tmp_path, source,
        transaction(
            put({**held, "id": "mine", "identifier": []}, f"Observation?identifier={LAB}|none"),
            create({**held, "identifier": []}, "_id=o&identifier=urn:x|other"),
        ),
    )  # fmt: skip
    assert done.conditional == {"created": 2}
    assert {"mine", "o"} < set(ids(db, "observacion", source))


def test_a_transaction_deletes_first_so_what_it_creates_stays(db: TestDatabase, tmp_path: Path) -> None:
    source, mark = unique(), unique()
    db.load(tmp_path, {**identified("Practitioner", NPI, mark), "id": "old"}, source=source)
    search = f"identifier={NPI}|{mark}"
    url = urn(1)
    done = load_bundles(
        db, tmp_path, source,
        transaction(
            create(identified("Practitioner", NPI, mark), search, url),
            {"request": {"method": "DELETE", "url": f"Practitioner?{search}"}},
        ),
    )  # fmt: skip
    assert (done.deleted, done.conditional) == (1, {"created": 1})
    assert ids(db, "profesional", source) == [url.removeprefix("urn:uuid:")]


def test_a_repeated_load_of_conditions_changes_nothing_and_a_failed_one_is_finished(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, mark, other = unique(), unique(), unique()
    bundles = [visit(mark), visit(other)]

    def stop(report: LoadReport) -> None:
        if report.read:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_bundles(db, tmp_path, source, *bundles, progress=stop)
    assert locks(db) == 0
    load_bundles(db, tmp_path, source, *bundles)
    before = db.exported(tmp_path, source)
    assert [kind for kind, _ in before].count("Practitioner") == 2
    again = load_bundles(db, tmp_path, source, *bundles)
    assert (again.new, again.changed, again.unchanged, again.conditional) == (0, 0, 2, {"matched": 6})
    assert db.exported(tmp_path, source) == before


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_of_a_history_in_any_order_leave_the_newest_version(
    db: TestDatabase, tmp_path: Path, newest_first: bool
) -> None:
    source, mark = unique(), unique()
    patient = put({**identified("Patient", CEDULA, mark), "id": "p"}, "Patient/p/_history/1")

    def version(key: str, number: int) -> dict[str, Any]:
        meta = {"versionId": str(number), "lastUpdated": f"2024-01-{number:02d}T00:00:00Z"}
        held = json.loads(weight(key, "Patient/p", f"{number}.5", meta=meta))
        return put(held, f"Observation/{key}/_history/{number}")

    def deletion(key: str, number: int) -> dict[str, Any]:
        return {"request": {"method": "DELETE", "url": f"Observation/{key}/_history/{number}"}}

    pages = [
        [version("again", 3), deletion("gone", 3)],
        [deletion("again", 2), version("gone", 2)],
        [version("again", 1), version("gone", 1), patient],
    ]
    bundles = [transaction(*page, kind="history") for page in pages]
    done = load_bundles(db, tmp_path, source, *(bundles if newest_first else reversed(bundles)))
    assert db.rows("SELECT id, recurso #>> '{meta,versionId}' FROM observacion WHERE fuente = %s", source) == [
        ("again", "3")
    ]
    assert done.superseded == (4 if newest_first else 0)
    assert done.deleted + done.not_there == (1 if newest_first else 2)
    assert done.rejected == 0


def test_conditions_of_a_history_and_within_another_bundle(db: TestDatabase, tmp_path: Path) -> None:
    source, mark, other = unique(), unique(), unique()
    past = create({**identified("Practitioner", NPI, mark), "id": "past"}, f"identifier={NPI}|{mark}")
    done = load_bundles(db, tmp_path, source, transaction(past, kind="history"))
    assert (done.new, done.conditional) == (1, {}), "a history tells what was done"
    inner = transaction(create(identified("Practitioner", NPI, other), f"identifier={NPI}|{other}"))
    outer = create(identified("Practitioner", NPI, mark), f"identifier={NPI}|{mark}")
    done = load_bundles(db, tmp_path, source, transaction({"resource": inner}))
    assert done.conditional == {"created": 1}
    done = load_bundles(db, tmp_path, source, transaction(outer, {"resource": inner}))
    assert done.conditional == {"matched": 1, "refused": 1}
    assert len(ids(db, "profesional", source)) == 2


def test_save_many_refuses_a_condition(db: TestDatabase) -> None:
    source, mark = unique(), unique()
    with pyhce.connect(db.dsn, source=source) as writer, pytest.raises(InvalidResource, match="use `pyhce load`"):
        writer.save_many([visit(mark)])
    assert ids(db, "profesional", source) == []
