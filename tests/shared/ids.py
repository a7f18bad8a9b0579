"""Ids that FHIR does not allow, names of sources, and names in options, on every engine."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import pyhce
from pyhce.citus.connection import connect
from pyhce.errors import UsageError
from pyhce.records.erasing.erase import erase
from pyhce.records.exporting.export import export
from pyhce.records.identity.tally import ORIGINAL_ID
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.reading.finished_export import check_export
from pyhce.records.reading.ids import derived_id
from pyhce.records.repair import repair_identities
from pyhce.records.saving.application_input import InvalidResource
from pyhce.records.source_names import SHOWN
from pyhce.schema.declaration import SCHEMA
from tests.shared.commands import pyhce as command
from tests.shared.database import TestDatabase, unique
from tests.shared.findings import complete_result
from tests.shared.records import person, weight

MINE = derived_id("Patient", "a_b")


def loaded(db: TestDatabase, folder: Path, source: str, *resources: object, **options: Any) -> LoadReport:
    """Load resources from one file."""
    path = folder / f"{unique()}.ndjson"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in resources), encoding="utf-8")
    return db.load_paths([path], source=source, rejects=folder / "rejected.ndjson", **options)


def kept(db: TestDatabase, source: str) -> list[Any]:
    """Every Patient and Observation of a source, with its record and its text."""
    return [
        db.rows(
            f"SELECT id, documento_id, version, recurso::text, original FROM {table} WHERE fuente = %s ORDER BY id",
            source,
        )
        for table in ("paciente", "observacion")
    ]


def test_references_find_the_patient_with_a_derived_id_whichever_comes_first(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique().upper()
    first = loaded(db, tmp_path, source, weight("early", "Patient/a_b"), repair_ids=True)
    assert (first.repaired_ids, first.repaired_references, first.waiting) == ({}, 1, 1)
    then = loaded(
        db, tmp_path, source, person("a_b", number), weight("late", "Patient/a_b/_history/2"),
        weight("absolute", "https://own.example/fhir/Patient/a_b"), weight("o_1", f"Patient/{MINE}"),
        bases=["https://own.example/fhir"], repair_ids=True,
    )  # fmt: skip
    assert (then.repaired_ids, then.repaired_references) == ({"Observation": 1, "Patient": 1}, 2)
    assert (then.rejected, then.waiting) == (0, 0)
    places = db.rows("SELECT id, documento_id, paciente_id FROM observacion WHERE fuente = %s", source)
    assert {place[1:] for place in places} == {(f"CC-{number}", MINE)}
    assert {key for key, *_ in places} == {"early", "late", "absolute", derived_id("Observation", "o_1")}
    assert db.rows("SELECT id, recurso -> 'identifier' -> 1 FROM paciente WHERE fuente = %s", source) == [
        (MINE, {"system": f"{ORIGINAL_ID}:{source}", "value": "a_b"})
    ]


def test_an_export_of_repaired_resources_is_loaded_without_the_option(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique().upper()
    came = (person("a_b", number), weight("o", "Patient/a_b"), weight("o_1", "Patient/a_b"))
    loaded(db, tmp_path, source, *came, repair_ids=True)
    before = kept(db, source)
    assert loaded(db, tmp_path, source, *came, repair_ids=True).unchanged == 3
    export(db.conn, tmp_path / "out", schema=SCHEMA, fuente=source)
    again = db.load_paths([tmp_path / "out"], source="", rejects=tmp_path / "rejected.ndjson")
    assert (again.new, again.changed, again.moved, again.rejected) == (0, 0, 0, 0)
    assert kept(db, source) == before


def test_a_load_without_repair_ids_rejects_with_the_remedy_and_moves_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique().upper()
    came = (person("a_b", number), weight("o", "Patient/a_b"))
    loaded(db, tmp_path, source, *came, repair_ids=True)
    refused = loaded(db, tmp_path, source, *came)
    assert refused.by_reason == {"invalid-id": 1}
    assert "load it with --repair-ids" in json.loads((tmp_path / "rejected.ndjson").read_text())["detail"]
    assert db.document("Observation", "o", source) == f"CC-{number}"
    assert loaded(db, tmp_path, source, *came, repair_ids=True).moved == 0
    assert db.document("Observation", "o", source) == f"CC-{number}"


def test_the_remedy_of_verify_moves_waiting_resources_to_their_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique().upper()
    path = tmp_path / "in.ndjson"
    path.write_text(json.dumps(person("a_b", number)) + "\n" + weight("o", "Patient/a_b") + "\n")
    arguments = ("load", path, "--source", source, "--rejects", tmp_path / "rejected.ndjson", "--dsn", db.dsn)
    refused = command(*arguments)
    assert refused.returncode == 1
    assert "1 rejected: invalid-id" in refused.stdout
    assert "--repair-ids" in refused.stdout
    assert f"{source}/o" in unreadable(db)
    assert json.loads(command(*arguments, "--repair-ids", "-o", "json").stdout)["repaired_ids"] == {"Patient": 1}
    assert f"{source}/o" not in unreadable(db)
    assert db.document("Observation", "o", source) == f"CC-{number}"


def unreadable(db: TestDatabase) -> list[str]:
    """The resources whose reference to their patient cannot be read, as SOURCE/ID."""
    return [name for line in complete_result(db, "HCE0441").details for name in line.partition(": ")[2].split(", ")]


def test_concurrent_writers_compute_one_derived_id(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique().upper()
    path = tmp_path / "in.ndjson"
    path.write_text(json.dumps(person("a_b", number)) + "\n" + weight("o_1", "Patient/a_b") + "\n")

    def by_load() -> None:
        with connect(db.dsn) as conn:
            load(conn, [path], schema=SCHEMA, fuente=source, reject_file=tmp_path / "r", again=True, repair_ids=True)

    def by_save() -> None:
        with pyhce.connect(db.dsn, source=source, repair_ids=True) as writer:
            writer.save_many([person("a_b", number), weight("o_1", "Patient/a_b")])

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for work in (by_load, by_save, by_load, by_save)]:
            done.result(timeout=120)
    assert [[row[:2] for row in rows] for rows in kept(db, source)] == [
        [(MINE, f"CC-{number}")],
        [(derived_id("Observation", "o_1"), f"CC-{number}")],
    ]


def test_an_application_saves_and_deletes_by_an_invalid_id_with_repair_ids(db: TestDatabase) -> None:
    source, number = unique(), unique().upper()
    with pyhce.connect(db.dsn, source=source) as writer, pytest.raises(InvalidResource) as refused:
        writer.save(person("a_b", number))
    assert refused.value.reason == "invalid-id"
    assert "pyhce.connect(repair_ids=True)" in refused.value.remedy
    assert "--repair-ids" not in refused.value.wrong
    with pyhce.connect(db.dsn, source=source, repair_ids=True) as writer:
        assert writer.save(person("a_b", number)).id == MINE
        assert writer.save(weight("o", "Patient/a_b")).outcome == "new"
        assert writer.save(weight("o", "Patient/a_b")).outcome == "unchanged"
        assert db.document("Observation", "o", source) == f"CC-{number}"
        assert writer.delete("Patient", "a_b").outcome == "deleted"


def test_a_deletion_in_a_bundle_finds_the_derived_id(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    loaded(db, tmp_path, source, weight("o_1", "Patient/p"), repair_ids=True)
    entry = {"request": {"method": "DELETE", "url": "Observation/o_1"}}
    assert (
        loaded(db, tmp_path, source, {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).deleted == 1
    )


def test_an_erasure_removes_a_reference_by_an_invalid_id(db: TestDatabase, tmp_path: Path) -> None:
    source, number, other = unique(), unique().upper(), unique()
    loaded(db, tmp_path, source, person("a_b", number), person("p", other), repair_ids=True)
    linked = {"reference": "Patient/a_b"}
    loaded(db, tmp_path, source, weight("o", "Patient/p", performer=[linked]))
    query = "SELECT recurso::text, original FROM observacion WHERE fuente = %s"
    assert "Patient/a_b" in db.rows(query, source)[0][1]
    erase(db.conn, f"CC-{number}", schema=SCHEMA, reason="request 2024-17", receipt=tmp_path / "receipt.json")
    ((recurso, original),) = db.rows(query, source)
    assert "a_b" not in recurso + original
    assert MINE not in recurso + original


@pytest.mark.parametrize("key", ["", None, 7])
def test_a_blank_id_counts_as_none_and_a_number_as_its_text(db: TestDatabase, tmp_path: Path, key: object) -> None:
    source = unique()
    resource = {**json.loads(weight("o", "Patient/7")), "id": key}
    report = loaded(db, tmp_path, source, resource, repair_ids=True)
    assert (report.new, report.repaired_ids) == (1, {} if key is None else {"Observation": 1})
    ((_, stored_id),) = db.exported(tmp_path, source)
    assert stored_id == "7" if key == 7 else stored_id.startswith("sha-")


SOURCES = ("manifest.json", "Patient.ndjson", "Patient.ndjson.gz", ".", "..", "a/b", "a b", "ñ", "x" * 200)


def test_sources_named_like_files_are_exported_and_loaded_again(db: TestDatabase, tmp_path: Path) -> None:
    number = unique().upper()
    for source in ("", *SOURCES):
        loaded(db, tmp_path, source, person(f"p-{number}", number))
    report = export(db.conn, tmp_path / "out", schema=SCHEMA, document=f"CC-{number}")
    assert sorted(file.fuente for file in report.files) == sorted(["", *SOURCES])
    assert check_export(tmp_path / "out").wrong == ()
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_file()} == {
        "manifest.json", "Patient.ndjson", "Patient.ndjson.rows"
    }  # fmt: skip
    for file in report.files:
        path = tmp_path / "out" / file.path
        again = db.load_paths([path], source=file.fuente, rejects=tmp_path / "rejected.ndjson")
        assert (again.read, again.unchanged) == (1, 1)


def test_an_unknown_source_is_refused_and_the_existing_ones_are_listed(db: TestDatabase, tmp_path: Path) -> None:
    unknown = unique()
    loaded(db, tmp_path, unique(), person("p", None))
    done = command("export", "--to", tmp_path / "out", "--source", unknown, "--dsn", db.dsn, "--output", "json")
    assert done.returncode == 2
    error = json.loads(done.stdout)
    assert f"no resources of the source '{unknown}'" in error["error"]
    listed = set(re.findall("'([^']*)'", error["remedy"]))
    assert len(listed) == min(SHOWN, db.value("SELECT count(DISTINCT fuente) FROM paciente"))
    assert not listed - {row[0] for row in db.rows("SELECT DISTINCT fuente FROM paciente")}
    assert not (tmp_path / "out").exists()


def test_a_source_with_only_deleted_resources_exists(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    loaded(db, tmp_path, source, weight("o", "Patient/p"))
    entry = {"request": {"method": "DELETE", "url": "Observation/o"}}
    loaded(db, tmp_path, source, {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    report = export(db.conn, tmp_path / "out", schema=SCHEMA, fuente=source, since="2024-01-01")
    assert (report.resources, len(report.deleted)) == (0, 1)


def test_impossible_types_times_and_patients_are_refused(db: TestDatabase, tmp_path: Path) -> None:
    for options, words in (
        ({"types": ["observation"]}, "Write it as FHIR does: Observation."),
        ({"types": ["Pacient"]}, "Write it as FHIR does: Patient."),
        ({"since": "2190-01-01"}, "2190-01-01 is in the future"),
    ):
        with pytest.raises(UsageError) as refused:
            export(db.conn, tmp_path / "out", schema=SCHEMA, **options)  # type: ignore[arg-type]
        assert words in f"{refused.value.wrong} {refused.value.remedy}"
    with pytest.raises(UsageError, match="there is no such Patient"):
        repair_identities(db.conn, schema=SCHEMA, keep=["nowhere/Patient/1"], dry_run=True)
    assert not (tmp_path / "out").exists()


def test_markup_in_names_of_files_sources_and_patients_is_shown_unchanged(db: TestDatabase, tmp_path: Path) -> None:
    number, source = unique().upper(), f"[/b]{unique()}"
    patient = person("p", number, name=[{"text": "[/b] [red]Ana"}])
    path = tmp_path / "[" / "b].ndjson"
    path.parent.mkdir()
    path.write_text(json.dumps(patient) + "\nno JSON\n")
    rejects = tmp_path / "[red]r.ndjson"
    done = command("load", path, "--source", source, "--rejects", rejects, "--dsn", db.dsn, FORCE_COLOR="1")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "[red]r.ndjson" in done.stdout
    assert "[/b] [red]Ana" in command("patient", f"CC-{number}", "--dsn", db.dsn).stdout
    out = tmp_path / "[" / "out]"
    done = command(
        "export",
        "--to",
        out,
        "--source",
        source,
        "--type",
        "Patient",
        "--type",
        "Encounter",
        "--dsn",
        db.dsn,
        FORCE_COLOR="1",
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "%5B%2Fb%5D" in done.stdout
    assert "no resources of type Encounter" in done.stdout


def test_a_name_that_is_not_utf8_can_be_loaded_rejected_and_printed(db: TestDatabase, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode("niños".encode("latin-1"))
    folder.mkdir()
    path = folder / os.fsdecode("niño.ndjson".encode("latin-1"))
    path.write_text(json.dumps(person("p", None)) + "\nno JSON\n")
    rejects = folder / "rejected.ndjson"
    arguments = ("load", path, "--source", unique(), "--rejects", rejects, "--again", "--dsn", db.dsn)
    done = command(*arguments, "--output", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["read"], report["rejected"]) == (1, 1, 1)
    assert report["reject_file"].endswith(r"/ni\xf1os/rejected.ndjson")
    assert json.loads(rejects.read_bytes())["file"].endswith(r"/ni\xf1os/ni\xf1o.ndjson")
    rejects.unlink()
    assert r"ni\xf1os" in command(*arguments).stdout
    missing = command("load", folder / "nothing.json", "--dsn", db.dsn, "--output", "json")
    assert (missing.returncode, r"ni\xf1os" in json.loads(missing.stdout)["error"]) == (2, True)
    odd = os.fsdecode("norteñ".encode("latin-1"))
    refused = command("load", path, "--source", odd, "--dsn", db.dsn)
    assert (refused.returncode, "not UTF-8" in refused.stderr) == (2, True)
