"""Tests of erasing a patient for every engine; test_erasure.py of each tier runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyhce.citus.connection import connect
from pyhce.errors import HceError, UsageError
from pyhce.records.erasing.erase import erase
from pyhce.records.erasing.receipt import Erasure, Outcome
from pyhce.records.erasing.trace import ABSENT, MASKED
from pyhce.records.identity import choose_rules, provisional_document
from pyhce.records.loading.load import load
from pyhce.records.patient import merge, rekey
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight
from tests.shared.until import until

CEDULA = "https://www.registraduria.gov.co/cedula"


def erased(db: TestDatabase, document: str, **options: Any) -> Erasure:
    return erase(db.conn, document, schema=SCHEMA, reason="request 2024-17", **options)


def everywhere(db: TestDatabase, *texts: str) -> list[tuple[str, str]]:
    """Return each table with a row that contains one of these texts, except for the list of loaded files."""
    found = []
    for table in (table for table in SCHEMA.tables if table.name != "archivo_cargado"):
        for text in texts:
            query = f"SELECT count(*) FROM {table.qualified} t WHERE t::text LIKE %s"
            if db.value(query, f"%{text}%"):
                found.append((table.name, text))
    return found


def named_among_others(key: str) -> list[dict]:
    """Make shared resources that name a Patient among others."""
    theirs = {"reference": f"Patient/{key}", "display": "Secret Name"}
    return [
        {
            "resourceType": "Group", "id": "g", "type": "person", "actual": True,
            "text": {"status": "generated", "div": "<div>Secret Name and others</div>"},
            "member": [{"entity": theirs}, {"entity": {"reference": "Patient/other"}}],
        },
        {
            "resourceType": "Library", "id": "l", "status": "active", "type": {"text": "x"},
            "subjectReference": {"reference": f"http://example.org/fhir/Patient/{key}/_history/2"},
        },
    ]  # fmt: skip


def test_an_erasure_removes_every_trace_of_the_patient_and_changes_nothing_else(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number, other = unique(), unique(), unique()
    key, document = f"p{unique()}", f"CC-{number.upper()}"
    same = [person("other", other), weight("of-other", "Patient/other"), *named_among_others(key)[:1]]
    db.load(tmp_path, person(key, number), *same, *named_among_others(key)[1:], source=source)
    db.load(tmp_path, weight("o", f"Patient/{key}"), weight("focus", "Patient/other"), source=source)
    db.load(tmp_path, weight("o", f"Patient/{key}", value="73.0"), source=source)
    focused = weight("focus", "Patient/other", focus=[{"reference": f"Patient/{key}"}])
    db.load(tmp_path, focused, source=source)
    db.load(
        tmp_path, weight("focus", "Patient/other", value="1.00", focus=[{"reference": f"Patient/{key}"}]), source=source
    )
    before = db.exported(tmp_path, source)

    done = erased(db, document, receipt=tmp_path / "receipt.json")

    after = db.exported(tmp_path, source)
    assert done.outcome is Outcome.ERASED
    assert before.keys() - after.keys() == {("Patient", key), ("Observation", "o")}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {("Group", "g"), ("Library", "l"), ("Observation", "focus")}
    group = json.loads(after["Group", "g"])
    assert group["member"] == [{"entity": MASKED}, {"entity": {"reference": "Patient/other"}}]
    assert "text" not in group
    assert after["Observation", "focus"] == canonical_without_focus(before["Observation", "focus"], key)
    assert everywhere(db, key, number, number.upper(), "Secret Name") == []
    assert {entry.table: entry.rows for entry in done.record} == {
        "expediente": 1, "paciente": 1, "observacion": 1, "historia": 1,
    }  # fmt: skip
    assert {(entry.table, entry.rows) for entry in done.masked} == {
        ("grupo_pacientes", 1), ("recurso_compartido", 1), ("observacion", 1), ("historia", 1),
    }  # fmt: skip
    assert verify(db.dsn, schema=SCHEMA).ok


def canonical_without_focus(text: str, key: str) -> str:
    mask = f'{{"extension":[{{"url":"{ABSENT}","valueCode":"masked"}}]}}'
    return text.replace(f'{{"reference":"Patient/{key}"}}', mask)


def test_a_masked_row_gets_a_new_version_and_no_former_version_names_the_patient(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, number, key = unique(), unique(), f"p{unique()}"
    group, _ = named_among_others(key)
    db.load(tmp_path, person(key, number), group, source=source)
    db.load(tmp_path, {**group, "name": "renamed"}, source=source)
    erased(db, f"CC-{number}")
    rows = db.rows("SELECT version, entrada FROM grupo_pacientes WHERE fuente = %s", source)
    former = db.history("Group", "g", source, "historia_referencia")
    assert rows == [(3, None)]
    assert [(version, held["member"][0]["entity"]) for version, held in former] == [(1, MASKED)]


def test_an_erasure_covers_merged_documents_and_all_sources(db: TestDatabase, tmp_path: Path) -> None:
    one, two, old, new = unique(), unique(), unique(), unique()
    db.load(tmp_path, person("minor", old), weight("o", "Patient/minor"), source=one)
    db.load(tmp_path, person("adult", new), weight("o", "Patient/adult"), source=two)
    merge(db.conn, f"CC-{old}", f"CC-{new}", schema=SCHEMA)
    db.load(tmp_path, weight("o", "Patient/minor", value="1"), source=one)
    done = erased(db, f"CC-{new}")
    assert done.outcome is Outcome.ERASED
    assert done.corrections == 2
    assert everywhere(db, old, old.upper(), new, new.upper(), one, two) == []


def test_a_correction_of_another_patients_document_stays_and_is_reported(db: TestDatabase, tmp_path: Path) -> None:
    source, mine, theirs = unique(), unique(), unique()
    mistyped = person("mistyped", mine)
    db.load(tmp_path, mistyped, source=source)
    rekey(db.conn, f"CC-{mine}", f"CC-{theirs}", schema=SCHEMA)
    db.load(tmp_path, person("rightful", mine), *named_among_others("rightful"), source=source)
    done = erased(db, f"CC-{mine}")
    assert ("asignacion", 1) in [(entry.table, entry.rows) for entry in done.mentions]
    assert db.load(tmp_path, mistyped, source=source).moved == 0
    assert db.document("Patient", "mistyped", source) == f"CC-{theirs.upper()}"


def test_every_kind_of_reference_to_the_patient_is_found_in_other_resources(db: TestDatabase, tmp_path: Path) -> None:
    source, elsewhere, number, key = unique(), unique(), unique(), f"p{unique()}"
    ways = {
        "relative": {"reference": f"Patient/{key}"},
        "absolute": {"reference": f"https://example.org/fhir/Patient/{key}"},
        "versioned": {"reference": f"Patient/{key}/_history/3"},
        "urn": {"reference": f"urn:uuid:{key}"},
        "conditional": {"reference": f"Patient?identifier={CEDULA}|{number}"},
        "logical": {"type": "Patient", "identifier": {"system": CEDULA, "value": number}},
        "both": {"reference": f"Patient/{key}", "identifier": {"system": CEDULA, "value": number}},
        "other id": {"reference": "Patient/another", "identifier": {"system": CEDULA, "value": number}},
    }
    groups = [
        {"resourceType": "Group", "id": name.replace(" ", "-"), "type": "person", "actual": True,
         "member": [{"entity": way}]} for name, way in ways.items()
    ]  # fmt: skip
    db.load(tmp_path, person(key, number), *groups, source=source)
    by_identifier = [group for group in groups if group["id"] in {"conditional", "logical"}]
    same_id = {**groups[0], "id": "same-id"}
    db.load(tmp_path, *by_identifier, same_id, source=elsewhere)
    done = erased(db, f"CC-{number}")
    assert [entry.rows for entry in done.masked] == [len(groups) + len(by_identifier)]
    assert done.outcome is Outcome.ERASED
    assert everywhere(db, number) == []
    kept = db.rows("SELECT fuente, id FROM grupo_pacientes WHERE recurso::text LIKE %s", f"%{key}%")
    assert kept == [(elsewhere, "same-id")]  # the same id in another source is another patient


def test_a_resource_about_the_patient_is_erased_wherever_it_is_stored(db: TestDatabase, tmp_path: Path) -> None:
    source, elsewhere, number, other, key = unique(), unique(), unique(), unique(), f"p{unique()}"

    def document(name: str, subject: str, *people: dict) -> dict:
        composition = {
            "resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2024-01-01",
            "author": [{"display": "x"}], "title": "x", "subject": {"reference": subject},
        }  # fmt: skip
        entries = [composition, *people]
        return {
            "resourceType": "Bundle", "id": name, "type": "document",
            "entry": [{"fullUrl": f"urn:uuid:{name}-{n}", "resource": held} for n, held in enumerate(entries)],
        }  # fmt: skip

    me, them = person(key, number), person("other", other)
    binary = {"resourceType": "Binary", "id": f"b{key}", "contentType": "application/pdf", "data": "AAAA"}
    shared = {**binary, "id": f"both{key}"}

    def scan(name: str, whose: str, *binaries: dict) -> dict:
        return {
            "resourceType": "DocumentReference", "id": name, "status": "current",
            "subject": {"reference": f"Patient/{whose}"},
            "content": [{"attachment": {"url": f"Binary/{held['id']}"}} for held in binaries],
        }  # fmt: skip

    contained = json.loads(weight("inside", "#me"))
    contained["contained"] = [{**me, "id": "me"}]
    mine, theirs = document("mine", "urn:uuid:mine-1", me, them), document("theirs", "Patient/other", them, me)
    scans = scan("d1", key, binary, shared), scan("d2", "other", shared)
    db.load(tmp_path, me, them, mine, theirs, binary, shared, *scans, contained, source=source)
    db.load(tmp_path, weight("waits", f"Patient?identifier={CEDULA}-other|{number}"), source=elsewhere)
    db.load(
        tmp_path,
        {**me, "identifier": [*me["identifier"], {"system": f"{CEDULA}-other", "value": number}]},
        source=source,
    )

    done = erased(db, f"CC-{number}")

    assert db.rows("SELECT tipo, id FROM recurso_compartido WHERE fuente = %s ORDER BY 1, 2", source) == [
        ("Binary", f"both{key}"),
    ]  # fmt: skip
    bundles = db.rows("SELECT id, documento_id FROM recurso_paciente WHERE fuente = %s AND tipo = 'Bundle'", source)
    assert bundles == [("theirs", f"CC-{other.upper()}")]
    assert done.kept == 1
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", elsewhere) == 0
    waiting = provisional_document(elsewhere, f"identifier={CEDULA}-other|{number}")
    assert db.value("SELECT count(*) FROM expediente WHERE documento_id = %s", waiting) == 0
    kept = db.value("SELECT recurso FROM recurso_paciente WHERE fuente = %s AND id = 'theirs'", source)
    assert kept["entry"][2] == {"resource": {"resourceType": "Patient", **MASKED}}
    assert done.outcome is Outcome.ERASED
    assert everywhere(db, number) == []
    assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_an_identifier_as_plain_text_is_reported_and_unchanged(db: TestDatabase, tmp_path: Path) -> None:
    source, number, other = unique(), unique(), unique()
    doctor = {"resourceType": "Practitioner", "id": "d", "identifier": [{"system": CEDULA, "value": number}]}
    note = weight("o", "Patient/q", note=[{"text": f"the mother is {number}"}])
    db.load(tmp_path, person("p", number), person("q", other), doctor, note, source=source)
    before = db.exported(tmp_path, source)
    done = erased(db, f"CC-{number}")
    after = db.exported(tmp_path, source)
    assert [(entry.table, entry.type, entry.rows) for entry in done.mentions] == [
        ("observacion", "Observation", 1), ("profesional", "Practitioner", 1),
    ]  # fmt: skip
    assert (done.outcome, done.exit_code) == (Outcome.MENTIONED, 1)
    assert {name: before[name] for name in after} == after


def test_a_masked_row_keeps_the_spelling_of_numbers_and_its_exact_text(db: TestDatabase, tmp_path: Path) -> None:
    source, number, other, key = unique(), unique(), unique(), f"p{unique()}"
    odd = weight("o", "Patient/q", value="1.0E+2", note=[{"text": "NUL \x00"}], focus=[{"reference": f"Patient/{key}"}])
    db.load(tmp_path, person(key, number), person("q", other), odd, source=source)
    before = db.exported(tmp_path, source)["Observation", "o"]
    erased(db, f"CC-{number}")
    after = db.exported(tmp_path, source)["Observation", "o"]
    assert after == canonical_without_focus(before, key)
    assert "1.0E+2" in after
    again = db.load(tmp_path, after, source=source)
    assert again.unchanged == 1


def test_the_sites_own_rules_distinguish_two_persons_with_one_number(db: TestDatabase, tmp_path: Path) -> None:
    source, value = unique(), unique().upper()
    rules = choose_rules([write_rules(tmp_path), "all"])
    kinds = {
        code: {"type": {"coding": [{"system": "urn:kinds", "code": code}]}, "value": value} for code in ("XA", "XB")
    }
    patients = [{"resourceType": "Patient", "id": code, "identifier": [kind]} for code, kind in kinds.items()]
    group = {
        "resourceType": "Group", "id": "g", "type": "person", "actual": True,
        "member": [{"entity": {"type": "Patient", "identifier": kind}} for kind in kinds.values()],
    }  # fmt: skip
    path = tmp_path / "in.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in (*patients, group)))
    load(db.conn, [path], schema=SCHEMA, fuente=source, rules=rules, reject_file=tmp_path / "r.ndjson")
    assert erased(db, f"XA-{value}", dry_run=True).masked == (), (
        "by the packs alone both patients have this key, so it names neither"
    )
    assert erased(db, f"XA-{value}", rules=rules).masked[0].rows == 1
    ((members,),) = db.rows("SELECT recurso -> 'member' FROM grupo_pacientes WHERE fuente = %s", source)
    assert [member["entity"] for member in members] == [MASKED, {"type": "Patient", "identifier": kinds["XB"]}]


def write_rules(folder: Path) -> Path:
    """Write a site's rules: the type decides which document an identifier without a system makes."""
    path = folder / "rules.json"
    path.write_text(json.dumps([{"code": ["XA", "XB"], "code_system": "urn:kinds"}]))
    return path


def test_a_provisional_record_is_erased_too(db: TestDatabase, tmp_path: Path) -> None:
    source, key = unique(), f"p{unique()}"
    db.load(tmp_path, weight("o", f"Patient/{key}"), *named_among_others(key), source=source)
    done = erased(db, provisional_document(source, key))
    assert (done.outcome, done.rows, len(done.masked)) == (Outcome.ERASED, 2, 2)
    assert everywhere(db, key) == []


def test_a_dry_run_changes_nothing_and_has_the_hashes_of_the_erasure(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), *named_among_others("p"), source=source)
    db.load(tmp_path, weight("o", "Patient/p", value="1"), source=source)
    before = db.exported(tmp_path, source)
    dry = erased(db, f"CC-{number}", dry_run=True)
    assert db.exported(tmp_path, source) == before
    real = erased(db, f"CC-{number}")
    assert (dry.record, dry.masked, dry.rows) == (real.record, real.masked, real.rows)
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    back = erased(db, f"CC-{number}", dry_run=True)
    of = {entry.table: entry.sha256 for entry in real.record}
    assert [entry.sha256 == of[entry.table] for entry in back.record if entry.table == "paciente"] == [True]


def test_the_receipt_is_private_and_complete_and_never_names_the_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    done = erased(db, f"CC-{number}", receipt=tmp_path / "receipt.json")
    text = (tmp_path / "receipt.json").read_text()
    assert stat.S_IMODE((tmp_path / "receipt.json").stat().st_mode) == 0o600
    assert Erasure.model_validate_json(text) == done
    assert number not in text.lower()
    assert done.document.matches(f"cc-{number}")
    assert not done.document.matches(f"CC-{unique()}")
    assert {"expediente", "paciente", "observacion"} <= set(done.vacuumed)
    assert list(tmp_path.glob(".receipt*")) == []


def test_an_invalid_erasure_is_refused_without_naming_the_document(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), source=source)
    (tmp_path / "there.json").write_text("")
    with pytest.raises(UsageError, match="already exists"):
        erased(db, f"CC-{number}", receipt=tmp_path / "there.json")
    with pytest.raises(UsageError, match="<type>-<number>"):
        erased(db, "nonsense")
    for reason in ("  ", f"request of {number}"):
        with pytest.raises(UsageError, match="reason"):
            erase(db.conn, f"CC-{number}", schema=SCHEMA, reason=reason)
    nobody = unique()
    with pytest.raises(HceError, match="no record") as caught:
        erased(db, f"CC-{nobody}")
    assert nobody.upper() not in str(caught.value).upper()
    assert db.document("Patient", "p", source) == f"CC-{number.upper()}"


def test_of_two_erasures_at_once_the_second_finds_no_record(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), *(weight(f"o{n}", "Patient/p") for n in range(20)), source=source)

    def one(_: int) -> str:
        with connect(db.dsn) as conn:
            try:
                return erase(conn, f"CC-{number}", schema=SCHEMA, reason="x").outcome.value
            except HceError as error:
                return error.wrong

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(one, range(2)))
    assert outcomes == ["erased", "there is no record under the document given"]


def test_a_load_beside_an_erasure_leaves_all_of_the_patient_or_nothing(db: TestDatabase, tmp_path: Path) -> None:
    for _ in range(3):
        source, number = unique(), unique()
        lines = [json.dumps(person("p", number)), *(weight(f"o{n}", "Patient/p") for n in range(300))]
        path = tmp_path / f"{source}.ndjson"
        path.write_text("\n".join(lines))
        db.load_paths([path], source=source, rejects=tmp_path / "r")
        changed = tmp_path / f"{source}-changed.ndjson"
        changed.write_text("\n".join([lines[0], *(weight(f"o{n}", "Patient/p", value="1") for n in range(600))]))

        def loading(source: str = source, changed: Path = changed) -> int:
            with connect(db.dsn) as conn:
                return load(conn, [changed], schema=SCHEMA, fuente=source, reject_file=tmp_path / "r2").rejected

        with ThreadPoolExecutor(1) as pool:
            loader = pool.submit(loading)
            with connect(db.dsn) as conn:
                done = erase(conn, f"CC-{number}", schema=SCHEMA, reason="x")
            assert loader.result() == 0
        left = db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source)
        assert left in {0, 600}
        assert db.value("SELECT count(*) FROM paciente WHERE fuente = %s", source) == (1 if left else 0)
        assert db.value("SELECT count(*) FROM hce.carga") == 0
        assert done.outcome in {Outcome.ERASED, Outcome.LEFT}
        assert verify(db.dsn, schema=SCHEMA, groups=["identity"]).ok


def test_another_source_that_loads_the_document_meanwhile_waits_and_starts_a_new_record(
    db: TestDatabase, tmp_path: Path
) -> None:
    one, two, number = unique(), unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), *named_among_others("p")[:1], source=one)
    path = tmp_path / "two.ndjson"
    path.write_text(json.dumps(person("q", number)))

    def erasing() -> Erasure:
        with connect(db.dsn) as conn:
            return erase(conn, f"CC-{number}", schema=SCHEMA, reason="x")

    def loading() -> int:
        with connect(db.dsn) as conn:
            return load(conn, [path], schema=SCHEMA, fuente=two, reject_file=tmp_path / "r").new

    with ThreadPoolExecutor(2) as pool, connect(db.dsn) as blocker:
        with blocker.transaction():
            blocker.execute("UPDATE grupo_pacientes SET version = version WHERE fuente = %s", (one,))
            erasure = pool.submit(erasing)
            until(lambda: waiting(db) == 1)
            loader = pool.submit(loading)
            until(lambda: waiting(db) == 2)
        assert loader.result() == 1
        done = erasure.result()
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", one) == 0
    assert db.document("Patient", "q", two) == f"CC-{number.upper()}"
    assert done.outcome in {Outcome.ERASED, Outcome.LEFT}


def waiting(db: TestDatabase) -> int:
    """Count the sessions of all nodes that wait for a lock."""
    total = 0
    for node in db.cluster.nodes:
        dsn = re.sub(r"port=\d+", f"port={node.port}", db.dsn)
        with connect(dsn) as conn:
            row = conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
            total += row[0] if row else 0
    return total


def ended(db: TestDatabase, name: str) -> bool:
    """Whether the server has ended the sessions of a program that was killed."""
    return not db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", name)


@pytest.mark.parametrize("how", ["kill -9", "terminated", "Ctrl-C"])
def test_an_interrupted_erasure_changes_nothing_and_the_next_one_succeeds(
    db: TestDatabase, tmp_path: Path, how: str
) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), *named_among_others("p"), source=source)
    db.load(tmp_path, weight("o", "Patient/p", value="1"), source=source)
    before = db.exported(tmp_path, source)
    command = [
        sys.executable, "-m", "pyhce", "erase", f"CC-{number}", "--reason", "x", "--yes", "--dsn",
        f"{db.dsn} application_name=eraser", "--receipt", str(tmp_path / "receipt.json"),
    ]  # fmt: skip
    with connect(db.dsn) as blocker, blocker.transaction():
        blocker.execute("UPDATE grupo_pacientes SET version = version WHERE fuente = %s", (source,))
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: waiting(db) > 0 or run.poll() is not None)
        if how == "kill -9":
            os.kill(run.pid, signal.SIGKILL)
        elif how == "Ctrl-C":
            run.send_signal(signal.SIGINT)
            until(lambda: run.poll() is not None)
            assert run.returncode == 130
        else:
            db.conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eraser'")
            until(lambda: run.poll() is not None)
        _, printed = run.communicate(timeout=60)
    assert number not in printed.lower()
    assert "Traceback" not in printed
    until(lambda: ended(db, "eraser"))
    assert db.exported(tmp_path, source) == before
    assert not (tmp_path / "receipt.json").exists()
    assert erased(db, f"CC-{number}").outcome is Outcome.ERASED


def test_an_erasure_killed_at_any_time_erases_all_or_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    resources = [person("p", number), *(weight(f"o{n}", "Patient/p") for n in range(50)), *named_among_others("p")]
    for pause in (0.5, 0.8, 1.0, 1.2, 1.5):
        db.load(tmp_path, *resources, source=source)
        before = db.exported(tmp_path, source)
        command = [
            sys.executable, "-m", "pyhce", "erase", f"CC-{number}", "--reason", "x", "--yes", "--dsn",
            f"{db.dsn} application_name=eraser", "--receipt", str(tmp_path / f"receipt-{pause}.json"),
        ]  # fmt: skip
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        until(lambda: ended(db, "eraser"))
        after = db.exported(tmp_path, source)
        there = after == before
        assert there or all("Patient/p" not in text for text in after.values())
        anchors = db.value("SELECT count(*) FROM expediente WHERE documento_id = %s", f"CC-{number.upper()}")
        assert anchors == there
        receipt = tmp_path / f"receipt-{pause}.json"
        outcome = json.loads(receipt.read_text())["outcome"] if receipt.exists() else None
        assert there if outcome is None else outcome == "committing" or not there


def test_the_erase_command_asks_first_and_reports_what_was_erased(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    base = ["erase", f"cc-{number}", "--reason", "request", "--dsn", db.dsn]
    unasked = pyhce(*base)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    dry = pyhce(*base, "--dry-run", "-o", "json")
    assert (dry.returncode, json.loads(dry.stdout)["outcome"]) == (0, "dry run")
    done = pyhce(*base, "--yes", "--receipt", tmp_path / "receipt.json")
    assert done.returncode == 0, done.stderr
    assert "3 rows erased" in done.stdout
    again = pyhce(*base, "--yes")
    assert (again.returncode, "no record" in again.stderr) == (1, True)
    assert number not in (done.stdout + done.stderr + again.stderr + dry.stdout).lower()


def test_an_erasure_logs_its_begin_and_end_with_counts_and_never_a_document(
    db: TestDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), *named_among_others("p"), source=source)
    caplog.clear()
    with caplog.at_level("DEBUG", "pyhce"):
        erased(db, f"CC-{number}")
    assert [record.getMessage() for record in caplog.records if record.levelname == "INFO"] == [
        "erasure begins",
        "erasure ends (erased): 3 rows erased, 2 masked",
    ]
    assert number.upper() not in caplog.text.upper()
