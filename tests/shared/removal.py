"""Tests of removed resources for every engine; test_removal.py of each tier runs them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyhce.citus.connection import connect
from pyhce.records.loading.load import load
from pyhce.records.writing.remove import Removed, remove
from pyhce.records.writing.retry import retry_transaction
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight


def removed(db: TestDatabase, source: str, *identities: tuple[str, str]) -> Removed:
    with db.conn.transaction():
        return remove(db.conn, SCHEMA, source, identities)


def tombs(db: TestDatabase, source: str, table: str = "historia") -> list[tuple[object, ...]]:
    return db.rows(
        f"SELECT tipo, id, version, borrado FROM {table} WHERE fuente = %s ORDER BY tipo, id, version", source
    )


def test_a_removed_resource_leaves_its_versions_and_a_tombstone(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), weight("stays", "Patient/p"), source=source)
    db.load(tmp_path, weight("o", "Patient/p", value="1.0E+2"), source=source)
    assert removed(db, source, ("Observation", "o"), ("Observation", "never")) == Removed(1, 1, ())
    assert tombs(db, source) == [
        ("Observation", "o", 1, False), ("Observation", "o", 2, False), ("Observation", "o", 3, True),
    ]  # fmt: skip
    former = db.rows(
        "SELECT documento_id, paciente_id, original FROM historia WHERE fuente = %s AND version = 2", source
    )
    assert former[0][:2] == (f"CC-{number.upper()}", "p")
    assert "1.0E+2" in former[0][2]
    tomb = db.value("SELECT recurso FROM historia WHERE fuente = %s AND borrado", source)
    assert tomb == {"resourceType": "Observation", "id": "o"}
    assert db.rows("SELECT id FROM observacion WHERE fuente = %s", source) == [("stays",)]
    assert verify(db.dsn, schema=SCHEMA).ok


def test_removing_again_changes_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    removed(db, source, ("Observation", "o"))
    before = tombs(db, source)
    assert removed(db, source, ("Observation", "o"), ("Observation", "o")) == Removed(0, 1, ())
    assert tombs(db, source) == before


def test_a_removed_resource_that_is_loaded_again_is_a_new_version(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    observation = weight("o", "Patient/p")
    db.load(tmp_path, person("p", number), observation, source=source)
    removed(db, source, ("Observation", "o"))
    assert db.load(tmp_path, observation, source=source).new == 1
    assert db.value("SELECT version FROM observacion WHERE fuente = %s", source) == 3
    assert removed(db, source, ("Observation", "o")).deleted == 1
    assert [row[2:] for row in tombs(db, source)] == [(1, False), (2, True), (3, False), (4, True)]


def test_resources_of_every_home_are_removed(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    media = {"resourceType": "Media", "id": "m", "status": "completed", "subject": {"reference": "Patient/p"}}
    shared = [
        weight("free", None), {"resourceType": "Medication", "id": "d"}, {"resourceType": "Library", "id": "l"},
        {"resourceType": "Organization", "id": "org"},
    ]  # fmt: skip
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), media, *shared, source=source)
    every = [
        ("Observation", "o"), ("Observation", "free"), ("Media", "m"), ("Medication", "d"), ("Library", "l"),
        ("Organization", "org"), ("Patient", "p"),
    ]  # fmt: skip
    assert removed(db, source, *every) == Removed(7, 0, ())
    assert db.exported(tmp_path, source) == {}
    assert sum(row[3] is True for h in ("historia", "historia_compartida", "historia_referencia")
               for row in tombs(db, source, h)) == 7  # fmt: skip
    assert db.value("SELECT count(*) FROM expediente WHERE documento_id = %s", f"CC-{number.upper()}") == 1
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_removing_a_patient_resource_leaves_the_rest_of_the_record(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    removed(db, source, ("Patient", "p"))
    assert db.document("Patient", "p", source) is None
    assert db.document("Observation", "o", source) == f"CC-{number.upper()}"
    assert db.load(tmp_path, person("p", number), source=source).new == 1
    assert db.document("Patient", "p", source) == f"CC-{number.upper()}"


def test_a_condition_removes_only_a_single_match(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()

    def marked(key: str, *values: str) -> str:
        return weight(key, "Patient/p", identifier=[{"system": "http://lab", "value": value} for value in values])

    org = {"resourceType": "Organization", "id": "org", "identifier": [{"value": "7"}]}
    db.load(tmp_path, person("p", number), marked("a", "1"), marked("b", "2"), marked("c", "2"), org, source=source)
    twice, strange = ("Observation", "identifier=http://lab|2"), ("Observation", "code=x")
    done = removed(
        db, source, ("Observation", "identifier=http://lab|1"), twice, strange,
        ("Observation", "identifier=http://lab|9"), ("Organization", "identifier=|7"),
    )  # fmt: skip
    assert done == Removed(2, 1, (twice, strange))
    assert db.rows("SELECT id FROM observacion WHERE fuente = %s ORDER BY id", source) == [("b",), ("c",)]


def test_a_thousand_resources_are_removed_in_one_call(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    observations = [weight(f"o{n}", "Patient/p") for n in range(1000)]
    db.load(tmp_path, person("p", number), *observations, source=source)
    assert removed(db, source, *(("Observation", f"o{n}") for n in range(1000))).deleted == 1000
    assert db.value("SELECT count(*) FROM historia WHERE fuente = %s AND borrado", source) == 1000


def test_a_removal_is_rolled_back_with_the_callers_transaction(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    with pytest.raises(ZeroDivisionError), db.conn.transaction():
        remove(db.conn, SCHEMA, source, [("Observation", "o")])
        raise ZeroDivisionError
    assert db.document("Observation", "o", source) is not None
    assert tombs(db, source) == []


def test_loaders_and_removers_at_once_leave_a_history_without_gaps(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    ids = [f"o{n}" for n in range(30)]
    db.load(tmp_path, person("p", number), *(weight(key, "Patient/p") for key in ids), source=source)

    def loading(turn: int) -> None:
        path = tmp_path / f"turn-{turn}.ndjson"
        path.write_text("\n".join(weight(key, "Patient/p", value=f"{turn}.5") for key in ids))
        with connect(db.dsn) as conn:
            load(conn, [path], schema=SCHEMA, fuente=source, reject_file=tmp_path / "r")

    def removing(_: int) -> None:
        with connect(db.dsn) as conn:
            retry_transaction(
                conn, lambda _: remove(conn, SCHEMA, source, [("Observation", key) for key in ids]), remedy=""
            )

    with ThreadPoolExecutor(4) as pool:
        for work in [pool.submit(loading if turn % 2 else removing, turn) for turn in range(12)]:
            work.result()
    versions = "SELECT id, version FROM historia WHERE fuente = %s AND tipo = 'Observation'"
    rows = db.rows(f"{versions} UNION ALL SELECT id, version FROM observacion WHERE fuente = %s", source, source)
    by_id: dict[str, list[int]] = {}
    for key, version in rows:
        by_id.setdefault(key, []).append(version)
    assert by_id.keys() == set(ids)
    assert all(sorted(held) == list(range(1, len(held) + 1)) for held in by_id.values())
    tombstones = db.rows("SELECT id, version FROM historia WHERE fuente = %s AND borrado", source)
    assert not set(tombstones) & {(key, version + 1) for key, version in tombstones}
    assert json.dumps(removed(db, source, *(("Observation", key) for key in ids)).not_done) == "[]"
