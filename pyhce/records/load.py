"""Load: FHIR resources into their homes, in batches, each one transaction; safe to repeat and to interrupt."""

from __future__ import annotations

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
from pyhce.records.assign import Ready, assign
from pyhce.records.homes import LostRace
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.reader import Deleted, Found, Rejected, Skipped, read
from pyhce.records.sources import files_in
from pyhce.records.spelling import NotJson, stored
from pyhce.records.upsert import Written, write
from pyhce.schema.model import Frozen, Schema

BATCH_RESOURCES = 1000
BATCH_BYTES = 8_000_000
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
        moved: resources that changed home: a patient arrived, or a document or a patient was corrected.
        patients: Patient resources read; provisional: those among them without a document.
        by_type: resources read, by FHIR type.
    """

    files: int = 0
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
    fuente: str = "",
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    reject_file: Path = Path("rejected.ndjson"),
    progress: Progress | None = None,
) -> LoadReport:
    """Load files and folders: R4 bundles, NDJSON, single resources.

    Nothing valid is turned away, whatever the order of files: a resource whose patient is not there yet waits under
    a provisional record. The same input again changes nothing.

    Args:
        fuente: the source system; ids are unique within one.
        rules: which identifiers are identity documents.
        reject_file: where what is not FHIR goes, with its reason; written only if there is any.

    Raises:
        UsageError: a path is not there.
        HceError: the database refused for good, or writers kept getting in each other's way.
    """
    start = time.monotonic()
    state = _State(conn, schema, fuente, rules, reject_file, start, progress)
    for batch in _batches(state, _all_of(state, files_in(list(paths)))):
        state.add(batch)
    state.current = ""
    return state.report()


def _all_of(state: _State, files: list[Path]) -> Iterator[Found]:
    for path in files:
        state.counts["files"] += 1
        state.current = str(path)
        yield from read(path)


class _State:
    """The counts of a load under way."""

    def __init__(
        self,
        conn: Connection[TupleRow],
        schema: Schema,
        fuente: str,
        rules: tuple[DocumentRule, ...],
        reject_file: Path,
        start: float,
        progress: Progress | None,
    ) -> None:
        self.conn, self.schema, self.fuente, self.rules = conn, schema, fuente, rules
        self.reject_file, self.start, self.progress = reject_file, start, progress
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.current = ""

    def reject(self, rejected: Rejected) -> None:
        """Note what is no FHIR, with its reason, before anything else happens to it."""
        line = {
            "file": rejected.where.file,
            "line": rejected.where.line,
            "reason": rejected.reason,
            "detail": rejected.detail,
            "resource": rejected.text.encode("utf-8", "replace").decode(),
        }
        first = not self.counts["rejected"]
        with self.reject_file.open("wb" if first else "ab") as out:
            out.write(orjson.dumps(line) + b"\n")
        self.counts["rejected"] += 1
        self.reasons[rejected.reason] += 1

    def add(self, batch: list[Ready]) -> None:
        """Write a batch; if the database cannot take a value of it, find which one and reject that."""
        try:
            written, moved = _write(self, batch)
        except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
            if len(batch) > 1:
                self.add(batch[: len(batch) // 2])
                self.add(batch[len(batch) // 2 :])
                return
            only = batch[0]
            detail = str(error.diag.message_primary or type(error).__name__)
            self.reject(Rejected(only.incoming.where, "database", detail, only.text.original or only.text.recurso))
            return
        self.counts.update(written._asdict())
        self.counts["moved"] += moved
        self.counts["read"] += len(batch)
        self.types.update(ready.incoming.type for ready in batch)
        if self.progress:
            self.progress(self.report())

    def report(self) -> LoadReport:
        """The counts so far."""
        return LoadReport(
            **{name: self.counts[name] for name in ("files", "read", "rejected", "moved", *Written._fields)},
            reject_file=str(self.reject_file) if self.counts["rejected"] else None,
            by_reason=dict(sorted(self.reasons.items())),
            skipped=dict(sorted(self.skipped.items())),
            by_type=dict(sorted(self.types.items())),
            current_file=self.current,
            seconds=round(time.monotonic() - self.start, 2),
        )


def _batches(state: _State, found: Iterator[Found]) -> Iterator[list[Ready]]:
    """Resources in batches in which no identity is twice, so that versions keep their order."""
    batch: list[Ready] = []
    seen: set[tuple[str, str]] = set()
    size = 0
    for item in found:
        if isinstance(item, Rejected):
            state.reject(item)
            continue
        if isinstance(item, Skipped | Deleted):
            state.skipped[item.what if isinstance(item, Skipped) else "entry without a resource (DELETE)"] += 1
            continue
        try:
            ready = Ready(item, stored(item.resource, item.exact))
        except NotJson as error:
            state.reject(Rejected(item.where, "not-json", str(error), item.id))
            continue
        identity = (item.type, item.id)
        if identity in seen or len(batch) >= BATCH_RESOURCES or size >= BATCH_BYTES:
            yield batch
            batch, seen, size = [], set(), 0
        batch.append(ready)
        seen.add(identity)
        size += len(ready.text.recurso)
    if batch:
        yield batch


def _write(state: _State, batch: list[Ready]) -> tuple[Written, int]:
    """One batch in one transaction, again when another writer got in the way."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with state.conn.transaction():
                located, moved = assign(state.conn, state.schema, batch, fuente=state.fuente, rules=state.rules)
                return write(state.conn, state.schema, located, fuente=state.fuente), moved
        except _AGAIN as error:
            if attempt == ATTEMPTS:
                raise HceError(
                    f"{state.current}: other writers got in the way {ATTEMPTS} times ({type(error).__name__})",
                    remedy="Run the same load again when they are done: what is loaded stays, nothing is twice.",
                ) from error
            time.sleep(min(0.05 * 2**attempt, 2.0))
    raise AssertionError
