"""Single writes; test_saves.py of each tier runs these tests on its engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import pyhce
from pyhce import sample
from pyhce.citus.connection import connect
from pyhce.errors import HceError, UsageError
from pyhce.records.loading.load import load
from pyhce.records.patient import merge, rekey
from pyhce.records.reading.exact_json import dumps
from pyhce.records.reading.reader import Incoming, read
from pyhce.records.saving.application_input import InvalidResource, resource_to_save
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import FAMILIES
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight

pytestmark = pytest.mark.both_engines


def stored_rows(db: TestDatabase, source: str) -> dict[str, list[Any]]:
    """All rows and former versions of a source, by table, without the times and the source."""
    found = {}
    for table in [*SCHEMA.resource_tables(), *(SCHEMA.by_name[family.history] for family in FAMILIES.values())]:
        names = [c.name for c in table.stored]
        left_out = {"fuente", "actualizado_en", "vigente_desde", "vigente_hasta"}
        columns = ", ".join(f"{name}::text" for name in names if name not in left_out)
        rows = db.rows(f"SELECT {columns} FROM {table.qualified} WHERE fuente = %s ORDER BY {columns}", source)
        if rows:
            found[table.name] = rows
    return found


def version_numbers(db: TestDatabase, source: str, key: str) -> list[int]:
    """The version numbers of an observation's history, then that of its row."""
    former = [version for version, _ in db.history("Observation", key, source)]
    return [*former, db.value("SELECT version FROM observacion WHERE fuente = %s AND id = %s", source, key)]


def run_concurrently(*calls: Callable[[], object]) -> list[object]:
    """Run functions at the same time, and return their results."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result(timeout=120) for done in [pool.submit(call) for call in calls]]


def test_saving_one_by_one_leaves_what_a_load_of_the_same_resources_leaves(db: TestDatabase, tmp_path: Path) -> None:
    number = unique()
    late = {"lastUpdated": "2024-05-01T00:00:00Z"}
    texts = [
        weight("early", "Patient/p"), json.dumps(person("p", number)), weight("o", "Patient/p", value="72.5"),
        weight("o", "Patient/p", value="72.50"), weight("o", "Patient/p", value="7.25"), weight("o", "Patient/p", "1"),
        weight("exact", "Patient/p", value="1.0E+2", note=[{"text": "NUL \x00"}]), weight("shared", None),
        weight("shared", "Patient/p"), weight("l", "Patient/p", value="80", meta=late),
        weight("l", "Patient/p", value="70", meta={"lastUpdated": "2024-04-30T00:00:00Z"}),
        weight("l", "Patient/p", value="90", meta=late), json.dumps(person("q", number + "2")),
        weight("o", "Patient/q", value="72"), json.dumps(person("p", number, active=True)),
        *(json.dumps({"resourceType": t, "id": "x", "language": lang})
          for t in ("Organization", "Medication", "Binary", "Basic", "Parameters") for lang in ("es", "en", "fr")),
        json.dumps({"resourceType": "Basic", "id": "b", "subject": {"reference": "Patient/p"}}),
        json.dumps({"resourceType": "Basic", "id": "b", "subject": {"reference": "Patient/q"}}),
        weight("by", f"Patient?identifier=https://www.registraduria.gov.co/cedula|{number}"),
    ]  # fmt: skip
    rows = []
    for one_by_one in (True, False):
        source = unique()
        mine = [text.replace(number, f"{source}{number[:2]}") for text in texts]
        with pyhce.connect(db.dsn, source=source) as writer:
            for text in mine if one_by_one else ():
                writer.save(text)
        for text in () if one_by_one else mine:
            assert db.load(tmp_path, text, source=source).rejected == 0
        rows.append(json.dumps(stored_rows(db, source)).replace(source.upper(), "_").replace(source, "_"))
    assert without_source_specific_values(rows[0]) == without_source_specific_values(rows[1])


def without_source_specific_values(rows: str) -> Any:
    """Rows without provisional documents and fingerprints: both depend on the name of the source."""
    found = json.loads(rows)
    return {
        table: sorted(
            [["PROV" if str(v).startswith("PROV-") else v for v in row if len(str(v)) != 36] for row in rows_of_table],
            key=str,
        )
        for table, rows_of_table in found.items()
    }


def test_the_sample_saved_one_by_one_is_unchanged_for_a_load_of_it(db: TestDatabase, tmp_path: Path) -> None:
    source, path = unique(), sample.files()[0]
    items = [item for item in read(path) if isinstance(item, Incoming)]
    with pyhce.connect(db.dsn, source=source) as writer:
        for item in items:
            writer.save(dumps({**item.resource, "id": item.id}))
        again = [writer.save(dumps({**item.resource, "id": item.id})).outcome for item in items]
    assert set(again) == {"unchanged"}
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_a_saved_resource_keeps_its_spelling_and_gets_an_id_if_it_has_none(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    observation = json.loads(weight("x", "Patient/p"))
    del observation["id"]
    observation["valueQuantity"]["value"] = Decimal("72.50")
    with pyhce.connect(db.dsn, source=source) as writer:
        writer.save(person("p", number))
        made = writer.save(observation)
        other = writer.save(observation)
        writer.save(weight("x", "Patient/p"))
    assert (made.outcome, made.version, made.type) == ("new", 1, "Observation")
    assert made.id != other.id
    assert db.value("SELECT valor::text FROM observacion WHERE fuente = %s AND id = %s", source, made.id) == "72.50"
    wanted = resource_to_save(SCHEMA, weight("x", "Patient/p")).prepared.text.fingerprint
    assert db.value("SELECT entrada FROM observacion WHERE fuente = %s AND id = 'x'", source).hex == wanted


def test_a_deleted_resource_is_in_the_history_and_its_version_numbers_continue(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source) as writer:
        writer.save_many([person("p", number), weight("o", "Patient/p", "1"), weight("o", "Patient/p", "2")])
        gone = writer.delete("Observation", "o")
        absent = writer.delete("Observation", "o")
        back = writer.save(weight("o", "Patient/p", "2"))
        deleted_again = writer.delete("Observation", "o")
    loaded = db.load(tmp_path, weight("o", "Patient/p", "3"), source=source)
    assert (gone.outcome, absent.outcome, deleted_again.outcome) == ("deleted", "absent", "deleted")
    assert (back.outcome, back.version) == ("new", 4)
    assert (loaded.new, version_numbers(db, source, "o")) == (1, [1, 2, 3, 4, 5, 6])
    assert db.rows("SELECT version FROM historia WHERE fuente = %s AND borrado ORDER BY 1", source) == [(3,), (5,)]


def test_save_many_is_all_or_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source) as writer:
        with db.refusing("refused"), pytest.raises(HceError, match="the database rejected a statement"):
            writer.save_many([person("p", number), weight("o", "Patient/p"), weight("refused", "Patient/p")])
        with pytest.raises(InvalidResource, match="unknown-type"):
            writer.save_many([person("p", number), {"resourceType": "Paciente"}])
        assert stored_rows(db, source) == {}
        kept = writer.save_many([person("p", number), weight("o", "Patient/p")])
    assert (kept.references, kept.new) == (("Patient/p", "Observation/o"), 2)


def nested(levels: int) -> list[Any]:
    """An array within so many others."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ('{"resourceType": "Patient"', "not-json"), ([1], "not-a-resource"),
        ({"resourceType": "Paciente"}, "unknown-type"), ({"resourceType": "Patient", "id": "two words"}, "invalid-id"),
        ({"resourceType": "Patient", "a": {1}}, "not-json"),
        ({"resourceType": "Patient", "a": float("nan")}, "not-json"), ({"resourceType": "Patient", 1: 2}, "not-json"),
        ({"resourceType": "Bundle", "type": "batch", "entry": []}, "not-one-resource"),
        *(({"resourceType": "Patient", "a": nested(levels)}, "not-json") for levels in (254, 480, 960, 5_000)),
    ],
)  # fmt: skip
def test_input_that_is_not_a_resource_is_refused_with_the_reason_of_a_load(
    db: TestDatabase, resource: Any, reason: str
) -> None:
    with pyhce.connect(db.dsn, source=unique()) as writer, pytest.raises(UsageError) as refused:
        writer.save(resource)
    assert isinstance(refused.value, InvalidResource)
    assert refused.value.reason == reason


def test_eight_clients_on_one_id_leave_one_row_and_every_version_once(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source, connections=8) as writer:
        writer.save(person("p", number))

        def client(mine: int) -> list[str]:
            return [writer.save(weight("o", "Patient/p", f"{mine}.{turn}")).outcome for turn in range(10)]

        outcomes = [o for found in run_concurrently(*(lambda m=m: client(m) for m in range(8))) for o in found]
    assert sorted(outcomes) == ["changed"] * 79 + ["new"]
    assert version_numbers(db, source, "o") == list(range(1, 81))
    kept = [r["valueQuantity"]["value"] for _, r in db.history("Observation", "o", source)]
    assert len(set(kept)) == 79


def test_two_clients_that_name_different_patients_leave_one_resource(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source, connections=8) as writer:
        writer.save_many([person(f"p{n}", f"{number}{n}") for n in range(4)])
        run_concurrently(
            *(lambda n=n: [writer.save(weight(f"o{i}", f"Patient/p{n}")) for i in range(5)] for n in range(4))
        )
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 5
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_concurrent_saves_and_loads_lose_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    people = [json.dumps(person(f"p{n}", f"{number}{n}")) for n in range(4)]
    for part in range(2):
        lines = [
            *people,
            *(weight(f"o{i}", f"Patient/p{i % 4}", f"{part}.{turn}") for turn in range(4) for i in range(8)),
        ]
        (tmp_path / f"{part}.ndjson").write_text("\n".join(lines))

    def loading(part: int) -> None:
        with connect(db.dsn) as conn:
            load(conn, [tmp_path / f"{part}.ndjson"], schema=SCHEMA, fuente=source, reject_file=tmp_path / f"r{part}")

    with pyhce.connect(db.dsn, source=source, connections=4) as writer:

        def saving(mine: int) -> None:
            for turn in range(8):
                for i in range(8):
                    writer.save(weight(f"o{i}", f"Patient/p{i % 4}", f"1{mine}.{turn}"))

        writer.save_many(people)
        run_concurrently(lambda: loading(0), lambda: loading(1), lambda: saving(0), lambda: saving(1))
    for i in range(8):
        found = version_numbers(db, source, f"o{i}")
        assert found == list(range(1, len(found) + 1)), i
        contents = [json.dumps(r) for _, r in db.history("Observation", f"o{i}", source)]
        assert len(set(contents)) == len(contents)
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 8


def test_saves_continue_while_the_patient_gets_another_document(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source, connections=3) as writer:
        writer.save(person("p", number))

        def saving(mine: int) -> None:
            for turn in range(15):
                writer.save(weight(f"o{mine}", "Patient/p", f"{mine}.{turn}"))
                writer.save(weight(f"n{mine}-{turn}", "Patient/p"))

        def moving() -> None:
            with connect(db.dsn) as conn:
                for turn in range(4):
                    rekey(conn, f"CC-{number}{turn or ''}", f"CC-{number}{turn + 1}", schema=SCHEMA)

        run_concurrently(lambda: saving(0), lambda: saving(1), moving)
    documents = db.rows("SELECT DISTINCT documento_id FROM observacion WHERE fuente = %s", source)
    assert documents == [(f"CC-{number.upper()}4",)]
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 32
    assert [version_numbers(db, source, f"o{mine}") for mine in range(2)] == [list(range(1, 16))] * 2


def test_a_patient_that_moved_out_of_a_record_is_looked_up_again(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source) as writer, pyhce.connect(db.dsn, source=source) as other:
        writer.save_many([person("p", number), person("q", number)])
        writer.save(weight("o", "Patient/p"))
        other.save(person("p", number + "2"))  # q stays, so the former record stays too
        assert writer.save(weight("late", "Patient/p")).outcome == "new"
        assert writer.save(weight("o", "Patient/p", "2")).outcome == "changed"
        assert writer.save(weight("q", "Patient/q")).outcome == "new"
        merge(db.conn, f"CC-{number}2", f"CC-{number}", schema=SCHEMA)
        assert writer.save(weight("o", "Patient/p", "3")).version == 3
    assert {db.document("Observation", key, source) for key in ("o", "late", "q")} == {f"CC-{number.upper()}"}


def test_concurrent_deletes_and_saves_keep_every_version_once(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source, connections=4) as writer:
        writer.save(person("p", number))

        def saving(mine: int) -> None:
            for turn in range(15):
                writer.save(weight("o", "Patient/p", f"{mine}.{turn}"))

        def deleting() -> None:
            for _ in range(15):
                writer.delete("Observation", "o")

        run_concurrently(lambda: saving(0), lambda: saving(1), deleting, deleting)
        writer.save(weight("o", "Patient/p", "99"))
    found = version_numbers(db, source, "o")
    assert found == list(range(1, len(found) + 1))


def test_a_lost_connection_is_replaced(db: TestDatabase) -> None:
    source, number = unique(), unique()
    name = f"pyhce-{source}"
    with pyhce.connect(f"{db.dsn} application_name={name}", source=source) as writer:
        writer.save(person("p", number))
        with connect(db.dsn) as other:
            ended = other.execute(
                "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name = %s",
                (name,),
            ).fetchone()
        assert ended == (1,)
        assert writer.save(weight("o", "Patient/p")).outcome == "new"


def test_asyncio_saves_run_concurrently(db: TestDatabase) -> None:
    source, number = unique(), unique()

    async def all_of_it() -> set[tuple[str, int]]:
        async with pyhce.connect_async(db.dsn, source=source) as writer:
            await writer.save_many([person("p", number)])
            saved = await asyncio.gather(*(writer.save(weight(f"o{n}", "Patient/p")) for n in range(12)))
            await writer.delete("Observation", "o0")
            return {(one.outcome, one.version) for one in saved}

    assert asyncio.run(all_of_it()) == {("new", 1)}
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 11


def test_a_closed_or_unopened_writer_says_so(db: TestDatabase) -> None:
    with pyhce.connect(db.dsn) as writer:
        pass
    with pytest.raises(HceError, match="closed"):
        writer.save(person("p", unique()))
    with pytest.raises(HceError, match="not open"):
        asyncio.run(pyhce.connect_async(db.dsn).save(person("p", unique())))


def test_no_error_names_a_document(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source) as writer:
        writer.save(person("p", number))
        with db.refusing("refused"), pytest.raises(HceError) as refused:
            writer.save(weight("refused", "Patient/p"))
    assert number.upper() not in str(refused.value)
