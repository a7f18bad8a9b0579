"""One location for each identity, whatever writers run at the same time, and duplicates joined; run on each engine."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

import pyhce
from pyhce.citus.connection import connect
from pyhce.citus.lock_table import batch_size, lock_slots, slots_needed
from pyhce.cli import main
from pyhce.errors import HceError
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.patient.corrections import merge
from pyhce.records.writing import retry
from pyhce.records.writing.deduplication import CopyChoice, deduplicate
from pyhce.records.writing.locks import lock_identities
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import Result, verify
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight

IDS, RUNS = int(os.environ.get("PYHCE_RACE_IDS") or 400), int(os.environ.get("PYHCE_RACE_RUNS") or 3)
"""Ids and runs of each race. For larger races set PYHCE_RACE_IDS=2000 PYHCE_RACE_RUNS=20."""


def run_started_together(*calls: Callable[[], object]) -> list[object]:
    """Run functions in threads that start together, and return their results."""
    barrier = threading.Barrier(len(calls))

    def begin(call: Callable[[], object]) -> object:
        barrier.wait(60)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result(timeout=240) for done in [pool.submit(begin, call) for call in calls]]


def load_of_lines(db: TestDatabase, folder: Path, source: str, name: str, lines: list[str]) -> Callable[[], LoadReport]:
    """A function that loads these lines on a connection of its own."""
    path = folder / f"{source}-{name}.ndjson"
    path.write_text("\n".join(lines))

    def run() -> LoadReport:
        with connect(db.dsn) as conn:
            return load(conn, [path], schema=SCHEMA, fuente=source, reject_file=folder / f"{source}-{name}-r")

    return run


def rows_per_identity(db: TestDatabase, source: str) -> dict[tuple[str, str], int]:
    """The number of rows of each identity of a source."""
    found: dict[tuple[str, str], int] = {}
    for table in SCHEMA.resource_tables():
        kind = "tipo" if table.is_generic else f"'{table.fhir_type}'"
        for tipo, key in db.rows(f"SELECT {kind}, id FROM {table.qualified} WHERE fuente = %s", source):
            found[tipo, key] = found.get((tipo, key), 0) + 1
    return found


def duplicate_count(db: TestDatabase, source: str) -> int:
    """The number of identities of a source that are stored in more than one location."""
    return sum(count > 1 for count in rows_per_identity(db, source).values())


def load_two_patients(db: TestDatabase, folder: Path, source: str) -> tuple[str, str]:
    """Load the Patients p0 and p1, and return their documents."""
    numbers = unique(), unique()
    db.load(folder, *(person(f"p{n}", number) for n, number in enumerate(numbers)), source=source)
    first, second = (db.document("Patient", f"p{n}", source) for n in range(2))
    assert first
    assert second
    return first, second


@pytest.mark.parametrize("run", range(RUNS))
def test_two_loads_of_the_same_ids_for_two_patients_store_each_once(db: TestDatabase, tmp_path: Path, run: int) -> None:
    source = unique()
    if run % 2:  # otherwise both patients are unknown
        load_two_patients(db, tmp_path, source)
    run_started_together(
        *(
            load_of_lines(db, tmp_path, source, f"p{n}", [weight(f"o{i}", f"Patient/p{n}") for i in range(IDS)])
            for n in range(2)
        )
    )
    assert set(rows_per_identity(db, source).values()) == {1}
    assert len(rows_per_identity(db, source)) == IDS + 2 * (run % 2)
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


@pytest.mark.parametrize("run", range(RUNS))
def test_two_loads_of_the_same_ids_one_without_a_patient_store_each_once(
    db: TestDatabase, tmp_path: Path, run: int
) -> None:
    source = unique()
    load_two_patients(db, tmp_path, source)
    run_started_together(
        load_of_lines(db, tmp_path, source, "with", [weight(f"o{i}", "Patient/p0") for i in range(IDS)]),
        load_of_lines(db, tmp_path, source, "without", [weight(f"o{i}", None) for i in range(IDS)]),
    )
    assert duplicate_count(db, source) == 0
    again = load_of_lines(db, tmp_path, source, "again", [weight(f"o{i}", "Patient/p1") for i in range(IDS)])()
    assert (again.read, again.rejected) == (IDS, 0)
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_a_load_beside_saves_leaves_each_identity_once(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    load_two_patients(db, tmp_path, source)
    loading = load_of_lines(db, tmp_path, source, "load", [weight(f"o{i}", "Patient/p0") for i in range(IDS)])
    with pyhce.connect(db.dsn, source=source, connections=2) as writer:

        def saving(first: int) -> None:
            for i in range(first, IDS // 4, 2):
                writer.save(weight(f"o{i}", "Patient/p1"))

        run_started_together(loading, lambda: saving(0), lambda: saving(1))
    assert duplicate_count(db, source) == 0
    assert len(rows_per_identity(db, source)) == IDS + 2


def test_many_resources_that_change_their_patient_move_with_their_histories(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    first, second = load_two_patients(db, tmp_path, source)
    for value in ("1.0", "2.0"):
        db.load(tmp_path, *(weight(f"o{i}", "Patient/p0", value) for i in range(IDS)), source=source)
    report = db.load(tmp_path, *(weight(f"o{i}", "Patient/p1", "3.0") for i in range(IDS)), source=source)
    assert (report.moved, report.changed) == (IDS, IDS)
    assert db.rows("SELECT DISTINCT documento_id, version FROM observacion WHERE fuente = %s", source) == [(second, 3)]
    assert db.rows(
        "SELECT documento_id, version, count(*) FROM historia WHERE fuente = %s AND tipo = 'Observation'"
        " GROUP BY 1, 2 ORDER BY 2", source,
    ) == [(second, 1, IDS), (second, 2, IDS)]  # fmt: skip
    stays = db.load(tmp_path, *(weight(f"o{i}", "Patient/p0", "2.0") for i in range(IDS)), source=source)
    assert (stays.moved, stays.superseded) == (0, IDS), "a former version that comes again moves nothing"
    back = db.load(tmp_path, *(weight(f"o{i}", "Patient/p0", "4.0") for i in range(IDS)), source=source)
    assert (back.moved, back.changed) == (IDS, IDS)
    assert db.rows("SELECT DISTINCT documento_id FROM observacion WHERE fuente = %s", source) == [(first,)]


def test_the_history_of_a_deleted_resource_moves_to_where_it_comes_again(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    _, second = load_two_patients(db, tmp_path, source)
    with pyhce.connect(db.dsn, source=source) as writer:
        writer.save(weight("o", "Patient/p0"))
        writer.delete("Observation", "o")
        saved = writer.save(weight("o", "Patient/p1"))
    assert (saved.outcome, saved.version) == ("new", 3)
    history = db.rows("SELECT DISTINCT documento_id FROM historia WHERE fuente = %s AND tipo = 'Observation'", source)
    assert history == [(second,)]


def test_a_save_of_a_former_version_is_a_change(db: TestDatabase) -> None:
    source = unique()
    flag = {"resourceType": "Flag", "id": "f", "code": {"text": "fall risk"}, "subject": {"reference": "Patient/p"}}
    with pyhce.connect(db.dsn, source=source) as writer:
        writer.save(person("p", unique()))
        for status, outcome in (("active", "new"), ("inactive", "changed"), ("active", "changed")):
            assert writer.save({**flag, "status": status}).outcome == outcome
        many = writer.save_many([{**flag, "status": "inactive"}, {**flag, "status": "active"}])
        writer.save(person("p", unique()))
        older = {"lastUpdated": "2020-01-01T00:00:00Z"}
        writer.save({**flag, "status": "inactive", "meta": {"lastUpdated": "2024-01-01T00:00:00Z"}})
        assert writer.save({**flag, "status": "active", "meta": older}).outcome == "superseded"
        assert writer.save({**flag, "status": "active", "meta": older}).outcome == "superseded"
    assert many.changed == 2
    table = SCHEMA.table_for("Flag", names_patient=True).qualified
    found = db.rows(f"SELECT version, recurso ->> 'status' FROM {table} WHERE fuente = %s AND id = 'f'", source)
    assert found == [(7, "inactive")]


def test_a_save_for_a_deleted_patient_goes_to_its_record(db: TestDatabase) -> None:
    source = unique()
    with pyhce.connect(db.dsn, source=source) as writer:
        writer.save_many([person("p", unique()), weight("o", "Patient/p")])
        document = db.document("Patient", "p", source)
        writer.delete("Patient", "p")
        saved = [writer.save(weight("o", "Patient/p", "2")), writer.save(weight("new", "Patient/p"))]
        writer.save(weight("new", "Patient/p", "3"))
        many = writer.save_many([weight("many", "Patient/p")])
    assert [s.outcome for s in saved] == ["changed", "new"]
    assert many.new == 1
    found = db.rows("SELECT DISTINCT documento_id FROM observacion WHERE fuente = %s", source)
    assert found == [(document,)]


def copy_rows(db: TestDatabase, source: str, old: str, new: str, ids: str = "o%") -> None:
    """Copy a record's observations, with their histories, to another document; no writer does that."""
    for name in ("observacion", "historia"):
        columns = [column.name for column in SCHEMA.by_name[name].stored]
        values = ["%(new)s" if column == "documento_id" else column for column in columns]
        kind = " AND tipo = 'Observation'" if name == "historia" else ""
        db.conn.execute(
            f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {name}"
            f" WHERE documento_id = %(old)s AND fuente = %(source)s AND id LIKE %(ids)s{kind}",
            {"old": old, "new": new, "source": source, "ids": ids},
        )


def create_duplicates(db: TestDatabase, folder: Path, source: str, *, to: str | None = None) -> tuple[str, str]:
    """Store three observations of p0 in two versions, and copies under another document. Returns both documents.

    Args:
        to: the patient whose document it is, and whom the current versions name there; else it is provisional.
    """
    first, second = load_two_patients(db, folder, source)
    for value in ("1.0", "2.0"):
        db.load(folder, *(weight(f"o{i}", "Patient/p0", value) for i in range(3)), source=source)
    if to is None:
        db.load(folder, weight("waiting", "Patient/unknown"), source=source)
        second = db.document("Observation", "waiting", source) or ""
    copy_rows(db, source, first, second)
    if to is not None:
        db.conn.execute(
            "UPDATE observacion SET recurso = jsonb_set(recurso, '{subject,reference}', %s)"
            " WHERE documento_id = %s AND fuente = %s", (f'"Patient/{to}"', second, source),
        )  # fmt: skip
    assert duplicate_count(db, source) == 3
    return first, second


def test_a_load_joins_duplicates(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    first, _ = create_duplicates(db, tmp_path, source)
    report = db.load(tmp_path, *(weight(f"o{i}", "Patient/p0", "3.0") for i in range(3)), source=source)
    assert report.changed == 3
    assert duplicate_count(db, source) == 0
    rows = db.rows("SELECT DISTINCT documento_id FROM observacion WHERE fuente = %s AND id LIKE 'o%%'", source)
    assert rows == [(first,)]
    assert [version for version, _ in db.history("Observation", "o0", source)] == [1, 2, 3]
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_a_load_of_unchanged_resources_joins_duplicates(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    create_duplicates(db, tmp_path, source)
    report = db.load(tmp_path, *(weight(f"o{i}", "Patient/p0", "2.0") for i in range(3)), source=source)
    assert report.unchanged == 3
    assert duplicate_count(db, source) == 0


def test_save_many_joins_duplicates(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    create_duplicates(db, tmp_path, source)
    with pyhce.connect(db.dsn, source=source) as writer:
        assert writer.save_many([weight(f"o{i}", "Patient/p0", "3.0") for i in range(3)]).changed == 3
    assert duplicate_count(db, source) == 0


def test_a_merge_of_records_with_the_same_resources_leaves_each_once(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    first, second = create_duplicates(db, tmp_path, source, to="p1")
    with connect(db.dsn) as conn:
        merge(conn, second, first, schema=SCHEMA)
    assert duplicate_count(db, source) == 0
    assert db.rows("SELECT DISTINCT documento_id FROM observacion WHERE fuente = %s", source) == [(first,)]


def test_a_load_does_not_choose_between_the_records_of_two_patients(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    first, second = create_duplicates(db, tmp_path, source, to="p1")
    report = db.load(tmp_path, *(weight(f"o{i}", "Patient/p1", "5.0") for i in range(3)), source=source)
    assert (report.read, report.changed, duplicate_count(db, source)) == (3, 3, 3)
    found = db.rows("SELECT documento_id FROM observacion WHERE fuente = %s AND valor = 5", source)
    assert found == [(second,)] * 3
    identities = [(source, "Observation", f"o{i}") for i in range(3)]
    with connect(db.dsn) as conn:
        assert deduplicate(conn, SCHEMA, identities).waiting() == set(identities)
        choice = CopyChoice(patients=frozenset([(source, "p0")]))
        assert deduplicate(conn, SCHEMA, identities, choice=choice).joined == tuple(identities)
    found = db.rows("SELECT documento_id, version FROM observacion WHERE fuente = %s AND valor = 2", source)
    assert found == [(first, 5)] * 3, "two former versions of each, and the content under the other patient"
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def copy_to_shared_table(db: TestDatabase, folder: Path, source: str) -> None:
    """Copy an observation of p0 to the shared table; no writer does that."""
    db.load(folder, weight("both", "Patient/p0"), source=source)
    db.conn.execute(
        "INSERT INTO recurso_compartido (fuente, tipo, id, recurso) SELECT fuente, 'Observation', id, recurso"
        " FROM observacion WHERE fuente = %s AND id = 'both'", (source,),
    )  # fmt: skip


def run_pyhce(db: TestDatabase, *words: str) -> tuple[int, str]:
    """The exit status and the output of a command."""
    done = CliRunner().invoke(main, [*words, "--dsn", db.dsn])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout or done.stderr


def failed_checks(db: TestDatabase) -> dict[str, str | None]:
    """The identity checks that fail, with their remedies."""
    return {c.code: c.remedy for c in verify(db.dsn, schema=SCHEMA, groups=["identity"]).failed}


def test_verify_finds_duplicates_and_its_remedy_removes_them(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    create_duplicates(db, tmp_path, source)
    copy_to_shared_table(db, tmp_path, source)
    remedies = failed_checks(db)
    assert remedies == dict.fromkeys(("HCE0401", "HCE0402"), "`pyhce repair identities`")
    status, dry = run_pyhce(db, "repair", "identities", "--dry-run", "--output", "json")
    assert (status, json.loads(dry)["joined"], duplicate_count(db, source)) == (1, 4, 4)
    status, output = run_pyhce(db, *["repair", "identities"])
    assert (status, duplicate_count(db, source)) == (0, 0), output
    assert failed_checks(db) == {}
    assert run_pyhce(db, "repair", "identities") == (0, "every resource is stored once\n")


def test_between_two_patients_repair_waits_for_a_person(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    first, second = create_duplicates(db, tmp_path, source, to="p1")
    status, out = run_pyhce(db, "repair", "identities", "--output", "json")
    report = json.loads(out)
    assert (status, report["found"], report["joined"], duplicate_count(db, source)) == (1, 3, 0, 3)
    assert report["waiting"][0]["patients"] == [f"{source}/Patient/p0", f"{source}/Patient/p1"]
    assert first not in out
    status, out = run_pyhce(db, "repair", "identities", "--keep", f"{source}/Patient/p1")
    assert (status, duplicate_count(db, source)) == (0, 0), out
    assert db.rows("SELECT DISTINCT documento_id FROM observacion WHERE fuente = %s", source) == [(second,)]
    contents = {json.dumps(resource) for _, resource in db.history("Observation", "o0", source)}
    assert any("Patient/p0" in content for content in contents), "the other copy is in the history"
    assert failed_checks(db) == {}


def test_repair_without_asking_keeps_the_newest(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    create_duplicates(db, tmp_path, source, to="p1")
    newest = {"meta": {"lastUpdated": "2024-05-01T00:00:00Z"}}
    second = db.document("Patient", "p1", source)
    db.conn.execute(
        "UPDATE observacion SET recurso = recurso || %s WHERE documento_id = %s AND fuente = %s",
        (json.dumps(newest), second, source),
    )
    status, output = run_pyhce(db, "repair", "identities", "--yes")
    assert (status, duplicate_count(db, source)) == (0, 0), output
    assert db.rows("SELECT DISTINCT documento_id FROM observacion WHERE fuente = %s", source) == [(second,)]
    assert failed_checks(db) == {}


def test_repair_refuses_a_patient_to_keep_that_is_not_written_as_one(db: TestDatabase) -> None:
    status, output = run_pyhce(db, "repair", "identities", "--keep", "p1")
    assert status == 2
    assert "p1: not a Patient" in output


def test_a_local_server_has_room_for_the_locks_of_its_writers(db: TestDatabase) -> None:
    assert lock_slots(db.conn) >= slots_needed()
    assert batch_size(db.conn, 6) == 4000
    check = next(c for c in verify(db.dsn, schema=SCHEMA, groups=["settings"]).checks if c.code == "HCE0806")
    assert check.result is Result.OK


def test_a_transaction_that_meets_a_conflict_in_every_attempt_gives_up_after_twelve(
    db: TestDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retry, "_BACKOFF", lambda state: 0.001)
    source, attempts = unique(), list[int]()

    def work(attempt: int) -> None:
        attempts.append(attempt)
        lock_identities(conn, source, [("Observation", "o")])

    with connect(db.dsn) as holder, connect(db.dsn) as conn, holder.transaction():
        lock_identities(holder, source, [("Observation", "o")])
        conn.execute("SET lock_timeout = '10ms'")
        with pytest.raises(HceError, match=r"^gave up after 12 attempts: concurrent changes") as failed:
            retry.retry_transaction(conn, work, remedy="Run it again.")
    assert attempts == list(range(1, 13))
    assert failed.value.remedy.startswith("Run it again. If nothing else writes")
    retries = [record.getMessage() for record in caplog.records if record.name == "pyhce.records.writing.retry"]
    assert retries[0] == "attempt 1 of 12 failed: lock timeout; retrying in 0.00 s"
    assert retries[-1] == "attempt 12 of 12 failed: lock timeout; giving up"
