"""What `pyhce verify` finds about Patients, and that its remedies work, on both engines."""

from __future__ import annotations

import shlex
from pathlib import Path

from pyhce.records.identity import provisional_document
from pyhce.records.patient import merge, rekey, split
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import Result
from tests.shared.cases import case
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase, unique
from tests.shared.findings import complete_result
from tests.shared.persons import ANA, CEDULA, LEO, number
from tests.shared.records import person, weight

COLOMBIA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"


def details(db: TestDatabase, code: str, source: str) -> list[str]:
    """What a check lists about one source. Patients of other tests are in the database too."""
    return [line for line in complete_result(db, code).details if source in line]


def follow(db: TestDatabase, command: str) -> None:
    """Run a command as a finding lists it."""
    words = shlex.split(command.partition("pyhce ")[2])
    done = pyhce(*words, "--dsn", db.dsn)
    assert done.returncode == 0, done.stderr


def identified(key: str, kind: str, value: str, **members: object) -> dict[str, object]:
    """A Patient with a Colombian document of a kind."""
    identifier = {"type": {"coding": [{"system": COLOMBIA, "code": kind}]}, "value": value}
    return {"resourceType": "Patient", "id": key, "identifier": [identifier], **members}


def test_patients_kept_apart_are_listed_until_a_person_merges_them(db: TestDatabase, tmp_path: Path) -> None:
    source, cedula = unique(), number()
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO), source=source)
    found = complete_result(db, "HCE0420")
    (line,) = details(db, "HCE0420", source)
    assert found.result is Result.WARNING
    assert line == f"{source}/Patient/p2 contradicts {source}/Patient/p1: birth date and name and sex"
    assert cedula not in repr(found)
    follow(db, f"pyhce patient merge {source}/Patient/p2 {source}/Patient/p1")
    assert details(db, "HCE0420", source) == details(db, "HCE0421", source) == []


def test_patients_kept_apart_are_listed_until_the_source_corrects_the_document(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, cedula = unique(), number()
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO), source=source)
    db.load(tmp_path, person("p2", number(), **LEO), source=source)
    assert details(db, "HCE0420", source) == []


def test_a_contradiction_in_one_record_is_listed_until_it_is_confirmed_or_split(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, cedula = unique(), number()
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **{**ANA, "gender": "male"}), source=source)
    (line,) = details(db, "HCE0421", source)
    assert line == f"{source}/Patient/p1 and {source}/Patient/p2: sex"
    assert complete_result(db, "HCE0421").result is Result.WARNING
    follow(db, f"pyhce patient merge {source}/Patient/p1 {source}/Patient/p2")
    assert details(db, "HCE0421", source) == []
    split(db.conn, f"CC-{cedula}", f"CC-{number()}", patients=[f"{source}/p2"], schema=SCHEMA)
    assert details(db, "HCE0421", source) == []


def test_two_persons_that_an_older_release_put_into_one_record_are_a_failure_until_they_are_split(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, cedula, other = unique(), number(), number()
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", other, **LEO), source=source)
    merge(db.conn, f"CC-{other}", f"CC-{cedula}", schema=SCHEMA)
    db.conn.execute("DELETE FROM hce.misma_persona WHERE fuente = %s", (source,))
    assert complete_result(db, "HCE0421").result is Result.FAILED
    assert len(details(db, "HCE0421", source)) == 1
    follow(db, f"pyhce patient split CC-{cedula} --patient {source}/p2 --to CC-{other}")
    assert details(db, "HCE0421", source) == []
    assert complete_result(db, "HCE0421").result is not Result.FAILED


def test_one_number_under_two_colombian_documents_proposes_the_merge(db: TestDatabase, tmp_path: Path) -> None:
    source, nuip = f"{unique()} norte", number()
    db.load(tmp_path, identified("child", "TI", nuip, **ANA), identified("grown", "CC", nuip, **ANA), source=source)
    (line,) = details(db, "HCE0422", source)
    assert line == f"TI and CC: pyhce patient merge '{source}/Patient/child' '{source}/Patient/grown'"
    follow(db, line)
    assert details(db, "HCE0422", source) == []
    assert db.document("Patient", "child", source) == f"CC-{nuip}"


def test_one_number_of_two_persons_proposes_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, nuip = unique(), number()
    db.load(tmp_path, identified("child", "RC", nuip, **ANA), identified("other", "CC", nuip, **LEO), source=source)
    assert details(db, "HCE0422", source) == []


def test_a_patient_that_another_one_replaces_is_listed_until_they_are_merged(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    replaced = {"link": [{"other": {"reference": "Patient/new"}, "type": "replaced-by"}]}
    replaces = {"link": [{"other": {"reference": "Patient/old"}, "type": "replaces"}]}
    nowhere = {"link": [{"other": {"reference": "Patient/not-here"}, "type": "replaced-by"}]}
    db.load(
        tmp_path,
        person("old", number(), **replaced),
        person("new", number(), **replaces),
        person("alone", number(), **nowhere),
        source=source,
    )
    (line,) = details(db, "HCE0423", source)
    assert line == f"pyhce patient merge {source}/Patient/old {source}/Patient/new"
    follow(db, line)
    assert details(db, "HCE0423", source) == []
    assert db.document("Patient", "old", source) == db.document("Patient", "new", source)


def test_resources_waiting_for_an_ambiguous_identifier_are_counted_until_the_records_are_merged(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, cedula = unique(), number()
    other, observation = unique(), weight("o", f"Patient?identifier={CEDULA}|{cedula}")
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO), observation, source=source)

    def count() -> int:
        found = complete_result(db, "HCE0424")
        return 0 if found.result is Result.OK else int(found.found.split()[0])

    before = count()
    assert db.load(tmp_path, observation, source=other).ambiguous == 1
    assert count() == before + 1, "it waits in another source too"
    assert any("that two Patients of another source state" in line for line in complete_result(db, "HCE0424").details)
    follow(db, f"pyhce patient merge {source}/Patient/p2 {source}/Patient/p1")
    assert count() == before - 1
    for waited in (source, other):
        assert db.document("Observation", "o", waited) == f"CC-{cedula}"
        assert db.load(tmp_path, observation, source=waited).unchanged == 1


def test_waiting_resources_join_the_record_when_a_rekey_settles_the_dispute(db: TestDatabase, tmp_path: Path) -> None:
    source, other, cedula, right = unique(), unique(), number(), number()
    observation = weight("o", f"Patient?identifier={CEDULA}|{cedula}")
    db.load(tmp_path, person("p1", cedula, **ANA), person("p2", cedula, **LEO), source=source)
    db.load(tmp_path, observation, source=source)
    db.load(tmp_path, observation, source=other)
    apart = provisional_document(source, "p2")
    tried = rekey(db.conn, apart, f"CC-{right}", schema=SCHEMA, dry_run=True)
    assert (tried.returned, db.document("Patient", "p2", source)) == (1, apart)
    assert rekey(db.conn, apart, f"CC-{right}", schema=SCHEMA).returned == 1
    assert db.document("Observation", "o", other) == f"CC-{cedula}", "no document is in dispute any more"
    waits = provisional_document(source, f"identifier={CEDULA}|{cedula}")
    assert db.document("Observation", "o", source) == waits, "two Patients of this source still carry the identifier"


def test_an_identifier_that_no_patient_has_any_more_leads_to_no_record(db: TestDatabase, tmp_path: Path) -> None:
    source, cedulas = unique(), (number(), number())
    mrn = {"system": "urn:mrn", "value": "7"}
    patients = [person(f"p{n}", cedula, **ANA) for n, cedula in enumerate(cedulas)]
    both = [{**one, "identifier": [*one["identifier"], mrn]} for one in patients]
    db.load(tmp_path, *both, weight("o", "Patient?identifier=urn:mrn|7"), source=source)
    assert merge(db.conn, f"CC-{cedulas[0]}", f"CC-{cedulas[1]}", schema=SCHEMA).returned == 1
    assert db.document("Observation", "o", source) == f"CC-{cedulas[1]}"
    db.load(tmp_path, *patients, source=source)
    db.load(tmp_path, weight("later", "Patient?identifier=urn:mrn|7"), source=source)
    assert db.document("Observation", "later", source) == provisional_document(source, "identifier=urn:mrn|7")


def test_case_36_two_persons_with_one_social_security_number(db: TestDatabase, tmp_path: Path) -> None:
    source = f"36-{unique()}"
    report = db.load_paths([case("36-ssn-collision")], source=source, rejects=tmp_path / "r")
    assert (report.new, report.rejected, report.kept_apart) == (3, 0, 1)
    assert db.document("Patient", "syn-1", source) == "US.SSN-999471234"
    assert db.document("Patient", "syn-2", source) == provisional_document(source, "syn-2")
    assert db.document("AllergyIntolerance", "syn-a", source) == provisional_document(source, "syn-2")
    assert details(db, "HCE0420", source) == [
        f"{source}/Patient/syn-2 contradicts {source}/Patient/syn-1: birth date and name and sex"
    ]


def test_case_37_documents_of_one_person_in_three_sources(db: TestDatabase, tmp_path: Path) -> None:
    mark, folder = unique(), case("37-several-documents")
    for name in ("a", "b", "c1", "c2", "d"):
        db.load_paths([folder / f"{name}.ndjson"], source=f"{mark}-{name[0]}", rejects=tmp_path / "r")
    a, b, c, d = (f"{mark}-{name}" for name in "abcd")
    assert db.document("Patient", "md", a) == db.document("Observation", "mdo", a) == "CC-950000001"
    passport = "PPN-AX1@urn:co:pass"
    assert [db.document(kind, key, b) for kind, key in (("Patient", "mb"), ("Observation", "mbo"))] == [passport] * 2
    assert db.document("Observation", "mbl", b) == passport
    assert db.document("Patient", "mc", c) == db.document("Observation", "mco", c) == "CC-950000004"
    assert db.document("Patient", "z1", d) == "CC-0950000005"
    assert db.document("Patient", "z2", d) == "CC-950000005"
    (line,) = details(db, "HCE0425", mark)
    assert line == f"pyhce patient merge {b}/Patient/mb {a}/Patient/md"
    follow(db, line)
    assert details(db, "HCE0425", mark) == []
    assert db.document("Observation", "mbl", b) == "CC-950000001"
