"""Tests of records for every engine; test_records.py of each tier runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyhce import sample
from pyhce.citus.connection import connect
from pyhce.errors import HceError, UsageError
from pyhce.records.identity import provisional_document
from pyhce.records.loading.load import load
from pyhce.records.patient import merge, patient, rekey
from pyhce.records.reading.conditions import ConditionsAsked
from pyhce.records.reading.exact_json import canonical
from pyhce.records.reading.folders import find_files
from pyhce.records.reading.incoming import Line, ReadItem
from pyhce.records.reading.prepared import source_and_bases
from pyhce.records.reading.reader import Incoming, Rejected, resources_in, scan
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique

pytestmark = pytest.mark.both_engines

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "fhir-examples" / "r4-examples.tar.gz"


def person(key: str, document: str | None, **members: object) -> dict:
    """Make a Patient with a Colombian identity document."""
    identifier = [{"system": "https://www.registraduria.gov.co/cedula", "value": document}] if document else None
    found = {"resourceType": "Patient", "id": key, "identifier": identifier, **members}
    return {name: value for name, value in found.items() if value is not None}


def weight(key: str, patient_reference: object, value: str = "72.50", **members: object) -> str:
    """Make an Observation as text, with its number in the given spelling."""
    subject = {"reference": patient_reference} if isinstance(patient_reference, str) else patient_reference
    resource = {
        "resourceType": "Observation", "id": key, "status": "final", "subject": subject,
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "effectiveDateTime": "2024-02-29T10:00:00-05:00", "valueQuantity": {"value": "@", "unit": "kg"}, **members,
    }  # fmt: skip
    return json.dumps({n: v for n, v in resource.items() if v is not None}).replace('"@"', value)


def expected(paths: list[Path]) -> dict[tuple[str, str], set[str]]:
    """Return what an export should hold after a load of these files: the contents of each type and id."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in find_files(paths).to_read:
        for item in _read(path):
            assert not isinstance(item, Rejected) or item.reason == "unsupported"
            if isinstance(item, Incoming) and source_and_bases(item, frozenset())[0] is None:
                came = {**(item.exact or item.resource), "id": item.id}
                found.setdefault((item.type, item.id), set()).add(canonical(came))
    return found


def _read(path: Path) -> Iterator[ReadItem]:
    """Read a file for a database in which no resource matches a condition."""
    for item in scan(path):
        for found in resources_in(item) if isinstance(item, Line) else (item,):
            if isinstance(found, ConditionsAsked):
                found.matches = {}
            yield found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_r4_example_is_exported_as_loaded_and_loading_in_reverse_order_changes_nothing(
    db: TestDatabase, tmp_path: Path
) -> None:
    if not EXAMPLES.exists():
        pytest.skip("the FHIR R4 examples are not at ../shared/fhir-examples")
    (tmp_path / "examples").mkdir()
    with tarfile.open(EXAMPLES) as archive:
        for member in archive:
            if member.isfile():
                text = archive.extractfile(member)
                assert text is not None
                (tmp_path / "examples" / Path(member.name).name).write_bytes(text.read())
    source, rejects = unique(), tmp_path / "rejected.ndjson"
    files = find_files([tmp_path / "examples"]).to_read
    wanted = expected(files)

    first = db.load_paths(files, source=source, rejects=rejects)
    once = db.exported(tmp_path, source)
    again = db.load_paths(list(reversed(files)), source=source, rejects=rejects)

    assert first.by_reason == {"unsupported": 3}, "an identifier without a system, an ifMatch, an operation"
    assert (first.conditional["created"], again.conditional) == (2, {"matched": 1, "updated": 1})
    assert first.read == again.read + 1
    assert once.keys() == wanted.keys()
    assert [key for key in wanted if once[key] not in wanted[key]] == []
    assert (again.new, again.changed, again.moved) == (0, 0, 0)
    assert db.exported(tmp_path, source) == once


def test_the_sample_patients_load_and_a_second_load_changes_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    first = db.load_paths(list(sample.files()), source=source, rejects=tmp_path / "r")
    again = db.load_paths(list(sample.files()), source=source, rejects=tmp_path / "r")
    assert first.new == first.read > 600
    assert again.unchanged == first.read
    assert patient(db.conn, sample.SHOWN_PATIENT, schema=SCHEMA).counts["Observation"] > 10


def test_a_patient_loaded_after_its_observations_gets_them(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    before = db.load(tmp_path, weight("o1", "Patient/p"), weight("o2", "Patient/p"), source=source)
    waiting = db.document("Observation", "o1", source)
    after = db.load(tmp_path, person("p", number), source=source)
    assert before.new == 2
    assert waiting == provisional_document(source, "p")
    assert after.moved == 2
    assert db.document("Observation", "o2", source) == f"CC-{number.upper()}"
    assert db.value("SELECT count(*) FROM expediente WHERE documento_id = %s", waiting) == 0


def test_two_sources_with_the_same_ids_have_separate_records(db: TestDatabase, tmp_path: Path) -> None:
    one, other, numbers = unique(), unique(), (unique(), unique())
    for source, number in zip((one, other), numbers, strict=True):
        db.load(tmp_path, person("p", number), weight("o", "Patient/p", value=f"7{len(source)}.0"), source=source)
    assert db.document("Observation", "o", one) == f"CC-{numbers[0].upper()}"
    assert db.document("Observation", "o", other) == f"CC-{numbers[1].upper()}"


def test_two_sources_with_the_same_document_share_one_record(db: TestDatabase, tmp_path: Path) -> None:
    one, other, number = unique(), unique(), unique()
    for source in (one, other):
        db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    record = patient(db.conn, f"CC-{number}", schema=SCHEMA)
    assert record.counts == {"Observation": 2, "Patient": 2}


def test_case_dots_and_spaces_of_a_document_do_not_matter(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    number = str(int(unique(), 16))[:9]
    spelled = f"{number[:3]}.{number[3:6]}. {number[6:]}"
    db.load(tmp_path, person("p1", number), person("p2", spelled), source=source)
    assert db.document("Patient", "p1", source) == db.document("Patient", "p2", source) == f"CC-{number}"


def test_a_corrected_document_moves_the_record_and_its_history(db: TestDatabase, tmp_path: Path) -> None:
    source, wrong, right = unique(), unique(), unique()
    db.load(tmp_path, person("p", wrong), weight("o", "Patient/p"), source=source)
    db.load(tmp_path, weight("o", "Patient/p", value="73.0"), source=source)
    db.load(tmp_path, person("p", right), source=source)
    held = f"CC-{right.upper()}"
    assert db.document("Patient", "p", source) == db.document("Observation", "o", source) == held
    assert db.value("SELECT count(*) FROM historia WHERE documento_id = %s", held) == 2
    assert db.value("SELECT count(*) FROM expediente WHERE documento_id = %s", f"CC-{wrong.upper()}") == 0


def test_a_corrected_document_does_not_move_the_patient_of_another_source(db: TestDatabase, tmp_path: Path) -> None:
    one, other, shared, right = unique(), unique(), unique(), unique()
    for source in (one, other):
        db.load(tmp_path, person("p", shared), weight("o", "Patient/p"), source=source)
    db.load(tmp_path, person("p", right), source=one)
    assert db.document("Observation", "o", one) == f"CC-{right.upper()}"
    assert db.document("Observation", "o", other) == f"CC-{shared.upper()}"


def test_a_merge_joins_two_records_also_for_later_loads(db: TestDatabase, tmp_path: Path) -> None:
    source, later, old, new = unique(), unique(), unique(), unique()
    minor, adult = person("minor", old), person("adult", new)
    db.load(tmp_path, minor, adult, weight("o", "Patient/minor"), source=source)
    db.load(tmp_path, weight("o", "Patient/minor", value="73.0"), source=source)

    report = merge(db.conn, f"CC-{old}", f"CC-{new}", schema=SCHEMA)
    again = db.load(tmp_path, minor, adult, source=source)
    db.load(tmp_path, person("third", old), source=later)

    assert (report.moved, report.patients) == (2, 1)
    assert (again.unchanged, again.moved) == (2, 0)
    assert db.document("Patient", "minor", source) == f"CC-{new.upper()}"
    assert db.document("Patient", "third", later) == f"CC-{new.upper()}"
    assert patient(db.conn, f"CC-{new}", schema=SCHEMA).former_versions == 1
    with pytest.raises(HceError, match="no record"):
        patient(db.conn, f"CC-{old}", schema=SCHEMA)


def test_a_rekey_applies_to_that_patient_only(db: TestDatabase, tmp_path: Path) -> None:
    source, old, new = unique(), unique(), unique()
    mistyped = person("mistyped", old)
    db.load(tmp_path, mistyped, weight("o", "Patient/mistyped"), source=source)
    rekey(db.conn, f"CC-{old}", f"CC-{new}", schema=SCHEMA)
    db.load(tmp_path, mistyped, person("rightful", old), source=source)
    assert db.document("Patient", "mistyped", source) == f"CC-{new.upper()}"
    assert db.document("Observation", "o", source) == f"CC-{new.upper()}"
    assert db.document("Patient", "rightful", source) == f"CC-{old.upper()}"


def test_a_rekey_of_a_patient_that_is_not_loaded_applies_to_later_loads(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    observation = weight("o", "Patient/nobody")
    db.load(tmp_path, observation, source=source)
    rekey(db.conn, provisional_document(source, "nobody"), f"CC-{number}", schema=SCHEMA)
    again = db.load(tmp_path, observation, source=source)
    assert (again.unchanged, again.moved) == (1, 0)
    assert db.document("Observation", "o", source) == f"CC-{number.upper()}"


def test_resources_stored_under_a_guessed_document_follow_their_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula, foreigner = unique(), unique(), unique()
    system = "https://www.registraduria.gov.co/cedula"
    db.load(tmp_path, weight("o", f"Patient?identifier={system}|{cedula}"), source=source)
    both = person("p", cedula)
    colombia = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"
    both["identifier"].append({"type": {"coding": [{"system": colombia, "code": "CE"}]}, "value": foreigner})
    db.load(tmp_path, both, source=source)
    assert db.document("Observation", "o", source) == f"CE-{foreigner.upper()}" == db.document("Patient", "p", source)


def test_a_document_with_its_issuer_is_found_as_it_is_stored(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    identifier = {"type": kind, "system": "http://hospital.example.org/mrn", "value": number}
    db.load(tmp_path, {"resourceType": "Patient", "id": "p", "identifier": [identifier]}, source=source)
    stored = db.document("Patient", "p", source)
    assert stored == f"MR-{number}@http://hospital.example.org/mrn"
    assert patient(db.conn, stored, schema=SCHEMA).counts == {"Patient": 1}


def test_a_resource_that_the_database_refuses_is_rejected_and_the_others_are_stored(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number = unique(), unique()
    resources = person("p", number), weight("refused", "Patient/p"), weight("o", "Patient/p")
    with db.refusing("refused"):
        report = db.load(tmp_path, *resources, source=source)
    assert (report.new, report.by_reason) == (2, {"database": 1})


def test_a_record_with_numbers_and_texts_that_json_readers_refuse_is_shown(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    odd = weight("o", "Patient/p", value="1e400", note=[{"text": "half \ud800 pair"}])
    db.load(tmp_path, person("p", number), odd, source=source)
    record = patient(db.conn, f"CC-{number}", schema=SCHEMA)
    assert record.counts == {"Observation": 1, "Patient": 1}
    assert any("1e400" in entry.text for entry in record.entries)


def test_invalid_corrections_of_documents_are_refused(db: TestDatabase, tmp_path: Path) -> None:
    source, one, other, nobody = unique(), unique(), unique(), unique()
    db.load(tmp_path, person("p", one), person("q", other), source=source)
    with pytest.raises(HceError, match="already"):
        rekey(db.conn, f"CC-{one}", f"CC-{other}", schema=SCHEMA)
    with pytest.raises(HceError, match="FROM"):
        merge(db.conn, f"CC-{nobody}", f"CC-{other}", schema=SCHEMA)
    with pytest.raises(UsageError, match="<type>-<number>"):
        rekey(db.conn, "nonsense", f"CC-{other}", schema=SCHEMA)
    assert db.document("Patient", "p", source) == f"CC-{one.upper()}"


def test_a_changed_resource_keeps_its_former_version(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p", value="72.5"), source=source)
    report = db.load(tmp_path, weight("o", "Patient/p", value="72.50"), source=source)
    assert report.changed == 1
    assert db.rows("SELECT version, valor::text FROM observacion WHERE fuente = %s", source) == [(2, "72.50")]
    assert [version for version, _ in db.history("Observation", "o", source)] == [1]


def test_a_former_version_that_is_loaded_again_changes_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, one, other = unique(), unique(), unique()
    first, second = person("p", one), person("p", other, active=True)
    db.load(tmp_path, first, weight("o", "Patient/p"), source=source)
    db.load(tmp_path, second, source=source)
    again = db.load(tmp_path, first, source=source)
    assert (again.superseded, again.changed, again.moved) == (1, 0, 0)
    assert db.document("Observation", "o", source) == f"CC-{other.upper()}"


def test_an_older_version_that_is_loaded_later_goes_to_the_history(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    new = weight("o", "Patient/p", value="80", meta={"lastUpdated": "2024-05-01T00:00:00Z"})
    old = weight("o", "Patient/p", value="70", meta={"lastUpdated": "2024-04-30T23:59:59-01:00"})
    older = weight("o", "Patient/p", value="60", meta={"lastUpdated": "2024-04-29T23:59:59Z"})
    db.load(tmp_path, person("p", number), new, source=source)
    report = db.load(tmp_path, older, source=source)
    assert (report.changed, report.superseded) == (0, 1)
    assert db.value("SELECT valor FROM observacion WHERE fuente = %s", source) == 80
    assert [r["valueQuantity"]["value"] for _, r in db.history("Observation", "o", source)] == [60]
    assert db.load(tmp_path, old, source=source).changed == 1  # 00:59:59Z is after 00:00:00Z


def test_a_resource_whose_patient_is_corrected_moves_with_its_history(db: TestDatabase, tmp_path: Path) -> None:
    source, one, other = unique(), unique(), unique()
    db.load(tmp_path, person("p", one), person("q", other), weight("o", "Patient/p"), source=source)
    report = db.load(tmp_path, weight("o", "Patient/q"), source=source)
    assert (report.moved, report.changed) == (1, 1)
    assert db.document("Observation", "o", source) == f"CC-{other.upper()}"
    assert db.rows("SELECT DISTINCT documento_id, paciente_id FROM historia WHERE fuente = %s", source) == [
        (f"CC-{other.upper()}", "q")
    ]


def test_a_shared_resource_that_later_names_a_patient_moves_to_the_record(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    without = weight("o", None)
    db.load(tmp_path, person("p", number), without, source=source)
    assert db.value("SELECT count(*) FROM recurso_compartido WHERE fuente = %s AND tipo = 'Observation'", source) == 1
    db.load(tmp_path, weight("o", "Patient/p"), source=source)
    assert db.document("Observation", "o", source) == f"CC-{number.upper()}"
    assert db.value("SELECT count(*) FROM recurso_compartido WHERE fuente = %s", source) == 0
    assert [version for version, _ in db.history("Observation", "o", source)] == [1]
    db.load(tmp_path, weight("o", None, note=[{"text": "no patient after all"}]), source=source)
    assert db.document("Observation", "o", source) is None
    assert [v for v, _ in db.history("Observation", "o", source, "historia_compartida")] == [1, 2]


def test_every_kind_of_reference_leads_to_the_patients_record(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    system = "https://www.registraduria.gov.co/cedula"
    ways = {
        "relative": "Patient/p",
        "absolute": "https://example.org/fhir/Patient/p",
        "versioned": "Patient/p/_history/3",
        "conditional": f"Patient?identifier={system}|{number}",
        "logical": {"type": "Patient", "identifier": {"system": system, "value": number}},
    }
    observations = [weight(key, way) for key, way in ways.items()]
    db.load(tmp_path, *observations, source=source)
    db.load(tmp_path, person("p", number), source=source)
    late = [weight(f"late-{key}", way) for key, way in ways.items()]
    db.load(tmp_path, *late, source=source)
    for key in ways:
        assert db.document("Observation", key, source) == f"CC-{number.upper()}", key
        assert db.document("Observation", f"late-{key}", source) == f"CC-{number.upper()}", key


def test_an_identifier_without_a_type_does_not_name_a_patient(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    event = {
        "resourceType": "AuditEvent", "id": "a", "recorded": "2024-01-01T00:00:00Z",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110114"},
        "agent": [{"who": {"identifier": {"value": "95"}}, "requestor": True}],
        "source": {"observer": {"display": "x"}},
    }  # fmt: skip
    by_someone = weight("o", None, performer=[{"identifier": {"value": "7"}}, {"reference": "urn:uuid:0b"}])
    db.load(tmp_path, event, by_someone, source=source)
    assert db.value("SELECT count(*) FROM recurso_compartido WHERE fuente = %s", source) == 2


def test_a_transaction_is_exported_with_its_resolved_references(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    entries = [
        {"fullUrl": "urn:uuid:0a0a0a0a-0000-4000-8000-000000000001", "resource": person("other-id", number)},
        {
            "fullUrl": "urn:uuid:0a0a0a0a-0000-4000-8000-000000000002",
            "resource": json.loads(weight("x", "urn:uuid:0a0a0a0a-0000-4000-8000-000000000001", value="72")),
        },
    ]
    del entries[1]["resource"]["id"]
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    db.load_paths([path], source=source, rejects=tmp_path / "r")
    key = "0a0a0a0a-0000-4000-8000-000000000002"
    assert db.document("Observation", key, source) == f"CC-{number.upper()}"
    assert db.value("SELECT paciente_id FROM observacion WHERE fuente = %s", source) == "other-id"
    resolved = {**entries[1]["resource"], "id": key, "subject": {"reference": "Patient/other-id"}}
    assert db.exported(tmp_path, source)["Observation", key] == canonical(resolved)


def test_texts_and_numbers_are_exported_as_they_were_spelled(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    values = ["72.50", "1.0E+2", "-0", "-0.0", "1e400", "0.000000000000000000001", "123456789012345678901234567890"]
    texts = ["NUL \\u0000 inside", "half \\ud800 pair", "ñandú 😀", "tab\\t\\/ slash", "\\u00e1"]
    observations = [weight(f"n{i}", "Patient/p", value=v) for i, v in enumerate(values)]
    notes = [
        weight(f"t{i}", "Patient/p").replace('"final"', '"final", "note": [{"text": "' + text + '"}]')
        for i, text in enumerate(texts)
    ]
    report = db.load(tmp_path, person("p", number), *observations, *notes, source=source)
    again = db.load(tmp_path, *observations, *notes, source=source)
    assert (report.rejected, again.unchanged) == (0, len(values) + len(texts))
    from pyhce.records.reading.exact_json import parse

    found = db.exported(tmp_path, source)
    for text in (*observations, *notes):
        came = parse(text)
        assert found["Observation", came["id"]] == canonical(came)


def test_unusual_text_in_identifiers_and_unusual_shapes_are_stored_where_sql_sees_them(
    db: TestDatabase, tmp_path: Path
) -> None:
    source = unique()
    odd = '{"resourceType": "Patient", "id": "p", "identifier": [{"system": "s\\ud800", "value": "v\\u0000"}]}'
    in_a_list = weight("o", None).replace('"status"', '"subject": [{"reference": "Patient/p"}], "status"')
    by_key = weight("k", "Patient?identifier=s\ud800|v\u0000")
    report = db.load(tmp_path, odd, in_a_list, by_key, source=source)
    assert (report.new, report.rejected) == (3, 0)
    assert db.value("SELECT count(*) FROM recurso_compartido WHERE fuente = %s", source) == 1
    assert db.document("Observation", "k", source) == db.document("Patient", "p", source)
    assert db.rows("SELECT id FROM observacion WHERE fuente = %s AND paciente_id IS NULL", source) == []


def test_input_that_is_not_valid_fhir_is_written_to_the_reject_file_with_its_reason(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number = unique(), unique()
    report = db.load(
        tmp_path,
        person("good", number),
        '{"resourceType": "Patient", "id": "cut"',
        '{"resourceType": "Paciente", "id": "x"}',
        '{"id": "x"}',
        '{"resourceType": "Patient", "id": "two words"}',
        '{"resourceType": "Patient", "id": "d", "active": true, "active": false}',
        "[1]",
        '{"resourceType": "Patient", "id": "deep", "extension": ' + "[" * 5000 + "]" * 5000 + "}",
        source=source,
    )
    rejected = [json.loads(line) for line in (tmp_path / "rejected.ndjson").read_text().splitlines()]
    assert (report.new, report.rejected, report.exit_code) == (1, 7, 1)
    assert [r["line"] for r in rejected] == [2, 3, 4, 5, 6, 7, 8]
    assert [r["reason"] for r in rejected] == [
        "not-json", "unknown-type", "not-a-resource", "invalid-id", "not-json",
        "not-a-resource", "not-json",
    ]  # fmt: skip


def test_impossible_dates_are_stored_and_reported_by_verify(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p", effectiveDateTime="2024-02-30"), source=source)
    assert db.rows("SELECT fecha, recurso ->> 'effectiveDateTime' FROM observacion WHERE fuente = %s", source) == [
        (None, "2024-02-30")
    ]
    check = {c.code: c for c in verify(db.dsn, schema=SCHEMA, groups=["typed columns"]).checks}["HCE0502"]
    assert check.result == "warning"
    assert any(detail.startswith("observacion.fecha") for detail in check.details)
    db.conn.execute("DELETE FROM observacion WHERE fuente = %s", (source,))


def test_a_strict_load_rejects_resources_that_are_nested_too_deeply_and_stores_the_others(
    db: TestDatabase, tmp_path: Path
) -> None:
    def patient_with(key: str, extensions: int, innermost: str) -> str:
        inner = '{"url": "http://x", "extension": [' * extensions + innermost + "]}" * extensions
        return f'{{"resourceType": "Patient", "id": "{key}", "extension": [{inner}]}}'

    right, wrong = '{"url": "http://x", "valueString": "x"}', '{"url": "http://x", "valueString": 5}'
    lines = [
        *(patient_with(f"right-{n}", n, right) for n in (1, 125, 126, 260, 50_000)),
        *(patient_with(f"wrong-{n}", n, wrong) for n in (1, 125, 126, 260, 50_000)),
        person("last", None),
    ]
    entries = ",\n".join(f'{{"resource": {patient_with(f"entry-{n}", n, right)}}}' for n in (1, 2, 3, 126, 600, 4))
    bundle = f'{{"resourceType": "Bundle", "type": "collection", "entry": [{entries}]}}'
    source, path = unique(), tmp_path / "bundle.json"
    path.write_text(bundle)
    files = [path, tmp_path / "lines.ndjson"]
    files[1].write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    report = db.load_paths(files, source=source, rejects=tmp_path / "r", strict=True)
    assert report.by_reason == {"not-json": 8, "not-r4": 2}
    stored = {key for (key,) in db.rows("SELECT id FROM paciente WHERE fuente = %s", source)}
    assert stored == {"right-1", "right-125", "last", "entry-1", "entry-2", "entry-3", "entry-4"}


def test_parallel_loads_of_the_same_patients_store_each_resource_once(db: TestDatabase, tmp_path: Path) -> None:
    source, numbers = unique(), [unique() for _ in range(8)]
    people = [json.dumps(person(f"p{i}", n)) for i, n in enumerate(numbers)]
    observations = [weight(f"o{i}-{j}", f"Patient/p{i}") for i in range(8) for j in range(5)]
    parts = [observations, people, [*observations, *people], list(reversed(observations))]
    for i, part in enumerate(parts):
        (tmp_path / f"{i}.ndjson").write_text("\n".join(part))

    def one(number: int) -> int:
        with connect(db.dsn) as conn:
            return load(
                conn, [tmp_path / f"{number}.ndjson"], schema=SCHEMA, fuente=source, reject_file=tmp_path / f"r{number}"
            ).rejected

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [0, 0, 0, 0]
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 40
    for i, number in enumerate(numbers):
        for j in range(5):
            assert db.document("Observation", f"o{i}-{j}", source) == f"CC-{number.upper()}"
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_a_load_killed_at_any_time_and_run_again_loses_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    command = [
        sys.executable, "-m", "pyhce", "load", "--source", source, "--dsn", db.dsn, "--rejects",
        str(tmp_path / "r"), *map(str, sample.files()),
    ]  # fmt: skip
    for pause in (0.3, 0.6, 0.9, 1.3):
        loader = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            loader.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            os.kill(loader.pid, signal.SIGKILL)
            loader.wait()
    finished = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"})
    assert finished.returncode == 0, finished.stderr
    wanted = expected(list(sample.files()))
    found = db.exported(tmp_path, source)
    assert found.keys() == wanted.keys()
    assert all(found[key] in wanted[key] for key in wanted)
    assert db.value("SELECT count(*) FROM hce.carga") == 0


def test_deleting_the_anchor_deletes_the_record(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    db.load(tmp_path, weight("o", "Patient/p", value="1"), source=source)
    db.conn.execute("DELETE FROM expediente WHERE documento_id = %s", (f"CC-{number.upper()}",))
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 0
    assert db.value("SELECT count(*) FROM historia WHERE fuente = %s", source) == 0
