"""Erase: remove a patient from the database in one transaction, with a receipt, then search every table again.

| what | for example | what happens to it |
|---|---|---|
| the record | every row under the patient's document | deleted |
| about the patient, elsewhere | a document bundle with the patient as subject, a Binary that only their resources use |
deleted | | refers to the patient | a Group, a List, another patient's observation | keeps a masked reference, see
`trace.mask_patient` |
| mentions the patient | an identifier of theirs as plain text | reported, and unchanged |

A row with a masked reference gets a new version, and its former versions are masked too. A mention is left to a person,
because no program can know what it is: it may be a doctor's own number, or the mother's number in her child's record.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, no_progress, scalar
from pyhce.counted import counted
from pyhce.errors import UsageError, printable
from pyhce.records.erasing.changes import ErasureChanges, apply_changes, count_by_table, preview_changes
from pyhce.records.erasing.receipt import (
    Counted,
    DocumentHash,
    Erasure,
    Outcome,
    refuse_existing_receipt,
    write_receipt,
)
from pyhce.records.erasing.retention import retention
from pyhce.records.erasing.search import SearchResult, find_person, hit_identities, search
from pyhce.records.erasing.trace import MIN_WORD, Person, Verdict
from pyhce.records.identity import DEFAULT_RULES, RuleSet, check_document, fold_number, parse_document
from pyhce.records.writing.locks import close_gate, lock_anchors, lock_identities_across_sources
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.retry import CONFLICTS, ConcurrentChange, call_with_retries
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Schema
from pyhce.version import __version__

logger = logging.getLogger(__name__)

ROUNDS = 3
"""How often the search afterwards removes what other writers added meanwhile."""


def erase(
    conn: Connection[TupleRow],
    document: str,
    *,
    schema: Schema,
    reason: str,
    receipt: Path | None = None,
    dry_run: bool = False,
    retention_years: int | None = None,
    rules: RuleSet = DEFAULT_RULES,
    progress: Progress = no_progress,
) -> Erasure:
    """Remove a patient and every reference to them; this cannot be undone. The receipt lists what it cannot reach.

    Args:
        document: the document of the record; it may be a provisional one (PROV-…).
        reason: why, for the receipt.
        receipt: a new file for the receipt, mode 0600; written before the COMMIT and completed afterwards.
        dry_run: change nothing; report what would be erased, with the same hashes.
        retention_years: the years for which a record must be kept after the last care; None for Colombia's 15.
        rules: the identity rules of the loads. They decide by which keys resources name the patient.
        progress: called with a line about the current step.

    Raises:
        UsageError: the document is not valid, the reason is empty or names the document, or the receipt exists.
        HceError: there is no such record, or every attempt met a conflict with other writers. Nothing was erased.
    """
    start = time.monotonic()
    key = check_document(document, "DOCUMENTO")
    _refuse_reason(reason, key)
    if receipt is not None and not dry_run:
        refuse_existing_receipt(receipt)
    who = conn.execute("SELECT session_user, current_user, current_database()").fetchone() or ("", "", "")
    made = Erasure(
        outcome=Outcome.DRY_RUN,
        document=DocumentHash.of(key),
        reason=reason.strip(),
        started_at=_now(),
        database_role=who[0] if who[0] == who[1] else f"{who[0]} as {who[1]}",
        database=who[2],
        pyhce=__version__,
        receipt=printable(receipt) if receipt and not dry_run else None,
        retention=retention(conn, key, schema=schema, years=retention_years),
    )

    person = find_person(conn, schema, key, rules)
    logger.info("erasure begins%s", " (dry run)" if dry_run else "")
    if dry_run:
        found = search(conn, schema, person, progress)
        done = _with(made, preview_changes(conn, schema, person, found), found)
        return _finished(
            _with(done, mentions=count_by_table(found.hits_with(Verdict.MENTION)), tables_searched=found.tables), start
        )
    erasing = _RunningErasure(conn, schema, receipt, progress)
    person, done = erasing.commit(person, made)
    done = erasing.checked(person, done)
    done = _finished(_with(done, vacuumed=erasing.vacuumed(done)), start)
    erasing.write(done)
    return done


def _refuse_reason(reason: str, document: str) -> None:
    if not reason.strip():
        raise UsageError(
            "the reason is empty", remedy="Give a reason, for example --reason 'request of the patient, file 2024-17'."
        )
    number, plain = parse_document(document).value.upper(), reason.upper()
    forms = [form for form in (number, fold_number(number)) if len(form) >= MIN_WORD]
    if document.upper() in plain or any(form in text for form in forms for text in (plain, fold_number(plain))):
        raise UsageError(
            "the reason contains the document",
            remedy="Give a reason that does not name the patient: the receipt keeps it.",
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _with(
    receipt: Erasure, cleared: ErasureChanges | None = None, found: SearchResult | None = None, **changes: Any
) -> Erasure:
    """Return a copy of a receipt with further values."""
    more = cleared._asdict() if cleared else {}
    return receipt.model_copy(update={**more, **({"kept": found.kept} if found else {}), **changes})


def _finished(receipt: Erasure, start: float) -> Erasure:
    masked = sum(entry.rows for entry in receipt.masked)
    logger.info("erasure ends (%s): %s erased, %d masked", receipt.outcome.value, counted(receipt.rows, "row"), masked)
    return _with(receipt, seconds=round(time.monotonic() - start, 2))


class _RunningErasure:
    """An erasure that is running."""

    def __init__(self, conn: Connection[TupleRow], schema: Schema, receipt: Path | None, progress: Progress) -> None:
        self.conn, self.schema, self.receipt, self.progress = conn, schema, receipt, progress

    def write(self, receipt: Erasure) -> None:
        """Write the receipt as it is now."""
        if self.receipt is not None:
            write_receipt(self.receipt, receipt)

    def commit(self, person: Person, made: Erasure) -> tuple[Person, Erasure]:
        """Search and erase in one transaction; after a conflict, search again.

        The receipt is on disk before the COMMIT, so that no erasure is without one.
        """

        def run(_: int) -> tuple[Person, Erasure]:
            nonlocal person
            found = search(self.conn, self.schema, person, self.progress)
            self.progress("erasing")
            try:
                with self.conn.transaction():
                    now = self._lock(person, found)
                    if now != person:
                        person = now
                        raise ConcurrentChange
                    done = _with(made, apply_changes(self.conn, self.schema, person, found), found, erased_at=_now())
                    self.write(_with(done, outcome=Outcome.COMMITTING))
                    close_gate(self.conn)
            except CONFLICTS:
                if self.receipt is not None:
                    self.receipt.unlink(missing_ok=True)  # the transaction was rolled back
                raise
            self.write(_with(done, outcome=Outcome.NOT_CHECKED))
            return person, done

        return call_with_retries(
            run, remedy="Run the same command again when the other writers are done: nothing was erased."
        )

    def _lock(self, person: Person, found: SearchResult) -> Person:
        """Lock the record against other writers until the transaction ends; return the person as it is then.

        In the order of `pyhce.records.writing.locks`: the identities of the rows that are changed in other records, the
        patient's keys, and the anchor, without which no writer can add a row to the record.
        """
        self.conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        lock_identities_across_sources(self.conn, hit_identities(found.hits_with(Verdict.ERASE, Verdict.MASK)))
        lock_patients(self.conn, person.identities)
        lock_anchors(self.conn, [person.document])
        return find_person(self.conn, self.schema, person.document, person.rules)

    def checked(self, person: Person, done: Erasure) -> Erasure:
        """Search every table again, and remove what other writers added meanwhile unless the record exists again."""
        for last in (*[False] * ROUNDS, True):
            back = self._rows_of_record(person)
            found = search(self.conn, self.schema, person, self.progress)
            left = [*back, *count_by_table(found.hits_with(Verdict.ERASE, Verdict.MASK))]
            if back or not left or last:
                break
            done = self._erase_added(person, found, done)
        mentions = self._mentions(person, found)
        outcome = Outcome.LEFT if left else Outcome.MENTIONED if mentions else Outcome.ERASED
        return _with(done, outcome=outcome, left=tuple(left), mentions=mentions, tables_searched=found.tables)

    def _mentions(self, person: Person, found: SearchResult) -> tuple[Counted, ...]:
        """Count the rows of others that mention the patient, and the corrections of this document for other patients.

        Those corrections stay. Without them, the next load of such a patient would go to the erased document.
        """
        query = "SELECT count(*) FROM hce.asignacion WHERE documento_calculado = %s"
        rows = scalar(self.conn, query, person.document)
        others = (Counted(table="asignacion", type="", rows=rows),) if rows else ()
        return (*count_by_table(found.hits_with(Verdict.MENTION)), *others)

    def _erase_added(self, person: Person, found: SearchResult, done: Erasure) -> Erasure:
        try:
            with self.conn.transaction():
                self.conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
                lock_identities_across_sources(self.conn, hit_identities(found.hits_with(Verdict.ERASE, Verdict.MASK)))
                more = apply_changes(self.conn, self.schema, person, found)
        except CONFLICTS:
            return done
        return _with(done, elsewhere=(*done.elsewhere, *more.elsewhere), masked=(*done.masked, *more.masked))

    def _rows_of_record(self, person: Person) -> list[Counted]:
        """Count the rows under the document, and the corrections that lead to it."""
        tables = (*self.schema.distributed_by_patient(), self.schema.by_name["asignacion"])
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*) FROM {} WHERE documento_id = %(d)s").format(
                sql.Literal(table.name), table_name(table)
            )
            for table in tables
        )
        counts = self.conn.execute(query, {"d": person.document}).fetchall()
        return [Counted(table=name, type="", rows=rows) for name, rows in counts if rows]

    def vacuumed(self, done: Erasure) -> tuple[str, ...]:
        """Vacuum the tables from which rows were erased; return those for which it succeeded."""
        self.progress("vacuuming")
        erased = {entry.table for entry in (*done.record, *done.elsewhere)}
        return tuple(name for name in sorted(erased | {entry.table for entry in done.masked}) if self._vacuum(name))

    def _vacuum(self, name: str) -> bool:
        warnings: list[str] = []
        table = table_name(self.schema.by_name[name])
        self.conn.add_notice_handler(warned := lambda diagnostic: warnings.append(diagnostic.severity_nonlocalized))
        try:
            self.conn.execute(sql.SQL("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) {}").format(table))
        except psycopg.Error:
            return False
        finally:
            self.conn.remove_notice_handler(warned)
        return "WARNING" not in warnings
