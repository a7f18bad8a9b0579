"""Tests of a wrong merge and the split that undoes it, for every engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyhce import connect as connect_writer
from pyhce.citus.connection import DatabaseConnection, connect, rows
from pyhce.errors import HceError, UsageError
from pyhce.records.identity import provisional_document
from pyhce.records.patient import merge, rekey, split
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase, unique
from tests.shared.erasure import waiting
from tests.shared.moves import load_during
from tests.shared.persons import ANA, CEDULA, LEO, number, places
from tests.shared.records import person, weight
from tests.shared.until import until

Tables = dict[str, list[str]]


def tables(db: TestDatabase) -> Tables:
    """Return every row of every table as sorted text, without the list of loaded files."""
    names = [table.qualified for table in SCHEMA.tables if table.name != "archivo_cargado"]
    return {name: sorted(row for (row,) in db.rows(f"SELECT t::text FROM {name} AS t")) for name in names}


def differences(before: Tables, after: Tables) -> dict[str, tuple[list[str], list[str]]]:
    """Return the deleted and the added rows of each table that differs."""
    return {
        name: (sorted(set(before[name]) - set(after[name])), sorted(set(after[name]) - set(before[name])))
        for name in before
        if before[name] != after[name]
    }


def two_records(db: TestDatabase, folder: Path) -> tuple[str, str, str]:
    """Load two persons with a history and resources that name them by an identifier; return source and documents."""
    source, one, other = unique(), number(), number()
    for value in ("71.0", "72.0"):
        db.load(
            folder,
            person("p1", one, **ANA, active=value == "71.0"),
            person("p2", other, **ANA, active=value == "72.0"),
            weight("o1", "Patient/p1", value=value),
            weight("o2", f"Patient?identifier={CEDULA}|{one}", value=value),
            weight("o3", "Patient/p2", value=value),
            {"resourceType": "Account", "id": "a1", "status": "active", "subject": [{"reference": "Patient/p1"}]},
            source=source,
        )
    return source, f"CC-{one}", f"CC-{other}"


def test_merge_then_split_gives_the_former_tables(db: TestDatabase, tmp_path: Path) -> None:
    source, old, new = two_records(db, tmp_path)
    before = tables(db)
    merged = merge(db.conn, old, new, schema=SCHEMA)
    assert merged.moved == 4
    assert differences(before, tables(db)) != {}
    undone = split(db.conn, new, old, patients=[f"{source}/p1"], schema=SCHEMA)
    assert undone.moved == 4
    assert differences(before, tables(db)) == {}


def test_merge_then_split_of_a_patient_that_was_kept_apart_gives_the_former_tables(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, cedula = unique(), number()
    lines = (
        json.dumps(person("p1", cedula, **ANA)),
        json.dumps(person("p2", cedula, **LEO)),
        weight("o", "Patient/p2"),
        weight("by", f"Patient?identifier={CEDULA}|{cedula}"),
    )
    db.load(tmp_path, *lines, source=source)
    other = unique()
    db.load(tmp_path, lines[3], source=other)
    before = tables(db)
    report = merge(db.conn, provisional_document(source, "p2"), f"CC-{cedula}", schema=SCHEMA)
    assert (report.moved, report.confirmed, report.returned) == (2, 1, 2)
    assert db.document("Observation", "by", source) == db.document("Observation", "by", other) == f"CC-{cedula}"
    again = db.load(tmp_path, *lines[:3], source=source)
    assert (again.unchanged, again.moved, again.kept_apart) == (3, 0, 0)
    assert db.document("Observation", "o", source) == f"CC-{cedula}"
    split(db.conn, f"CC-{cedula}", provisional_document(source, "p2"), patients=[f"{source}/Patient/p2"], schema=SCHEMA)
    assert differences(before, tables(db)) == {}
    again = db.load(tmp_path, *lines, source=source)
    assert (again.unchanged, again.moved, again.kept_apart) == (4, 0, 1)
    assert differences(before, tables(db)) == {}


def test_a_chain_of_merges_is_undone_step_by_step(db: TestDatabase, tmp_path: Path) -> None:
    source, one, other = two_records(db, tmp_path)
    third, later = f"CC-{number()}", unique()
    db.load(tmp_path, person("p3", third[3:], **ANA), weight("o4", "Patient/p3"), source=source)
    states = [tables(db)]
    merge(db.conn, one, other, schema=SCHEMA)
    states.append(tables(db))
    merge(db.conn, other, third, schema=SCHEMA)
    split(db.conn, third, other, patients=[f"{source}/p1", f"{source}/p2"], schema=SCHEMA)
    assert differences(states[1], tables(db)) == {}
    split(db.conn, other, one, patients=[f"{source}/p1"], schema=SCHEMA)
    assert differences(states[0], tables(db)) == {}
    db.load(tmp_path, person("p", one[3:], **ANA), source=later)
    assert db.document("Patient", "p", later) == one


def test_resources_saved_since_the_merge_move_with_their_patient_and_a_new_load_changes_nothing(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, old, new = two_records(db, tmp_path)
    input_files = sorted(tmp_path.glob("*.ndjson"))
    merge(db.conn, old, new, schema=SCHEMA)
    db.load(
        tmp_path,
        weight("o1", "Patient/p1", value="73.0"),
        weight("late1", "Patient/p1"),
        weight("late2", f"Patient?identifier={CEDULA}|{new[3:]}"),
        source=source,
    )
    split(db.conn, new, old, patients=[f"{source}/p1"], schema=SCHEMA)
    for key, document in {"o1": old, "o2": old, "o3": new, "late1": old, "late2": new}.items():
        assert db.document("Observation", key, source) == document, key
    assert [version for version, _ in db.history("Observation", "o1", source)] == [1, 2]
    state = tables(db)
    again = db.load_paths(input_files, source=source, rejects=tmp_path / "r")
    assert (again.new, again.changed, again.moved) == (0, 0, 0)
    assert differences(state, tables(db)) == {}
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_an_identifier_that_both_patients_carry_names_neither_after_the_split(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula, other = unique(), number(), number()
    second = person("p2", other, **ANA)
    second["identifier"].append({"system": "urn:mrn", "value": "7"})
    first = person("p1", cedula, **ANA)
    first["identifier"].append({"system": "urn:mrn", "value": "7"})
    by_number = weight("o", "Patient?identifier=urn:mrn|7")
    db.load(tmp_path, first, second, by_number, source=source)
    waits = provisional_document(source, "identifier=urn:mrn|7")
    assert db.document("Observation", "o", source) == waits
    merge(db.conn, f"CC-{cedula}", f"CC-{other}", schema=SCHEMA)
    db.load(tmp_path, by_number, source=source)
    assert db.document("Observation", "o", source) == f"CC-{other}"
    split(db.conn, f"CC-{other}", f"CC-{cedula}", patients=[f"{source}/p1"], schema=SCHEMA)
    assert db.document("Observation", "o", source) == waits


def test_a_split_of_patients_that_share_their_document_is_remembered(db: TestDatabase, tmp_path: Path) -> None:
    mark, cedula, right = unique(), number(), f"CC-{number()}"
    one, other = f"{mark}-a", f"{mark}-b"
    patients = {source: person("p", cedula, **ANA) for source in (one, other)}
    for source in (one, other):
        db.load(tmp_path, patients[source], weight("o-p", "Patient/p"), source=source)
    split(db.conn, f"CC-{cedula}", right, patients=[f"{other}/p"], schema=SCHEMA)
    for source in (other, one):
        assert db.load(tmp_path, patients[source], source=source).moved == 0
    assert places(db, [(one, "p"), (other, "p")]) == {
        (one, "p"): (f"CC-{cedula}", f"CC-{cedula}"),
        (other, "p"): (right, right),
    }


def test_a_split_to_the_provisional_record_is_remembered_without_a_contradiction(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, cedula = unique(), number()
    lines = person("p1", cedula, **ANA), person("p2", cedula, **ANA)
    db.load(tmp_path, *lines, source=source)
    split(db.conn, f"CC-{cedula}", provisional_document(source, "p1"), patients=[f"{source}/p1"], schema=SCHEMA)
    assert (db.load(tmp_path, *lines, source=source)).moved == 0
    assert db.document("Patient", "p1", source) == provisional_document(source, "p1")
    assert db.document("Patient", "p2", source) == f"CC-{cedula}"


def test_a_patient_kept_apart_and_merged_into_another_record_stays_there(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula, right = unique(), number(), number()
    lines = person("p1", cedula, **ANA), person("p2", cedula, **LEO), person("p3", right, **LEO)
    db.load(tmp_path, *lines, source=source)
    before = tables(db)
    merge(db.conn, f"{source}/Patient/p2", f"CC-{right}", schema=SCHEMA)
    again = db.load(tmp_path, *lines, source=source)
    assert (again.moved, again.kept_apart) == (0, 0)
    assert db.document("Patient", "p2", source) == f"CC-{right}"
    split(db.conn, f"CC-{right}", provisional_document(source, "p2"), patients=[f"{source}/p2"], schema=SCHEMA)
    assert differences(before, tables(db)) == {}


def test_a_dry_run_reports_the_same_and_changes_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, old, new = two_records(db, tmp_path)
    before = tables(db)
    tried = merge(db.conn, old, new, schema=SCHEMA, dry_run=True)
    assert (tried.moved, tried.dry_run, differences(before, tables(db))) == (4, True, {})
    merge(db.conn, old, new, schema=SCHEMA)
    merged = tables(db)
    done = pyhce(
        "patient", "split", new, "--patient", f"{source}/p1", "--to", old, "--dry-run", "--dsn", db.dsn, "-o", "json"
    )
    assert json.loads(done.stdout)["moved"] == 4
    assert differences(merged, tables(db)) == {}


def test_a_split_by_the_sites_own_rules_moves_resources_that_name_the_patient_by_their_number(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, cedula, own = unique(), number(), number()
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"code": ["XA", "XB"], "code_system": "urn:kinds"}]))
    kind = {"type": {"coding": [{"system": "urn:kinds", "code": "XA"}]}, "value": own}
    file = tmp_path / "in.ndjson"
    named = json.loads(weight("o", ""))
    lines = [person("p1", cedula, **ANA), {**person("p2", own, **ANA), "identifier": [kind]}]
    lines.append({**named, "subject": {"type": "Patient", "identifier": kind}})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ["--identity-rules", f"{rules},all", "--dsn", db.dsn, "-o", "json"]
    for words in (
        ["load", file, "--source", source],
        ["patient", "merge", f"XA-{own}", f"CC-{cedula}"],
        ["patient", "split", f"CC-{cedula}", "--patient", f"{source}/p2", "--to", f"XA-{own}"],
    ):
        done = pyhce(*words, *options)
        assert done.returncode == 0, done.stderr
    assert db.document("Patient", "p2", source) == db.document("Observation", "o", source) == f"XA-{own}"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a patient that is not there": ({"patients": ["{source}/nobody"]}, "Patient/nobody is not in the record"),
    "a patient of another record": ({"patients": ["{source}/p3"]}, "Patient/p3 is not in the record"),
    "no id": ({"patients": ["{source}/two words"]}, "is not SOURCE/ID"),
    "a document that does not parse": ({"document": "nonsense"}, "DOCUMENTO"),
    "a new document that does not parse": ({"new": "nonsense"}, "NEW"),
    "the same document": ({"new": "{new}"}, "are the same"),
    "a record that is there": ({"new": "{third}"}, "there is already a record under the document given as NEW"),
    "a document for a patient": ({"patients": ["{third}"]}, "its id is written like a document"),
    "no such record": ({"document": "CC-NEVERGIVEN1"}, "no record under the document given as DOCUMENTO"),
    "another one's provisional record": ({"new": "PROV-" + "0" * 32}, "another patient's provisional"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_split_with_invalid_input_is_refused_and_changes_nothing(db: TestDatabase, tmp_path: Path, what: str) -> None:
    source, old, new = two_records(db, tmp_path)
    third = number()
    db.load(tmp_path, person("p3", third), source=source)
    merge(db.conn, old, new, schema=SCHEMA)
    before = tables(db)
    changes, expected = WRONG[what]
    given: dict[str, Any] = {"document": new, "new": old, "patients": [f"{source}/p1"]}
    for name, value in changes.items():
        filled = [value] if isinstance(value, str) else value
        filled = [v.replace("{source}", source).replace("{new}", new).replace("{third}", f"CC-{third}") for v in filled]
        given[name] = filled[0] if isinstance(value, str) else filled
    with pytest.raises(UsageError, match=expected) as caught:
        split(db.conn, given["document"], given["new"], patients=given["patients"], schema=SCHEMA)
    assert caught.value.exit_code == 2
    assert not any(d in caught.value.wrong + caught.value.remedy for d in (old, new, third))
    assert differences(before, tables(db)) == {}


def test_two_patients_of_one_record_are_confirmed_to_be_one_person(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula = unique(), number()
    db.load(
        tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **{**ANA, "birthDate": "1950-11-30"}), source=source
    )
    report = merge(db.conn, f"{source}/Patient/p1", f"{source}/Patient/p2", schema=SCHEMA)
    assert (report.moved, report.confirmed) == (0, 1)
    with pytest.raises(UsageError, match="already in one record"):
        merge(db.conn, f"{source}/Patient/p1", f"CC-{cedula}", schema=SCHEMA)
    with pytest.raises(UsageError, match=r"given as FROM: .*Patient/nobody"):
        merge(db.conn, f"{source}/Patient/nobody", f"CC-{cedula}", schema=SCHEMA)
    # confirmed: another contradiction does not keep them apart any more
    again = db.load(tmp_path, person("p2", cedula, **LEO), source=source)
    assert again.kept_apart == 0
    assert db.document("Patient", "p2", source) == f"CC-{cedula}"


def test_a_rekey_of_a_patient_that_was_kept_apart_is_remembered(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula, right = unique(), number(), f"CC-{number()}"
    lines = person("p1", cedula, **ANA), person("p2", cedula, **LEO)
    db.load(tmp_path, *lines, source=source)
    rekey(db.conn, provisional_document(source, "p2"), right, schema=SCHEMA)
    again = db.load(tmp_path, *lines, source=source)
    assert (again.moved, again.kept_apart) == (0, 0)
    assert db.document("Patient", "p2", source) == right


def test_a_killed_split_changes_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, old, new = two_records(db, tmp_path)
    before = tables(db)
    merge(db.conn, old, new, schema=SCHEMA)
    merged = tables(db)
    command = ["patient", "split", new, "--patient", f"{source}/p1", "--to", old, "--dsn", db.dsn]
    with connect(db.dsn) as conn, conn.transaction():
        # the last table that the split writes: it has moved everything and waits here
        conn.execute("LOCK TABLE hce.asignacion IN SHARE ROW EXCLUSIVE MODE")
        running = subprocess.Popen(
            [sys.executable, "-m", "pyhce", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: waiting(db) > 0)
        os.kill(running.pid, signal.SIGKILL)
        running.wait(timeout=30)
    until(lambda: not rows(db.conn, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pyhce' AND pid <>"
                           " pg_backend_pid() AND state <> 'idle'"))  # fmt: skip
    assert differences(merged, tables(db)) == {}
    assert pyhce(*command).returncode == 0
    assert differences(before, tables(db)) == {}


def test_merge_names_the_argument_whose_record_does_not_exist(db: TestDatabase, tmp_path: Path) -> None:
    _, old, _ = two_records(db, tmp_path)
    with pytest.raises(HceError, match="INTO"):
        merge(db.conn, old, f"CC-{number()}", schema=SCHEMA)


def test_a_load_beside_a_split_writes_to_the_record_of_its_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, old, new = two_records(db, tmp_path)
    merge(db.conn, old, new, schema=SCHEMA)

    def splits(conn: DatabaseConnection) -> None:
        split(conn, new, old, patients=[f"{source}/p1"], schema=SCHEMA)

    report = load_during(db, tmp_path, source, splits, weight("late", "Patient/p1"))
    assert report.new == 1
    assert db.document("Observation", "late", source) == db.document("Patient", "p1", source) == old
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_an_application_that_remembers_the_merged_document_saves_to_the_right_record_after_the_split(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, old, new = two_records(db, tmp_path)
    merge(db.conn, old, new, schema=SCHEMA)
    writer = connect_writer(db.dsn, source=source)
    try:
        assert writer.save(weight("s1", "Patient/p1")).outcome == "new"
        split(db.conn, new, old, patients=[f"{source}/p1"], schema=SCHEMA)
        assert writer.save(weight("s1", "Patient/p1", value="74.0")).outcome == "changed"
        assert writer.save(weight("s2", "Patient/p1")).outcome == "new"
    finally:
        writer.close()
    assert db.document("Observation", "s1", source) == db.document("Observation", "s2", source) == old


def test_merge_and_split_log_their_begin_and_end_with_counts_and_never_a_document(
    db: TestDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, old, new = two_records(db, tmp_path)
    caplog.clear()
    with caplog.at_level("DEBUG", "pyhce"):
        merge(db.conn, old, new, schema=SCHEMA)
        split(db.conn, new, old, patients=[f"{source}/p1"], schema=SCHEMA)
    assert [record.getMessage() for record in caplog.records if record.levelname == "INFO"] == [
        "merge begins",
        "merge ends: 4 resources moved, 0 returned",
        "split begins",
        "split ends: 4 resources moved, 0 returned",
    ]
    assert not any(document[3:] in caplog.text for document in (old, new))
