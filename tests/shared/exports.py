"""Tests of exports for every engine; test_exports.py of each tier runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from pyhce import sample
from pyhce.citus.connection import connect
from pyhce.errors import HceError, UsageError
from pyhce.records.exporting import plan
from pyhce.records.exporting.export import ExportReport, export
from pyhce.records.patient import rekey
from pyhce.records.reading.exact_json import canonical, parse
from pyhce.records.reading.finished_export import check_export
from pyhce.records.writing.remove import remove
from pyhce.schema.declaration import SCHEMA
from tests.shared.commands import pyhce
from tests.shared.database import TestDatabase, unique
from tests.shared.memory import PEAK
from tests.shared.records import person, weight

MANY = 30_000


def exported(db: TestDatabase, to: Path, source: str | None, **more: object) -> ExportReport:
    """Export a source."""
    return export(db.conn, to, schema=SCHEMA, fuente=source, **more)  # type: ignore[arg-type]


def lines(folder: Path, report: ExportReport) -> Counter[bytes]:
    """Count each line of an export's files."""
    found: Counter[bytes] = Counter()
    for file in report.files:
        text = (folder / file.path).read_bytes()
        assert text.count(b"\n") == file.count
        found.update(text.splitlines())
    return found


def stored(db: TestDatabase, source: str) -> Counter[bytes]:
    """Count the lines that an export should write, read from the tables; only for resources that carry an id."""
    found: Counter[bytes] = Counter()
    for table in SCHEMA.resource_tables():
        query = f"SELECT coalesce(original, recurso::text) FROM {table.name} WHERE fuente = %s"
        found.update(row[0].encode() for row in db.conn.execute(query, (source,)))
    return found


def many(db: TestDatabase, folder: Path, *, patients: int = 5) -> str:
    """Fill a source with many resources of two types, a kilobyte each; return its name."""
    source = unique()
    numbers = [unique() for _ in range(patients)]
    db.load(folder, *(person(f"p{n}", number) for n, number in enumerate(numbers)), source=source)
    documents = [f"CC-{number.upper()}" for number in numbers]
    for table, kind in (("observacion", "Observation"), ("encuentro", "Encounter")):
        db.conn.execute(
            f"INSERT INTO {table} (documento_id, fuente, id, recurso)"
            " SELECT (%s::text[])[n %% %s + 1], %s, 'g' || n, jsonb_build_object('resourceType', %s::text, 'id',"
            " 'g' || n, 'subject', jsonb_build_object('reference', 'Patient/p' || n %% %s), 'text', repeat('x', 900))"
            " FROM generate_series(1, %s) AS n",
            (documents, patients, source, kind, patients, MANY),
        )
    return source


STOPPED = """
import os, signal
from pyhce.cli.main import main
from pyhce.records.exporting.folder import ExportFolder
add = ExportFolder.add
def add_and_stop(self, part):
    add(self, part)
    if part.count:
        ExportFolder.add = add
        os.kill(os.getpid(), signal.SIGSTOP)
ExportFolder.add = add_and_stop
main()
"""
"""The command line, which stops itself with SIGSTOP once the first part with rows is in the journal."""


@contextmanager
def interrupted(db: TestDatabase, to: Path, source: str, how: signal.Signals = signal.SIGKILL) -> Iterator[str]:
    """Interrupt an export after its first part, however busy the machine is; yield what it printed."""
    command = [sys.executable, "-c", STOPPED, "export", "--to", str(to), "--source", source, "--dsn", db.dsn]
    run = subprocess.Popen([*command, "--jobs", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    state = os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert state is not None and state.si_code == os.CLD_STOPPED, run.communicate(timeout=60)
    run.send_signal(how)
    run.send_signal(signal.SIGCONT)
    printed = "".join(run.communicate(timeout=60))
    assert b'{"done"' in (to / ".export" / "journal").read_bytes()
    assert not (to / "manifest.json").exists()
    yield printed


def test_four_connections_write_the_same_lines_as_one_and_each_line_once(
    db: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = many(db, tmp_path)
    db.conn.execute("ANALYZE observacion, encuentro")  # so that the plan knows how large this source is
    monkeypatch.setattr(plan, "MIN_PART_BYTES", 1024**2)  # so that a few megabytes make several parts
    one = exported(db, tmp_path / "one", source, jobs=1)
    four = exported(db, tmp_path / "four", source, jobs=4)
    assert one.resources == four.resources == 2 * MANY + 5
    assert lines(tmp_path / "one", one) == lines(tmp_path / "four", four) == stored(db, source)
    assert one.snapshot and four.snapshot
    assert len(four.files) > len({file.type for file in four.files})


def test_unusual_texts_and_numbers_are_exported_exactly_on_one_line_each(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    values = ["72.50", "1.0E+2", "-0", "-0.0", "1e400", "123456789012345678901234567890", "0.10"]
    texts = [
        "NUL \\u0000", "half \\ud800", "ñandú 😀", "tab\\t\\/ slash", "\\\\n is no line end \\\\\\\\", "line\\nend",
        "quote \\\" \\u0001\\u0002", "\\\\.", "\u2028 \u0085 \u007f",
    ]  # fmt: skip
    came = [weight(f"n{i}", "Patient/p", value=v) for i, v in enumerate(values)]
    came += [
        weight(f"t{i}", "Patient/p").replace('"final"', '"final", "note": [{"text": "' + text + '"}]')
        for i, text in enumerate(texts)
    ]
    assert db.load(tmp_path, person("p", number), *came, source=source).rejected == 0
    db.conn.execute(  # as another writer could store it: an exact text with line ends
        "UPDATE observacion SET original = replace(recurso::text, ', ', E',\\n\\t') WHERE fuente = %s AND id = 'n0'",
        (source,),
    )
    report = exported(db, tmp_path / "out", source)
    found = {}
    for file in report.files:
        for line in (tmp_path / "out" / file.path).read_bytes().split(b"\n")[:-1]:
            value = parse(line)
            found[value["id"]] = canonical(value)
    assert found == {parse(text)["id"]: canonical(parse(text)) for text in (json.dumps(person("p", number)), *came)}


def test_a_resource_without_an_id_is_exported_with_its_stored_id(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    plain, exact = weight("x", None, value="7.20"), weight("x", None, value="7.20E+1")
    for text in (plain, exact):
        db.load(tmp_path, text.replace('"id": "x", ', ""), source=source)
    kept = db.exported(tmp_path, source)
    keys = db.rows("SELECT id FROM recurso_compartido WHERE fuente = %s", source)
    assert {("Observation", key) for (key,) in keys} == kept.keys()
    assert sorted(text.split('"value":')[1].split("}")[0] for text in kept.values()) == ["7.20", "7.20E+1"]


def test_the_manifest_follows_bulk_data_and_its_checksums_detect_a_changed_file(
    db: TestDatabase, tmp_path: Path
) -> None:
    source = unique()
    db.load_paths(list(sample.files()), source=source, rejects=tmp_path / "r")
    report = exported(db, tmp_path / "out", source)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {"transactionTime", "request", "requiresAccessToken", "output", "error"} <= manifest.keys()
    assert sum(item["count"] for item in manifest["output"]) == report.resources
    assert datetime.fromisoformat(manifest["transactionTime"]) < datetime.fromisoformat(manifest["extension"]["start"])
    assert check_export(tmp_path / "out").wrong == ()
    victim = tmp_path / "out" / report.files[0].path
    victim.write_bytes(victim.read_bytes().replace(b'"', b"'", 1))
    assert check_export(tmp_path / "out").wrong == (
        f"{report.files[0].path}: the content differs from what was exported",
    )
    done = pyhce("export", "--check", tmp_path / "out")
    assert (done.returncode, report.files[0].path in done.stdout) == (1, True)


def test_single_files_of_an_export_can_be_loaded_under_any_source(db: TestDatabase, tmp_path: Path) -> None:
    source, again = unique(), unique()
    db.load_paths(list(sample.files()), source=source, rejects=tmp_path / "r")
    exported(db, tmp_path / "out", source)
    report = db.load_paths(list((tmp_path / "out" / source).glob("*.ndjson")), source=again, rejects=tmp_path / "r")
    assert report.rejected == 0
    assert db.exported(tmp_path, again) == db.exported(tmp_path, source)


def test_a_killed_export_reads_changed_parts_again_and_misses_nothing(db: TestDatabase, tmp_path: Path) -> None:
    source, to = many(db, tmp_path), tmp_path / "out"
    with interrupted(db, to, source):
        first = db.value("SELECT min(documento_id) FROM paciente WHERE fuente = %s", source)
        rekey(db.conn, first, f"CC-{unique()}", schema=SCHEMA)  # moves rows between parts
        db.load(tmp_path, weight("late", "Patient/p1"), source=source)
        db.conn.execute("DELETE FROM encuentro WHERE fuente = %s AND id = 'g7'", (source,))
    report = exported(db, to, source)
    assert report.snapshot
    assert lines(to, report) == stored(db, source)
    assert check_export(to).wrong == ()


def test_a_killed_export_keeps_every_complete_part_if_nothing_was_written_meanwhile(
    db: TestDatabase, tmp_path: Path
) -> None:
    source, to = many(db, tmp_path), tmp_path / "out"
    with interrupted(db, to, source), pytest.raises(UsageError, match="an interrupted export"):
        db.load_paths([tmp_path], source=source, rejects=tmp_path / "r")
    journal = [json.loads(line) for line in (to / ".export" / "journal").read_text().splitlines()]
    written = sum(record["done"]["count"] for record in journal if "done" in record)
    report = exported(db, to, source)
    assert (report.kept, report.snapshot) == (written, True)
    assert lines(to, report) == stored(db, source)


def test_every_file_is_on_disk_before_the_manifest_names_it(
    db: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, synced, before = unique(), set[int](), set[int]()
    db.load(tmp_path, person("p", unique()), weight("o", "Patient/p"), source=source)
    fsync, rename = os.fsync, Path.rename

    def noting(handle: int) -> None:
        fsync(handle)
        synced.add(os.fstat(handle).st_ino)

    def renaming(path: Path, target: Path) -> Path:
        if target.name == "manifest.json":
            before.update(synced)
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(Path, "rename", renaming)
    exported(db, tmp_path / "out", source)
    there = {path.name: path.stat().st_ino for path in (tmp_path / "out").rglob("*")}
    assert {source, "manifest.json", "Patient.ndjson", "Observation.ndjson", "Patient.ndjson.rows"} <= there.keys()
    assert {name for name, inode in there.items() if inode not in before} == set()


def test_a_damaged_part_and_a_torn_journal_line_are_written_again(db: TestDatabase, tmp_path: Path) -> None:
    source, to = many(db, tmp_path), tmp_path / "out"
    with interrupted(db, to, source):
        part = next(path for path in sorted((to / ".export").glob("*.part")) if path.stat().st_size)
        part.write_bytes(part.read_bytes()[:-10])
        with (to / ".export" / "journal").open("ab") as journal:
            journal.write(b'{"done": {"unit": {"ta')
    report = exported(db, to, source)
    assert lines(to, report) == stored(db, source)


def test_ctrl_c_prints_no_traceback_and_the_next_run_continues(db: TestDatabase, tmp_path: Path) -> None:
    source, to = many(db, tmp_path), tmp_path / "out"
    with interrupted(db, to, source, signal.SIGINT) as printed:
        assert "run the same command again to continue" in printed
        assert "Traceback" not in printed
    assert lines(to, exported(db, to, source)) == stored(db, source)


def test_the_folder_must_be_empty_or_of_the_same_interrupted_export(db: TestDatabase, tmp_path: Path) -> None:
    source, to = many(db, tmp_path), tmp_path / "out"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("Chapter one")
    with pytest.raises(UsageError, match="not an empty folder"):
        exported(db, tmp_path / "other", source)
    with interrupted(db, to, source):
        for asked in ({"types": ["Encounter"]}, {"document": db.document("Patient", "p1", source)}):
            with pytest.raises(UsageError, match="interrupted export with another"):
                exported(db, to, source, **asked)
        assert all(
            document not in (to / ".export" / "journal").read_text()
            for (document,) in db.rows("SELECT documento_id FROM paciente WHERE fuente = %s", source)
        )
    exported(db, to, source)
    with pytest.raises(UsageError, match="finished export"):
        exported(db, to, source)


def test_a_second_export_to_the_same_folder_is_refused(db: TestDatabase, tmp_path: Path) -> None:
    source = many(db, tmp_path)
    refused: list[str] = []

    def second(_: object) -> None:
        with connect(db.dsn) as conn, pytest.raises(UsageError) as error:
            export(conn, tmp_path / "out", schema=SCHEMA, fuente=source)
        refused.append(error.value.wrong)

    exported(db, tmp_path / "out", source, progress=second)
    assert not (tmp_path / "out" / ".export").exists()
    assert refused and all("another export is writing to" in wrong for wrong in refused)


def test_since_exports_what_changed_and_lists_what_was_deleted(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), *(weight(k, "Patient/p") for k in ("a", "b", "c", "d")), source=source)
    since = db.value("SELECT clock_timestamp()::text").replace(" ", "T") + ":00"
    db.load(tmp_path, weight("a", "Patient/p", value="73.0"), weight("e", "Patient/p"), source=source)
    with db.conn.transaction():
        assert remove(db.conn, SCHEMA, source, [("Observation", "b"), ("Observation", "c")]).deleted == 2
    db.load(tmp_path, weight("c", "Patient/p", value="1"), source=source)  # deleted and then loaded again
    report = exported(db, tmp_path / "out", source, since=since)
    assert sorted(json.loads(line)["id"] for line in lines(tmp_path / "out", report)) == ["a", "c", "e"]
    (deleted,) = report.deleted
    bundles = [json.loads(line) for line in (tmp_path / "out" / deleted.path).read_text().splitlines()]
    assert [b["entry"] for b in bundles] == [[{"request": {"method": "DELETE", "url": "Observation/b"}}]]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [(item["type"], item["count"]) for item in manifest["deleted"]] == [("Bundle", 1)]
    now = db.value("SELECT now()").isoformat()
    assert exported(db, tmp_path / "since-now", source, since=now).resources == 0
    with pytest.raises(UsageError, match="is in the future"):
        exported(db, tmp_path / "never", source, since="2999-01-01")
    with pytest.raises(UsageError, match="not a FHIR date"):
        exported(db, tmp_path / "no", source, since="2024-02-30")


def test_the_transaction_time_is_before_every_running_transaction(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    with connect(db.dsn) as other, other.transaction(force_rollback=True):
        begun = other.execute("SELECT now()").fetchone()
        other.execute("UPDATE observacion SET version = 7 WHERE fuente = %s", (source,))
        report = exported(db, tmp_path / "out", source)
    assert begun is not None
    assert datetime.fromisoformat(report.transaction_time) < begun[0]


def test_an_export_of_one_patient_holds_only_the_resources_of_that_patient(db: TestDatabase, tmp_path: Path) -> None:
    source, one, other = unique(), unique(), unique()
    db.load(
        tmp_path, person("p", one), person("q", other), weight("o", "Patient/p"), weight("x", "Patient/q"),
        source=source,
    )  # fmt: skip
    report = exported(db, tmp_path / "out", None, document=f"cc-{one}")
    assert sorted(json.loads(line)["id"] for line in lines(tmp_path / "out", report)) == ["o", "p"]
    assert report.snapshot
    manifest = (tmp_path / "out" / "manifest.json").read_text()
    assert (one.upper() in manifest, one in manifest) == (False, False)
    nobody = unique().upper()
    with pytest.raises(HceError, match="no record") as error:
        exported(db, tmp_path / "none", None, document=f"CC-{nobody}")
    assert nobody not in str(error.value)


def test_types_are_exported_from_every_table_and_unknown_types_are_refused(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("with", "Patient/p"), weight("without", None), source=source)
    report = exported(db, tmp_path / "out", source, types=["Observation"])
    assert sorted(json.loads(line)["id"] for line in lines(tmp_path / "out", report)) == ["with", "without"]
    with pytest.raises(UsageError, match="no resource type"):
        exported(db, tmp_path / "no", source, types=["Observacion"])


def test_an_export_beside_a_writer_is_consistent_or_says_that_it_is_not(db: TestDatabase, tmp_path: Path) -> None:
    source, numbers = unique(), [unique() for _ in range(8)]
    db.load(tmp_path, *(person(f"p{i}", n) for i, n in enumerate(numbers)), source=source)
    db.load(tmp_path, *(weight(f"o{i}", f"Patient/p{i}", value="0") for i in range(8)), source=source)
    over = threading.Event()

    def write() -> None:
        with connect(db.dsn) as conn:
            for value in range(1, 10_000):
                if over.is_set():
                    return
                with conn.transaction():  # all patients at once, in one transaction
                    conn.execute(
                        "UPDATE observacion SET recurso = jsonb_set(recurso, '{valueQuantity,value}', to_jsonb(%s))"
                        " WHERE fuente = %s",
                        (value, source),
                    )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = []
        for number in range(5):
            report = exported(db, tmp_path / f"out{number}", source, jobs=4)
            found = [json.loads(line) for line in lines(tmp_path / f"out{number}", report).elements()]
            values = {r["valueQuantity"]["value"] for r in found if r["resourceType"] == "Observation"}
            assert len(found) == 16
            assert len(values) == 1 or not report.snapshot
            assert report.snapshot or len(db.cluster.nodes) > 1
            seen += values
    finally:
        over.set()
        writer.join()
    assert len(set(seen)) > 1, "the writer wrote nothing while the exports ran"


def test_a_full_disk_is_reported_and_the_next_run_continues(db: TestDatabase, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk here")
    try:
        source = many(db, tmp_path)
        with pytest.raises(HceError, match="is full") as error:
            exported(db, small / "out", source)
        assert "run the same command again" in error.value.remedy
        subprocess.run(["mount", "-o", "remount,size=200m", small], check=True)
        report = exported(db, small / "out", source)
        assert lines(small / "out", report) == stored(db, source)
    finally:
        subprocess.run(["umount", small], check=True)


def test_memory_does_not_grow_with_the_number_of_resources(db: TestDatabase, tmp_path: Path) -> None:
    source = many(db, tmp_path)
    code = (
        f"{PEAK}import sys; from pathlib import Path; from pyhce.citus.connection import connect;"
        "from pyhce.records.exporting.export import export; from pyhce.schema.declaration import SCHEMA\n"
        "with connect(sys.argv[1]) as conn:\n"
        "    export(conn, Path(sys.argv[2] + '1'), schema=SCHEMA, fuente=sys.argv[3], types=['Patient'])\n"
        "    few = peak()\n"
        "    export(conn, Path(sys.argv[2] + '2'), schema=SCHEMA, fuente=sys.argv[3])\n"
        "    print(peak() - few)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, db.dsn, str(tmp_path / "out"), source],
        capture_output=True, text=True, env=os.environ, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 40, "megabytes more for sixty thousand resources"


def test_an_export_logs_its_begin_rounds_and_end_and_never_a_document(
    db: TestDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, number = unique(), unique()
    db.load(tmp_path, person("p", number), weight("o", "Patient/p"), source=source)
    with caplog.at_level("DEBUG", "pyhce"):
        exported(db, tmp_path / "out", None, document=f"CC-{number}")
    messages = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
    assert [message.split(":")[0] for message in messages][:2] == ["export begins", "round 1"]
    assert messages[-1] == "export ends: 2 resources, one consistent snapshot"
    assert number.upper() not in caplog.text.upper()
