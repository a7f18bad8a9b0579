"""Typed columns: what the helpers compute from FHIR's dates, codes, references and names; on every engine."""

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
def test_a_fhir_date_becomes_a_range_of_time(db: TestDatabase, text: str, found: str) -> None:
    db.conn.execute("SET timezone TO 'America/Bogota'")
    assert db.value("SELECT replace(hce.lapso(%s)::text, '\"', '')", text) == found


@pytest.mark.parametrize("text", NO_DATES)
def test_an_invalid_date_is_null_and_raises_no_error(db: TestDatabase, text: str) -> None:
    assert db.rows("SELECT hce.lapso(%s), hce.instante(%s)", text, text) == [(None, None)]


@pytest.mark.parametrize("text", [text for text in NO_DATES if "T" not in text])
def test_an_invalid_day_is_null_and_raises_no_error(db: TestDatabase, text: str) -> None:
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
def test_a_period_without_an_end_is_an_unbounded_range(db: TestDatabase, period: dict, found: str | None) -> None:
    assert db.value("SELECT hce.lapso_periodo(%s::jsonb) IS NOT DISTINCT FROM %s::tstzrange", json.dumps(period), found)


def test_a_timing_is_the_range_from_its_first_to_its_last_event(db: TestDatabase) -> None:
    timing = json.dumps({"event": ["2024-01-03", "nothing", "2024-01-01"]})
    bounds = json.dumps({"repeat": {"boundsPeriod": {"start": "2024-01-01"}}})
    assert (
        db.value(
            "SELECT upper(hce.lapso_horario(%s::jsonb)) - lower(hce.lapso_horario(%s::jsonb))", timing, timing
        ).days
        == 3
    )
    assert db.value("SELECT upper_inf(hce.lapso_horario(%s::jsonb))", bounds)
    assert db.value("SELECT hce.lapso_horario('{}'::jsonb)") is None


@pytest.mark.parametrize(
    ("observation", "columns"),
    [
        ({"valueQuantity": {"value": 72, "unit": "kg", "code": "kg"}}, ("72", "kg", None, None)),
        ({"valueInteger": 3}, ("3", None, None, None)),
        ({"valueString": "negativo"}, (None, None, "negativo", None)),
        ({"valueCodeableConcept": {"coding": [{"code": "A"}, {"code": "B"}]}}, (None, None, None, "A")),
        ({"valueQuantity": {"value": "72"}}, (None, None, None, None)),
        ({"valueBoolean": True}, (None, None, None, None)),
        ({"valueCodeableConcept": {"text": "Negativo"}}, (None, None, "Negativo", None)),
        (
            {"valueCodeableConcept": {"coding": [{"display": "Sin código"}, {"code": "B"}]}},
            (None, None, "Sin código", "B"),
        ),
    ],
)
def test_a_choice_fills_the_column_of_its_type(
    db: TestDatabase, tmp_path: Path, observation: dict, columns: tuple
) -> None:
    source = unique()
    resource = {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}, **observation}
    db.load(tmp_path, person("p", unique()), resource, source=source)
    actual = db.rows("SELECT valor::text, unidad, valor_texto, valor_codigo FROM observacion WHERE fuente = %s", source)
    assert actual == [columns]


def test_all_codings_are_kept_with_their_systems(db: TestDatabase) -> None:
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
def test_sql_and_python_give_a_reference_the_same_key(db: TestDatabase, reference: dict, untyped: bool) -> None:
    helper = "hce.clave" if untyped else "hce.clave_expresa"
    actual = db.value(f"SELECT {helper}(%s::jsonb, 'Patient')", json.dumps(reference))
    assert actual == key_of(reference, "Patient", untyped=untyped)


def test_sql_and_python_give_a_resource_the_same_keys(db: TestDatabase) -> None:
    resource = {"identifier": [{"system": "s", "value": "v"}, {"value": "w"}, {"system": "x"}]}
    actual = db.value("SELECT hce.claves_propias('p', %s::jsonb)", json.dumps(resource["identifier"]))
    assert actual == own_keys(resource, "p")


def test_a_name_search_ignores_accents_and_case(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    name = [{"given": ["José", "Ángel"], "family": "Muñoz Ibáñez"}, {"text": "Pepe"}]
    db.load(tmp_path, person("p", unique(), name=name), source=source)
    query = (
        "SELECT nombre_busqueda FROM paciente"
        " WHERE fuente = %s AND nombre_busqueda LIKE '%%' || hce.sin_acentos(%s) || '%%'"
    )
    assert db.value(query, source, "ÁNGEL MUNOZ") == "jose angel munoz ibanez pepe"


def test_a_typed_column_cannot_be_set_to_another_value(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    db.load(tmp_path, person("p", unique(), gender="female"), source=source)
    with pytest.raises(Exception, match="sexo"):
        db.conn.execute("UPDATE paciente SET sexo = 'male' WHERE fuente = %s", (source,))
    db.conn.execute(
        "UPDATE paciente SET recurso = jsonb_set(recurso, '{gender}', '\"male\"') WHERE fuente = %s", (source,)
    )
    assert db.value("SELECT sexo FROM paciente WHERE fuente = %s", source) == "male"


NAMES = [
    ([{"use": "old", "family": "Vieja"}, {"use": "official", "family": "Nueva"}], "Nueva"),
    ([{"use": "maiden", "family": "Soltera"}, {"family": "Casada"}], "Casada"),
    ([{"use": "usual", "family": "Usual"}, {"use": "official", "family": "Oficial"}], "Oficial"),
    ([{"use": "official", "family": "A", "period": {"end": "2010"}}, {"use": "usual", "family": "B"}], "B"),
    ([{"use": "official", "text": "Solo texto"}, {"use": "usual", "family": "B"}], "B"),
    ([{"use": "temp", "family": "T"}, {"use": "old", "family": "V"}], "T"),
    ([{"use": "old", "family": "Vieja"}], "Vieja"),
    ([{"family": "Primera"}, {"family": "Segunda"}], "Primera"),
    ([None, 5, {"family": "C"}], "C"),
    ({"family": "Sin lista"}, "Sin lista"),
    ("no es un nombre", None),
    ([], None),
]
ADDRESSES = [
    ([{"use": "old", "city": "Cali"}, {"use": "home", "city": "Bogotá"}], "Bogotá"),
    ([{"use": "work", "city": "Cali"}, {"use": "home", "city": "Bogotá"}], "Bogotá"),
    ([{"use": "home", "type": "postal", "city": "Cali"}, {"use": "home", "city": "Bogotá"}], "Bogotá"),
    ([{"use": "home", "city": "Cali", "period": {"end": "2010"}}, {"use": "work", "city": "Bogotá"}], "Bogotá"),
    ([{"use": "temp", "city": "Cali"}, {"use": "billing", "city": "Bogotá"}], "Bogotá"),
    ([{"use": "old", "city": "Cali"}], None),
]
CONTACTS = [
    ([{"system": "email", "value": "a@b.co"}, {"system": "phone", "value": "300"}], "300", "a@b.co"),
    ([{"system": "phone", "value": "1", "use": "old"}, {"system": "phone", "value": "2"}], "2", None),
    ([{"system": "phone", "value": "1", "use": "home"}, {"system": "phone", "value": "2", "rank": 1}], "2", None),
    ([{"system": "phone", "value": "1", "period": {"end": "2010"}}, {"system": "phone", "value": "2"}], "2", None),
    ([{"system": "phone", "value": "1", "use": "work"}, {"system": "phone", "value": "2", "use": "home"}], "2", None),
    ([{"system": "sms", "value": "7"}, {"system": "fax", "value": "8"}], "7", None),
    ([{"value": "x@y.co"}, {"value": "555"}], "555", "x@y.co"),
    ([{"system": "phone"}, {"system": "url", "value": "http://x"}], None, None),
    ([{"system": "phone", "value": "1", "use": "old"}], None, None),
]


def test_columns_have_the_name_the_address_and_the_contacts_in_use(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    names = {f"n{n}": {"name": names} for n, (names, _) in enumerate(NAMES)}
    places = {f"a{n}": {"address": addresses} for n, (addresses, _) in enumerate(ADDRESSES)}
    contacts = {f"c{n}": {"telecom": telecom} for n, (telecom, _, _) in enumerate(CONTACTS)}
    made = {**names, **places, **contacts}
    people = [{**person(key, unique()), "name": [], "address": [], **members} for key, members in made.items()]
    db.load(tmp_path, *people, source=source)
    query = "SELECT id, apellidos, ciudad, telefono, correo FROM paciente WHERE fuente = %s"
    found = {key: columns for key, *columns in db.rows(query, source)}
    assert [found[f"n{n}"][0] for n in range(len(NAMES))] == [right for _, right in NAMES]
    assert [found[f"a{n}"][1] for n in range(len(ADDRESSES))] == [right for _, right in ADDRESSES]
    assert [tuple(found[f"c{n}"][2:]) for n in range(len(CONTACTS))] == [(phone, mail) for _, phone, mail in CONTACTS]


def test_a_death_is_recorded_with_and_without_its_date(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    actual = [{"deceasedBoolean": True}, {"deceasedBoolean": False}, {"deceasedDateTime": "2024-05"}, {}]
    db.load(tmp_path, *({**person(f"p{n}", unique()), **one} for n, one in enumerate(actual)), source=source)
    query = "SELECT fallecido, fallecido_en IS NOT NULL FROM paciente WHERE fuente = %s ORDER BY id"
    assert db.rows(query, source) == [(True, False), (False, False), (True, True), (None, False)]


def test_doses_and_quantities_have_their_comparators(db: TestDatabase, tmp_path: Path) -> None:
    source, subject = unique(), {"reference": "Patient/p"}
    given = {"resourceType": "MedicationAdministration", "id": "a", "subject": subject}
    out = {"resourceType": "MedicationDispense", "id": "d", "subject": subject}
    db.load(
        tmp_path, person("p", unique()), {**given, "dosage": {"dose": {"value": 5, "comparator": "<"}}},
        {**out, "quantity": {"value": 30, "comparator": ">="}}, source=source,
    )  # fmt: skip
    query = "SELECT dosis::int, dosis_comparador FROM administracion_medicamento WHERE fuente = %s"
    assert db.rows(query, source) == [(5, "<")]
    query = "SELECT cantidad::int, cantidad_comparador FROM dispensacion_medicamento WHERE fuente = %s"
    assert db.rows(query, source) == [(30, ">=")]


def test_the_provider_and_the_insurer_of_a_claim_are_columns(db: TestDatabase, tmp_path: Path) -> None:
    source, patient = unique(), {"reference": "Patient/p"}
    insurance = [{"coverage": {"reference": "#c", "display": "Medicare"}}]
    of_organization = {"provider": {"reference": "Organization/o"}, "insurance": insurance}
    of_practitioner = {
        "provider": {"reference": "Practitioner?identifier=http://npi|9"},
        "insurer": {"display": "Sura"}, "insurance": [{"coverage": {"reference": "Coverage/c"}}],
    }  # fmt: skip
    claims = [
        {"resourceType": kind, "id": key, "patient": patient, **claim}
        for kind in ("Claim", "ExplanationOfBenefit")
        for key, claim in (("1", of_organization), ("2", of_practitioner))
    ]
    db.load(tmp_path, person("p", unique()), *claims, source=source)
    for table in ("reclamacion", "explicacion_beneficio"):
        columns = "prestador_id, profesional_id, cobertura_id, aseguradora"
        assert db.rows(f"SELECT {columns} FROM {table} WHERE fuente = %s ORDER BY id", source) == [
            ("o", None, None, "Medicare"),
            (None, "identifier=http://npi|9", "c", "Sura"),
        ]


def pressure(key: str, day: str, systolic: object, **members: object) -> dict:
    """A blood pressure Observation with two components."""
    coded = {"8480-6": systolic, "8462-4": {"value": 80, "unit": "mmHg"}}
    components = [
        {"code": {"coding": [{"code": "own"}, {"system": "http://loinc.org", "code": code}]}, "valueQuantity": value}
        for code, value in coded.items()
    ]
    return {
        "resourceType": "Observation", "id": key, "status": "final", "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}, "effectiveDateTime": day,
        "component": components, **members,
    }  # fmt: skip


ALONE = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}


def test_systolic_pressures_over_140_by_date_are_one_index_scan_on_one_shard(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    others = [
        {"resourceType": "Observation", "id": f"o{n}", "subject": {"reference": "Patient/p"}, "code": {"text": "x"},
         "effectiveDateTime": f"2024-01-{n % 28 + 1:02}"}
        for n in range(300)
    ]  # fmt: skip
    measured = [
        pressure("a", "2024-03-05", {"value": 150}), pressure("b", "2024-02-05", {"value": 140, "comparator": ">"}),
        pressure("c", "2023-02-05", {"value": 180}), pressure("d", "2024-01-05", {"value": 120, "unit": "mmHg"}),
        pressure("e", "2024-01-01", {"value": 99}, component=[], code=ALONE, valueQuantity={"value": 160.5}),
        pressure("f", "2024-01-02", {"value": "150"}),
    ]  # fmt: skip
    db.load(tmp_path, person("p", number), *others, *measured, source=source)
    query = (
        "SELECT id, sistolica::text, sistolica_comparador, diastolica::text FROM observacion"
        " WHERE documento_id = %s AND sistolica >= 140 AND lower(fecha) >= '2024-01-01' AND lower(fecha) < '2025-01-01'"
        " ORDER BY lower(fecha)"
    )
    document = db.document("Patient", "p", source)
    assert db.rows(query, document) == [
        ("e", "160.5", None, None), ("b", "140", ">", "80"), ("a", "150", None, "80"),
    ]  # fmt: skip
    db.conn.execute("ANALYZE observacion")
    plan = "\n".join(line for (line,) in db.rows(f"EXPLAIN {query}", document))
    assert plan.count("observacion_documento_id_fecha_sistolica_idx") == plan.count("Index Scan") == 1, plan
    assert "Seq Scan" not in plan
    assert "Task Count: 1" in plan or "Custom Scan" not in plan
    assert db.value("SELECT unidad FROM observacion WHERE fuente = %s AND id = 'd'", source) == "mmHg"
    components = "SELECT id FROM observacion WHERE fuente = %s AND componentes @> ARRAY['http://loinc.org|8462-4']"
    assert {key for (key,) in db.rows(components, source)} == {"a", "b", "c", "d", "f"}


def test_the_text_of_a_concept_is_a_column_with_and_without_a_code(db: TestDatabase, tmp_path: Path) -> None:
    source, patient = unique(), {"reference": "Patient/p"}
    codes = [
        {"text": "Fiebre"}, {"coding": [{"display": "x"}, {"system": "s", "code": "2", "display": "y"}]},
        {"coding": [{"system": "s", "code": "3"}]},
    ]  # fmt: skip
    conditions = [
        {"resourceType": "Condition", "id": f"c{n}", "subject": patient, "code": code} for n, code in enumerate(codes)
    ]
    db.load(tmp_path, person("p", unique()), *conditions, source=source)
    query = "SELECT codigo, codigos, codigo_texto FROM condicion WHERE fuente = %s ORDER BY id"
    assert db.rows(query, source) == [(None, None, "Fiebre"), ("2", ["s|2"], "x"), ("3", ["s|3"], None)]
