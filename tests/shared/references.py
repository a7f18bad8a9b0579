"""References to patients: a resource is in its patient's record, or outside every record and counted."""

from __future__ import annotations

import itertools
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_128_hexdigest

import pyhce
from pyhce.errors import HceError, UsageError
from pyhce.records.erasing.erase import erase
from pyhce.records.erasing.receipt import Outcome
from pyhce.records.exporting.export import export
from pyhce.records.identity import DEFAULT_RULES, provisional_document
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.patient import patient, rekey
from pyhce.records.reading.bases import own_bases
from pyhce.records.reading.exact_json import canonical, parse
from pyhce.records.reading.incoming import Incoming, InputLocation
from pyhce.records.reading.prepared import prepare
from pyhce.schema.declaration import SCHEMA
from tests.shared.commands import pyhce as command
from tests.shared.database import TestDatabase, unique
from tests.shared.findings import complete_result
from tests.shared.loads import written
from tests.shared.records import person, weight

CASES = Path(__file__).parents[1] / "cases"
CEDULA = "https://www.registraduria.gov.co/cedula"
COLOMBIA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"
RNDS = "BR.CNS-700000000000013"
OWN, OTHER = "https://own.example/fhir", "https://other.example/fhir"


def load_case(db: TestDatabase, folder: Path, case: str, **options: Any) -> tuple[str, LoadReport]:
    """Load a case's folder into a source of its own; the source and the load's report."""
    source = unique()
    return source, load_paths(db, folder, [CASES / case / "in"], source, **options)


def load_paths(db: TestDatabase, folder: Path, paths: list[Path], source: str, **options: Any) -> LoadReport:
    """Load files or folders again, even those that were loaded before."""
    return load(
        db.conn, paths, schema=SCHEMA, fuente=source, reject_file=folder / "rejected.ndjson", again=True, **options
    )


def load_bundle(db: TestDatabase, folder: Path, source: str, bundle: dict[str, Any], **options: Any) -> LoadReport:
    """Load one bundle."""
    path = folder / f"{unique()}.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    return load_paths(db, folder, [path], source, **options)


def collection(*entries: tuple[str | None, dict[str, Any]], kind: str = "collection", **members: Any) -> dict[str, Any]:
    """A bundle of resources with their fullUrls."""
    listed = [{"fullUrl": url, "resource": held} if url else {"resource": held} for url, held in entries]
    return {"resourceType": "Bundle", "type": kind, **members, "entry": listed}


def observation(key: str, subject: object, **members: Any) -> dict[str, Any]:
    """An Observation as a dict."""
    return {**json.loads(weight(key, subject, "1")), **members}


def row_location(db: TestDatabase, source: str, key: str) -> tuple[str, str | None, str | None]:
    """Table, document and patient key of the one row of a resource."""
    found: list[tuple[str, str | None, str | None]] = []
    for table in SCHEMA.resource_tables():
        by_patient = table.distribution_column == "documento_id"
        columns = "documento_id, paciente_id" if by_patient else "NULL, NULL"
        query = f"SELECT {columns} FROM {table.qualified} WHERE fuente = %s AND id = %s"
        found += [(table.name, *row) for row in db.rows(query, source, key)]
    assert len(found) == 1, f"{key}: {found}"
    return found[0]


def test_case_07_a_reference_of_any_form_leads_to_the_record_or_is_counted(db: TestDatabase, tmp_path: Path) -> None:
    source, report = load_case(db, tmp_path, "07-references", bases=["https://ehr.example/fhir/"])
    mine = {
        "r-rel", "r-hist", "r-abs", "r-abshist", "r-slash", "r-trail", "r-cond", "r-condenc", "r-logical",
        "r-logical-typed", "r-contained", "r-both", "c-logical", "cov1", "ap1",
    }  # fmt: skip
    for key in mine:
        assert row_location(db, source, key)[1] == "CC-910000071", key
    assert row_location(db, source, "r-oid")[1] == "CC-910000072"
    for key in ("r-uuid", "r-uuidtyped"):
        assert row_location(db, source, key)[1] == "CC-910000073", key
    for key in ("r-bare", "r-space", "r-frag", "r-display", "r-group", "r-none"):
        assert row_location(db, source, key)[:2] == ("recurso_compartido", None), key
    assert report.unreadable_references == {"Observation": 3}
    assert report.of_other_servers == {}
    assert (report.rejected, report.read) == (0, 27)


def test_case_07_a_patient_of_another_server_is_ours_only_once_its_base_is_configured(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, report = load_case(db, tmp_path, "07-references")
    waiting = provisional_document("https://ehr.example/fhir", "rp")
    assert {row_location(db, source, key)[1:] for key in ("r-abs", "r-abshist")} == {
        (waiting, "https://ehr.example/fhir/Patient/rp")
    }
    assert report.of_other_servers == {"https://ehr.example/fhir": 2}
    again = load_paths(db, tmp_path, [CASES / "07-references" / "in"], source, bases=["https://ehr.example/fhir"])
    assert again.of_other_servers == {}
    assert row_location(db, source, "r-abs")[1:] == row_location(db, source, "r-abshist")[1:] == ("CC-910000071", "rp")
    assert db.value("SELECT count(*) FROM expediente WHERE documento_id = %s", waiting) == 0


def test_case_38_an_identifier_alone_identifies_the_patient_where_r4_allows_any_type(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, _ = load_case(db, tmp_path, "38-task-for-identifier")
    for key in ("tf-o", "tf-t", "tf-tt", "tf-q", "tf-c", "tf-b"):
        assert row_location(db, source, key)[1] == "CC-910000381", key
    assert row_location(db, source, "tf-u")[1] == provisional_document(source, "9e9e9e9e-0000-4000-8000-000000000001")


def test_case_08_two_servers_in_one_bundle_are_two_sources(db: TestDatabase, tmp_path: Path) -> None:
    source, report = load_case(db, tmp_path, "08-two-servers-one-bundle")
    a, b = "https://a.example/fhir", "https://b.example/fhir"
    assert row_location(db, a, "1")[1:] == ("CC-910000081", "1")
    assert row_location(db, b, "1")[1:] == ("CC-910000082", "1")
    assert row_location(db, a, "a1")[1:] == ("CC-910000081", "1")
    assert row_location(db, b, "b1")[1:] == ("CC-910000082", "1")
    assert row_location(db, b, "b2")[1:] == ("CC-910000081", f"{a}/Patient/1")
    assert row_location(db, source, "7")[1] == "CC-910000083"
    assert row_location(db, source, "c1")[1:] == (
        provisional_document("https://other.example/fhir", "7"),
        f"{OTHER}/Patient/7",
    )
    assert report.of_other_servers == {a: 2, b: 3, OTHER: 1}
    people = {(f, key): held for f, key, held in db.rows("SELECT fuente, id, documento_id FROM paciente")}
    named = db.rows("SELECT fuente, paciente_id, documento_id FROM observacion WHERE fuente = ANY(%s)", [a, b, source])
    assert len(named) == 4
    assert [row for row in named if people.get((row[0], row[1]), row[2]) != row[2]] == []
    assert load_paths(db, tmp_path, [CASES / "08-two-servers-one-bundle" / "in"], source).unchanged == report.read


FORMS: tuple[Any, ...] = (
    "Patient/p", "/Patient/p", "Patient/p/", "Patient/p/_history/3", "Patient/p/_history/3/", " Patient/p", "p", "",
    "Patient/", "Patient/p#x", "#", "#p", "patient/p", "Group/p", "Paciente/p", f"{OWN}/Patient/p", f"{OWN}/Patient/p/",
    f"{OWN}//Patient/p", f"{OWN}/Patient/p/_history/2", "HTTPS://OWN.example:443/fhir/Patient/p",
    f"{OTHER}/Patient/p", f"{OTHER}/Patient/p/_history/2", f"{OTHER}/Group/p", "other.example/fhir/Patient/p",
    "ftp://other.example/Patient/p", "urn:uuid:0AA0AAAA-0000-4000-8000-00000000000A", "URN:UUID:X", "urn:oid:1.2.3",
    "urn:x/Patient/p", f"Patient?identifier={CEDULA}|1", "Patient?identifier=https%3A%2F%2Fa.example%7C1%2F2",
    "Patient?identifier=a%7Cb&active=true", "Patient?_id=p", "Patient?", "Patient?identifier=%FF%00", "Group?name=x",
    f"{OTHER}/Patient?identifier=a|b", "Patient/" + "p" * 64, "Patient/" + "p" * 65, "Patient/ñ", "a\nb/Patient/p",
    {"identifier": {"system": CEDULA, "value": "1"}}, {"type": "Patient", "identifier": {"value": "a|b/c?d%7C"}},
    {"type": "Group", "identifier": {"system": "s", "value": "1"}}, {"display": "x"}, {},
    {"reference": "rp", "identifier": {"system": "s", "value": "9"}}, {"reference": "Patient/p", "type": "Group"},
    {"reference": "urn:uuid:y", "type": "Patient"}, {"reference": "urn:uuid:y", "type": "Group"},
)  # fmt: skip
CONTAINED = (
    {"resourceType": "Patient", "id": "p", "identifier": [{"system": "s", "value": "x?y/Patient/z%"}]},
    {"resourceType": "Patient", "id": "", "identifier": [{"use": "old", "system": "s", "value": "1"}]},
    {"resourceType": "Group", "id": "p", "identifier": [{"system": "s", "value": "1"}]},
    {"resourceType": "Patient", "id": "p"},
    None,
)


KINDS = (("Observation", "subject"), ("Task", "for"), ("Composition", "subject"), ("QuestionnaireResponse", "subject"))


def test_python_and_sql_derive_the_same_patient_key_from_every_form(db: TestDatabase, tmp_path: Path) -> None:
    """If the two keys differed, a query could join a row to another patient than the one whose record holds it."""
    source = unique()
    resources = []
    for (kind, member), form, contained in itertools.product(KINDS, FORMS, CONTAINED):
        reference = form if isinstance(form, dict) else {"reference": form}
        held = {
            "resourceType": kind,
            "id": f"r{len(resources)}",
            member: reference,
            "focus": {"reference": "Patient/q"},
        }
        resources.append({**held, "contained": [contained]} if contained else held)
    path = tmp_path / "all.ndjson"
    path.write_text("\n".join(map(json.dumps, resources)), encoding="utf-8")
    report = load_paths(db, tmp_path, [path], source, bases=[OWN])
    assert (report.read, report.rejected) == (len(resources), 0)

    by_sql: dict[str, str | None] = {}
    for kind, _ in KINDS:
        table = SCHEMA.by_type[kind].name
        by_sql.update(db.rows(f"SELECT id, paciente_id FROM {table} WHERE fuente = %s", source))
    for resource in resources:
        came = Incoming(InputLocation("f", 1), resource["resourceType"], resource["id"], parse(json.dumps(resource)))
        made = prepare(SCHEMA, came, own_bases([OWN]), DEFAULT_RULES)
        assert by_sql.get(resource["id"]) == made.patient_key, resource
    exported_resources = db.exported(tmp_path, source)
    for resource in resources:
        assert exported_resources[resource["resourceType"], resource["id"]] == canonical(parse(json.dumps(resource)))
    again = load_paths(db, tmp_path, [path], source, bases=[OWN])
    assert (again.unchanged, again.moved) == (len(resources), 0)


def test_verify_finds_an_unreadable_reference_and_its_remedy_repairs_it(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}}
    bad = [{**flag, "id": key, "subject": {"reference": text}} for key, text in (("bad", "p"), ("odd", "Patient/p#x"))]
    report = db.load(tmp_path, person("p", number), *bad, source=source)
    assert report.unreadable_references == {"Flag": 2}
    found = complete_result(db, "HCE0441")
    assert found.result == "warning"
    (flags,) = [line for line in found.details if " Flag: " in line]
    assert f"{source}/bad, {source}/odd" in flags
    db.load(tmp_path, *({**held, "subject": {"reference": "Patient/p"}} for held in bad), source=source)
    assert {row_location(db, source, key)[1] for key in ("bad", "odd")} == {f"CC-{number.upper()}"}
    assert source not in str(complete_result(db, "HCE0441").details)


def test_verify_finds_an_absolute_reference_of_an_older_release_and_its_remedy_repairs_it(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number, before = unique(), unique(), absolute_observations(db)
    line = weight("o", f"{OTHER}/Patient/p")
    also = weight("e", "Patient/p", encounter={"reference": f"{OTHER}/Encounter/1"})
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), weight("e", "Patient/p"), source=source)
    for key, text in (("o", line), ("e", also)):
        values = (text, xxh3_128_hexdigest(text.encode()), f"CC-{number.upper()}", source, key)
        db.conn.execute(
            "UPDATE observacion SET recurso = %s::jsonb, original = NULL, entrada = %s"
            " WHERE documento_id = %s AND fuente = %s AND id = %s",
            values,
        )
    assert row_location(db, source, "o")[1:] == (f"CC-{number.upper()}", "p"), (
        "the row is stored as an older release stored it"
    )
    assert absolute_observations(db) == before + 1
    report = db.load(tmp_path, line, also, source=source)
    assert (report.changed, report.unchanged) == (2, 0)
    assert row_location(db, source, "o")[1:] == (provisional_document(OTHER, "p"), f"{OTHER}/Patient/p")
    assert db.rows("SELECT encuentro_id FROM observacion WHERE fuente = %s AND id = 'e'", source) == [
        (f"{OTHER}/Encounter/1",)
    ]
    assert absolute_observations(db) == before


def absolute_observations(db: TestDatabase) -> int:
    """How many observations `verify` finds whose absolute reference is stored without its base URL."""
    found = [line.split() for line in complete_result(db, "HCE0444").details]
    return sum(int(count) for table, count, *_ in found if table == "observacion:")


@pytest.mark.parametrize(
    "base", ["own.example", "ftp://own.example", "https://", "https://u@own.example", OWN + "?x=1"]
)
def test_a_base_that_is_not_a_url_is_refused_and_nothing_is_loaded(db: TestDatabase, tmp_path: Path, base: str) -> None:
    with pytest.raises(UsageError, match="is not an http or https URL"):
        load_bundle(db, tmp_path, unique(), collection((None, person("p", unique()))), bases=[base])
    with pytest.raises(UsageError, match="is not an http or https URL"):
        pyhce.connect(db.dsn, bases=[base])


def test_resources_that_refer_to_a_patient_of_another_server_move_to_it_when_it_is_loaded(
    db: TestDatabase, tmp_path: Path
) -> None:
    base, source, other, number, right = f"https://{unique()}.example/fhir", unique(), unique(), unique(), unique()
    named = {"reference": f"{base}/Patient/1"}
    local = person("1", unique())
    db.load(tmp_path, local, observation("o", named), observation("local", "Patient/1"), source=source)
    db.load(tmp_path, observation("o", named), source=other)
    waiting = provisional_document(base, "1")
    assert row_location(db, source, "o")[1:] == row_location(db, other, "o")[1:] == (waiting, f"{base}/Patient/1")
    assert f"{base}: 2" in complete_result(db, "HCE0442").details

    db.load(
        tmp_path, person("1", number), source=base
    )  # the other server's own export, loaded with its base as the source

    for name in (source, other):
        assert row_location(db, name, "o")[1] == f"CC-{number.upper()}"
    assert base not in str(complete_result(db, "HCE0442").details)
    db.load(tmp_path, observation("later", named), source=other)
    assert row_location(db, other, "later")[1] == f"CC-{number.upper()}"
    rekey(db.conn, f"CC-{number}", f"CC-{right}", schema=SCHEMA)
    db.load(tmp_path, observation("last", named), person("1", number), source=base)
    for name, key in ((source, "o"), (other, "later"), (base, "last")):
        assert row_location(db, name, key)[1] == f"CC-{right.upper()}"
    assert row_location(db, source, "local")[1] != f"CC-{right.upper()}"
    assert db.load(tmp_path, observation("o", named), source=other).unchanged == 1


def test_an_erasure_includes_resources_of_other_sources_that_refer_to_the_patient(
    db: TestDatabase, tmp_path: Path
) -> None:
    base, source, number = f"https://{unique()}.example/fhir", unique(), unique()
    named = {"reference": f"{base}/Patient/1"}
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True,
             "member": [{"entity": named}, {"entity": {"reference": "Patient/1"}}]}  # fmt: skip
    db.load(tmp_path, person("1", number), observation("own", "Patient/1"), source=base)
    db.load(
        tmp_path,
        person("1", unique()),
        observation("o", named),
        observation("local", "Patient/1"),
        group,
        source=source,
    )
    done = erase(db.conn, f"CC-{number}", schema=SCHEMA, reason="test")
    assert done.outcome is Outcome.ERASED
    assert [entry.rows for entry in done.masked] == [1]
    assert db.rows("SELECT id FROM observacion WHERE fuente = ANY(%s)", [base, source]) == [("local",)]
    kept = db.value("SELECT recurso FROM grupo_pacientes WHERE fuente = %s", source)
    assert base not in json.dumps(kept)
    assert kept["member"][1] == {"entity": {"reference": "Patient/1"}}, (
        "the local patient with the same id is a different patient"
    )


def test_a_url_under_the_own_base_and_its_relative_form_are_one_patient_and_keep_their_spelling(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number = unique(), unique()
    absolute = observation("o", f"{OWN}/Patient/p", encounter={"reference": f"{OTHER}/Encounter/e"})
    bundle = collection(
        (f"{OWN}/Patient/p", person("p", number)),
        (f"{OWN}/Encounter/e", {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
                                "subject": {"reference": "Patient/p"}}),
        (f"{OWN}/Observation/o", absolute),
    )  # fmt: skip
    report = load_bundle(db, tmp_path, source, bundle)
    assert report.of_other_servers == {}, "the only base in a bundle is the source's own"
    assert row_location(db, source, "o")[1:] == (f"CC-{number.upper()}", "p")
    (encounter,) = db.rows("SELECT encuentro_id FROM observacion WHERE fuente = %s", source)
    assert encounter == (f"{OTHER}/Encounter/e",), "an encounter of another server is not ours with the same id"
    assert db.exported(tmp_path, source)["Observation", "o"] == canonical(parse(json.dumps(absolute)))
    assert load_bundle(db, tmp_path, source, bundle).unchanged == 3


def test_with_a_configured_base_every_other_base_of_a_bundle_is_another_source(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number, base = unique(), unique(), f"https://{unique()}.example"
    bundle = collection(
        (f"{OWN}/Patient/1", person("1", number)),
        (f"{base}/Patient/1", person("1", f"{number}b")),
        (f"{base}/Observation/x", observation("x", "Patient/1")),
        (f"{OWN}/Observation/y", observation("y", f"{base}/Patient/1")),
        ("urn:uuid:1", observation("z", "Patient/1")),
    )
    load_bundle(db, tmp_path, source, bundle, bases=[OWN + "/"])
    assert row_location(db, source, "1")[1] == row_location(db, source, "z")[1] == f"CC-{number.upper()}"
    for name, key in ((base, "1"), (base, "x"), (source, "y")):
        assert row_location(db, name, key)[1] == f"CC-{number.upper()}B"
    gone = {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": f"{base}/Patient/1"}},
        {"fullUrl": f"{base}/Observation/x", "request": {"method": "DELETE", "url": "Observation/x"}},
    ]}  # fmt: skip
    assert load_bundle(db, tmp_path, source, gone, bases=[OWN]).deleted == 2
    assert row_location(db, source, "1")[1] == f"CC-{number.upper()}", "our patient with the same id stays"


def test_save_treats_references_and_bases_as_load_does(db: TestDatabase) -> None:
    source, number, base = unique(), unique(), f"https://{unique()}.example"
    inside = {"resourceType": "Patient", "id": "me", "identifier": [{"system": CEDULA, "value": number}]}
    with pyhce.connect(db.dsn, source=source, bases=[OWN]) as writer:
        writer.save(person("1", number))
        writer.save(observation("own", f"{OWN}/Patient/1"))
        writer.save(observation("foreign", f"{base}/Patient/1"))
        writer.save(observation("inside", "#me", contained=[inside]))
        writer.save(observation("foreign", f"{base}/Patient/1", status="amended"))
        basic = {"resourceType": "Basic", "id": "b", "code": {"text": "x"}}
        mine = {**basic, "subject": {"identifier": inside["identifier"][0]}}
        many = collection((f"{base}/Patient/1", person("1", f"{number}b")), (f"{OWN}/Basic/b", mine))
        assert writer.save_many([many]).new == 2
    for key in ("own", "inside", "b"):
        assert row_location(db, source, key)[1] == f"CC-{number.upper()}", key
    assert row_location(db, source, "foreign")[1] == row_location(db, base, "1")[1] == f"CC-{number.upper()}B"
    assert db.value("SELECT version FROM observacion WHERE fuente = %s AND id = 'foreign'", source) == 2


def test_a_contained_patient_with_a_document_has_a_record_before_the_patient_is_loaded(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number = unique(), str(int(unique(), 16))[:10]
    coded = {
        "system": "https://fhir.minsalud.gov.co/rda/NamingSystem/RNEC", "value": number,
        "type": {"coding": [{"system": COLOMBIA, "code": "TI"}]},
    }  # fmt: skip
    inside = {"resourceType": "Patient", "id": "me", "identifier": [{"system": "urn:x", "value": "7"}, coded]}
    db.load(tmp_path, observation("o", "#me", contained=[inside]), source=source)
    db.load(tmp_path, observation("l", {"identifier": coded}), source=source)
    assert row_location(db, source, "o")[1] == row_location(db, source, "l")[1] == f"TI-{number}"
    db.load(tmp_path, {"resourceType": "Patient", "id": "p", "identifier": [
        {"system": CEDULA, "value": f"{number}9"}, {**coded, "use": "secondary"}
    ]}, source=source)  # fmt: skip
    document = db.document("Patient", "p", source)
    assert row_location(db, source, "o")[1] == row_location(db, source, "l")[1] == document


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_an_identifier_with_a_type_leads_to_no_record_when_two_persons_claim_its_document(
    db: TestDatabase, tmp_path: Path, order: tuple[int, ...]
) -> None:
    mark, number = unique(), str(int(unique(), 16))[:10]
    coded = {
        "system": "https://fhir.minsalud.gov.co/rda/NamingSystem/RNEC", "value": number,
        "type": {"coding": [{"system": COLOMBIA, "code": "TI"}]},
    }  # fmt: skip
    ana = {"gender": "female", "birthDate": "1990-01-02", "name": [{"family": "Rojas", "given": ["Ana"]}]}
    leo = {"gender": "male", "birthDate": "1964-11-23", "name": [{"family": "Prieto", "given": ["Leo"]}]}
    loads = [
        (f"{mark}-a", {"resourceType": "Patient", "id": "p1", "identifier": [coded], **ana}),
        (f"{mark}-a", {"resourceType": "Patient", "id": "p2", "identifier": [coded], **leo}),
        (f"{mark}-b", observation("o", {"identifier": coded})),
    ]
    for position in order:
        db.load(tmp_path, loads[position][1], source=loads[position][0])
    key = f"identifier={coded['system']}|{number}&documento=TI-{number}"
    assert row_location(db, f"{mark}-b", "o")[1:] == (provisional_document(f"{mark}-b", key), key)
    assert db.document("Patient", "p1", f"{mark}-a") == f"TI-{number}"


def composition(subject: dict[str, Any] | None, **members: Any) -> dict[str, Any]:
    """A Composition, the first entry of a document."""
    held = {
        "resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2024-01-01",
        "author": [{"display": "x"}], "title": "x", **members,
    }  # fmt: skip
    return held if subject is None else {**held, "subject": subject}


def test_case_14_a_document_is_in_its_patients_record_and_is_erased_with_it(db: TestDatabase, tmp_path: Path) -> None:
    source, report = load_case(db, tmp_path, "14-ips-document")
    table, document, _ = row_location(db, source, "ips1")
    assert (table, document) == ("recurso_paciente", "CC-910000141")
    rnds = db.rows("SELECT documento_id FROM recurso_paciente WHERE fuente = %s AND id <> 'ips1'", source)
    assert rnds == [(RNDS,)]
    assert (report.read, report.documents_without_patient) == (2, 0)
    assert load_paths(db, tmp_path, [CASES / "14-ips-document" / "in"], source).unchanged == 2
    record = patient(db.conn, "CC-910000141", schema=SCHEMA)
    assert record.counts == {"Bundle": 1}
    to = tmp_path / "theirs"
    exported = export(db.conn, to, schema=SCHEMA, document="CC-910000141")
    assert exported.resources == 1
    came = json.loads((CASES / "14-ips-document" / "in" / "ips.json").read_text())
    assert json.loads((to / exported.files[0].path).read_text()) == came
    assert erase(db.conn, "CC-910000141", schema=SCHEMA, reason="test").outcome is Outcome.ERASED
    assert db.value("SELECT count(*) FROM recurso_paciente WHERE fuente = %s AND id = 'ips1'", source) == 0
    with pytest.raises(HceError, match="no record"):
        patient(db.conn, "CC-910000141", schema=SCHEMA)


def test_case_14_the_entries_of_an_opened_document_are_rows_tagged_with_the_document(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, _ = load_case(db, tmp_path, "14-ips-document", open_documents=True)
    assert row_location(db, source, "ipsa")[:2] == ("alergia_intolerancia", "CC-910000141")
    assert row_location(db, source, "ips1")[:2] == ("recurso_paciente", "CC-910000141")
    (tag,) = db.rows("SELECT recurso #> '{meta,tag}' FROM alergia_intolerancia WHERE fuente = %s", source)
    assert tag[0] == [{"system": "urn:pyhce:document", "code": "Bundle/ips1"}]
    before = db.exported(tmp_path, source)
    again = load_paths(db, tmp_path, [CASES / "14-ips-document" / "in"], source, open_documents=True)
    assert (again.unchanged, again.moved) == (again.read, 0)
    assert db.exported(tmp_path, source) == before
    observations = db.rows("SELECT documento_id FROM observacion WHERE fuente = %s", source)
    assert observations == [(RNDS,)]
    assert erase(db.conn, "CC-910000141", schema=SCHEMA, reason="test").outcome is Outcome.ERASED
    for table in ("paciente", "alergia_intolerancia", "composicion"):
        assert db.value(f"SELECT count(*) FROM {table} WHERE documento_id = 'CC-910000141'") == 0


def test_ids_local_to_one_document_never_collide_with_those_of_another(db: TestDatabase, tmp_path: Path) -> None:
    source, numbers = unique(), (unique(), unique())
    for number in numbers:
        entries = (
            ("urn:uuid:transient-0", composition({"reference": "urn:uuid:transient-1"})),
            ("urn:uuid:transient-1", person("1", number)),
            ("urn:uuid:transient-2", observation("2", "urn:uuid:transient-1")),
            (None, observation("2", "Patient/1")),
        )
        bundle = collection(*entries, kind="document", id=f"doc-{number}")
        report = load_bundle(db, tmp_path, source, bundle, open_documents=True)
        assert (report.new, report.moved) == (5, 0)
    for number in numbers:
        record = patient(db.conn, f"CC-{number}", schema=SCHEMA)
        assert record.counts == {"Bundle": 1, "Composition": 1, "Observation": 2, "Patient": 1}


def test_two_persons_whose_documents_share_a_uuid_keep_separate_records(db: TestDatabase, tmp_path: Path) -> None:
    source, head, me, finding, author = unique(), *(f"urn:uuid:{uuid.uuid4()}" for _ in range(4))
    numbers = unique(), unique()

    def document(key: str, someone: dict[str, Any]) -> dict[str, Any]:
        entries = (
            (head, composition({"reference": me})), (me, someone), (finding, observation("o", me)),
            (author, {"resourceType": "Practitioner", "id": "a", "name": [{"family": "Ruiz"}]}),
        )  # fmt: skip
        return collection(*entries, kind="document", id=key)

    def load_document(key: str, someone: dict[str, Any]) -> LoadReport:
        return load_bundle(db, tmp_path, source, document(key, someone), open_documents=True)

    ana = {**person("1", numbers[0]), "name": [{"family": "Mora"}], "birthDate": "1950-03-01", "gender": "female"}
    leo = {**person("1", numbers[1]), "name": [{"family": "Gil"}], "birthDate": "1999-12-24", "gender": "male"}
    assert load_document("ana-1", ana).new == 5
    whole = db.exported(tmp_path, source)
    report = load_document("leo-1", leo)
    assert (report.new, report.changed, report.unchanged, report.moved) == (4, 1, 0, 0), "the Practitioner is one"
    for number in numbers:
        record = patient(db.conn, f"CC-{number.upper()}", schema=SCHEMA)
        assert record.counts == {"Bundle": 1, "Composition": 1, "Observation": 1, "Patient": 1}
    later = load_document("ana-2", {**ana, "telecom": [{"system": "phone", "value": "3001"}]})
    assert (later.new, later.changed, later.moved) == (1, 4, 0), "the same person: the same entries"
    assert set(whole) <= set(db.exported(tmp_path, source))

    nameless = [{name: held for name, held in one.items() if name != "identifier"} for one in (ana, leo)]
    for key, someone in (("ana-3", nameless[0]), ("leo-3", nameless[1]), ("ana-4", nameless[0])):
        load_document(key, someone)
    query = "SELECT id, documento_id FROM recurso_paciente WHERE fuente = %s AND tipo = 'Bundle'"
    places = dict(db.rows(query, source))
    assert places["ana-3"] == places["ana-4"] != places["leo-3"], (
        "without an identifier, demographics distinguish persons"
    )
    assert all(places[key].startswith("PROV-") for key in ("ana-3", "leo-3"))


def test_an_id_duplicated_within_a_document_refers_to_neither_entry(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    entries = (
        (f"urn:uuid:{uuid.uuid4()}", composition(None)), (f"urn:uuid:{uuid.uuid4()}", person("1", number)),
        (f"urn:uuid:{uuid.uuid4()}", person("1", f"{number}b")), ("urn:uuid:x", observation("o", "Patient/1")),
    )  # fmt: skip
    db.load(tmp_path, person("1", f"{number}c"), source=source)
    bundle = collection(*entries, kind="document", id=f"d-{number}")
    assert load_bundle(db, tmp_path, source, bundle, open_documents=True).documents_without_patient == 1
    ((document,),) = db.rows("SELECT documento_id FROM observacion WHERE fuente = %s", source)
    assert document.startswith("PROV-")


def test_the_composition_or_message_header_decides_the_patient_of_a_bundle(db: TestDatabase, tmp_path: Path) -> None:
    source, number, other = unique(), unique(), unique()
    me, them = person("me", number), person("them", other)
    inside = {"contained": [{**me, "id": "pt"}]}
    header = {"resourceType": "MessageHeader", "eventUri": "urn:x", "source": {"endpoint": "urn:y"}}
    mine, theirs = observation("o", "Patient/me"), observation("t", "Patient/them")
    by_id = composition({"reference": "Patient/me"})
    urn = f"urn:uuid:{uuid.uuid4()}"

    def message(*focus: str) -> dict[str, Any]:
        return {**header, "focus": [{"reference": text} for text in focus]}

    entries: dict[str, list[tuple[str | None, dict[str, Any]]]] = {
        "relative": [(f"{OWN}/Composition/c", by_id), (f"{OWN}/Patient/them", them), (f"{OWN}/Patient/me", me)],
        "urn": [("urn:uuid:0", composition({"reference": urn.upper()})), (urn, me), (None, them)],
        "logical": [(None, composition({"identifier": {"system": CEDULA, "value": number}})), (None, them)],
        "contained": [(None, composition({"reference": "#pt"}, **inside)), (None, them)],
        "outside": [(None, by_id), (None, them)],
        "focus": [(None, message("Observation/o")), (None, theirs), (None, mine)],
        "patient": [(None, message("Patient/me")), (None, them), (None, me)],
        "both": [(None, message("Patient/me", "Observation/t")), (None, me), (None, theirs)],
        "author": [(None, composition(None, author=[{"reference": "Patient/me"}])), (None, me)],
        "group": [(None, composition({"reference": "Group/g"})), (None, me)],
        "empty": [],
    }
    without_patient = {"both", "author", "group", "empty"}
    messages = {"focus", "patient", "both"}
    bundles = [
        collection(*held, kind="message" if name in messages else "document", id=name) for name, held in entries.items()
    ]
    db.load(tmp_path, me, source=source)
    report = db.load(tmp_path, *bundles, source=source)
    assert report.documents_without_patient == len(without_patient)
    for name in entries:
        assert row_location(db, source, name)[1] == (None if name in without_patient else f"CC-{number.upper()}"), name


def test_a_document_of_another_server_refers_to_patients_of_that_server(db: TestDatabase, tmp_path: Path) -> None:
    source, base = unique(), f"https://{unique()}.example"
    nameless = {"resourceType": "Patient", "id": "1", "name": [{"family": "X"}]}
    head = composition({"reference": "Patient/1"})
    header = {"resourceType": "MessageHeader", "focus": [{"reference": "Observation/o"}]}
    observed = observation("o", "Patient/1", performer=[{"reference": "Patient/2"}])
    bundles = {
        "with": [(f"{base}/Composition/c", head), (f"{base}/Patient/1", nameless)],
        "without": [(f"{base}/Composition/c", head)],
        "focus": [
            (f"{base}/MessageHeader/h", header), (f"{base}/Observation/o", observed),
            (f"{base}/Patient/2", person("2", unique())),
        ],
        "two": [("urn:uuid:0", head), (f"{base}/Patient/1", nameless), (f"{OWN}/Patient/1", nameless)],
    }  # fmt: skip
    held = [
        collection(*entries, kind="message" if name == "focus" else "document", id=name)
        for name, entries in bundles.items()
    ]
    db.load(tmp_path, *held, source=source)
    for name in ("with", "without", "focus"):
        assert row_location(db, source, name)[1:] == (provisional_document(base, "1"), f"{base}/Patient/1"), name
    assert row_location(db, source, "two")[:2] == ("recurso_compartido", None), "an id of two entries refers to neither"


def test_loading_again_moves_a_document_that_an_older_release_kept_outside_the_records(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number = unique(), unique()
    held = collection(
        (None, composition({"reference": "Patient/me"})), (None, person("me", number)), kind="document", id="d"
    )
    db.conn.execute(
        "INSERT INTO recurso_compartido (fuente, tipo, id, recurso, entrada) VALUES (%s, 'Bundle', 'd', %s::jsonb, %s)",
        (source, json.dumps(held), xxh3_128_hexdigest(json.dumps(held).encode())),
    )
    before = int(complete_result(db, "HCE0443").found.split()[0])
    assert db.load(tmp_path, held, source=source).moved == 1
    assert row_location(db, source, "d")[:2] == ("recurso_paciente", f"CC-{number.upper()}")
    assert int(complete_result(db, "HCE0443").found.split()[0]) == before - 1


def test_a_document_moves_when_its_patients_identity_changes(db: TestDatabase, tmp_path: Path) -> None:
    source, number, right = unique(), unique(), unique()
    me = {**person("me", number), "identifier": [{"system": "urn:mrn", "value": number}]}
    entries = (f"{OWN}/Composition/c", composition({"reference": "Patient/me"})), (f"{OWN}/Patient/me", me)
    held = collection(*entries, kind="document", id="d")
    load_bundle(db, tmp_path, source, held)
    assert row_location(db, source, "d")[1] == provisional_document(source, f"identifier=urn:mrn|{number}")
    db.load(tmp_path, {**me, "identifier": [*me["identifier"], {"system": CEDULA, "value": right}]}, source=source)
    assert row_location(db, source, "d")[1] == f"CC-{right.upper()}"
    assert load_bundle(db, tmp_path, source, held).unchanged == 1


def test_resources_loaded_concurrently_with_their_patient_of_another_server_are_in_its_record(
    db: TestDatabase, tmp_path: Path
) -> None:
    for _ in range(5):
        base, sources, number = f"https://{unique()}.example/fhir", (unique(), unique()), unique()
        theirs = [
            written(tmp_path / f"{base[8:20]}.ndjson", [json.dumps(person(f"p{n}", f"{number}{n}")) for n in range(20)])
        ]
        ours = {
            source: [written(tmp_path / f"{source}.ndjson",
                             [weight(f"o{n}", f"{base}/Patient/p{n % 20}") for n in range(200)])]
            for source in sources
        }  # fmt: skip
        jobs = [(base, theirs), *ours.items()]
        with ThreadPoolExecutor(len(jobs)) as pool:
            done = [
                pool.submit(
                    pyhce.load, paths, dsn=db.dsn, source=name, reject_file=tmp_path / f"r-{name[-20:-8]}", jobs=2
                )
                for name, paths in jobs
            ]
            assert [job.result().rejected for job in done] == [0, 0, 0]
        for source in sources:
            rows = db.rows("SELECT id, documento_id, paciente_id FROM observacion WHERE fuente = %s", source)
            assert len(rows) == 200
            for key, document, named in rows:
                n = int(key[1:]) % 20
                assert (document, named) == (f"CC-{number.upper()}{n}", f"{base}/Patient/p{n}")
    assert complete_result(db, "HCE0401").result == "ok"


def test_load_reports_other_bases_and_unreadable_references_and_refuses_a_base_that_is_not_a_url(
    db: TestDatabase, tmp_path: Path
) -> None:
    source = unique()
    lines = [weight("bad", "p"), weight("far", f"{OTHER}/Patient/1"), json.dumps(collection(kind="document", id="d"))]
    path = written(tmp_path / "in.ndjson", lines)
    shown = command("load", path, "--source", source, "--dsn", db.dsn, "--rejects", tmp_path / "r")
    assert shown.returncode == 0, shown.stderr
    assert (
        f"1 from the server {OTHER}, or about its patients; if it is the source itself: --base {OTHER}" in shown.stdout
    )
    assert "1 Observation in no record: the reference to the patient is not Patient/id, a URL or a urn" in shown.stdout
    assert "1 document or message in no record: it does not name its patient" in shown.stdout
    own = command("load", path, "--source", source, "--dsn", db.dsn, "--rejects", tmp_path / "r", "-o", "json",
                  PYHCE_BASE=f"{OWN} {OTHER}/")  # fmt: skip
    report = json.loads(own.stdout)
    assert (report["of_other_servers"], report["unreadable_references"]) == ({}, {"Observation": 1})
    assert row_location(db, source, "far")[1:] == (provisional_document(source, "1"), "1")
    refused = command("load", path, "--source", unique(), "--base", "ehr.example", "--dsn", db.dsn)
    assert refused.returncode == 2
    assert "the base 'ehr.example' is not an http or https URL" in refused.stderr
    assert "--base https://ehr.example/fhir" in refused.stderr
