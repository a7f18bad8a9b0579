"""Writers of all kinds at once on overlapping ids, patients and homes, against a model of what must hold at the end.

The model: what was acknowledged. Every write carries a number of its own, so afterwards it must be found in the row of
its resource or in its history; each identity must be in one place; nothing may hold a lock. A seed gives the deeds of
each writer; how they interleave is the machine's. `SEEDS` keeps those that found something.
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
from tests.shared.places import twice
from tests.shared.records import person, weight

WRITERS = 6
KEPT, ERASED = [f"o{i}" for i in range(24)], [f"x{i}" for i in range(6)]
"""Ids of observations: those that nothing erases, and those that may name the patient who is erased."""
PATIENTS = ["p0", "p1", "p2", "p3"]
OVERTAKEN = ("there is no record", "there is a record", "in one record")
"""What a correction says when another one moved the record meanwhile."""
SEEDS, SHORT = (1, 2), 15.0
"""Of the normal tiers. A seed that found something is added."""
DEED = 90.0
"""Seconds that one deed may take on a busy machine before it counts as stuck."""


@dataclass
class Model:
    """What was acknowledged, and what went wrong."""

    source: str
    numbers: count[int] = field(default_factory=lambda: count(1))
    written: dict[str, set[int]] = field(default_factory=dict)
    deeds: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self) -> int:
        """The number of a write, which is the value of the observation."""
        with self.lock:
            return next(self.numbers)

    def acknowledged(self, deed: str, writes: list[tuple[str, int]]) -> None:
        """Note that a deed returned."""
        with self.lock:
            self.deeds[deed] = self.deeds.get(deed, 0) + 1
            for key, number in writes:
                self.written.setdefault(key, set()).add(number)


class Clerk:
    """One writer: its deeds follow from its seed."""

    def __init__(self, db: TestDatabase, model: Model, writer: Writer, seed: str, folder: Path) -> None:
        self.db, self.model, self.writer, self.folder = db, model, writer, folder
        self.random = random.Random(seed)  # noqa: S311 - a seed, no secret
        self.name = seed.rsplit("-", 1)[-1]

    def work(self, until: float) -> None:
        """Deeds until it is time."""
        kinds: list[tuple[Callable[[], None], int]] = [
            (self.loads, 4), (self.saves, 8), (self.saves_many, 3), (self.deletes, 3), (self.rekeys, 2),
            (self.merges, 1), (self.erases, 1), (self.brings_patient, 2),
        ]  # fmt: skip
        while time.monotonic() < until:
            (deed,) = self.random.choices([deed for deed, _ in kinds], [weight for _, weight in kinds])
            start = time.monotonic()
            try:
                deed()
            except HceError as error:
                if not any(words in error.wrong for words in OVERTAKEN):
                    self.model.wrong.append(f"{deed.__name__}: {error.wrong}")
                self.model.acknowledged(f"{deed.__name__} overtaken", [])
            except Exception as error:
                self.model.wrong.append(f"{deed.__name__}: {type(error).__name__} {error}")
            if time.monotonic() - start > DEED:
                self.model.wrong.append(f"{deed.__name__} took {time.monotonic() - start:.0f} s")

    def observation(self) -> tuple[str, int, str]:
        """Id, number and text of an observation."""
        key = self.random.choice(KEPT if self.random.random() < 0.8 else ERASED)
        patients: list[str | None] = [*PATIENTS, "unknown", None, *(["gone"] if key in ERASED else [])]
        patient, number = self.random.choice(patients), self.model.number()
        return key, number, weight(key, f"Patient/{patient}" if patient else None, str(number))

    def observations(self, most: int) -> tuple[list[tuple[str, int]], list[str]]:
        """Several, no id twice."""
        made = {key: (number, text) for key, number, text in (self.observation() for _ in range(most))}
        return [(key, number) for key, (number, _) in made.items()], [text for _, text in made.values()]

    def loads(self) -> None:
        """A load of a file."""
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
        """A save of one."""
        key, number, text = self.observation()
        self.writer.save(text)
        self.model.acknowledged("save", [(key, number)])

    def saves_many(self) -> None:
        """A save of several."""
        writes, texts = self.observations(6)
        self.writer.save_many(texts)
        self.model.acknowledged("save_many", writes)

    def deletes(self) -> None:
        """A delete."""
        self.writer.delete("Observation", self.random.choice([*KEPT, *ERASED]))
        self.model.acknowledged("delete", [])

    def document(self, patient: str) -> str | None:
        """The document that a patient has just now."""
        with connect(self.db.dsn) as conn:
            row = conn.execute(
                "SELECT documento_id FROM paciente WHERE fuente = %s AND id = %s", (self.model.source, patient)
            ).fetchone()
        return row[0] if row else None

    def rekeys(self) -> None:
        """A patient gets another document."""
        old = self.document(self.random.choice(PATIENTS))
        if old:
            with connect(self.db.dsn) as conn:
                rekey(conn, old, f"CC-{unique().upper()}", schema=SCHEMA)
            self.model.acknowledged("rekey", [])

    def merges(self) -> None:
        """Two records become one."""
        one, other = (self.document(patient) for patient in self.random.sample(PATIENTS, 2))
        if one and other and one != other:
            with connect(self.db.dsn) as conn:
                merge(conn, one, other, schema=SCHEMA)
            self.model.acknowledged("merge", [])

    def brings_patient(self) -> None:
        """A Patient comes again with a document of its own, by a save."""
        patient = self.random.choice(["p0", "p1", "gone"])
        self.writer.save(person(patient, unique()))
        self.model.acknowledged("patient", [])

    def erases(self) -> None:
        """A patient leaves for good."""
        document = self.document("gone")
        if document:
            with connect(self.db.dsn) as conn:
                erase(conn, document, schema=SCHEMA, reason="stress test")
            self.model.acknowledged("erase", [])


def writers_leave_each_identity_once(db: TestDatabase, folder: Path, seed: int, seconds: float) -> Model:
    """Let writers work for so long, then look."""
    model = Model(unique())
    with pyhce.connect(db.dsn, source=model.source, connections=WRITERS) as writer:
        writer.save_many([person(patient, unique()) for patient in (*PATIENTS, "gone")])
        until = time.monotonic() + seconds
        clerks = [Clerk(db, model, writer, f"{seed}-{n}", folder) for n in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(clerk.work, until) for clerk in clerks]:
                done.result(timeout=seconds + 4 * DEED)
        left = db.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()")
    told = f"seed {seed}: {model.deeds}"
    assert not model.wrong, f"{told}: {model.wrong}"
    assert left == 0, f"{told}: {left} locks are left"
    assert twice(db, model.source) == 0, told
    for key in KEPT:
        lost = model.written.get(key, set()) - kept(db, model.source, key)
        assert not lost, f"{told}: {len(lost)} writes of {key} are lost"
    failed = {check.code: check.found for check in verify(db.dsn, schema=SCHEMA, groups=["identity"]).failed}
    assert not failed, f"{told}: {failed}"
    return model


def kept(db: TestDatabase, source: str, key: str) -> set[int]:
    """The numbers of the writes of an observation that are in its row or its history; its versions are in order."""
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
