"""Load: FHIR resources into their homes, in batches, each one transaction; safe to repeat and to interrupt."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from pydantic import Field

from pyhce.errors import HceError
from pyhce.records.assign import assign
from pyhce.records.homes import LostRace
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.journal import Journal
from pyhce.records.lookup import Memory
from pyhce.records.reader import Found, Line, Rejected, Skipped, resources_in, scan
from pyhce.records.ready import LineReader, Ready, ready
from pyhce.records.sources import files_in
from pyhce.records.spelling import NotJson
from pyhce.records.upsert import Written, write
from pyhce.records.writers import Writers
from pyhce.schema.model import Frozen, Schema

DEFAULT_JOBS = 2
"""Connections to write through at once, so that neither reading nor the server waits; more cores take more."""
ATTEMPTS = 12
_AGAIN = (
    LostRace,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.ForeignKeyViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.LockNotAvailable,
)

Progress = Callable[["LoadReport"], None]


class LoadReport(Frozen):
    """What a load did.

    Args:
        new: resources that were not there.
        changed: those whose content replaced another, which went to the history.
        unchanged: those that were there as they came.
        superseded: those whose content is a former version, or older by meta.lastUpdated: what is there stays.
        rejected: those that are no FHIR; each is in the reject file with its reason.
        skipped: entries that carry no resource, by what they are.
        passed_over: files that the same load had finished before.
        moved: resources that changed home: a patient arrived, or a document or a patient was corrected.
        patients: Patient resources read; provisional: those among them without a document.
        by_type: resources read, by FHIR type.
    """

    files: int = 0
    passed_over: int = 0
    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    superseded: int = 0
    moved: int = 0
    rejected: int = 0
    reject_file: str | None = None
    by_reason: dict[str, int] = Field(default_factory=dict)
    skipped: dict[str, int] = Field(default_factory=dict)
    by_type: dict[str, int] = Field(default_factory=dict)
    current_file: str = ""
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """1 if anything was rejected."""
        return 1 if self.rejected else 0


def load(
    conn: Connection[TupleRow],
    paths: Sequence[Path],
    *,
    schema: Schema,
    writers: Sequence[Connection[TupleRow]] = (),
    fuente: str = "",
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    reject_file: Path = Path("rejected.ndjson"),
    again: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Load files and folders: R4 bundles, NDJSON, single resources.

    Nothing valid is turned away, whatever the order of files: a resource whose patient is not there yet waits under
    a provisional record. The same input again changes nothing; files that were loaded whole are passed over.

    Args:
        writers: connections to write through, each in a thread of its own; if there are none, `conn` is used.
        fuente: the source system; ids are unique within one.
        rules: which identifiers are identity documents.
        reject_file: where what is not FHIR goes, with its reason; written only if there is any.
        again: read files that were loaded whole before, too.

    Raises:
        UsageError: a path is not there.
        HceError: the database refused for good, or writers kept getting in each other's way.
    """
    journal = Journal(conn, fuente, how=repr(rules), again=again)
    state = _State(schema, fuente, rules, reject_file, journal, progress)
    with Writers(writers or [conn], state.write, inline=not writers) as out:
        for found in _all_of(state, files_in(list(paths))):
            out.add(found)
        out.drain()
    journal.settle()
    state.current = ""
    return state.report()


def _all_of(state: _State, files: list[Path]) -> Iterator[Ready]:
    """Every resource of the files that can be stored; what cannot is noted."""
    lines = LineReader(state.schema)
    for path in files:
        state.current = str(path)
        if state.journal.has(path):
            state.counts["passed_over"] += 1
            continue
        state.counts["files"] += 1
        count = 0
        for found in _of_file(state, lines, path):
            count += 1
            yield found
        state.journal.ended(path, count)


def _of_file(state: _State, lines: LineReader, path: Path) -> Iterator[Ready]:
    for found in scan(path):
        if isinstance(found, Line):
            plain = lines.read(found)
            if plain is not None:
                yield plain
            else:
                yield from _with_care(state, resources_in(found))
        else:
            yield from _with_care(state, iter((found,)))


def _with_care(state: _State, found: Iterator[Found]) -> Iterator[Ready]:
    for item in found:
        if isinstance(item, Rejected):
            state.reject(item)
        elif isinstance(item, Skipped):
            state.skipped[item.what] += 1
        else:
            try:
                yield ready(state.schema, item)
            except NotJson as error:
                state.reject(Rejected(item.where, "not-json", str(error), item.id))


class _State:
    """The counts of a load under way; writers in several threads add to them."""

    def __init__(
        self,
        schema: Schema,
        fuente: str,
        rules: tuple[DocumentRule, ...],
        reject_file: Path,
        journal: Journal,
        progress: Progress | None,
    ) -> None:
        self.journal = journal
        self.schema, self.fuente, self.rules = schema, fuente, rules
        self.reject_file, self.progress = reject_file, progress
        self.start = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.current = ""
        self.lock = threading.RLock()
        self.memory = Memory()

    def reject(self, rejected: Rejected) -> None:
        """Note what is no FHIR, with its reason, before anything else happens to it."""
        line = {
            "file": rejected.where.file,
            "line": rejected.where.line,
            "reason": rejected.reason,
            "detail": rejected.detail,
            "resource": rejected.text.encode("utf-8", "replace").decode(),
        }
        with self.lock:
            first = not self.counts["rejected"]
            with self.reject_file.open("wb" if first else "ab") as out:
                out.write(orjson.dumps(line) + b"\n")
            self.counts["rejected"] += 1
            self.reasons[rejected.reason] += 1
            self.journal.reject(rejected.where.file)

    def write(self, conn: Connection[TupleRow], batch: list[Ready]) -> None:
        """Write a batch; if the database cannot take a value of it, find which one and reject that."""
        try:
            written, moved = _write(self, conn, batch)
        except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
            if len(batch) > 1:
                self.write(conn, batch[: len(batch) // 2])
                self.write(conn, batch[len(batch) // 2 :])
                return
            only = batch[0]
            detail = str(error.diag.message_primary or type(error).__name__)
            self.reject(Rejected(only.where, "database", detail, only.text.original or only.text.recurso))
            return
        with self.lock:
            self.counts.update(written._asdict())
            self.counts["moved"] += moved
            self.counts["read"] += len(batch)
            self.types.update(ready.identity[0] for ready in batch)
            self.journal.wrote(Counter(ready.where.file for ready in batch))
            if self.progress:
                self.progress(self.report())

    def report(self) -> LoadReport:
        """The counts so far."""
        return LoadReport(
            **{
                name: self.counts[name]
                for name in ("files", "passed_over", "read", "rejected", "moved", *Written._fields)
            },
            reject_file=str(self.reject_file) if self.counts["rejected"] else None,
            by_reason=dict(sorted(self.reasons.items())),
            skipped=dict(sorted(self.skipped.items())),
            by_type=dict(sorted(self.types.items())),
            current_file=self.current,
            seconds=round(time.monotonic() - self.start, 2),
        )


def _write(state: _State, conn: Connection[TupleRow], batch: list[Ready]) -> tuple[Written, int]:
    """One batch in one transaction, again when another writer got in the way."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with conn.transaction():
                batched = assign(conn, state.schema, batch, fuente=state.fuente, rules=state.rules, memory=state.memory)
                return write(conn, state.schema, batched, fuente=state.fuente), batched.moved
        except _AGAIN as error:
            if attempt == ATTEMPTS:
                raise HceError(
                    f"{state.current}: other writers got in the way {ATTEMPTS} times ({type(error).__name__})",
                    remedy="Run the same load again when they are done: what is loaded stays, nothing is twice.",
                ) from error
            time.sleep(min(0.05 * 2**attempt, 2.0))
    raise AssertionError
