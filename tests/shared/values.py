"""Extreme values: texts longer than an index row, Unicode forms, dates, large resources; on every engine."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pyhce.records.identity import provisional_document
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.later_helpers import LONGEST_INDEXED, search_text, shortened_for_index
from pyhce.verify import verify
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight

B = "-05"  # America/Bogota


def long(length: int = 4000) -> str:
    """A random text, which an index cannot compress."""
    seed = unique()
    return "".join(sha256(f"{seed}{n}".encode()).hexdigest() for n in range(length // 64 + 1))[:length]


def plan(db: TestDatabase, query: str, *values: object) -> str:
    """The plan of a query with sequential scans disabled; on Citus the plan on a shard."""
    with db.conn.transaction():
        db.conn.execute("SET LOCAL citus.propagate_set_commands TO 'local'")
        db.conn.execute("SET LOCAL enable_seqscan TO off")
        return "\n".join(line for (line,) in db.rows(f"EXPLAIN {query}", *values))


SAME = [
    "", "a", "ñ" * (LONGEST_INDEXED // 2), "ñ" * (LONGEST_INDEXED // 2) + "a", "x" * LONGEST_INDEXED,
    "x" * (LONGEST_INDEXED + 1), "\\x41" * 400,
    "a\\b" * 400, "𝒜" * 300, "\\" * 1001, 'q"\n\t' * 300, "~sha256:" * 200,
]  # fmt: skip


@pytest.mark.parametrize("text", SAME, ids=range(len(SAME)))
def test_sql_and_python_shorten_a_text_to_the_same_value_and_only_once(db: TestDatabase, text: str) -> None:
    short = db.value("SELECT hce.acortado(%s)", text)
    assert short == shortened_for_index(text) == shortened_for_index(short)
    assert db.value("SELECT hce.acortados(ARRAY[NULL, %s, 'b'])", text) == [None, short, "b"]
    assert len(short.encode()) <= LONGEST_INDEXED
    assert (short == text) is (len(text.encode()) <= LONGEST_INDEXED)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Mun\u0303oz Pen\u0303a", "munoz pena"), ("Muñoz Peña", "munoz pena"), ("ÁNGEL", "angel"),
        ("Ỹvága Tupã Ũ", "yvaga tupa u"), ("Y\u0303vága", "yvaga"), ("한글", "한글"), ("مريم", "مريم"), ("", ""),
    ],
)  # fmt: skip
def test_search_text_has_no_accents_in_any_unicode_form(db: TestDatabase, text: str, plain: str) -> None:
    assert db.value("SELECT hce.sin_acentos(%s)", text) == search_text(text) == plain


@pytest.mark.parametrize("first", ["patient", "observation"])
def test_an_identifier_longer_than_an_index_row_still_finds_its_patient(
    db: TestDatabase, tmp_path: Path, first: str
) -> None:
    source, document, value = unique(), unique().upper(), long()
    patient = person("p", document)
    patient["identifier"].append({"system": "urn:token", "value": value})
    named = weight("o", {"identifier": {"system": "urn:token", "value": value}}, "70.0")
    db.load(tmp_path, *((patient, named) if first == "patient" else (named, patient)), source=source)
    assert db.document("Observation", "o", source) == db.document("Patient", "p", source) == f"CC-{document}"
    key = f"identifier=urn:token|{value}"
    query = "SELECT id FROM paciente WHERE claves && ARRAY[hce.acortado(%s)]"
    assert db.rows(query, key) == [("p",)]
    assert "paciente_claves_idx" in plan(db, query, key)
    assert db.exported(tmp_path, source)["Patient", "p"].count(value) == 1
    assert verify(db.dsn, schema=SCHEMA, groups=["typed columns"]).failed == ()


def test_a_condition_by_a_long_identifier_finds_its_resource(db: TestDatabase, tmp_path: Path) -> None:
    source, value = unique(), long()
    site = {"resourceType": "Organization", "identifier": [{"system": "urn:token", "value": value}]}
    condition = f"identifier=urn:token|{value}"

    def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
        return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}

    create = {"resource": site, "request": {"method": "POST", "url": "Organization", "ifNoneExist": condition}}
    delete = {"request": {"method": "DELETE", "url": f"Organization?{condition}"}}
    count = "SELECT count(*) FROM organizacion WHERE fuente = %s"
    for entry, left in ((create, 1), (create, 1), (delete, 0)):
        report = db.load(tmp_path, bundle(entry), source=source)
        assert (report.rejected, db.value(count, source)) == (0, left)


def test_a_long_identifier_of_an_absent_patient_gets_one_provisional_document(db: TestDatabase, tmp_path: Path) -> None:
    source, value = unique(), long()
    db.load(tmp_path, weight("o", {"identifier": {"system": "urn:token", "value": value}}, "70.0"), source=source)
    assert db.document("Observation", "o", source) == provisional_document(source, f"identifier=urn:token|{value}")


def test_long_and_short_codes_and_keys_are_found_through_the_index(db: TestDatabase, tmp_path: Path) -> None:
    source, document, value = unique(), unique().upper(), long()
    codes = [value, *(f"c{n}" for n in range(300))]
    keys = [f"identifier=urn:x|{value}", *(f"identifier=urn:x|{n}" for n in range(300))]
    seen = [
        weight(
            f"o{n}", "Patient/p", code={"coding": [{"system": "http://x", "code": code}]},
            encounter={"reference": f"Encounter?{key}"},
        )
        for n, (code, key) in enumerate(zip(codes, keys, strict=True))
    ]  # fmt: skip
    db.load(tmp_path, person("p", document), *seen, source=source)
    db.conn.execute("ANALYZE observacion")
    for column, values in (("codigo", codes), ("encuentro_id", keys)):
        for number, condition in ((0, f"{column} = hce.acortado(%s)"), (7, f"{column} = %s")):
            query = f"SELECT id FROM observacion WHERE documento_id = %s AND {condition}"
            assert db.rows(query, f"CC-{document}", values[number]) == [(f"o{number}",)]
            assert f"observacion_documento_id_{column}_idx" in plan(db, query, f"CC-{document}", values[number])
    by_coding = "SELECT id FROM observacion WHERE codigos @> ARRAY[hce.acortado(%s)] AND fuente = %s"
    assert db.rows(by_coding, f"http://x|{value}", source) == [("o0",)]
    assert "observacion_codigos_idx" in plan(db, "SELECT id FROM observacion WHERE codigos @> ARRAY['http://x|c7']")


def test_a_base_longer_than_an_index_row_is_stored_as_a_source(db: TestDatabase, tmp_path: Path) -> None:
    document, base = unique().upper(), f"https://a.example/{long()}"
    entries: list[dict[str, Any]] = [
        {"fullUrl": f"{base}/Patient/p", "resource": person("p", document)},
        {"fullUrl": f"{base}/Observation/o", "resource": json.loads(weight("o", f"{base}/Patient/p", "70"))},
        {"fullUrl": "https://b.example/Basic/x", "resource": {"resourceType": "Basic", "id": "x"}},
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    report = db.load(tmp_path, bundle, source=unique())
    assert (report.new, report.rejected) == (3, 0)
    assert db.document("Observation", "o", shortened_for_index(base)) == f"CC-{document}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2016-12-31T23:59:60Z", f"[2016-12-31 19:00:00{B},2016-12-31 19:00:00{B}]"),
        ("2016-12-31T18:59:60.5-05:00", f"[2016-12-31 19:00:00.5{B},2016-12-31 19:00:00.5{B}]"),
        ("2016-12-31T23:59:61Z", None),
        ("2024-02-30T23:59:60Z", None),
        ("0001-01-01T00:00:00Z", "[0001-12-31 19:03:44-04:56:16 BC,0001-12-31 19:03:44-04:56:16 BC]"),
        ("9999-12-31T23:59:59-05:00", f"[9999-12-31 23:59:59{B},9999-12-31 23:59:59{B}]"),
        ("9999-12-31T23:59:60-05:00", f"[10000-01-01 00:00:00{B},10000-01-01 00:00:00{B}]"),
    ],
)
def test_leap_seconds_and_extreme_dates(db: TestDatabase, text: str, found: str | None) -> None:
    db.conn.execute("SET timezone TO 'America/Bogota'")
    assert db.value("SELECT replace(hce.lapso(%s)::text, '\"', '')", text) == found


@pytest.mark.parametrize(
    ("period", "found"),
    [
        ({"start": "2024-01-06", "end": "2024-01-05"}, None),
        ({"start": "2024-01-05T00:00:00-05:00", "end": "2024-01-04"}, None),
        ({"start": "2025", "end": "2024"}, None),
        ({"start": "2024-01-05", "end": "2024-01-05"}, "[2024-01-05 00:00-05,2024-01-06 00:00-05)"),
        ({"start": "2024-01-05T10:00:00Z", "end": "2024-01-05T10:00:00Z"}, "[2024-01-05 10:00Z,2024-01-05 10:00Z]"),
    ],
)
def test_a_period_that_ends_before_it_begins_is_null(db: TestDatabase, period: dict, found: str | None) -> None:
    query = "SELECT hce.lapso_periodo(%s::jsonb) IS NOT DISTINCT FROM %s::tstzrange"
    assert db.value(query, json.dumps(period), found)
    timing = json.dumps({"repeat": {"boundsPeriod": period}})
    assert db.value(query.replace("lapso_periodo", "lapso_horario"), timing, found)


def test_extreme_dates_are_shown_exported_and_reported_by_verify(db: TestDatabase, tmp_path: Path) -> None:
    source, document = unique(), unique().upper()
    times = {"first": "0001-01-01T00:00:00Z", "last": "9999-12-31", "leap": "2016-12-31T23:59:60Z"}
    seen = [weight(key, "Patient/p", effectiveDateTime=time) for key, time in times.items()]
    reversed_period = {"start": "2024-01-06", "end": "2024-01-05"}
    visit = {"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/p"}, "period": reversed_period}
    db.load(tmp_path, person("p", document), *seen, visit, source=source)
    shown = pyhce("patient", f"CC-{document}", "--dsn", db.dsn, "--output", "json")
    assert shown.returncode == 0, shown.stderr
    assert {entry["id"] for entry in json.loads(shown.stdout)["entries"]} >= {*times, "e"}
    assert len(db.exported(tmp_path, source)) == 5
    assert db.value("SELECT fecha FROM encuentro WHERE fuente = %s", source) is None
    verified = pyhce("verify", "--group", "typed columns", "--dsn", db.dsn)
    assert "encuentro.fecha" in verified.stdout


def test_the_reject_of_a_too_large_resource_names_the_option_that_loads_it(db: TestDatabase, tmp_path: Path) -> None:
    members = [{"entity": {"reference": f"Patient/{n:064}"}} for n in range(170_000)]
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members}
    path, rejects, source = tmp_path / "group.ndjson", tmp_path / "rejected.ndjson", unique()
    path.write_text(json.dumps(group) + "\n")
    words = ("load", path, "--source", source, "--rejects", rejects, "--dsn", db.dsn)
    assert pyhce(*words).returncode == 1
    detail = json.loads(rejects.read_text())["detail"]
    assert "bytes, more than 16 MB" in detail
    option, size = detail.rsplit("load it with ", 1)[1].split(" ")
    done = pyhce(*words, option, size, "--output", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["new"] == 1
    (stored,) = db.rows("SELECT jsonb_array_length(recurso -> 'member') FROM grupo_pacientes WHERE fuente = %s", source)
    assert stored == (170_000,)
