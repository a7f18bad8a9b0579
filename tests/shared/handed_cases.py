"""The cases of tests/cases from the command line, on every engine: each test is a row of the command `run.py cases`."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from pyhce.records.identity.tally import ORIGINAL_ID
from pyhce.records.reading.ids import derived_id
from pyhce.schema.declaration import SCHEMA
from tests.shared.cases import case, expected_documents
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase
from tests.shared.findings import complete_result

A, B, EHR = "https://a.example/fhir", "https://b.example/fhir", "https://ehr.example/fhir"
IDS = "27-ids"
TWO_COUNTRIES, REFERENCES, SERVERS, DOCUMENTS, URN, SSN, SEVERAL, TASKS, PACKS = (
    "05-national-number-two-countries", "07-references", "08-two-servers-one-bundle", "14-ips-document",
    "32-roundtrip-urn", "36-ssn-collision", "37-several-documents", "38-task-for-identifier", "45-identity-packs",
)  # fmt: skip
FORMS, BULK, VERSIONS, NAMES, REJECTS = (
    "03-text-forms", "04-bulk-export", "22-other-versions", "28-file-names", "31-own-reject-file",
)  # fmt: skip
IF_NONE_EXIST, VERBS, HISTORY, OUTCOME = (
    "09-if-none-exist", "10-transaction-verbs", "11-hapi-history-delete", "12-searchset-outcome",
)  # fmt: skip
REJECTED = {VERBS: 1, VERSIONS: 6}
"""The rejects of each case that has some."""
STRICT = "34-strict"
LONG, UNICODE = "20-long-strings", "26-unicode"
OPENED = f"{DOCUMENTS}-opened"
IPS, RNDS = "CC-910000141", "BR.CNS-700000000000013"


class Loaded:
    """A database into which a case was loaded by `pyhce load`, under its folder's name as the source."""

    def __init__(self, db: TestDatabase) -> None:
        self.db = db
        self.report = cache(self._load)

    def rejected(self, name: str, *options: str, source: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What a load reports that rejects some of a case, and what is in its reject file."""
        rejects = Path(mkdtemp(dir=self.db.folder.parent)) / "rejected.ndjson"
        arguments = ["load", case(name), "--source", source, "--again", "--rejects", rejects, *options]
        done = pyhce(*arguments, "--dsn", self.db.dsn, "--output", "json")
        assert done.returncode == 1, done.stderr
        return json.loads(done.stdout), [json.loads(line) for line in rejects.read_text("utf-8").splitlines()]

    def _load(self, name: str, *options: str, source: str | None = None) -> dict[str, Any]:
        rejects = self.folder() / "rejected.ndjson"
        arguments = ["load", case(name), "--source", source or name, "--again", "--rejects", rejects, *options]
        report: dict[str, Any] = self.output(*arguments, exit_code=int(name in REJECTED))
        assert report["rejected"] == REJECTED.get(name, 0)
        return report

    def folder(self) -> Path:
        """A new folder."""
        return Path(mkdtemp(dir=self.db.folder.parent))

    def output(self, *arguments: object, exit_code: int = 0) -> Any:
        """What a command prints as JSON."""
        done = pyhce(*arguments, "--dsn", self.db.dsn, "--output", "json")
        assert done.returncode == exit_code, done.stderr
        return json.loads(done.stdout)

    def places(self, name: str, *keys: str, source: str | None = None) -> set[str | None]:
        """The documents of resources, by id; None if one is in no record."""
        self.report(name)
        found: dict[str, list[str | None]] = {key: [] for key in keys}
        for table in SCHEMA.resource_tables():
            document = "documento_id" if table.distribution_column == "documento_id" else "NULL"
            query = f"SELECT id, {document} FROM {table.qualified} WHERE fuente = %s AND id = ANY(%s)"
            for key, place in self.db.rows(query, source or name, list(keys)):
                found[key].append(place)
        assert {key: len(places) for key, places in found.items()} == dict.fromkeys(keys, 1), "each is in one place"
        return {places[0] for places in found.values()}

    def record(self, document: str) -> Counter[str]:
        """How many resources of each type `pyhce patient` shows under a document."""
        return Counter(entry["type"] for entry in self.output("patient", document)["entries"])

    def exported(self, document: str) -> set[str]:
        """The FHIR types that `pyhce export --patient` writes."""
        folder = Path(mkdtemp(dir=self.db.folder.parent))
        report = self.output("export", "--to", folder, "--patient", document)
        return {file["type"] for file in report["files"]}

    def given(self, name: str) -> dict[str, dict[str, Any]]:
        """The resources of a case's NDJSON files, by id."""
        lines = [
            line for path in sorted(case(name).glob("*.ndjson")) for line in path.read_text("utf-8").split("\n") if line
        ]
        return {one["id"]: one for one in map(json.loads, lines)}

    def exported_from(self, name: str) -> dict[str, dict[str, Any]]:
        """What `pyhce export --source` writes of a case, by id."""
        self.report(name)
        folder = Path(mkdtemp(dir=self.db.folder.parent))
        self.output("export", "--to", folder, "--source", name)
        return _by_id(folder)

    def details(self, code: str) -> str:
        """What a check of `pyhce verify` lists."""
        return "\n".join(complete_result(self.db, code).details)


def _by_id(folder: Path) -> dict[str, dict[str, Any]]:
    lines = [line for path in folder.rglob("*.ndjson") for line in path.read_text("utf-8").split("\n") if line]
    return {one["id"]: one for one in map(json.loads, lines)}


@pytest.fixture(scope="module")
def loaded(db: TestDatabase) -> Loaded:
    return Loaded(db)


Check = Callable[[Loaded], None]
ROWS: dict[str, Check] = {}
"""The table: the number of the case, what is checked, and the check."""


def row(name: str, what: str) -> Callable[[Check], Check]:
    """Makes a check a row of the table."""

    def add(check: Check) -> Check:
        ROWS[f"{name[:2]} {what}"] = check
        return check

    return add


@row(FORMS, "JSON that spans lines, byte order marks, CRLF, CR, blank lines, UTF-16: 13 Patients, 0 rejected")
def _03_patients(loaded: Loaded) -> None:
    report = loaded.report(FORMS)
    assert (report["new"], report["by_type"]) == (13, {"Patient": 13})
    families = loaded.db.rows(
        "SELECT DISTINCT recurso->'name'->0->>'family' FROM paciente WHERE fuente = %s AND id ~ '^t[0-7]$'", FORMS
    )
    assert families == [("Peña",)]


@row(FORMS, "JSON that spans lines in .ndjson: reported with the files")
def _03_told(loaded: Loaded) -> None:
    [noted] = loaded.report(FORMS)["noted"]
    assert "JSON that spans several lines" in noted["what"]
    assert [Path(file).name for file in noted["files"]] == ["first-line-open.ndjson", "lines-in-pretty.ndjson"]


@row(BULK, "Patients, AllergyIntolerance and Observation stored; the deleted resource has a tombstone")
def _04_data(loaded: Loaded) -> None:
    report = loaded.report(BULK)
    assert report["by_type"] == {"AllergyIntolerance": 1, "Observation": 2, "Patient": 2}
    assert report["deleted"] == 1
    assert loaded.places(BULK, "b2") == {"CC-910000052"}
    assert loaded.places(BULK, "bo1", "ba1") == {"CC-910000051"}
    assert loaded.db.rows("SELECT 1 FROM observacion WHERE fuente = %s AND id = 'bo2'", BULK) == []
    assert loaded.db.rows("SELECT 1 FROM historia WHERE fuente = %s AND id = 'bo2' AND borrado", BULK)


@row(BULK, "the error file's OperationOutcome and the client's log: not stored, reported, exit 0")
def _04_told(loaded: Loaded) -> None:
    report = loaded.report(BULK)
    assert report["skipped"] == {"OperationOutcome of a server's errors": 1, "a manifest of an export": 1}
    assert [Path(file).name for noted in report["noted"] for file in noted["files"]] == ["error.000.ndjson"]
    [log] = report["not_read"]
    assert (log["what"], log["count"]) == ("the log of a Bulk Data client", 1)


PRIMITIVES, VALUES, CONTAINED = "02-primitives", "16-values", "24-contained"


def columns(loaded: Loaded, name: str, table: str, *names: str) -> dict[str, Any]:
    """Typed columns of a case's rows, by id."""
    loaded.report(name)
    query = f"SELECT id, {', '.join(names)} FROM {table} WHERE fuente = %s"
    return {key: values[0] if len(names) == 1 else tuple(values) for key, *values in loaded.db.rows(query, name)}


def as_it_came_in(loaded: Loaded, name: str) -> None:
    """Every resource of a case comes out as it went in."""
    loaded.report(name)
    lines = (case(name) / "a.ndjson").read_text("utf-8").splitlines()
    came_in = {(one["resourceType"], one["id"]): one for one in map(json.loads, lines)}
    folder = Path(mkdtemp(dir=loaded.db.folder.parent))
    files = loaded.output("export", "--to", folder, "--source", name)["files"]
    out = [json.loads(line) for file in files for line in (folder / file["path"]).read_text("utf-8").splitlines()]
    assert {(one["resourceType"], one["id"]): one for one in out} == came_in


def shown(loaded: Loaded, name: str, document: str) -> dict[str, str | None]:
    """The values that `pyhce patient` shows, by id."""
    loaded.report(name)
    return {entry["id"]: entry["value"] for entry in loaded.output("patient", document)["entries"]}


@row(PRIMITIVES, "the first given name with a value; masked names, dates and states: NULL")
def _02_names(loaded: Loaded) -> None:
    found = columns(loaded, PRIMITIVES, "paciente", "nombre", "apellidos", "nombre_busqueda", "fecha_nacimiento::text")
    assert found["p1"] == ("Ana", "Rojas", "ana rojas", None)
    assert found["p2"] == (None, None, None, None)
    assert found["p3"] == ("Luz", "López", "luz lopez", None)
    assert found["p5"] == (None, None, "only text", "1970-03-30")


@row(PRIMITIVES, "the first coding with a code; masked value and status: NULL; masked document: provisional")
def _02_codes(loaded: Loaded) -> None:
    found = columns(loaded, PRIMITIVES, "observacion", "codigo", "codigos", "codigo_texto", "valor_texto", "estado")
    assert found == {"o1": ("2339-0", ["http://loinc.org|2339-0"], "x", None, None)}
    (masked,) = loaded.places(PRIMITIVES, "p4")
    assert str(masked).startswith("PROV-")


@row(PRIMITIVES, "the export equals the input")
def _02_out(loaded: Loaded) -> None:
    as_it_came_in(loaded, PRIMITIVES)


@row(VALUES, "a bound is not a value: <0.01 and >500 have their comparator beside the number")
def _16_comparator(loaded: Loaded) -> None:
    found = columns(loaded, VALUES, "observacion", "valor::text", "valor_comparador")
    assert found["v-lt"] == ("0.01", "<")
    assert found["v-gt"] == ("500", ">")
    assert {key: pair for key, pair in found.items() if pair[0] and key not in {"v-lt", "v-gt"}} == {
        "v-int": ("5", None), "v-error": ("9999", None),
    }  # fmt: skip


@row(VALUES, "components are typed: systolic 120, diastolic 80")
def _16_components(loaded: Loaded) -> None:
    found = columns(loaded, VALUES, "observacion", "sistolica::text", "diastolica::text", "componentes")
    assert found.pop("v-comp") == ("120", "80", ["http://loinc.org|8480-6", "http://loinc.org|8462-4"])
    assert set(found.values()) == {(None, None, None)}


@row(VALUES, "boolean, date, text, code, text of a code: each in its column; other columns NULL, the resource kept")
def _16_kinds(loaded: Loaded) -> None:
    names = ("valor_logico", "valor_texto", "valor_codigo", "lower(valor_fecha)::date::text")
    found = columns(loaded, VALUES, "observacion", *names)
    assert {key: values for key, values in found.items() if any(value is not None for value in values)} == {
        "v-bool": (False, None, None, None), "v-dt": (None, None, None, "2024-01-01"),
        "v-str": (None, "5.4 aprox", None, None), "v-code": (None, None, "260385009", None),
        "v-codetext": (None, "Negativo", None, None),
    }  # fmt: skip
    as_it_came_in(loaded, VALUES)


@row(VALUES, "pyhce patient shows <0.01 mg/L, >500 mg/dL, both components, false, ranges")
def _16_shown(loaded: Loaded) -> None:
    values = shown(loaded, VALUES, "CC-910000161")
    assert (values["v-lt"], values["v-gt"]) == ("<0.01 mg/L", ">500 mg/dL")
    assert values["v-comp"] == "8480-6 120 mmHg; 8462-4 80 mmHg"
    assert (values["v-range"], values["v-ratio"], values["v-bool"]) == ("1 - 5", "1 : 128", "false")
    assert values["v-absent"] is None


@row(CONTAINED, "codigo and codigos of a contained Medication, text of an uncoded one")
def _24_medication(loaded: Loaded) -> None:
    found = columns(loaded, CONTAINED, "solicitud_medicamento", "codigo", "codigos", "codigo_texto")
    assert found == {
        "mc": ("324689003", ["http://snomed.info/sct|324689003"], "Nistatina"),
        "mt": (None, None, "Acetaminofén 500 mg"),
    }


@row(CONTAINED, "pyhce patient shows the code, or the text of an uncoded value")
def _24_shown(loaded: Loaded) -> None:
    loaded.report(CONTAINED)
    codes = {entry["id"]: entry["code"] for entry in loaded.output("patient", "CC-910000241")["entries"]}
    assert (codes["mc"], codes["mt"]) == ("324689003", "Acetaminofén 500 mg")


@row(CONTAINED, "a report with contained results is kept whole")
def _24_report(loaded: Loaded) -> None:
    assert loaded.places(CONTAINED, "dr") == {"CC-910000241"}
    as_it_came_in(loaded, CONTAINED)


AR, PE = "AR.DNI-30123456", "NI-30123456@https://www.reniec.example.pe/dni"


@row(TWO_COUNTRIES, "the same number in Argentina and in Peru: two records")
def _05_records(loaded: Loaded) -> None:
    assert loaded.places(TWO_COUNTRIES, "ar") == {AR}
    assert loaded.places(TWO_COUNTRIES, "pe") == {PE}


@row(TWO_COUNTRIES, "each record has its own data, and is shown and exported by its document")
def _05_data(loaded: Loaded) -> None:
    assert loaded.places(TWO_COUNTRIES, "al-ar") == {AR}
    assert loaded.places(TWO_COUNTRIES, "o-pe") == {PE}
    assert "Observation" not in loaded.record(AR)
    assert "AllergyIntolerance" not in loaded.record(PE)
    assert loaded.exported(PE) == {"Patient", "Observation"}


@row(REFERENCES, "13 forms of a reference: in CC-910000071's record")
def _07_forms(loaded: Loaded) -> None:
    forms = (
        "r-rel", "r-hist", "r-slash", "r-trail", "r-cond", "r-condenc", "r-logical", "r-logical-typed", "r-contained",
        "r-both", "c-logical", "cov1", "ap1",
    )  # fmt: skip
    assert loaded.places(REFERENCES, *forms) == {"CC-910000071"}


@row(REFERENCES, "urn:oid, urn:uuid in small and capital letters: in their patients' records")
def _07_urns(loaded: Loaded) -> None:
    assert loaded.places(REFERENCES, "r-oid") == {"CC-910000072"}
    assert loaded.places(REFERENCES, "r-uuid", "r-uuidtyped") == {"CC-910000073"}


@row(REFERENCES, "invalid references and references to no patient: stored, in no record")
def _07_invalid(loaded: Loaded) -> None:
    assert loaded.places(REFERENCES, "r-bare", "r-space", "r-frag", "r-display", "r-group", "r-none") == {None}


@row(REFERENCES, "invalid forms: counted by load, listed by verify")
def _07_told(loaded: Loaded) -> None:
    assert loaded.report(REFERENCES)["unreadable_references"] == {"Observation": 3}
    listed = loaded.details("HCE0441")
    assert all(f"{REFERENCES}/{key}" in listed for key in ("r-bare", "r-frag", "r-space"))


@row(REFERENCES, "absolute URLs: with --base in the record, without it counted as another server's")
def _07_bases(loaded: Loaded) -> None:
    assert loaded.report(REFERENCES)["of_other_servers"] == {EHR: 2}
    assert "CC-910000071" not in loaded.places(REFERENCES, "r-abs", "r-abshist")
    own = f"{REFERENCES}-base"
    assert loaded.report(REFERENCES, "--base", EHR, source=own)["of_other_servers"] == {}
    assert loaded.places(REFERENCES, "r-abs", "r-abshist", source=own) == {"CC-910000071"}


@row(SERVERS, "two servers' Patient/1 in one bundle: two Patients")
def _08_patients(loaded: Loaded) -> None:
    assert loaded.places(SERVERS, "1", "a1", source=A) == {"CC-910000081"}
    assert loaded.places(SERVERS, "1", "b1", source=B) == {"CC-910000082"}


@row(SERVERS, "b's Observation of a's Patient: in a's record")
def _08_across(loaded: Loaded) -> None:
    assert loaded.places(SERVERS, "b2", source=B) == {"CC-910000081"}


@row(SERVERS, "another server's Patient/7 is not the local one; other servers are counted")
def _08_local(loaded: Loaded) -> None:
    assert loaded.places(SERVERS, "7") == {"CC-910000083"}
    assert not loaded.places(SERVERS, "c1") & {"CC-910000083", None}
    assert loaded.report(SERVERS)["of_other_servers"] == {A: 2, B: 3, "https://other.example/fhir": 1}


@row(IF_NONE_EXIST, "two bundles with the same NPI and cédula: one Practitioner, one Patient")
def _09_once(loaded: Loaded) -> None:
    assert loaded.report(IF_NONE_EXIST)["conditional"] == {"created": 2, "matched": 2}
    for table in ("profesional", "paciente"):
        assert loaded.db.value(f"SELECT count(*) FROM {table} WHERE fuente = %s", IF_NONE_EXIST) == 1


@row(IF_NONE_EXIST, "both encounters name that Practitioner and are in the record of the cédula")
def _09_encounters(loaded: Loaded) -> None:
    loaded.report(IF_NONE_EXIST)
    query = "SELECT documento_id, recurso #>> '{participant,0,individual,reference}' FROM encuentro WHERE fuente = %s"
    doctor = loaded.db.value("SELECT id FROM profesional WHERE fuente = %s", IF_NONE_EXIST)
    assert loaded.db.rows(query, IF_NONE_EXIST) == [("CC-910000091", f"Practitioner/{doctor}")] * 2


@row(VERBS, "PUT Patient?identifier=… updates x1; PUT Patient/x2 creates x2; no other Patient")
def _10_updates(loaded: Loaded) -> None:
    assert loaded.report(VERBS)["conditional"] == {"updated": 1}
    query = "SELECT id, documento_id, recurso #>> '{name,0,family}' FROM paciente WHERE fuente = %s ORDER BY id"
    assert loaded.db.rows(query, VERBS) == [("x1", "CC-910000101", "Despues"), ("x2", "CC-910000102", "Equis")]


@row(VERBS, "the Observation posted for the urn of x2: in x2's record")
def _10_reference(loaded: Loaded) -> None:
    loaded.report(VERBS)
    assert loaded.places(VERBS, "ignored") == {"CC-910000102"}


@row(VERBS, "DELETE by id and by identifier: both Observations deleted, with tombstones")
def _10_deletions(loaded: Loaded) -> None:
    assert loaded.report(VERBS)["deleted"] == 2
    assert loaded.db.rows("SELECT id FROM observacion WHERE fuente = %s", VERBS) == [("ignored",)]
    gone = "SELECT id FROM historia WHERE fuente = %s AND borrado ORDER BY id"
    assert loaded.db.rows(gone, VERBS) == [("xo1",), ("xo2",)]


@row(VERBS, "PATCH rejected with its body; GET and the response skipped and reported")
def _10_told(loaded: Loaded) -> None:
    report = loaded.report(VERBS)
    assert report["by_reason"] == {"unsupported": 1}
    reject = json.loads(Path(report["reject_file"]).read_text("utf-8"))
    assert json.loads(reject["resource"])["resource"]["data"] == "W10="
    assert report["skipped"] == {"entry without a resource (GET)": 1, "entry without a resource (response)": 1}


@row(HISTORY, "DELETE Observation/h1/_history/2: deleted, with a tombstone")
def _11_deleted(loaded: Loaded) -> None:
    assert loaded.report(HISTORY)["deleted"] == 1
    versions = "SELECT version, borrado FROM historia WHERE fuente = %s AND id = 'h1' ORDER BY version"
    assert loaded.db.rows("SELECT 1 FROM observacion WHERE fuente = %s AND id = 'h1'", HISTORY) == []
    assert loaded.db.rows(versions, HISTORY) == [(1, False), (2, True)]


@row(HISTORY, "versions 1 and 2 of h2: the newest is current, the other is in the history")
def _11_versions(loaded: Loaded) -> None:
    loaded.report(HISTORY)
    version = "SELECT version, (recurso #>> '{valueQuantity,value}')::int FROM"
    assert loaded.db.rows(f"{version} observacion WHERE fuente = %s AND id = 'h2'", HISTORY) == [(2, 2)]
    assert loaded.db.rows(f"{version} historia WHERE fuente = %s AND id = 'h2'", HISTORY) == [(1, 1)]


@row(OUTCOME, "one Patient and one Observation kept; the OperationOutcome skipped and reported")
def _12(loaded: Loaded) -> None:
    report = loaded.report(OUTCOME)
    assert (report["read"], report["by_type"]) == (2, {"Observation": 1, "Patient": 1})
    assert report["skipped"] == {"OperationOutcome about a search": 1}
    assert loaded.places(OUTCOME, "s1", "sp") == {"CC-910000121"}


@row(DOCUMENTS, "IPS and RNDS documents: in their patients' records, shown and exported")
def _14_records(loaded: Loaded) -> None:
    loaded.report(DOCUMENTS)
    for document in (IPS, RNDS):
        assert loaded.record(document)["Bundle"] >= 1
        assert "Bundle" in loaded.exported(document)


@row(DOCUMENTS, "erase finds the documents and the records")
def _14_erasure(loaded: Loaded) -> None:
    loaded.report(DOCUMENTS)
    for document in (IPS, RNDS):
        receipt = loaded.output("erase", document, "--reason", "request 2024-17", "--dry-run")
        assert {table["table"]: table["rows"] for table in receipt["record"]}["recurso_paciente"] >= 1


@row(DOCUMENTS, "--open-documents: the allergy inside is a row of alergia_intolerancia, once")
def _14_opened(loaded: Loaded) -> None:
    loaded.report(DOCUMENTS, "--open-documents", source=OPENED)
    query = "SELECT documento_id FROM alergia_intolerancia WHERE fuente = %s"
    assert loaded.db.rows(query, OPENED) == [(IPS,)]
    again = loaded._load(DOCUMENTS, "--open-documents", source=OPENED)
    assert (again["new"], again["changed"], again["moved"]) == (0, 0, 0)
    assert loaded.db.rows(query, OPENED) == [(IPS,)]


@row(VERSIONS, "R5 and STU3 resources: stored as they came, reported once for each file, with the elements")
def _22_told(loaded: Loaded) -> None:
    report = loaded.report(VERSIONS)
    told = {Path(one["file"]).name: (one["version"], one["resources"]) for one in report["other_versions"]}
    assert told == {"r5.ndjson": ("R5", 2), "stu3.ndjson": ("STU3", 4)}
    assert all(one["elements"] for one in report["other_versions"])
    assert loaded.places(VERSIONS, "v3p", "m3", "o3", "c3", "m5", "e5") == {"CC-910000221"}


@row(VERSIONS, "types that R4 does not have: rejected with the version; XML: one reject for each file")
def _22_rejected(loaded: Loaded) -> None:
    report = loaded.report(VERSIONS)
    assert report["by_reason"] == {"unknown-type": 5, "xml": 1}
    lines = [json.loads(line) for line in Path(report["reject_file"]).read_text("utf-8").splitlines()]
    details = {
        json.loads(line["resource"])["resourceType"]: line["detail"] for line in lines if line["reason"] != "xml"
    }
    assert details["Transport"].endswith("it is a type of R5")
    assert details["ProcedureRequest"].endswith("it is a type of DSTU2 or STU3")
    assert details["Citation"].endswith("it is a type of R4B or R5")


@row(NAMES, "11 files: read, or reported by name with the remedy")
def _28(loaded: Loaded) -> None:
    report = loaded.report(NAMES)
    assert (report["new"], report["files"]) == (5, 5)
    loaded.places(NAMES, "fn1", "fn2", "fn6", "fn7", "fn8")
    told = {Path(file).name: noted["what"] for noted in report["not_read"] for file in noted["files"]}
    assert told.keys() == {"._f.ndjson", "c.txt", "d.ndjson.bz2", "e.zip", "empty.json", "noext"}
    assert report["files"] + len(told) == len(list(case(NAMES).iterdir()))


@row(NAMES, "files given as the message says: read")
def _28_named(loaded: Loaded) -> None:
    source = f"{NAMES}-named"
    files = [case(NAMES) / name for name in ("c.txt", "noext")]
    report = loaded.output("load", *files, "--source", source, "--rejects", loaded.folder() / "r")
    assert (report["new"], report["not_read"]) == (2, [])


def _load_here(loaded: Loaded, folder: Path, source: str) -> subprocess.Popen[str]:
    """`pyhce load .` in a folder, started."""
    command = [sys.executable, "-m", "pyhce", "load", ".", "--source", source, "--dsn", loaded.db.dsn, "-o", "json"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _report_of(run: subprocess.Popen[str]) -> dict[str, Any]:
    told, _ = run.communicate(timeout=120)
    assert run.returncode == 1, told
    report: dict[str, Any] = json.loads(told)
    return report


def _own_folder(loaded: Loaded) -> Path:
    folder = loaded.folder()
    for path in case(REJECTS).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@row(REJECTS, "pyhce load . twice: the second ends, with the same two rejects in its own file")
def _31(loaded: Loaded) -> None:
    folder = _own_folder(loaded)
    first, second = (_report_of(_load_here(loaded, folder, REJECTS)) for _ in range(2))
    assert (first["rejected"], first["reject_file"]) == (2, "rejected.ndjson")
    assert (second["rejected"], second["reject_file"]) == (2, "rejected-2.ndjson")
    assert first["by_reason"] == second["by_reason"]
    [noted] = second["not_read"]
    assert noted["files"] == ["rejected.ndjson"]
    rejects = [folder / "rejected.ndjson", folder / "rejected-2.ndjson"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in rejects] == [0o600, 0o600]
    assert rejects[0].read_bytes() == rejects[1].read_bytes()


@row(REJECTS, "two loads in one folder at once: the rejects of both are kept")
def _31_at_once(loaded: Loaded) -> None:
    folder = _own_folder(loaded)
    runs = [_load_here(loaded, folder, f"{REJECTS}-{number}") for number in range(2)]
    reports = [_report_of(run) for run in runs]
    files = {report["reject_file"] for report in reports}
    assert files == {"rejected.ndjson", "rejected-2.ndjson"}
    assert [report["rejected"] for report in reports] == [2, 2]
    assert [len((folder / name).read_text().splitlines()) for name in files] == [2, 2]


@row(REJECTS, "a reject file that cannot be created: one sentence, exit 2, nothing loaded")
def _31_refused(loaded: Loaded) -> None:
    source, nowhere = f"{REJECTS}-refused", loaded.folder() / "nowhere" / "r.ndjson"
    done = pyhce("load", case(REJECTS), "--source", source, "--rejects", nowhere, "--dsn", loaded.db.dsn)
    assert done.returncode == 2
    assert "could not create the reject file" in done.stderr
    assert loaded.db.rows("SELECT 1 FROM paciente WHERE fuente = %s", source) == []
    nowhere.parent.mkdir()
    assert loaded.output("load", case(REJECTS), "--source", source, "--rejects", nowhere, exit_code=1)[
        "reject_file"
    ] == str(nowhere)


ODD_IDS = {
    f"CC-91000027{n}": derived_id("Patient", key) for n, key in ((3, "under_score"), (4, f"e{'x' * 70}"))
} | {"CC-910000275": "123"}  # fmt: skip
"""The Patients of case 27 by the id that --repair-ids gives them."""


@row(IDS, "'Ab' and 'aB' are two; '.' and '..' are in Ab's record; a missing id is computed from the content")
def _27_letters(loaded: Loaded) -> None:
    loaded.rejected(IDS, source=IDS)
    query = "SELECT documento_id, id FROM paciente WHERE fuente = %s ORDER BY documento_id"
    first, second, *others = loaded.db.rows(query, IDS)
    assert (first, second) == (("CC-910000271", "Ab"), ("CC-910000272", "aB"))
    assert [document for document, _ in others] == ["CC-910000276", "CC-910000277"]
    assert loaded.record("CC-910000271")["Observation"] == 2


@row(IDS, "four invalid ids: rejected, each with the problem and the remedy")
def _27_words(loaded: Loaded) -> None:
    report, rejects = loaded.rejected(IDS, source=f"{IDS}-words")
    assert report["by_reason"] == {"invalid-id": 4}
    words = [
        "the id 'under_score' contains '_'",
        "has 71 characters",
        "the number 123",
        "the id is empty",
    ]
    assert all(word in one["detail"] for word, one in zip(words, rejects, strict=True))
    assert all("--repair-ids" in one["detail"] for one in rejects)


@row(IDS, "references to them: counted by load and by verify")
def _27_told(loaded: Loaded) -> None:
    def counted() -> int:  # other cases have some
        return sum(int(found) for found in re.findall(r"^(\d+) ", loaded.details("HCE0441"), flags=re.MULTILINE))

    before = counted()
    report, _ = loaded.rejected(IDS, source=f"{IDS}-told")
    assert report["waiting"] == 2
    assert counted() == before + 2


@row(IDS, "--repair-ids: derived ids, the originals as identifiers, the references in their records")
def _27_repaired(loaded: Loaded) -> None:
    source = f"{IDS}-repaired"
    report = loaded.report(IDS, "--repair-ids", source=source)
    assert (report["repaired_ids"], report["repaired_references"]) == ({"Patient": 4}, 2)
    query = "SELECT documento_id, id FROM paciente WHERE fuente = %s AND documento_id = ANY(%s)"
    assert dict(loaded.db.rows(query, source, list(ODD_IDS))) == ODD_IDS
    originals = "SELECT i ->> 'value' FROM paciente, jsonb_array_elements(recurso -> 'identifier') AS i"
    rows = loaded.db.rows(f"{originals} WHERE fuente = %s AND i ->> 'system' = %s", source, f"{ORIGINAL_ID}:{source}")
    assert sorted(value for (value,) in rows) == [f"e{'x' * 70}", "under_score"]
    query = "SELECT id, documento_id FROM observacion WHERE fuente = %s AND id IN ('i-o1', 'i-o2')"
    assert dict(loaded.db.rows(query, source)) == {"i-o1": "CC-910000273", "i-o2": "CC-910000274"}


@row(IDS, "--repair-ids again: unchanged; without it: rejected, nothing moved")
def _27_again(loaded: Loaded) -> None:
    source = f"{IDS}-again"
    loaded.report(IDS, "--repair-ids", source=source)
    again = loaded._load(IDS, "--repair-ids", source=source)
    assert (again["unchanged"], again["read"]) == (12, 12)
    report, _ = loaded.rejected(IDS, source=source)
    assert (report["rejected"], report["moved"], report["new"]) == (4, 0, 0)
    query = "SELECT count(*) FROM observacion WHERE fuente = %s AND documento_id IN ('CC-910000273', 'CC-910000274')"
    assert loaded.db.value(query, source) == 2


@row(URN, "references by urn:uuid are exported as Type/id")
def _32_literal(loaded: Loaded) -> None:
    exported = _exported_urn(loaded)
    texts = {file.stem: json.loads(file.read_text()) for file in exported}
    assert texts["Observation"]["subject"] == texts["Encounter"]["subject"] == {"reference": "Patient/pat-B"}
    assert texts["Observation"]["encounter"] == {"reference": "Encounter/enc-B"}


@row(URN, "the export loaded again: in CC-910000321's record")
def _32_again(loaded: Loaded) -> None:
    again = f"{URN}-again"
    report = loaded.output("load", *_exported_urn(loaded), "--source", again, "--again")
    assert (report["read"], report["rejected"]) == (3, 0)
    assert loaded.places(URN, "obs-B", "enc-B", source=again) == {"CC-910000321"}


def _exported_urn(loaded: Loaded) -> list[Path]:
    loaded.report(URN)
    folder = Path(mkdtemp(dir=loaded.db.folder.parent))
    loaded.output("export", "--to", folder, "--source", URN)
    return sorted((folder / URN).glob("*.ndjson"))


@row(SSN, "two persons with the same SSN: two records, the allergy in its patient's record")
def _36_records(loaded: Loaded) -> None:
    assert loaded.places(SSN, "syn-1") == {"US.SSN-999471234"}
    (other,) = loaded.places(SSN, "syn-2", "syn-a")
    assert other is not None
    assert other.startswith("PROV-")


@row(SSN, "reported by load, listed by verify")
def _36_told(loaded: Loaded) -> None:
    assert loaded.report(SSN)["kept_apart"] == 1
    assert f"{SSN}/Patient/syn-2 contradicts " in loaded.details("HCE0420")


@row(SEVERAL, "CC and passport: the record of the CC; the passport alone: another one")
def _37_records(loaded: Loaded) -> None:
    assert loaded.places(SEVERAL, "md", "mdo") == {"CC-950000001"}
    assert loaded.places(SEVERAL, "mb", "mbo") == {"PPN-AX1@urn:co:pass"}


@row(SEVERAL, "resources that only name the passport: in neither record; verify reports the passport of both")
def _37_told(loaded: Loaded) -> None:
    assert not loaded.places(SEVERAL, "mbl") & {"CC-950000001", "PPN-AX1@urn:co:pass", None}
    listed = loaded.details("HCE0425")
    assert f"{SEVERAL}/Patient/md" in listed
    assert f"{SEVERAL}/Patient/mb" in listed


@row(SEVERAL, "from TI to CC under one id: the record moves with its data")
def _37_moved(loaded: Loaded) -> None:
    assert loaded.places(SEVERAL, "mc", "mco") == {"CC-950000004"}
    assert loaded.db.rows("SELECT 1 FROM expediente WHERE documento_id = 'TI-950000003'") == []


@row(SEVERAL, "leading zeros: two records")
def _37_zeros(loaded: Loaded) -> None:
    assert loaded.places(SEVERAL, "z1", "z2") == {"CC-0950000005", "CC-950000005"}


@row(TASKS, "Task, QuestionnaireResponse, Composition that name only an identifier: in the record")
def _38(loaded: Loaded) -> None:
    assert loaded.places(TASKS, "tf", "tf-o", "tf-t", "tf-tt", "tf-q", "tf-c", "tf-b") == {"CC-910000381"}


def _documents_of_packs(loaded: Loaded) -> dict[str, str]:
    loaded.report(PACKS)
    return dict(loaded.db.rows("SELECT id, documento_id FROM paciente WHERE fuente = %s", PACKS))


@row(PACKS, "39 identifiers of 11 countries: the right document or a provisional one")
def _45_documents(loaded: Loaded) -> None:
    expected = {key: document for key, document in expected_documents(PACKS).items() if not key.startswith("wrong-")}
    found = _documents_of_packs(loaded)
    assert len(expected) == 39
    assert {key: None if found[key].startswith("PROV-") else found[key] for key in expected} == expected


@row(PACKS, "6 wrong check digits: no document, counted with the reason")
def _45_check_digits(loaded: Loaded) -> None:
    wrong = [document for key, document in _documents_of_packs(loaded).items() if key.startswith("wrong-")]
    assert len({document for document in wrong if document.startswith("PROV-")}) == 6
    told = loaded.report(PACKS)["identifiers"]
    assert sum(one["identifiers"] for one in told if one["why"] == "check digit or form wrong") == 6


@cache
def _rejected_by_strict(loaded: Loaded) -> set[str]:
    """The ids of case 34 that `pyhce load --strict` rejects."""
    rejects = Path(mkdtemp(dir=loaded.db.folder.parent)) / "rejected.ndjson"
    arguments = ["load", case(STRICT), "--strict", "--source", STRICT, "--rejects", rejects, "--dsn", loaded.db.dsn]
    done = pyhce(*arguments, "--output", "json")
    lines = [json.loads(line) for line in rejects.read_text("utf-8").splitlines()]
    assert {line["reason"] for line in lines} == {"not-r4"}
    assert (done.returncode, json.loads(done.stdout)["rejected"]) == (1, len(lines))
    return {json.loads(line["resource"])["id"] for line in lines}


@row(STRICT, "26 valid resources, with U+00A0, U+2003, U+202F, U+2028 and U+3000 in texts: all pass --strict")
def _34_valid(loaded: Loaded) -> None:
    lines = (
        json.loads(line) for path in case(STRICT).iterdir() for line in path.read_text("utf-8").split("\n") if line
    )
    right = {line["id"] for line in lines if line["id"].startswith("ok-")}
    assert (len(right), right & _rejected_by_strict(loaded)) == (26, set())
    tables = [table.qualified for table in SCHEMA.resource_tables()]
    found = {key for name in tables for (key,) in loaded.db.rows(f"SELECT id FROM {name} WHERE fuente = %s", STRICT)}
    assert found == right


@row(STRICT, "10 invalid resources: --strict rejects each")
def _34_wrong(loaded: Loaded) -> None:
    wrong = _rejected_by_strict(loaded)
    assert len(wrong) == 10
    assert {key.partition("-")[0] for key in wrong} == {"bad"}


@row(LONG, "11 resources with values of 3,000 to 6,000 characters: all are loaded and exported unchanged")
def _20_loaded(loaded: Loaded) -> None:
    assert loaded.report(LONG)["new"] == 11
    assert loaded.exported_from(LONG) == loaded.given(LONG)


@row(LONG, "long identifiers, codes and keys: found, in their records")
def _20_found(loaded: Loaded) -> None:
    loaded.report(LONG)
    for column, key, table in (
        ("claves", "ls2", "paciente"),
        ("claves", "ls-prac", "profesional"),
        ("claves", "ls-org", "organizacion"),
        ("profesionales", "ls-app", "cita"),
        ("codigos", "ls-code", "observacion"),
        ("codigos", "ls-cond", "condicion"),
        ("ARRAY[encuentro_id]", "ls-enc", "observacion"),
        ("ARRAY[codigo]", "ls-code", "observacion"),
        ("ARRAY[codigo]", "ls-cond", "condicion"),
    ):
        texts = [text for text in _texts(loaded.given(LONG)[key]) if len(text) > 2000]
        query = f"SELECT id FROM {table} WHERE fuente = %s AND {column} && hce.acortados(%s::text[])"
        assert loaded.db.rows(query, LONG, texts) == [(key,)], (column, key)
    assert loaded.places(LONG, "ls1", "ls-cond", "ls-enc") == {"CC-910000201"}
    assert loaded.places(LONG, "ls2") == {"CC-910000202"}


def _texts(resource: dict[str, Any]) -> list[str]:
    """The long values of a resource of case 20, as its typed columns have them."""
    identified = [f"identifier={i.get('system', '')}|{i['value']}" for i in resource.get("identifier", [])]
    codings = resource.get("code", {}).get("coding", [])
    coded = [text for c in codings for text in (c["code"], f"{c.get('system', '')}|{c['code']}")]
    actors = [p["actor"] for p in resource.get("participant", [])]
    named = [r["reference"].partition("?")[2] for r in (*actors, resource.get("encounter", {})) if "reference" in r]
    return [*identified, *coded, *named]


@row(UNICODE, "Munoz in NFD, in NFC and as an escape: found by munoz")
def _26_found(loaded: Loaded) -> None:
    loaded.report(UNICODE)
    for search in ("munoz", "Mu\u00f1oz", "Mun\u0303oz"):
        query = "SELECT id FROM paciente WHERE fuente = %s AND nombre_busqueda LIKE '%%' || hce.sin_acentos(%s) || '%%'"
        assert {key for (key,) in loaded.db.rows(query, UNICODE, search)} == {"u-nfd", "u-nfc", "u-esc"}


@row(UNICODE, "escapes, surrogates, NUL, NFD and other alphabets: exported with equal values")
def _26_equal(loaded: Loaded) -> None:
    assert loaded.report(UNICODE)["new"] == 9
    assert loaded.exported_from(UNICODE) == loaded.given(UNICODE)


@pytest.mark.parametrize("what", ROWS)
def test_case(loaded: Loaded, what: str) -> None:
    ROWS[what](loaded)
