"""Loads on every engine: resumed, in parallel, beside an application, in bounded memory."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

import pyhce
from pyhce.citus.connection import connect
from pyhce.records.loading import sieve
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.loading.sieve import Sieve
from pyhce.records.reading.prepared import LineReader
from pyhce.schema.declaration import SCHEMA
from tests.shared.database import TestDatabase, unique
from tests.shared.memory import PEAK
from tests.shared.records import person, weight

_RUN = f"""{PEAK}
import sys
from pyhce.cli import main
sys.argv[0] = "pyhce"
try:
    main()
finally:
    print(peak(), file=sys.stderr)
"""


def people(count: int, weights: int) -> Iterator[str]:
    """Lines of patients with their observations, mixed."""
    for number in range(count):
        yield json.dumps(person(f"p{number}", f"{unique()}{number}"))
    for number in range(count * weights):
        yield weight(f"o{number}", f"Patient/p{number % count}", f"{number % 97}.50")


def written(path: Path, lines: Iterator[str] | list[str]) -> Path:
    """A file of lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def loaded(db: TestDatabase, *paths: Path, source: str, jobs: int = 0, again: bool = False) -> LoadReport:
    """Load with so many writers, 0 being the connection itself."""
    writers: list[Connection] = [connect(db.dsn) for _ in range(jobs)]
    try:
        rejects = paths[0].parent / "rejected.ndjson"
        return load(db.conn, paths, schema=SCHEMA, fuente=source, writers=writers, reject_file=rejects, again=again)
    finally:
        for conn in writers:
            conn.close()


def rows_with_versions(db: TestDatabase, source: str) -> list[object]:
    """Every row of a source with its version, former versions included."""
    tables = [t for t in SCHEMA.tables if t.holds_resources]
    rows = " UNION ALL ".join(
        f"SELECT '{t.name}', id, version, recurso::text, original FROM {t.qualified} WHERE fuente = %(f)s"
        for t in tables
    )
    former = "SELECT 'historia', id, version, recurso::text, original FROM historia WHERE fuente = %(f)s"
    found = db.conn.execute(f"SELECT * FROM ({rows} UNION ALL {former}) AS r", {"f": source})  # type: ignore[arg-type]
    return sorted(map(str, found))


def test_a_file_that_was_loaded_whole_is_passed_over_until_it_changes(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    one = written(tmp_path / "one.ndjson", people(3, 2))
    two = written(tmp_path / "two.ndjson", [weight("x", "Patient/p0")])
    first = loaded(db, one, two, source=source)
    second = loaded(db, one, two, source=source)
    assert (first.files, first.passed_over, first.new) == (2, 0, 10)
    assert (second.files, second.passed_over, second.read) == (0, 2, 0)
    assert loaded(db, one, source=source, again=True).unchanged == 9
    assert loaded(db, one, source=unique()).new == 9, "of another source nothing was loaded"
    two.write_text(weight("x", "Patient/p0", "73") + "\n")
    third = loaded(db, one, two, source=source)
    assert (third.passed_over, third.changed) == (1, 1)


def test_a_file_with_a_reject_is_read_and_rejected_again(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    path = written(tmp_path / "one.ndjson", [weight("a", "Patient/p"), "{", weight("b", "Patient/p")])
    first, second = loaded(db, path, source=source), loaded(db, path, source=source)
    assert (first.new, first.rejected) == (2, 1)
    assert (second.passed_over, second.unchanged, second.by_reason) == (0, 2, {"not-json": 1})


def test_other_identity_rules_read_a_file_again(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    path = written(tmp_path / "one.ndjson", people(1, 1))
    loaded(db, path, source=source)
    report = load(db.conn, [path], schema=SCHEMA, fuente=source, rules=(), reject_file=tmp_path / "r")
    assert (report.passed_over, report.read) == (0, 2)


def test_a_load_logs_files_batches_and_rejects_without_a_document(
    db: TestDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, number = unique(), f"{unique()}7"
    path = written(tmp_path / "one.ndjson", [json.dumps(person("p0", number)), weight("a", "Patient/p0"), "{"])
    caplog.clear()
    with caplog.at_level("DEBUG", "pyhce.records.loading"):
        loaded(db, path, source=source)
        loaded(db, written(tmp_path / "two.ndjson", [weight("a", "Patient/p0")]), source=source)
    messages = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("INFO", f"reading {path}") in messages
    assert ("DEBUG", "wrote a batch of 2 resources: 2 new, 0 changed") in messages
    assert ("DEBUG", f"rejected {path}:3: not-json") in messages
    assert ("INFO", "load finished: 2 read, 2 new, 1 rejected") in messages
    assert ("DEBUG", "unchanged lines: 1") in messages
    assert number not in caplog.text


def test_several_writers_end_in_the_same_state_as_one(db: TestDatabase, tmp_path: Path) -> None:
    one, several = unique(), unique()
    lines = list(people(12, 40))
    changed = [weight(f"o{n}", f"Patient/p{n % 12}", "1.0") for n in range(0, 480, 7)]
    moved = [weight(f"o{n}", f"Patient/p{(n + 5) % 12}", "2.0") for n in range(0, 480, 11)]
    path = written(tmp_path / "all.ndjson", [*lines, *changed, *moved])
    loaded(db, path, source=one)
    report = loaded(db, path, source=several, jobs=3)
    assert report.read == len(lines) + len(changed) + len(moved)
    assert rows_with_versions(db, several) == rows_with_versions(db, one)


@pytest.mark.parametrize("seed", range(3))
def test_a_load_that_is_killed_and_repeated_ends_in_the_same_state(db: TestDatabase, tmp_path: Path, seed: int) -> None:
    calm, killed, chance = unique(), unique(), random.Random(seed)  # noqa: S311 - moments, not secrets
    lines = list(people(20, 400))
    files = [written(tmp_path / f"{n}.ndjson", lines[n::4]) for n in range(4)]
    loaded(db, *files, source=calm)
    command = [
        sys.executable, "-m", "pyhce", "load", *map(str, files), "--source", killed, "--dsn", db.dsn,
        "--rejects", str(tmp_path / "r"), "--output", "json",
    ]  # fmt: skip
    for _ in range(3):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(timeout=chance.uniform(0.3, 2.0))
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
    done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert done["files"] + done["passed_over"] == 4
    assert rows_with_versions(db, killed) == rows_with_versions(db, calm)
    assert db.value("SELECT count(*) FROM hce.carga") == 0


def test_a_load_beside_an_application_leaves_the_right_versions(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    path = written(tmp_path / "all.ndjson", people(4, 100))
    loaded(db, path, source=source)
    newer = written(tmp_path / "newer.ndjson", [weight(f"o{n}", f"Patient/p{n % 4}", "5.5") for n in range(400)])
    wrong: list[BaseException] = []

    def application() -> None:
        try:
            with pyhce.connect(db.dsn, source=source) as writer:
                for number in range(0, 400, 3):
                    writer.save(weight(f"o{number}", f"Patient/p{number % 4}", "6.5"))
                    writer.save(weight(f"new{number}", f"Patient/p{number % 4}", "7.5"))
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=application)
    thread.start()
    report = loaded(db, newer, source=source, jobs=2)
    thread.join()
    assert (wrong, report.rejected) == ([], 0)
    values = dict(db.rows("SELECT id, valor::text FROM observacion WHERE fuente = %s", source))
    assert len(values) == 400 + 134
    assert {values[f"o{n}"] for n in range(400) if n % 3} == {"5.5"}
    assert {values[f"o{n}"] for n in range(0, 400, 3)} <= {"5.5", "6.5"}
    versions = db.rows(
        "SELECT o.version, (SELECT count(*) FROM historia h WHERE h.documento_id = o.documento_id"
        " AND h.fuente = o.fuente AND h.id = o.id AND h.tipo = 'Observation') FROM observacion o WHERE fuente = %s",
        source,
    )
    assert all(version == former + 1 for version, former in versions), "no version is lost, none is twice"


def test_memory_does_not_grow_with_the_input(db: TestDatabase, tmp_path: Path) -> None:
    peaks = []
    for count in (150, 500):
        path = tmp_path / f"{count}.ndjson.gz"
        with gzip.open(path, "wt") as out:
            out.writelines(f"{line}\n" for line in people(count, 200))
        command = [
            sys.executable, "-c", _RUN, "load", str(path), "--source", unique(), "--dsn", db.dsn, "--jobs", "2",
            "--rejects", str(tmp_path / "r"),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < 300, peaks
    assert peaks[1] < peaks[0] * 1.25, peaks


def test_stored_lines_are_not_parsed(db: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, lines = unique(), list(people(5, 500))
    path = written(tmp_path / "all.ndjson", lines)
    loaded(db, path, source=source)
    before, parsed = rows_with_versions(db, source), []
    monkeypatch.setattr(LineReader, "read", lambda _, line: parsed.append(line))
    report = loaded(db, path, source=source, again=True, jobs=2)
    assert (report.unchanged, report.read, report.rejected) == (len(lines), len(lines), 0)
    assert report.by_type == {"Observation": 2500, "Patient": 5}
    assert len(parsed) == 5, "the Patients, whose document depends on more than their text"
    assert rows_with_versions(db, source) == before


@pytest.mark.parametrize("seed", range(4))
def test_a_load_with_the_sieve_ends_in_the_same_state_as_one_without(
    db: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    lines, chance = list(people(4, 100)), random.Random(seed)  # noqa: S311 - places, not secrets
    ids = [f"o{n}" for n in range(400)]
    deletion = {"resourceType": "Bundle", "type": "transaction"}
    mixed = lines + chance.choices(lines, k=40)  # the same twice
    mixed += [weight(key, f"Patient/p{int(key[1:]) % 4}", "1.0") for key in chance.choices(ids, k=40)]
    mixed += [weight(key, f"Patient/p{chance.randrange(4)}") for key in chance.choices(ids, k=20)]
    mixed += [
        json.dumps({**deletion, "entry": [{"request": {"method": "DELETE", "url": f"Observation/{key}"}}]})
        for key in chance.choices(ids, k=20)
    ]
    mixed += ["{", json.dumps(person("p1", unique())), weight("new", "Patient/p2"), weight("nobody", "Patient/none")]
    chance.shuffle(mixed)
    first, second = written(tmp_path / "1.ndjson", lines), written(tmp_path / "2.ndjson", mixed)
    reports, states = [], []  # how often something moved depends on what is in a batch together
    for sifts in (True, False):
        if not sifts:
            monkeypatch.setattr(Sieve, "sift", lambda _, found: found)
        for name, size in {"SAMPLE": 5, "AT_ONCE": 40, "PAUSE": 3, "LONGEST_PAUSE": 20, "UNSURE": 60}.items():
            monkeypatch.setattr(sieve, name, size)
        source = unique()
        loaded(db, first, source=source)
        report = loaded(db, second, source=source, jobs=2)
        reports.append(report.model_copy(update={"seconds": 0.0, "moved": 0, "reject_file": None}))
        states.append(rows_with_versions(db, source))
    assert reports[0] == reports[1]
    assert states[0] == states[1]
    assert reports[0].unchanged > 200
