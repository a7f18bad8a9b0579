"""Concurrent writers of all kinds on overlapping ids and patients, checked against a model of what they wrote.

The model records every acknowledged write. Each write carries a number of its own as its value. At the end, that number
must be in the row of its resource or in the history, each identity must be in one location, and no lock may be held.
The operations of each writer follow from a seed; how the writers interleave depends on the machine.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pyhce
from pyhce.citus.connection import connect
from pyhce.errors import HceError
from pyhce.records.erasing.erase import erase
from pyhce.records.loading.load import load
from pyhce.records.patient.corrections import merge, rekey
from pyhce.records.saving.writer import Writer
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import FAMILIES
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tests.shared.places import duplicate_count
from tests.shared.records import person, weight

WRITERS = 6
KEPT, ERASED = [f"o{i}" for i in range(24)], [f"x{i}" for i in range(6)]
"""Ids of observations that nothing erases, and of observations that may name the erased patient."""
PATIENTS = ["p0", "p1", "p2", "p3"]
CONCURRENT_CORRECTION = ("there is no record", "there is a record", "in one record")
"""Parts of the errors of a correction whose record another correction moved before."""
SEEDS, SHORT = (1, 2), 15.0
"""The seeds of the normal tiers, and the seconds that each runs. A seed that found a fault is added."""
LONGEST_OPERATION = 90.0
"""Seconds that one operation may take on a busy machine before it counts as stuck."""


@dataclass
class Model:
    """The acknowledged writes, the number of operations, and what went wrong."""

    source: str
    numbers: count[int] = field(default_factory=lambda: count(1))
    written: dict[str, set[int]] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self) -> int:
        """A new number for a write, which becomes the value of the observation."""
        with self.lock:
            return next(self.numbers)

    def acknowledged(self, operation: str, writes: list[tuple[str, int]]) -> None:
        """Record that an operation returned."""
        with self.lock:
            self.operations[operation] = self.operations.get(operation, 0) + 1
            for key, number in writes:
                self.written.setdefault(key, set()).add(number)


class RandomWriter:
    """One writer, whose operations follow from its seed."""

    def __init__(self, db: TestDatabase, model: Model, writer: Writer, seed: str, folder: Path) -> None:
        self.db, self.model, self.writer, self.folder = db, model, writer, folder
        self.random = random.Random(seed)  # noqa: S311 - a seed, no secret
        self.name = seed.rsplit("-", 1)[-1]

    def work(self, until: float) -> None:
        """Run operations until the time is over."""
        kinds: list[tuple[Callable[[], None], int]] = [
            (self.loads, 4), (self.saves, 8), (self.saves_many, 3), (self.deletes, 3), (self.rekeys, 2),
            (self.merges, 1), (self.erases, 1), (self.brings_patient, 2),
        ]  # fmt: skip
        while time.monotonic() < until:
            (operation,) = self.random.choices([operation for operation, _ in kinds], [weight for _, weight in kinds])
            start = time.monotonic()
            try:
                operation()
            except HceError as error:
                if not any(words in error.wrong for words in CONCURRENT_CORRECTION):
                    self.model.wrong.append(f"{operation.__name__}: {error.wrong}")
                self.model.acknowledged(f"{operation.__name__} overtaken", [])
            except Exception as error:
                self.model.wrong.append(f"{operation.__name__}: {type(error).__name__} {error}")
            if time.monotonic() - start > LONGEST_OPERATION:
                self.model.wrong.append(f"{operation.__name__} took {time.monotonic() - start:.0f} s")

    def observation(self) -> tuple[str, int, str]:
        """Id, number and JSON text of an observation."""
        key = self.random.choice(KEPT if self.random.random() < 0.8 else ERASED)
        patients: list[str | None] = [*PATIENTS, "unknown", None, *(["gone"] if key in ERASED else [])]
        patient, number = self.random.choice(patients), self.model.number()
        return key, number, weight(key, f"Patient/{patient}" if patient else None, str(number))

    def observations(self, most: int) -> tuple[list[tuple[str, int]], list[str]]:
        """Several observations, no id twice."""
        made = {key: (number, text) for key, number, text in (self.observation() for _ in range(most))}
        return [(key, number) for key, (number, _) in made.items()], [text for _, text in made.values()]

    def loads(self) -> None:
        """Load a file."""
        writes, texts = self.observations(20)
        path = self.folder / f"{self.name}-{writes[0][1]}.ndjson"
        path.write_text("\n".join(texts))
        rejects = self.folder / f"{self.name}.rejected"
        with connect(self.db.dsn) as conn:
            report = load(conn, [path], schema=SCHEMA, fuente=self.model.source, reject_file=rejects)
        path.unlink()
        assert (report.read, report.rejected) == (len(texts), 0), report
        self.model.acknowledged("load", writes)

    def saves(self) -> None:
        """Save one observation."""
        key, number, text = self.observation()
        self.writer.save(text)
        self.model.acknowledged("save", [(key, number)])

    def saves_many(self) -> None:
        """Save several observations."""
        writes, texts = self.observations(6)
        self.writer.save_many(texts)
        self.model.acknowledged("save_many", writes)

    def deletes(self) -> None:
        """Delete an observation."""
        self.writer.delete("Observation", self.random.choice([*KEPT, *ERASED]))
        self.model.acknowledged("delete", [])

    def document(self, patient: str) -> str | None:
        """The present document of a patient."""
        with connect(self.db.dsn) as conn:
            row = conn.execute(
                "SELECT documento_id FROM paciente WHERE fuente = %s AND id = %s", (self.model.source, patient)
            ).fetchone()
        return row[0] if row else None

    def rekeys(self) -> None:
        """Re-key a patient."""
        old = self.document(self.random.choice(PATIENTS))
        if old:
            with connect(self.db.dsn) as conn:
                rekey(conn, old, f"CC-{unique().upper()}", schema=SCHEMA)
            self.model.acknowledged("rekey", [])

    def merges(self) -> None:
        """Merge two records."""
        one, other = (self.document(patient) for patient in self.random.sample(PATIENTS, 2))
        if one and other and one != other:
            with connect(self.db.dsn) as conn:
                merge(conn, one, other, schema=SCHEMA)
            self.model.acknowledged("merge", [])

    def brings_patient(self) -> None:
        """Save a Patient with a new document."""
        patient = self.random.choice(["p0", "p1", "gone"])
        self.writer.save(person(patient, unique()))
        self.model.acknowledged("patient", [])

    def erases(self) -> None:
        """Erase a patient."""
        document = self.document("gone")
        if document:
            with connect(self.db.dsn) as conn:
                erase(conn, document, schema=SCHEMA, reason="stress test")
            self.model.acknowledged("erase", [])


def writers_leave_each_identity_once(db: TestDatabase, folder: Path, seed: int, seconds: float) -> Model:
    """Run writers for some seconds, then check the database against the model."""
    model = Model(unique())
    with pyhce.connect(db.dsn, source=model.source, connections=WRITERS) as writer:
        writer.save_many([person(patient, unique()) for patient in (*PATIENTS, "gone")])
        until = time.monotonic() + seconds
        writers = [RandomWriter(db, model, writer, f"{seed}-{n}", folder) for n in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(one.work, until) for one in writers]:
                done.result(timeout=seconds + 4 * LONGEST_OPERATION)
        left = db.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()")
    context = f"seed {seed}: {model.operations}"
    assert not model.wrong, f"{context}: {model.wrong}"
    assert left == 0, f"{context}: {left} locks are left"
    assert duplicate_count(db, model.source) == 0, context
    for key in KEPT:
        lost = model.written.get(key, set()) - stored_write_numbers(db, model.source, key)
        assert not lost, f"{context}: {len(lost)} writes of {key} are lost"
    failed = {check.code: check.found for check in verify(db.dsn, schema=SCHEMA, groups=["identity"]).failed}
    assert not failed, f"{context}: {failed}"
    return model


def stored_write_numbers(db: TestDatabase, source: str, key: str) -> set[int]:
    """The numbers of an observation's writes in its row and history; its versions must be in order."""
    found, versions = set(), []
    for name in ("observacion", "recurso_compartido", *(family.history for family in FAMILIES.values())):
        kind = " AND tipo = 'Observation'" if SCHEMA.by_name[name].has_stored_column("tipo") else ""
        for version, value in db.rows(
            f"SELECT version, recurso #>> '{{valueQuantity,value}}' FROM {name} WHERE fuente = %s AND id = %s{kind}",
            source, key,
        ):  # fmt: skip
            versions.append(version)
            if value is not None:
                found.add(int(value))
    assert sorted(versions) == list(range(1, len(versions) + 1)), f"{key}: versions {sorted(versions)}"
    return found
