"""Tests that an export, loaded again, gives the same database; test_round_trips.py of each tier runs them."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce.errors import UsageError
from pyhce.records.erasing.erase import erase
from pyhce.records.exporting.export import ExportReport, export
from pyhce.records.identity import DEFAULT_RULES, choose_rules
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.patient import merge, rekey, split
from pyhce.records.reading.finished_export import SUPERSEDED, check_export
from pyhce.records.writing.remove import remove
from pyhce.schema.declaration import SCHEMA
from tests.conftest import registered_database
from tests.shared.cases import CASES, case
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase
from tests.shared.persons import ANA, LEO
from tests.shared.records import person, weight
from tests.shared.whole import Contents, contents, differences, emptied, rows_of

OWN = "https://ward.example/wristband"


@pytest.fixture(scope="module")
def alone(db: TestDatabase) -> Iterator[TestDatabase]:
    """A database of its own, because it is emptied."""
    with registered_database(db.cluster.engine, len(db.cluster.workers)) as made:
        yield made


def filled(db: TestDatabase, folder: Path) -> None:
    """Fill a database with every kind of resource, from several sources, then correct, change and delete some."""
    for name in sorted(path.name for path in CASES.iterdir()):
        opened = name.startswith("14")
        db.load_paths([case(name)], source=name, rejects=folder / "r", open_documents=opened)
    own = folder / "rules.json"
    own.write_text(json.dumps([{"system": OWN, "type": "WB", "national": False}]))
    (folder / "ward.ndjson").write_text(
        json.dumps({**person("w", None), "identifier": [{"system": OWN, "value": "77"}]})
        + "\n" + weight("ow", "Patient/w") + "\n" + weight("oi", {"identifier": {"system": OWN, "value": "77"}}) + "\n"
    )  # fmt: skip
    load(
        db.conn, [folder / "ward.ndjson"], schema=SCHEMA, fuente="ward", rules=choose_rules(f"{own},all"),
        reject_file=folder / "r",
    )  # fmt: skip
    assert db.document("Observation", "oi", "ward") == f"WB-77@{OWN}"
    nameless = weight("x", None, value="7.20E+1").replace('"id": "x", ', "")
    db.load(
        folder, person("p1", "910000901", **ANA), person("p2", "910000902", **ANA), person("p3", None),
        person("p4", "910000904", **ANA), person("p5", "910000905"), person("p6", "910000906", **ANA),
        *(weight(f"o{n}", f"Patient/p{n}") for n in range(1, 7)), weight("early", "Patient/late"),
        weight("exact", "Patient/p1", value="1.0E+2", note=[{"text": "NUL \x00 \u2028"}]), nameless,
        nameless.replace("7.20E+1", "7.20"), weight("far", "https://far.example/fhir/Patient/9"),
        weight("own", "https://example.org/fhir/Patient/p1"), weight("bad", "Patient/p1#x"),
        {"resourceType": "Organization", "id": "org", "name": "Clínica Ñandú"},
        {"resourceType": "Medication", "id": "m", "code": {"text": "x"}},
        source="a",
    )  # fmt: skip
    db.load(folder, person("q1", "910000901", **LEO), weight("oq", "Patient/q1"), source="b")  # kept apart
    db.load(folder, weight("o1", "Patient/p1", value="73"), person("p3", None, gender="female"), source="a")
    db.load(folder, weight("o1", "Patient/p1", value="74"), source="a")
    with db.conn.transaction():
        removed = [("Observation", "o2"), ("Patient", "p5"), ("Medication", "m"), ("Organization", "org")]
        assert remove(db.conn, SCHEMA, "a", removed).deleted == 4
    db.load(folder, {"resourceType": "Organization", "id": "org", "name": "Clínica"}, source="a")
    merge(db.conn, "CC-910000902", "CC-910000901", schema=SCHEMA)
    rekey(db.conn, "CC-910000904", "CE-910000904", schema=SCHEMA)
    merge(db.conn, "CC-910000906", "CE-910000904", schema=SCHEMA)
    split(db.conn, "CE-910000904", "CC-910000906", patients=["a/p6"], schema=SCHEMA)
    merge(db.conn, "a/Patient/p1", "b/Patient/q1", schema=SCHEMA)  # confirmed as one person


def out(db: TestDatabase, to: Path, **more: object) -> ExportReport:
    return export(db.conn, to, schema=SCHEMA, **more)  # type: ignore[arg-type]


def back(db: TestDatabase, *paths: Path, **more: object) -> LoadReport:
    """Load by the default rules."""
    asked = {"rules": DEFAULT_RULES, "reject_file": paths[0].parent / "rejected", **more}
    return load(db.conn, list(paths), schema=SCHEMA, **asked)  # type: ignore[arg-type]


class Exported:
    """The contents of a database, and its export with history."""

    def __init__(self, db: TestDatabase, folder: Path) -> None:
        emptied(db)
        filled(db, folder)
        self.before: Contents = contents(db)
        self.folder = folder / "out"
        self.report = out(db, self.folder, history=True)


@pytest.fixture(scope="module")
def exported(alone: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(alone, tmp_path_factory.mktemp("whole"))


def test_an_export_loaded_into_an_empty_database_gives_the_same_tables(alone: TestDatabase, exported: Exported) -> None:
    emptied(alone)
    report = back(alone, exported.folder)
    assert differences(exported.before, contents(alone)) == {}
    assert report.rejected == 0
    assert report.restored == report.new == report.read == exported.report.resources
    assert report.bytes_read == report.bytes_total
    assert report.former_versions == exported.report.versions > 8
    assert report.corrections == exported.report.corrections > 4
    assert {"historia", "historia_compartida", "historia_referencia", "asignacion", "misma_persona",
            "documento_en_disputa"} <= {name for name, rows in exported.before.items() if rows}  # fmt: skip
    again = back(alone, exported.folder)
    assert (again.read, again.passed_over > 10) == (0, True)
    once_more = back(alone, exported.folder, again=True)
    assert (once_more.unchanged, once_more.read) == (report.read, report.read)
    assert (once_more.moved, once_more.former_versions, once_more.corrections) == (0, 0, 0)
    assert differences(exported.before, contents(alone)) == {}
    assert rows_of(exported.before) > 150
    late = json.dumps({**person("w", None), "identifier": [{"system": OWN, "value": "77"}], "active": True})
    (exported.folder.parent / "late.ndjson").write_text(late + "\n")
    rules = choose_rules(f"{exported.folder.parent / 'rules.json'},all")
    assert back(alone, exported.folder.parent / "late.ndjson", fuente="ward", rules=rules).changed == 1
    assert alone.document("Patient", "w", "ward") == f"WB-77@{OWN}"


def test_a_killed_load_of_an_export_continues_and_gives_the_same_database(
    alone: TestDatabase, exported: Exported
) -> None:
    emptied(alone)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pyhce.citus.connection import connect\n"
        "from pyhce.records.loading import exports\n"
        "from pyhce.records.loading.load import load\n"
        "from pyhce.schema.declaration import SCHEMA\n"
        "record_file, files = exports.record_file, []\n"
        "def last(conn, fuente, name, *more):\n"
        "    record_file(conn, fuente, name, *more)\n"
        "    files.append(name)\n"
        "    if len(files) == int(sys.argv[3]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "exports.record_file = last\n"
        "load(connect(sys.argv[1]), [Path(sys.argv[2])], schema=SCHEMA, reject_file=Path(sys.argv[2] + '-r'))\n"
    )
    for files in (3, 4):  # the second kill meets a database that the first one began
        command = [sys.executable, "-c", code, alone.dsn, str(exported.folder), str(files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == -9, done.stderr
    assert 0 < rows_of(contents(alone)) < rows_of(exported.before)
    report = back(alone, exported.folder)
    assert report.passed_over > 2
    assert differences(exported.before, contents(alone)) == {}


def test_two_parallel_loads_of_one_export_give_the_same_database(alone: TestDatabase, exported: Exported) -> None:
    emptied(alone)
    command = [sys.executable, "-m", "pyhce", "load", str(exported.folder), "--dsn", alone.dsn, "--output", "json"]
    both = [
        subprocess.Popen(
            [*command, "--rejects", str(exported.folder.parent / f"r{number}")], stdout=subprocess.PIPE, text=True
        )
        for number in range(2)
    ]
    reports = [json.loads(run.communicate(timeout=200)[0]) for run in both]
    assert [run.returncode for run in both] == [0, 0]
    assert sum(report["new"] for report in reports) == exported.report.resources
    assert differences(exported.before, contents(alone)) == {}


def test_an_export_without_history_restores_everything_but_former_versions(
    alone: TestDatabase, exported: Exported, tmp_path: Path
) -> None:
    emptied(alone)
    back(alone, exported.folder)
    plain = out(alone, tmp_path / "plain")
    emptied(alone)
    assert back(alone, tmp_path / "plain").restored == plain.resources == exported.report.resources
    assert set(differences(exported.before, contents(alone))) == {
        "historia", "historia_compartida", "historia_referencia"
    }  # fmt: skip


def test_exports_of_two_sources_in_one_folder_are_loaded_by_one_command_under_their_sources(
    alone: TestDatabase, exported: Exported, tmp_path: Path
) -> None:
    emptied(alone)
    back(alone, exported.folder)
    for source in ("a", "b"):
        out(alone, tmp_path / "both" / source, fuente=source)
    was = alone.exported(tmp_path, "a"), alone.exported(tmp_path, "b")
    places = {key: alone.document("Observation", key, "a") for key in ("o1", "o4", "o6", "early", "far")}
    emptied(alone)
    done = pyhce("load", tmp_path / "both", "--dsn", alone.dsn, "--output", "json", "--rejects", tmp_path / "r")
    report = json.loads(done.stdout)
    assert (done.returncode, report["restored"], report["rejected"]) == (0, sum(map(len, was)), 0), done.stderr
    assert (alone.exported(tmp_path, "a"), alone.exported(tmp_path, "b")) == was
    assert {key: alone.document("Observation", key, "a") for key in places} == places
    assert {source for (source,) in alone.rows("SELECT DISTINCT fuente FROM paciente")} == {"a", "b"}


def test_a_database_that_is_not_empty_keeps_its_own_corrections_and_reports_what_was_not_restored(
    alone: TestDatabase, exported: Exported, tmp_path: Path
) -> None:
    emptied(alone)
    alone.load(tmp_path, person("p1", "910000901", **ANA), person("z", "910000902", **ANA), source="a")
    rekey(alone.conn, "CC-910000902", "PA-902", schema=SCHEMA)
    mine = alone.rows("SELECT documento_calculado, fuente, paciente_id, documento_id FROM hce.asignacion ORDER BY 1")
    report = back(alone, exported.folder)
    assert report.rejected == report.restored == report.former_versions == 0
    assert report.corrections_left > 0 and report.corrections > 0
    assert report.skipped == {"former versions of an export, as the database was not empty": exported.report.versions}
    kept = alone.rows("SELECT documento_calculado, fuente, paciente_id, documento_id FROM hce.asignacion ORDER BY 1")
    assert set(mine) <= set(kept)
    assert alone.document("Patient", "z", "a") == "PA-902"
    assert alone.document("Observation", "o2", "a") is None and alone.document("Patient", "p4", "a") == "CE-910000904"
    out_again = alone.exported(tmp_path, "b")
    assert {key for _, key in out_again} == {"q1", "oq"}
    done = pyhce("load", exported.folder, "--again", "--dsn", alone.dsn, "--rejects", tmp_path / "r")
    assert "corrections of an export left out" in done.stdout, done.stderr
    merged = pyhce("patient", "merge", "PA-902", "CC-910000901", "--dsn", alone.dsn)
    assert merged.returncode == 0, merged.stderr


def test_references_by_urn_are_exported_as_resolved_references(alone: TestDatabase, tmp_path: Path) -> None:
    name = "32-roundtrip-urn"
    emptied(alone)
    alone.load_paths([case(name)], source=name, rejects=tmp_path / "r")
    before = contents(alone)
    alone.conn.execute(  # as releases up to 1.0 kept them
        "UPDATE observacion SET original = replace(replace(recurso::text, 'Patient/pat-B', 'urn:uuid:11111111-1111-4111"
        "-8111-111111111111'), 'Encounter/enc-B', 'urn:uuid:22222222-2222-4222-8222-222222222222')"
    )
    former = contents(alone)
    assert set(differences(before, former)) == {"observacion"}
    assert alone.load_paths([case(name)], source=name, rejects=tmp_path / "r").unchanged == 3
    report = out(alone, tmp_path / "out")
    text = "".join((tmp_path / "out" / file.path).read_text() for file in report.files)
    assert "urn:uuid" not in text
    observation = json.loads((tmp_path / "out" / name / "Observation.ndjson").read_text())
    assert (observation["subject"], observation["encounter"]) == (
        {"reference": "Patient/pat-B"}, {"reference": "Encounter/enc-B"}
    )  # fmt: skip
    emptied(alone)
    assert back(alone, tmp_path / "out").restored == 3
    assert differences(former, contents(alone)) == {}
    assert alone.document("Observation", "obs-B", name) == "CC-910000321"
    files = sorted((tmp_path / "out" / name).glob("*.ndjson"))
    emptied(alone)
    assert back(alone, *files, fuente=name).new == 3  # as any other program's files
    assert alone.document("Observation", "obs-B", name) == "CC-910000321"


def test_files_are_private_and_a_wrong_manifest_is_found_before_anything_is_loaded(
    alone: TestDatabase, exported: Exported, tmp_path: Path
) -> None:
    emptied(alone)
    made = list(exported.folder.rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (exported.folder, *made) if path.is_dir()} == {0o700}
    victim = sorted(path for path in (exported.folder / "a").glob("Patient*.ndjson"))[0].name
    lies = {
        "missing": f"a/{victim}: the file is missing",
        "extra": "a/Extra.ndjson: not in the manifest",
        "changed": f"a/{victim}: the content differs from what was exported",
        "rows": f"a/{victim}.rows: the content differs from what was exported",
        "count": "the manifest states 99",
        "corrections": "corrections.rows: the content differs from what was exported",
    }
    for number, (change, expected) in enumerate(lies.items()):
        folder = tmp_path / str(number)
        shutil.copytree(exported.folder, folder)
        lie(folder, change, victim)
        with pytest.raises(UsageError, match="differs from its manifest") as error:
            back(alone, folder)
        assert expected in error.value.wrong and "\n" not in error.value.wrong
        assert any(expected in wrong for wrong in check_export(folder).wrong)
    done = pyhce("load", tmp_path / "0", "--dsn", alone.dsn)
    assert (done.returncode, f"a/{victim}: the file is missing" in done.stderr) == (2, True)
    assert rows_of(contents(alone)) == 0
    checked = pyhce("export", "--check", tmp_path / "0")
    assert (checked.returncode, f"a/{victim}: the file is missing" in checked.stdout) == (1, True)
    files = (tmp_path / "0" / "a").glob("*.ndjson")
    named = pyhce("load", *files, "--source", "a", "--dsn", alone.dsn, "--rejects", tmp_path / "r")
    assert named.returncode == 0, named.stderr


def lie(folder: Path, how: str, victim: str) -> None:
    """Make a manifest wrong, about a file of the source a."""
    if how == "missing":
        (folder / "a" / victim).unlink()
    elif how == "extra":
        shutil.copy(folder / "a" / victim, folder / "a" / "Extra.ndjson")
    elif how == "count":
        text = (folder / "manifest.json").read_text()
        first = json.loads(text)["output"][0]["count"]
        (folder / "manifest.json").write_text(text.replace(f'"count": {first},', '"count": 99,', 1))
    else:
        name = {"changed": f"a/{victim}", "rows": f"a/{victim}.rows", "corrections": "corrections.rows"}
        path = folder / name[how]
        path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))


def test_an_unfinished_export_and_an_export_with_a_source_given_are_refused(
    alone: TestDatabase, exported: Exported, tmp_path: Path
) -> None:
    emptied(alone)
    with pytest.raises(UsageError, match="--source is not allowed"):
        back(alone, exported.folder, fuente="other")
    work = tmp_path / "half"
    shutil.copytree(exported.folder, work)
    (work / "manifest.json").unlink()
    (work / ".export").mkdir()
    (work / ".export" / "journal").write_text("{}\n")
    with pytest.raises(UsageError, match="an interrupted export") as error:
        back(alone, tmp_path)
    assert "continues" in error.value.remedy
    assert rows_of(contents(alone)) == 0


def test_a_compressed_export_is_loaded(alone: TestDatabase, exported: Exported, tmp_path: Path) -> None:
    emptied(alone)
    shutil.copytree(exported.folder, tmp_path / "packed")
    subprocess.run(["gzip", *(tmp_path / "packed" / "a").glob("*.ndjson")], check=True)
    assert back(alone, tmp_path / "packed").restored == exported.report.resources
    assert differences(exported.before, contents(alone)) == {}


def test_exports_of_an_older_release_and_of_changes_are_loaded_under_their_sources(
    alone: TestDatabase, tmp_path: Path
) -> None:
    emptied(alone)
    for source, number in (("s1", "910000911"), ("s2", "910000912")):
        alone.load(tmp_path, person("p", number), weight("a", "Patient/p"), weight("b", "Patient/p"), source=source)
    out(alone, tmp_path / "older")
    manifest = json.loads((tmp_path / "older" / "manifest.json").read_text())
    for item in manifest["extension"].pop("restore"):
        (tmp_path / "older" / item["url"]).unlink()
    (tmp_path / "older" / "manifest.json").write_text(json.dumps(manifest))
    since = alone.value("SELECT clock_timestamp()::text").replace(" ", "T") + ":00"
    alone.load(tmp_path, weight("a", "Patient/p", value="73"), source="s2")
    with alone.conn.transaction():
        assert remove(alone.conn, SCHEMA, "s1", [("Observation", "b")]).deleted == 1
    out(alone, tmp_path / "changes", since=since)
    was = alone.exported(tmp_path, "s1"), alone.exported(tmp_path, "s2")
    emptied(alone)
    first = back(alone, tmp_path / "older")
    assert (first.new, first.restored, first.rejected) == (6, 0, 0)
    second = back(alone, tmp_path / "changes")
    assert (second.changed, second.deleted, second.rejected) == (1, 1, 0)
    assert (alone.exported(tmp_path, "s1"), alone.exported(tmp_path, "s2")) == was
    assert alone.document("Observation", "a", "s2") == "CC-910000912"


def test_resources_deleted_since_a_load_are_restored_by_the_identity_rules_only(
    alone: TestDatabase, tmp_path: Path
) -> None:
    emptied(alone)
    for key in ("1", "2", "3"):
        alone.load(
            tmp_path, person(f"e{key}", f"91000098{key}", **ANA), weight(f"w{key}", f"Patient/e{key}"), source="a"
        )
    alone.load(tmp_path, weight("w2", "Patient/e2", value="90"), source="a")
    out(alone, tmp_path / "out", history=True)
    emptied(alone)
    assert back(alone, tmp_path / "out").restored == 6
    merge(alone.conn, "CC-910000981", "CC-910000983", schema=SCHEMA)
    assert erase(alone.conn, "CC-910000982", schema=SCHEMA, reason="a request").outcome == "erased"
    records = "SELECT documento_id FROM expediente ORDER BY 1"
    was = contents(alone)
    assert back(alone, tmp_path / "out").read == 0
    assert differences(was, contents(alone)) == {} and alone.rows(records) == [("CC-910000983",)]
    again = back(alone, tmp_path / "out", again=True)
    assert (again.restored, again.new, again.unchanged, again.former_versions) == (0, 2, 4, 0)
    assert alone.rows(records) == [("CC-910000982",), ("CC-910000983",)]  # none of the record that was merged
    assert alone.document("Observation", "w1", "a") == "CC-910000983"


def test_of_two_exports_of_one_database_the_later_is_loaded_and_exports_of_changes_follow(
    alone: TestDatabase, tmp_path: Path
) -> None:
    emptied(alone)
    alone.load(tmp_path, person("t1", "910000991", **ANA), person("t2", "910000992"), source="a")
    alone.load(tmp_path, weight("to", "Patient/t1"), weight("gone", "Patient/t1"), source="a")
    folder = tmp_path / "exports"
    first = out(alone, folder / "2-older")
    merge(alone.conn, "CC-910000992", "CC-910000991", schema=SCHEMA)
    out(alone, folder / "3-merged")
    split(alone.conn, "CC-910000991", "CC-910000992", patients=["a/t2"], schema=SCHEMA)
    alone.load(tmp_path, weight("to", "Patient/t1", value="99"), source="a")
    with alone.conn.transaction():
        remove(alone.conn, SCHEMA, "a", [("Observation", "gone")])
    out(alone, folder / "1-newest")
    was = contents(alone)
    emptied(alone)
    done = pyhce("load", folder, "--dsn", alone.dsn, "--output", "json", "--rejects", tmp_path / "r")
    assert json.loads(done.stdout)["restored"] == 3, done.stderr
    not_read = json.loads(done.stdout)["not_read"]
    assert (
        [one["what"] for one in not_read] == [SUPERSEDED] and "2-older" in str(not_read) and "3-merged" in str(not_read)
    )
    assert set(differences(was, contents(alone))) <= {"historia", "historia_compartida", "historia_referencia"}
    shutil.rmtree(folder / "3-merged")
    shutil.rmtree(folder / "1-newest")
    emptied(alone)
    back(alone, folder)
    alone.load(tmp_path, weight("to", "Patient/t1", value="99"), source="a")
    changes = out(alone, folder / "1-changes", since=first.transaction_time)
    assert {file.type for file in changes.files} >= {"Observation"}
    emptied(alone)
    back(alone, folder)
    assert alone.value("SELECT recurso #>> '{valueQuantity,value}' FROM observacion WHERE id = 'to'") == "99"


def test_files_of_an_export_without_its_manifest_are_refused_and_a_loads_own_files_are_not(
    alone: TestDatabase, exported: Exported, tmp_path: Path
) -> None:
    emptied(alone)
    folder = tmp_path / "copy"
    shutil.copytree(exported.folder, folder)
    with pytest.raises(UsageError, match=r"no manifest\.json that names their sources") as error:
        back(alone, folder / "a")
    assert str(folder) in error.value.remedy
    whole = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(whole[:100])
    with pytest.raises(UsageError, match=r"no manifest\.json that names their sources"):
        back(alone, tmp_path)
    (folder / "manifest.json").unlink()
    done = pyhce("load", folder, "--dsn", alone.dsn)
    assert (done.returncode, "Copy the export again" in done.stderr) == (2, True)
    assert rows_of(contents(alone)) == 0
    for url in ("../x.ndjson", "/x.ndjson", "a%00b.ndjson"):
        manifest = json.loads(whole)
        manifest["output"][0]["url"] = url
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(UsageError, match="outside of its folder"):
            back(alone, folder)
    (folder / "manifest.json").write_text(whole)
    shutil.copy(folder / "a" / "Organization.ndjson", folder / "rejectedOrganizations.ndjson")
    with pytest.raises(UsageError, match=r"rejectedOrganizations\.ndjson: not in the manifest"):
        back(alone, folder)
    (folder / "rejectedOrganizations.ndjson").unlink()
    (tmp_path / "no.ndjson").write_text('{"resourceType": "Nope", "id": "1"}\n')
    assert back(alone, tmp_path / "no.ndjson", reject_file=folder / "mine.ndjson").rejected == 1
    (folder / "report.json").write_text(pyhce("export", "--check", folder, "--output", "json").stdout)
    assert (folder / "mine.ndjson").stat().st_size and check_export(folder).wrong == ()


def test_strict_rejects_invalid_resources_of_an_export(alone: TestDatabase, tmp_path: Path) -> None:
    emptied(alone)
    odd = weight("odd", "Patient/s1", status="nonsense")
    alone.load(tmp_path, person("s1", "910000995"), odd, weight("fit", "Patient/s1"), source="a")
    out(alone, tmp_path / "out")
    emptied(alone)
    report = back(alone, tmp_path / "out", strict=True)
    assert (report.restored, report.rejected, alone.document("Observation", "odd", "a")) == (2, 1, None)
    assert back(alone, tmp_path / "out").restored == 1
