"""Typed columns: what the helpers make of FHIR's dates, codes, references and names, on every engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyhce.records.reading.reference import key_of, own_keys
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person

B = "-05"  # America/Bogota

DATES = [
    ("2024", f"[2024-01-01 00:00:00{B},2025-01-01 00:00:00{B})"),
    ("2024-02", f"[2024-02-01 00:00:00{B},2024-03-01 00:00:00{B})"),
    ("2024-02-29", f"[2024-02-29 00:00:00{B},2024-03-01 00:00:00{B})"),
    ("2024-12-31", f"[2024-12-31 00:00:00{B},2025-01-01 00:00:00{B})"),
    ("2024-02-29T10:00:00Z", f"[2024-02-29 05:00:00{B},2024-02-29 05:00:00{B}]"),
    ("2024-02-29T10:00:00.123456789+05:30", f"[2024-02-28 23:30:00.123457{B},2024-02-28 23:30:00.123457{B}]"),
    ("2024-02-29T10:00:00-03:30", f"[2024-02-29 08:30:00{B},2024-02-29 08:30:00{B}]"),
    ("2024-02-29T10:00", f"[2024-02-29 10:00:00{B},2024-02-29 10:00:00{B}]"),
    ("9999-12-31", f"[9999-12-31 00:00:00{B},10000-01-01 00:00:00{B})"),
]
NO_DATES = [
    "2023-02-29", "2024-02-30", "2024-13", "2024-00-01", "0000", "2024-04-31", "24-01-01", "2024-1-1", "", "mañana",
    "2024-02-29T25:00:00Z", "2024-02-29T10:60:00Z", "2024-02-30T10:00:00Z", "2024-02-29T10:00:00+15:00", "2024-02-29x",
    "2024T10:00:00Z", "-2024", "12024-01-01", "2024-02-29 10:00:00", "2024-02-29T",
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), DATES)
def test_a_fhir_date_is_the_range_of_moments_it_may_mean(db: TestDatabase, text: str, found: str) -> None:
    db.conn.execute("SET timezone TO 'America/Bogota'")
    assert db.value("SELECT replace(hce.rango(%s)::text, '\"', '')", text) == found


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_is_null_and_raises_nothing(db: TestDatabase, text: str) -> None:
    assert db.rows("SELECT hce.rango(%s), hce.momento(%s)", text, text) == [(None, None)]


@pytest.mark.parametrize("text", [text for text in NO_DATES if "T" not in text])
def test_what_is_no_day_is_null_and_raises_nothing(db: TestDatabase, text: str) -> None:
    assert db.rows("SELECT hce.dia(%s), hce.dias(%s), hce.dia_exacto(%s)", text, text, text) == [(None, None, None)]


@pytest.mark.parametrize(
    ("period", "found"),
    [
        ({"start": "2024-01", "end": "2024-03"}, "[2024-01-01 00:00-05,2024-04-01 00:00-05)"),
        ({"start": "2024-01-05"}, "[2024-01-05 00:00-05,)"),
        ({"end": "2024-01-05"}, "(,2024-01-06 00:00-05)"),
        ({"start": "2024-01-05T08:00:00Z", "end": "2024-01-05T09:00:00Z"}, "[2024-01-05 08:00Z,2024-01-05 09:00Z]"),
        ({"start": "2024-03", "end": "2024-01"}, None),
        ({"start": "mañana"}, None),
        ({}, None),
    ],
)
def test_a_period_is_a_range_open_where_an_end_is_missing(db: TestDatabase, period: dict, found: str | None) -> None:
    assert db.value("SELECT hce.rango_periodo(%s::jsonb) IS NOT DISTINCT FROM %s::tstzrange", json.dumps(period), found)


def test_a_timing_is_from_its_first_event_to_its_last(db: TestDatabase) -> None:
    timing = json.dumps({"event": ["2024-01-03", "nothing", "2024-01-01"]})
    bounds = json.dumps({"repeat": {"boundsPeriod": {"start": "2024-01-01"}}})
    assert (
        db.value(
            "SELECT upper(hce.rango_horario(%s::jsonb)) - lower(hce.rango_horario(%s::jsonb))", timing, timing
        ).days
        == 3
    )
    assert db.value("SELECT upper_inf(hce.rango_horario(%s::jsonb))", bounds)
    assert db.value("SELECT hce.rango_horario('{}'::jsonb)") is None


@pytest.mark.parametrize(
    ("observation", "columns"),
    [
        ({"valueQuantity": {"value": 72, "unit": "kg", "code": "kg"}}, ("72", "kg", None, None)),
        ({"valueInteger": 3}, ("3", None, None, None)),
        ({"valueString": "negativo"}, (None, None, "negativo", None)),
        ({"valueCodeableConcept": {"coding": [{"code": "A"}, {"code": "B"}]}}, (None, None, None, "A")),
        ({"valueQuantity": {"value": "72"}}, (None, None, None, None)),
        ({"valueBoolean": True}, (None, None, None, None)),
    ],
)
def test_a_choice_fills_the_column_of_its_type(
    db: TestDatabase, tmp_path: Path, observation: dict, columns: tuple
) -> None:
    source = unique()
    resource = {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}, **observation}
    db.load(tmp_path, person("p", unique()), resource, source=source)
    told = db.rows("SELECT valor::text, unidad, valor_texto, valor_codigo FROM observacion WHERE fuente = %s", source)
    assert told == [columns]


def test_codings_are_all_there_with_their_systems(db: TestDatabase) -> None:
    codings = [{"system": "s", "code": "1"}, {"code": "2"}, {"system": "s"}, {"system": "t", "code": "3"}, 5]
    assert db.value("SELECT hce.codigos(%s::jsonb)", json.dumps(codings)) == ["s|1", "2", "t|3"]
    assert db.value("SELECT hce.codigos('[]'::jsonb)") is None


REFERENCES = [
    {"reference": "Patient/p"}, {"reference": "https://x.example/fhir/Patient/p"},
    {"reference": "Patient/p/_history/2"}, {"reference": "urn:uuid:0a"},
    {"reference": "urn:uuid:0a", "type": "Device"}, {"reference": "urn:uuid:0a", "type": "Patient"},
    {"reference": "#p"}, {"reference": "Group/p"}, {"reference": "Patient?identifier=s|v"}, {"reference": "Group?x=1"},
    {"reference": "https://x.example/Patient?identifier=s|v"}, {"identifier": {"system": "s", "value": "v"}},
    {"identifier": {"value": "v"}}, {"identifier": {"value": "v"}, "type": "Device"}, {"identifier": {"system": "s"}},
    {"display": "someone"}, {}, {"reference": ""}, {"reference": "Patient/"}, {"reference": "patient/p"},
    {"reference": "XPatient/p"}, {"reference": "Patient/a b"}, {"identifier": {"value": "v"}, "type": "Patient"},
]  # fmt: skip


@pytest.mark.parametrize("untyped", [True, False])
@pytest.mark.parametrize("reference", REFERENCES, ids=json.dumps)
def test_sql_and_python_read_a_reference_alike(db: TestDatabase, reference: dict, untyped: bool) -> None:
    helper = "hce.clave" if untyped else "hce.clave_expresa"
    told = db.value(f"SELECT {helper}(%s::jsonb, 'Patient')", json.dumps(reference))
    assert told == key_of(reference, "Patient", untyped=untyped)


def test_sql_and_python_name_a_resource_alike(db: TestDatabase) -> None:
    resource = {"identifier": [{"system": "s", "value": "v"}, {"value": "w"}, {"system": "x"}]}
    told = db.value("SELECT hce.claves_propias('p', %s::jsonb)", json.dumps(resource["identifier"]))
    assert told == own_keys(resource, "p")


def test_the_front_desk_finds_a_name_whatever_its_accents_and_case(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    name = [{"given": ["José", "Ángel"], "family": "Muñoz Ibáñez"}, {"text": "Pepe"}]
    db.load(tmp_path, person("p", unique(), name=name), source=source)
    query = (
        "SELECT nombre_busqueda FROM paciente WHERE fuente = %s AND nombre_busqueda LIKE '%%' || hce.plano(%s) || '%%'"
    )
    assert db.value(query, source, "ÁNGEL MUNOZ") == "jose angel munoz ibanez pepe"


def test_no_writer_can_make_a_typed_column_disagree(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    db.load(tmp_path, person("p", unique(), gender="female"), source=source)
    with pytest.raises(Exception, match="sexo"):
        db.conn.execute("UPDATE paciente SET sexo = 'male' WHERE fuente = %s", (source,))
    db.conn.execute(
        "UPDATE paciente SET recurso = jsonb_set(recurso, '{gender}', '\"male\"') WHERE fuente = %s", (source,)
    )
    assert db.value("SELECT sexo FROM paciente WHERE fuente = %s", source) == "male"
