"""One record for each person, by the documents of every country; run on each engine."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pyhce.errors import HceError, UsageError
from pyhce.records.erasing.erase import erase
from pyhce.records.exporting.export import export
from pyhce.records.identity import DEFAULT_RULES, patient_document, provisional_document
from pyhce.records.patient import merge, patient, rekey, split
from pyhce.records.reading.exact_json import canonical, parse
from pyhce.schema.declaration import SCHEMA
from tests.shared.cases import case, expected_documents
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase, unique
from tests.shared.records import weight

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
RDA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"
RNEC = "https://fhir.minsalud.gov.co/rda/NamingSystem/RNEC"
DNI, CPF = "http://www.renaper.gob.ar/dni", "http://rnds.saude.gov.br/fhir/r4/NamingSystem/cpf"


def patient_with_identifier(key: str, value: str, system: str | None, code: str | None = None) -> dict:
    """A Patient with one identifier."""
    found: dict = {"value": value, **({"system": system} if system else {})}
    if code:
        found["type"] = {"coding": [{"system": V2, "code": code}]}
    return {"resourceType": "Patient", "id": key, "identifier": [found]}


def load_case(db: TestDatabase, folder: Path, name: str) -> str:
    """Load a case under a source of its own, and return the source."""
    source = f"{name}-{unique()}"
    report = db.load_paths([case(name)], source=source, rejects=folder / "rejected.ndjson")
    assert report.rejected == 0
    return source


def assert_one_record_each(db: TestDatabase, folder: Path, documents: list[str], counts: dict[str, int]) -> None:
    """Check that show, export, re-key and erase find each record and change no other."""
    typed = [document.partition("-")[0].lower() + document[document.index("-") :] for document in documents]
    for name in (*documents, *typed):
        assert patient(db.conn, name, schema=SCHEMA).counts == counts
        report = export(db.conn, folder / f"out-{unique()}", schema=SCHEMA, document=name)
        assert {file.type: file.count for file in report.files} == counts
    first, second = documents
    elsewhere = f"{first}0" if "@" in first else f"CC-{unique()}"
    rekey(db.conn, typed[0], elsewhere, schema=SCHEMA)
    assert [patient(db.conn, name, schema=SCHEMA).counts for name in (elsewhere, second)] == [counts, counts]
    receipt = erase(db.conn, elsewhere, schema=SCHEMA, reason="request 2024-17")
    assert sum(entry.rows for entry in receipt.record) == sum(counts.values()) + 1, "and the anchor"
    assert patient(db.conn, second, schema=SCHEMA).counts == counts
    erase(db.conn, typed[1], schema=SCHEMA, reason="request 2024-18")
    assert db.rows("SELECT 1 FROM expediente WHERE documento_id = ANY(%s)", [elsewhere, *documents]) == []


def test_every_pack_gives_the_documents_of_its_country(db: TestDatabase, tmp_path: Path) -> None:
    name = "45-identity-packs"
    source = load_case(db, tmp_path, name)
    stored = {
        key: None if document == provisional_document(source, key) else document
        for key, document in db.rows("SELECT id, documento_id FROM paciente WHERE fuente = %s", source)
    }
    assert stored == expected_documents(name)


def test_one_number_of_two_countries_is_two_persons(db: TestDatabase, tmp_path: Path) -> None:
    source = load_case(db, tmp_path, "05-national-number-two-countries")
    mine, theirs = db.document("Patient", "ar", source), db.document("Patient", "pe", source)
    assert (mine, theirs) == ("AR.DNI-30123456", "NI-30123456@https://www.reniec.example.pe/dni")
    assert db.document("AllergyIntolerance", "al-ar", source) == mine
    assert db.document("Observation", "o-pe", source) == theirs
    erase(db.conn, "ar.dni-30.123.456", schema=SCHEMA, reason="request 2024-17")
    assert patient(db.conn, str(theirs), schema=SCHEMA).counts == {"Patient": 1, "Observation": 1}
    erase(db.conn, str(theirs), schema=SCHEMA, reason="request 2024-18")


@pytest.mark.parametrize(
    ("code", "one", "other"),
    [
        ("MR", ("{}", "http://hosp-a.org/mrn"), ("{}", "http://hospa.org/mrn")),
        ("MR", ("{}", "http://hosp.org/MRN"), ("{}", "http://hosp.org/mrn")),
        ("MR", ("{}.3", "http://hosp.org/mrn"), ("{}3", "http://hosp.org/mrn")),
        ("MR", ("0{}", "urn:oid:1.2.36"), ("{}", "urn:oid:1.2.36")),
        ("SS", ("{}-1", "http://one.example/ss"), ("{}-1", "http://two.example/ss")),
        ("NI", ("{}", "urn:oid:1.2.36.1"), ("{}", "urn:oid:1.2.361")),
        ("PPN", ("{} a@b", "http://one.example/%20"), ("{} a@b", "http://one.example/ ")),
    ],
)
def test_equal_numbers_of_two_issuers_are_two_documents(
    db: TestDatabase, tmp_path: Path, code: str, one: tuple[str, str], other: tuple[str, str]
) -> None:
    source, number = unique(), unique()
    people = [
        patient_with_identifier(key, value.format(number), system, code)
        for key, (value, system) in (("p", one), ("q", other))
    ]
    db.load(tmp_path, *people, weight("op", "Patient/p"), weight("oq", "Patient/q"), source=source)
    documents = [patient_document(who, DEFAULT_RULES) or "" for who in people]
    assert [db.document("Patient", key, source) for key in ("p", "q")] == documents
    assert documents[0] != documents[1]
    assert_one_record_each(db, tmp_path, documents, {"Observation": 1, "Patient": 1})


@pytest.mark.parametrize(
    ("value", "system"),
    [
        ("a/Patient/7", "http://x/Patient/{0}"),
        ("00.12a", "urn:oid:1.2.36.{0}"),
        ("[/b]:x:\\[", "http://h/é%41@ [/b] :x: {0}"),
        ("12 @a%20-%41", "--help {0}"),
    ],
)
def test_every_command_accepts_a_document_as_it_is_stored(
    db: TestDatabase, tmp_path: Path, value: str, system: str
) -> None:
    source, other = unique(), unique().upper()
    patients = [
        patient_with_identifier("p", value, system.format(unique()), "MR"),
        patient_with_identifier("q", other, DNI),
    ]
    db.load(tmp_path, *patients, weight("o", "Patient/p"), source=source)
    document = db.document("Patient", "p", source) or ""
    shown = pyhce("patient", document, "--dsn", db.dsn)
    assert (shown.returncode, document in shown.stdout) == (0, True), shown.stderr
    assert export(db.conn, tmp_path / "out", schema=SCHEMA, document=document).resources == 2
    assert merge(db.conn, document, f"AR.DNI-{other}", schema=SCHEMA).moved == 2
    assert split(db.conn, f"AR.DNI-{other}", document, patients=[f"{source}/p"], schema=SCHEMA).moved == 2
    assert rekey(db.conn, document, f"CC-{other}", schema=SCHEMA).moved == 2
    assert rekey(db.conn, f"CC-{other}", document, schema=SCHEMA).moved == 2
    assert db.document("Observation", "o", source) == document
    assert erase(db.conn, document, schema=SCHEMA, reason="request 2024-17").record


def test_a_merge_of_a_missing_record_does_not_print_a_possible_document(db: TestDatabase) -> None:
    with pytest.raises(HceError) as refused:
        merge(db.conn, "MR-4711@http://x/Patient/1", "CC-1", schema=SCHEMA)
    assert "4711" not in f"{refused.value.wrong} {refused.value.remedy}"


def test_a_reference_by_identifier_finds_the_record_of_another_source(db: TestDatabase, tmp_path: Path) -> None:
    here, there, number = unique(), unique(), unique()
    db.load(tmp_path, patient_with_identifier("p", f"{number}.1", DNI, "NI"), source=here)
    by_identifier = weight("o", {"type": "Patient", "identifier": {"system": DNI, "value": f"{number}-1"}})
    db.load(tmp_path, by_identifier, source=there)
    assert db.document("Observation", "o", there) == f"AR.DNI-{number.upper()}1" == db.document("Patient", "p", here)


def colombian(code: str, number: str, system: str | None) -> dict:
    """An identifier as Colombia's guides write it: its type says which document it is, its system does not."""
    found: dict = {"type": {"coding": [{"system": RDA, "code": code}]}, "value": number}
    return {**found, "system": system} if system else found


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("system", [RNEC, None])
def test_a_reference_by_a_type_and_a_number_never_leads_to_another_document_of_that_number(
    db: TestDatabase, tmp_path: Path, system: str | None, order: tuple[int, ...]
) -> None:
    """The CE of a foreigner and the CC of a citizen may have the same number, and both have the system RNEC."""
    source, number = unique(), unique().upper()
    cc, ce = colombian("CC", number, system), colombian("CE", number, system)
    contained = {"contained": [{"resourceType": "Patient", "id": "pt", "identifier": [ce]}]}
    lines: list[object] = [
        {"resourceType": "Patient", "id": "p", "identifier": [cc]},
        weight("of-ce", {"type": "Patient", "identifier": ce}),
        weight("in-ce", "#pt", **contained),
    ]
    for position in (*order, *order):
        db.load(tmp_path, lines[position], weight(f"of-cc-{position}", {"identifier": cc}), source=source)
    assert {db.document("Observation", key, source) for key in ("of-ce", "in-ce")} == {f"CE-{number}"}
    assert {db.document("Observation", f"of-cc-{n}", source) for n in order} == {f"CC-{number}"}
    db.load(tmp_path, {"resourceType": "Patient", "id": "q", "identifier": [ce]}, source=source)
    assert {db.document("Observation", key, source) for key in ("of-ce", "in-ce")} == {f"CE-{number}"}
    assert {db.document("Observation", f"of-cc-{n}", source) for n in order} == {f"CC-{number}"}


def test_a_resource_does_not_follow_another_resource_of_its_batch_with_the_same_number(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number = unique(), unique().upper()
    typed = weight("typed", {"identifier": colombian("CC", number, RNEC)})
    db.load(tmp_path, typed, weight("bare", f"Patient?identifier={RNEC}|{number}"), source=source)
    assert db.document("Observation", "typed", source) == f"CC-{number}"
    assert db.document("Observation", "bare", source) == provisional_document(source, f"identifier={RNEC}|{number}")


def test_a_reference_by_a_typed_identifier_follows_its_patient_to_another_document(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number, grown = unique(), unique().upper(), unique().upper()
    child, old = colombian("TI", number, RNEC), {**colombian("TI", number, RNEC), "use": "old"}
    db.load(tmp_path, {"resourceType": "Patient", "id": "p", "identifier": [child]}, source=source)
    db.load(tmp_path, weight("o", {"identifier": child}), source=source)
    now = {"resourceType": "Patient", "id": "p", "identifier": [old, colombian("CC", grown, RNEC)]}
    assert db.load(tmp_path, now, source=source).moved == 2
    db.load(tmp_path, weight("later", {"identifier": child}), source=source)
    assert {db.document("Observation", key, source) for key in ("o", "later")} == {f"CC-{grown}"}


def test_an_erasure_leaves_the_other_document_of_the_same_number_alone(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique().upper()
    cc, ce = colombian("CC", number, RNEC), colombian("CE", number, RNEC)
    others = weight("o", {"type": "Patient", "identifier": ce})
    mine = {"resourceType": "List", "id": "l", "status": "current", "mode": "working",
            "entry": [{"item": {"type": "Patient", "identifier": one}} for one in (cc, ce)]}  # fmt: skip
    db.load(tmp_path, {"resourceType": "Patient", "id": "p", "identifier": [cc]}, others, mine, source=source)
    erase(db.conn, f"CC-{number}", schema=SCHEMA, reason="request 2024-17")
    left = db.exported(tmp_path, source)
    assert left["Observation", "o"] == canonical(parse(others))
    assert [("identifier" in entry["item"]) for entry in json.loads(left["List", "l"])["entry"]] == [False, True]


def test_a_reference_whose_number_is_wrong_waits_and_follows_its_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, wrong = unique(), "123.456.789-00"
    key = f"identifier={CPF}|{wrong}"
    db.load(tmp_path, weight("o", f"Patient?{key}"), source=source)
    assert db.document("Observation", "o", source) == provisional_document(source, key)
    report = db.load(tmp_path, patient_with_identifier("p", wrong, CPF, "TAX"), source=source)
    assert report.moved == 1
    assert (
        db.document("Observation", "o", source)
        == provisional_document(source, "p")
        == db.document("Patient", "p", source)
    )


def test_a_record_leaves_its_provisional_document_when_the_number_is_corrected(
    db: TestDatabase, tmp_path: Path
) -> None:
    source = unique()
    db.load(tmp_path, patient_with_identifier("p", "111.444.777-36", CPF), weight("o", "Patient/p"), source=source)
    assert db.document("Patient", "p", source) == provisional_document(source, "p")
    db.load(tmp_path, patient_with_identifier("p", "111.444.777-35", CPF), source=source)
    assert db.document("Patient", "p", source) == "BR.CPF-11144477735" == db.document("Observation", "o", source)
    erase(db.conn, "BR.CPF-11144477735", schema=SCHEMA, reason="request 2024-17")


@pytest.mark.parametrize("written", ["{0}", "{1}-{2}", "no. {1} {2}"])
def test_the_reason_of_an_erasure_must_not_contain_the_number_in_any_spelling(
    db: TestDatabase, tmp_path: Path, written: str
) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, patient_with_identifier("p", number, "http://hosp.org/mrn", "MR"), source=source)
    reason = written.format(number.upper(), number[:4], number[4:])
    with pytest.raises(UsageError, match="reason"):
        erase(db.conn, f"MR-{number}@http://hosp.org/mrn", schema=SCHEMA, reason=reason, dry_run=True)


def test_a_load_reports_identifiers_that_made_no_document_and_why(db: TestDatabase, tmp_path: Path) -> None:
    name = "45-identity-packs"
    report = db.load_paths([case(name)], source=f"{name}-{unique()}", rejects=tmp_path / "rejected.ndjson")
    provisional_ones = [key for key, document in expected_documents(name).items() if document is None]
    assert report.without_document == len(provisional_ones) == 11
    told = Counter[str]()
    for entry in report.identifiers:
        told[entry.why] += entry.identifiers
        assert entry.identifiers == entry.provisional
    assert told == {
        "check digit or form wrong": 6,
        "no document: a person without a document": 3,
        "no document: RNEC without the type of the document": 1,
        "no country stated": 1,
    }
    assert report.identifiers_rest == 0


def test_a_load_reports_resources_without_a_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    lines = [weight(f"o{n}", None) for n in range(3)] + [weight(f"w{n}", "Patient/later") for n in range(2)]
    organization = {"resourceType": "Organization", "id": "org"}
    nameless = {"resourceType": "Patient", "id": "nn"}
    report = db.load(tmp_path, *lines, organization, nameless, weight("on", "Patient/nn"), source=source)
    assert (report.without_patient, report.waiting, report.without_document) == ({"Observation": 3}, 2, 1)
    again = db.load(
        tmp_path, weight("w9", "Patient/later"), patient_with_identifier("later", number, DNI), source=source
    )
    assert (again.without_patient, again.waiting, again.without_document) == ({}, 0, 0)


def test_an_identifier_without_a_rule_is_reported_with_a_rule_that_fixes_it(db: TestDatabase, tmp_path: Path) -> None:
    source, system = unique(), f"http://{unique()}.example/mrn"
    numbers = [f"0{unique()}.{n}" for n in range(20)]
    lines = [json.dumps(patient_with_identifier(f"p{n}", number, system)) for n, number in enumerate(numbers)]
    (tmp_path / "in.ndjson").write_text("\n".join(lines))

    def told(*options: str) -> str | None:
        found = pyhce("verify", "--group", "identity", "--dsn", db.dsn, "-o", "json", *options)
        assert not any(number in found.stdout for number in numbers)
        [check] = [check for check in json.loads(found.stdout)["checks"] if check["code"] == "HCE0430"]
        assert check["result"] == "ok" or "--identity-rules rules.json,all" in check["remedy"]
        return next((line for line in check["details"] if system in line), None)

    common = ["load", tmp_path / "in.ndjson", "--source", source, "--dsn", db.dsn]
    first = pyhce(*common)
    assert "If these identifiers are documents" in first.stdout
    assert not any(number in first.stdout + first.stderr for number in numbers)
    shown = next(line for line in first.stdout.splitlines() if system in line)
    assert shown.strip().startswith("20 (20 of Patients without a document): no rule fits, no type")
    assert told() == shown.strip()
    rules = tmp_path / "rules.json"
    rules.write_text(f"[{shown[shown.index('{') :]}]")
    second = pyhce(*common, "-o", "json", "--identity-rules", f"{rules},all")
    report = json.loads(second.stdout)
    assert (report["passed_over"], report["without_document"], report["identifiers"]) == (0, 0, [])
    kept = db.rows("SELECT documento_id FROM paciente WHERE fuente = %s", source)
    assert {document for (document,) in kept} == {f"ID-{number}@{system}" for number in numbers}
    assert told("--identity-rules", f"{rules},all") is None
    assert (told() or "").startswith("20 (0 of Patients without a document)")


@pytest.mark.parametrize("choice", ["atlantis", "rules.json", "missing.json"])
def test_bad_rules_change_nothing_and_exit_2(db: TestDatabase, tmp_path: Path, choice: str) -> None:
    source = unique()
    (tmp_path / "in.ndjson").write_text(json.dumps(patient_with_identifier("p", "1", DNI)))
    (tmp_path / "rules.json").write_text('[{"type": "DNI", "code": "DNI"}]')
    given = choice if choice == "atlantis" else str(tmp_path / choice)
    done = pyhce("load", tmp_path / "in.ndjson", "--source", source, "--dsn", db.dsn, "--identity-rules", given)
    assert (done.returncode, given in done.stderr.replace("\n", "")) == (2, True)
    assert "what to do:" in done.stderr
    assert db.rows("SELECT 1 FROM paciente WHERE fuente = %s", source) == []
