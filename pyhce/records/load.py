"""Load: FHIR resources into their homes, in batches, each one transaction; safe to repeat and to interrupt."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import orjson
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from pydantic import Field

from pyhce.records.assign import assign
from pyhce.records.homes import AGAIN, kept_losing
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.incoming import Deleted, Found, Line, Rejected, Skipped, Where
from pyhce.records.journal import Journal
from pyhce.records.lookup import Memory
from pyhce.records.reader import resources_in, scan
from pyhce.records.ready import LineReader, Ready, ready
from pyhce.records.remove import Removable, Removed, remove
from pyhce.records.sieve import Sieve
from pyhce.records.sources import STDIN, Source, files_in
from pyhce.records.spelling import NotJson
from pyhce.records.strict import available, problems
from pyhce.records.upsert import Written, write
from pyhce.records.writers import Writers
from pyhce.schema.model import Frozen, Schema

DEFAULT_JOBS = 2
"""Connections to write through at once, so that neither reading nor the server waits; more cores take more."""
ATTEMPTS = 12

_COUNTED = ("files", "passed_over", "read", "rejected", "moved", "deleted", "not_there", *Written._fields)
DELETED_AT_ONCE = 1000

Progress = Callable[["LoadReport"], None]
Done = TypeVar("Done")


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
        deleted: resources that a DELETE entry named; not_there: those that were not there, or deleted before.
        by_type: resources read, by FHIR type.
        bytes_read, bytes_total: of the files as they are on disk; 0 where that is not known, as of a pipe.
    """

    files: int = 0
    passed_over: int = 0
    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    superseded: int = 0
    moved: int = 0
    deleted: int = 0
    not_there: int = 0
    rejected: int = 0
    reject_file: str | None = None
    by_reason: dict[str, int] = Field(default_factory=dict)
    skipped: dict[str, int] = Field(default_factory=dict)
    by_type: dict[str, int] = Field(default_factory=dict)
    current_file: str = ""
    bytes_read: int = 0
    bytes_total: int = 0
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
    strict: bool = False,
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
        strict: reject what does not fit R4's definitions; see `pyhce.records.strict`.

    Raises:
        UsageError: a path is not there, or the extra `strict` is not installed.
        HceError: the database refused for good, or writers kept getting in each other's way.
    """
    if strict:
        available()
    files = files_in(list(paths))
    journal = Journal(conn, fuente, how=f"{rules!r} {strict}", again=again)
    state = _State(schema, fuente, rules, reject_file, strict, journal, progress)
    state.total = sum(path.stat().st_size for path in files if path != STDIN)
    with Writers(writers or [conn], state.write, inline=not writers) as out:
        sieve = Sieve(conn, schema, fuente, pending=out.pending, unchanged=state.unchanged)
        for path in files:
            if journal.has(path):
                state.pass_over(path)
                continue
            with Source(path) as source:
                state.begin(source)
                journal.ended(source, _one_file(state, conn, source, out, sieve))
        out.drain()
    journal.settle()
    state.begin(None)
    return state.report()


def _one_file(state: _State, conn: Connection[TupleRow], source: Source, out: Writers, sieve: Sieve) -> int:
    """Everything in a file, in its order, to the writers; how many resources it has."""
    count, before = 0, state.sifted
    deleted: dict[Removable, Where] = {}
    for found in _of_file(state, source, sieve):
        if isinstance(found, Deleted):
            sieve.waits = True  # it would look before this is done
            deleted[found.type, found.key] = found.where
            if len(deleted) < DELETED_AT_ONCE:
                continue
        if deleted:
            out.drain()
            state.delete(conn, deleted)
            deleted, sieve.waits = {}, False
        if isinstance(found, Ready):
            count += 1
            out.add(found)
    if deleted:
        out.drain()
        state.delete(conn, deleted)
    sieve.waits = False
    return count + state.sifted - before


def _of_file(state: _State, source: Source, sieve: Sieve) -> Iterator[Ready | Deleted]:
    read, strict = state.lines.read, state.strict
    for found in scan(source) if strict else sieve.sifted(scan(source)):
        if isinstance(found, Line):
            plain = read(found)
            if plain is None:
                yield from _with_care(state, resources_in(found))
            elif not strict or state.fits(plain):
                yield plain
        else:
            yield from _with_care(state, (found,))


def _with_care(state: _State, found: Iterable[Found]) -> Iterator[Ready | Deleted]:
    for item in found:
        if isinstance(item, Rejected):
            state.reject(item)
        elif isinstance(item, Skipped):
            state.skipped[item.what] += 1
        elif isinstance(item, Deleted):
            yield item
        else:
            try:
                made = ready(state.schema, item)
            except NotJson as error:
                state.reject(Rejected(item.where, "not-json", str(error), item.id))
                continue
            if not state.strict or state.fits(made):
                yield made


class _State:
    """The counts of a load under way; writers in several threads add to them."""

    def __init__(
        self,
        schema: Schema,
        fuente: str,
        rules: tuple[DocumentRule, ...],
        reject_file: Path,
        strict: bool,
        journal: Journal,
        progress: Progress | None,
    ) -> None:
        self.strict, self.journal = strict, journal
        self.schema, self.fuente, self.rules = schema, fuente, rules
        self.reject_file, self.progress = reject_file, progress
        self.start = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.source: Source | None = None
        self.total = self.finished = self.sifted = 0
        self.lock = threading.RLock()
        self.lines = LineReader(schema)
        self.memory = Memory()

    def pass_over(self, path: Path) -> None:
        """Note a file that was loaded before."""
        self.counts["passed_over"] += 1
        self.finished += path.stat().st_size

    def begin(self, source: Source | None) -> None:
        """Note which file is read now."""
        with self.lock:
            if self.source is not None and self.source.path != STDIN:
                self.finished += self.source.size or 0
            self.source = source
            self.counts["files"] += source is not None

    def fits(self, found: Ready) -> bool:
        """Whether a resource is what R4 says; if not it is rejected."""
        wrong = problems(found.exact)
        if wrong:
            self.reject(Rejected(found.where, "not-r4", "; ".join(wrong), found.exact.decode()))
        return not wrong

    def delete(self, conn: Connection[TupleRow], deleted: Mapping[Removable, Where]) -> None:
        """Delete what DELETE entries name; what they do not name for certain is rejected."""

        def work(_: int) -> Removed:
            return remove(conn, self.schema, self.fuente, list(deleted))

        done = retried(conn, work)
        self.counts["deleted"] += done.deleted
        self.counts["not_there"] += done.missing
        for removable in done.not_done:
            detail = "more than one resource fits, or the identifier is not system|value"
            self.reject(Rejected(deleted[removable], "delete-not-done", detail, "?".join(removable)))

    def reject(self, rejected: Rejected) -> None:
        """Note what is no FHIR, with its reason, before anything else happens to it."""
        line = {
            "file": rejected.where.file,
            "line": rejected.where.line,
            "entry": rejected.where.entry or None,
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
            written, moved = retried(conn, lambda attempt: self._written(conn, batch, attempt))
        except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
            if len(batch) > 1:
                self.write(conn, batch[: len(batch) // 2])
                self.write(conn, batch[len(batch) // 2 :])
                return
            only = batch[0]
            detail = str(error.diag.message_primary or type(error).__name__)
            self.reject(Rejected(only.where, "database", detail, only.exact.decode()))
            return
        with self.lock:
            self.counts.update(written._asdict())
            self.counts["moved"] += moved
            self.counts["read"] += len(batch)
            self.types.update([ready.identity[0] for ready in batch])
            self.journal.wrote(Counter([ready.file for ready in batch]))
            if self.progress:
                self.progress(self.report())

    def unchanged(self, types: Counter[str]) -> None:
        """Note what is there as it came, by FHIR type; it needs no writer."""
        with self.lock:
            count = types.total()
            self.sifted += count
            self.counts.update(unchanged=count, read=count)
            self.journal.wrote(Counter({self.source.name: count} if self.source else ()))
            self.types.update(types)
            if self.progress:
                self.progress(self.report())

    def _written(self, conn: Connection[TupleRow], batch: list[Ready], attempt: int) -> tuple[Written, int]:
        found = assign(conn, self.schema, batch, fuente=self.fuente, rules=self.rules, memory=self.memory)
        return write(conn, self.schema, found, fuente=self.fuente, by_copy=attempt == 1), found.moved

    def report(self) -> LoadReport:
        """The counts so far."""
        return LoadReport(
            **{name: self.counts[name] for name in _COUNTED},
            reject_file=str(self.reject_file) if self.counts["rejected"] else None,
            by_reason=dict(sorted(self.reasons.items())),
            skipped=dict(sorted(self.skipped.items())),
            by_type=dict(sorted(self.types.items())),
            current_file=self.source.name if self.source else "",
            bytes_read=self.finished + (self.source.position if self.source and self.source.size else 0),
            bytes_total=self.total,
            seconds=round(time.monotonic() - self.start, 2),
        )


def retried(conn: Connection[TupleRow], work: Callable[[int], Done]) -> Done:
    """Do something in one transaction, again when another writer got in the way; it is told which attempt it is.

    Raises:
        HceError: writers got in the way every time.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with conn.transaction():
                return work(attempt)
        except psycopg.errors.InternalError_:
            if attempt > 1:
                raise
        except AGAIN as error:
            if attempt == ATTEMPTS:
                remedy = "Run the same load again when they are done: what is loaded stays, nothing is twice."
                raise kept_losing(error, ATTEMPTS, remedy=remedy) from error
            time.sleep(min(0.05 * 2**attempt, 2.0))
    raise AssertionError
