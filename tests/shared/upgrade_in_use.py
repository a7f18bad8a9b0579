"""A database of the former release, full of data, migrated twice while it is written and read.

The writers are a process of the former release, which is refused once migration 2 is applied; then the present release,
which continues during migration 3 until its resources have a new table; then the release of migration 3. The reader
queries one table all the time, also while an export locks that table and migration 3 waits for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pyhce import local, sample
from pyhce.citus import online
from pyhce.citus.connection import connect
from pyhce.errors import HceError
from pyhce.records.saving.writer import Writer
from pyhce.records.upgrading.upgrade import upgrade
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Schema
from pyhce.verify import verify
from tests.shared.database import TestDatabase
from tests.shared.former import command, environment, former, former_database, unnamed
from tests.shared.former_documents import EXPECTED, filled, place
from tests.shared.until import until
from tests.shared.upgrades import ACCOUNTS, LATER, register_schema, with_column_and_index, with_tables

pytestmark = pytest.mark.slow  # each test has servers of its own

LONGEST_WAIT = 20.0
"""Seconds that the reader may wait: LOCK_TIMEOUT, on a busy machine. The export locks the table for longer."""
ATTEMPTS = 27
"""Attempts of the migration while the export locks the table."""
PATIENT = {
    "resourceType": "Patient", "id": "w",
    "identifier": [{"system": "https://www.registraduria.gov.co/cedula", "value": "8001"}],
}  # fmt: skip
FORMER_WRITER = """
import json, sys, pyhce
dsn, patient = sys.argv[1], json.loads(sys.argv[2])
with pyhce.connect(dsn, source="former", connections=1) as db:
    number = 0
    while True:
        number += 1
        for resource in resources(patient, number):
            saved = db.save(resource)
            print(f"{saved.type}/{saved.id}", flush=True)
"""
RESOURCES = '''
def resources(patient, number):
    """A Patient that changes, and an observation and an account of it, new and changed by turns."""
    subject = {"reference": "Patient/w"}
    yield {**patient, "name": [{"family": f"Version {number}"}]}
    for key in (f"o{number}", "o1"):
        yield {"resourceType": "Observation", "id": key, "status": "final", "subject": subject,
               "code": {"text": str(number)}}
    yield {"resourceType": "Account", "id": f"c{number}", "status": "active", "subject": [subject]}
'''


@contextmanager
def former_writer(db: TestDatabase) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process of the former release that saves until it is refused, with the list of what it acknowledged."""
    program = RESOURCES + FORMER_WRITER
    acknowledged: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", program, db.dsn, json.dumps(PATIENT)],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip

        def follow() -> None:
            assert process.stdout is not None
            for line in iter(process.stdout.readline, ""):
                acknowledged.append(line.strip())

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield process, acknowledged
        finally:
            process.kill()
            thread.join()


class BackgroundLoop:
    """Repeats an operation in a thread until it is stopped; `stop` raises its error."""

    def __init__(self, operation: Callable[[], None]) -> None:
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._operation = operation
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._operation()
        except BaseException as error:
            self._error = error

    def stop(self) -> None:
        """Wait until it has ended."""
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error


class SavesAcrossReleases:
    """Saves with one release after another: the next one as soon as a release is refused."""

    def __init__(self, db: TestDatabase, *schemas: Schema) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self._dsn, self._schemas = db.dsn, list(schemas)
        self._number = 0
        self._resources: Callable[[Any, int], Iterator[dict[str, Any]]] = _resources()
        self._writer: Writer | None = None

    def step(self) -> None:
        """Save one resource of each kind. If a migration moved its type, the next release takes over."""
        try:
            if self._writer is None:
                self._writer = Writer(self._dsn, schema=self._schemas[0], fuente="present", connections=1)
            self._number += 1
            for resource in self._resources(PATIENT, self._number):
                saved = self._writer.save(resource)
                self.acknowledged.append(f"{saved.type}/{saved.id}")
        except HceError as error:
            self.refused.append(str(error))
            self.close()
            if len(self._schemas) > 1 and "the schema was migrated" in str(error):
                del self._schemas[0]
            time.sleep(0.05)  # it is refused until the data steps are done

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _resources() -> Callable[[Any, int], Iterator[dict[str, Any]]]:
    found: dict[str, Any] = {}
    exec(RESOURCES, found)  # noqa: S102 - the text above
    return found["resources"]  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_migrations_beside_a_writer_and_a_reader_lose_nothing_and_block_neither(
    engine: local.Engine, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online, "PAUSE", 0.2)
    later = with_tables(with_column_and_index(SCHEMA), ACCOUNTS)
    with former_database(engine, workers) as db:
        former("load", "--dsn", db.dsn, "--source", "sample", *map(str, sample.files()))
        filled(db, tmp_path)
        waits: list[float] = []
        with connect(unnamed(db.dsn)) as reading, former_writer(db) as (process, former_acknowledged):
            reader = BackgroundLoop(
                lambda: waits.append(_timed(lambda: reading.execute("SELECT count(*) FROM alerta")))
            )
            until(lambda: len(former_acknowledged) > 20)

            assert register_schema(db, SCHEMA).migrations == (2,)
            assert process.wait(timeout=60) != 0
            assert process.stderr is not None
            assert "the database refused" in process.stderr.read()
            assert [step.name for step in upgrade(db.conn, schema=SCHEMA)] == ["documents"]

            writing = SavesAcrossReleases(db, SCHEMA, later)
            writer = BackgroundLoop(writing.step)
            until(lambda: len(writing.acknowledged) > 20)
            _behind_an_export(db, later)
            assert [step.name for step in upgrade(db.conn, schema=later)] == ["Account to cuenta"]
            before = len(writing.acknowledged)
            until(lambda: len(writing.acknowledged) > before + 20)
            for background in (writer, reader):
                background.stop()
            writing.close()

        assert any("these resources now belong in the table cuenta" in output for output in writing.refused)
        assert max(waits) < LONGEST_WAIT, f"{len(waits)} reads"
        assert not_stored_once(db, later, "former", former_acknowledged) == []
        assert not_stored_once(db, later, "present", writing.acknowledged) == []
        assert {key: place(db, *key) for key in EXPECTED} == EXPECTED
        assert verify(db.dsn, schema=later).failed == ()


def _behind_an_export(db: TestDatabase, later: Schema) -> None:
    """Migrate while an export locks the table that the migration and the reader need."""
    lines: list[str] = []
    with connect(db.dsn) as export, ThreadPoolExecutor(1) as pool:
        with export.transaction():
            export.execute("SELECT count(*) FROM alerta")
            start = time.monotonic()
            migration = pool.submit(register_schema, db, later, progress=lines.append)
            until(lambda: sum("is held by process" in line for line in lines) >= ATTEMPTS or migration.done())
            assert time.monotonic() - start > LONGEST_WAIT
        assert migration.result().migrations == (LATER,)


def _timed(operation: Callable[[], object]) -> float:
    start = time.monotonic()
    operation()
    return time.monotonic() - start


def not_stored_once(db: TestDatabase, schema: Schema, source: str, acknowledged: list[str]) -> list[str]:
    """The acknowledged resources that are not stored exactly once."""
    counts: dict[str, int] = {}
    for kind in {reference.split("/")[0] for reference in acknowledged}:
        for table in schema.tables_for(kind):
            of_kind = f" AND tipo = '{kind}'" if table.is_generic else ""
            for (key,) in db.rows(f"SELECT id FROM {table.qualified} WHERE fuente = %s{of_kind}", source):
                counts[f"{kind}/{key}"] = counts.get(f"{kind}/{key}", 0) + 1
    return [reference for reference in acknowledged if counts.get(reference) != 1]


def test_a_running_load_of_the_former_release_is_ended(engine: local.Engine, workers: int) -> None:
    def lines(numbers: range) -> str:
        people = ({**PATIENT, "id": f"p{n}", "identifier": [hospital(n)]} for n in numbers)
        return "".join(json.dumps(one) + "\n" for one in people)

    def hospital(number: int) -> dict[str, Any]:
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}
        return {"type": {"coding": [coding]}, "system": "http://hosp-a.org/mrn", "value": str(number)}

    with former_database(engine, workers) as db:
        words = command("load", "--dsn", db.dsn, "--source", "former", "-")
        with subprocess.Popen(
            words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(lines(range(10_000)))  # more than a batch
            process.stdin.flush()
            until(lambda: db.value("SELECT count(*) FROM paciente") > 0)
            register_schema(db, SCHEMA)
            (report,) = upgrade(db.conn, schema=SCHEMA)
            patients = db.value("SELECT count(*) FROM paciente")
            assert report.counts["patients moved"] == patients > 0
            _, output = process.communicate(lines(range(10_000, 12_000)))
            assert process.returncode != 0
        assert "the connection broke" in output
        assert db.value("SELECT count(*) FROM paciente") == patients
        assert db.value("SELECT count(*) FROM expediente WHERE documento_id NOT LIKE 'MR-%@http://hosp-a.org/mrn'") == 0


def test_the_former_release_refuses_the_present_schema(engine: local.Engine, workers: int, tmp_path: Path) -> None:
    with former_database(engine, workers) as db:
        register_schema(db, SCHEMA)
        path = tmp_path / "patient.json"
        path.write_text(json.dumps(PATIENT))
        for words in (
            ["load", str(path)],
            ["patient", "CC-8001"],
            ["register"],
            ["export", "--to", str(tmp_path / "out")],
        ):
            output = former(*words, "--dsn", db.dsn, fails=True)
            assert f"the database's schema is at migration {SCHEMA.version}" in output
            assert "knows up to 1" in output
        assert db.rows("SELECT count(*) FROM paciente") == [(0,)]
