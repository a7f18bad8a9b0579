"""Saves and deletes, one resource at a time, each with its history; on a connection that commits by itself.

A save of what is where it is expected is one call of the table's function `hce.guardar_…`, which Citus sends to the
node of the patient. Everything else goes the loader's own way, `assign` and `write` in one transaction, so that its
rules are stated once: a Patient, a patient not known, a resource that is elsewhere. What is not where it is expected is
looked up under the lock of its identity (`pyhce.records.writing.locks`).

One rule differs from the loader's: a content that was there before is a change, as an application that saves it means
it. Only what is older by meta.lastUpdated is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule
from pyhce.records.reading.ids import is_id
from pyhce.records.saving.application_input import ResourceToSave
from pyhce.records.saving.saved import Deleted, Outcome, Saved, SavedMany
from pyhce.records.writing.assign import AssignedBatch, assign_batch
from pyhce.records.writing.deduplication import ResourceIdentity, resolve_conflict
from pyhce.records.writing.locks import (
    close_gate,
    lock_identities,
    lock_identities_across_sources,
    release_gate,
    shared_gate,
)
from pyhce.records.writing.lookup import LookupMemory
from pyhce.records.writing.patient_documents import REMEMBERED_DOCUMENTS
from pyhce.records.writing.patient_keys import known_documents
from pyhce.records.writing.remove import remove
from pyhce.records.writing.retry import ConcurrentChange, DuplicateResources, RecordCollision, lock_table_full
from pyhce.records.writing.table_sql import table_name
from pyhce.records.writing.upsert import CountTotals, WriteCounts, write_batch
from pyhce.schema.model import FAMILIES, Home, Schema, Table
from pyhce.schema.writer_functions import ARGUMENTS, PATIENT_MOVED, PROTOCOL, writer_name

_PARAMETERS = ", ".join("%s" for _ in ARGUMENTS)


class SourceRecords:
    """A source system's records in a database, and what is known of their patients' documents."""

    def __init__(
        self,
        schema: Schema,
        fuente: str,
        rules: tuple[DocumentRule, ...],
        undecided: set[ResourceIdentity] | None = None,
    ) -> None:
        self.schema, self.fuente, self.rules = schema, fuente, rules
        self.documents: dict[str, str] = {}
        """Documents by the id of the patient. One that is wrong by now is found out by what is written under it."""
        self.undecided: set[ResourceIdentity] = set() if undecided is None else undecided
        """Resources that are in the records of several patients until a person decides."""
        self.calls = {
            table.name: f"SELECT hce.{writer_name(table)}({_PARAMETERS})"  # our own names
            for table in schema.resource_tables()
        }

        self._elsewhere: dict[str, SourceRecords] = {}

    def of(self, item: ResourceToSave) -> SourceRecords:
        """The records of the source that a resource is of: itself, unless its Bundle is of several servers."""
        fuente = item.prepared.fuente
        if fuente is None or fuente == self.fuente:
            return self
        if fuente not in self._elsewhere:
            self._elsewhere[fuente] = SourceRecords(self.schema, fuente, self.rules, self.undecided)
        return self._elsewhere[fuente]

    def remember(self, key: str, document: str) -> None:
        """Note a patient's document."""
        if len(self.documents) >= REMEMBERED_DOCUMENTS:
            self.documents.clear()
        self.documents[key] = document


def save(conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave) -> Saved:
    """Write one resource.

    Raises:
        LostRace, psycopg.Error: to be done again, or for good; see `pyhce.records.saving.writer`.
    """
    records = records.of(item)
    with _prepared_again(conn, records):
        found = _directly(conn, records, item, 1 if item.fresh else None) if _plain(item) else None
        return found or _carefully(conn, records, item)


@contextmanager
def _prepared_again(conn: Connection[TupleRow], records: SourceRecords) -> Iterator[None]:
    """What is stored twice is brought together after the rollback; the caller is then told to do its call again.

    Raises:
        LostRace: to be done again.
        HceError: the server's lock table is full.
    """
    try:
        yield
    except (DuplicateResources, RecordCollision) as error:
        release_gate(conn)
        records.undecided.update(resolve_conflict(conn, records.schema, error).waiting())
        raise ConcurrentChange from error
    except psycopg.errors.OutOfMemory as error:
        raise lock_table_full(error) from error
    finally:
        release_gate(conn)


def _plain(item: ResourceToSave) -> bool:
    """Whether it can be written without touching another row: no Patient, and its patient named by an id."""
    return item.type != "Patient" and (item.key is None or bool(is_id(item.key)))


def _directly(
    conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave, version: int | None
) -> Saved | None:
    """Write it where it is expected; None if its patient is not known, or it is not there.

    Args:
        version: that of a new row, None if it must be there.
    """
    document = None
    if item.key is not None:
        document = _document(conn, records, item.key)
        if document is None:
            return None
    text = item.prepared.text
    values = (document, records.fuente, item.type, item.id, item.key, *text, version, PROTOCOL)
    row: Any = None
    try:
        row = conn.execute(records.calls[item.table.name], values, prepare=True).fetchone()
    except psycopg.Error as error:
        anchor_is_gone = item.key is not None and isinstance(error, psycopg.errors.ForeignKeyViolation)
        if not anchor_is_gone and error.sqlstate != PATIENT_MOVED:
            raise
        if item.key is not None:
            records.documents.pop(item.key, None)
        raise ConcurrentChange from error
    outcome, now = row[0]
    if outcome == "absent":
        return None
    return Saved.model_validate({"type": item.type, "id": item.id, "version": int(now), "outcome": outcome})


def _document(conn: Connection[TupleRow], records: SourceRecords, key: str) -> str | None:
    document = records.documents.get(key)
    if document is None:
        document = known_documents(conn, records.fuente, [key], records.rules).get(key)
        if document is not None:
            records.remember(key, document)
    return document


def _carefully(conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave) -> Saved:
    """Look where it is first: create it if it is nowhere, else as the loader does."""
    document = _document(conn, records, item.key) if item.key and _plain(item) else None
    if document or (item.key is None and _plain(item)):
        with conn.transaction():
            version = _last_version(conn, records, item, document)
            saved = _directly(conn, records, item, version + 1) if version is not None else None
        if saved:
            return saved
    with conn.transaction():
        done, written = _as_loaded(conn, records, [item])
        now = _version(conn, records, done)
        if done.moved:
            close_gate(conn)
    _learn(records, [done])
    outcome: Outcome = next(n for n in ("new", "changed", "superseded", "unchanged") if getattr(written, n))
    return Saved(type=item.type, id=item.id, version=now, outcome=outcome)


def _last_version(
    conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave, document: str | None
) -> int | None:
    """Hold an identity; its last version in the history where it would be new, 0 if none.

    None if it is somewhere already, or its history is elsewhere.
    """
    values = {"fuente": records.fuente, "tipo": item.type, "id": item.id}
    lock_identities(conn, records.fuente, [(item.type, item.id)])
    last = 0
    with shared_gate(conn):
        for table in records.schema.tables_for(item.type):
            for held, is_current, version in conn.execute(_everywhere(records.schema, table), values, prepare=True):
                if is_current or table.home is not item.table.home or held != document:
                    return None
                last = max(last, version)
    return last


def _everywhere(schema: Schema, table: Table) -> sql.Composed:
    """The record and version of an identity's rows in a table and in its history, whether each is current."""
    history = schema.by_name[FAMILIES[table.home].history]
    own, document = ("documento_id", "documento_id") if table.home is Home.PATIENT else ("id", "NULL::text")
    parts = [
        sql.SQL("SELECT {} AS propio, {} AS documento, {} AS vigente, version FROM {} AS t WHERE {}").format(
            sql.SQL(own), sql.SQL(document), sql.Literal(looked is table), table_name(looked), _equal(columns)
        )
        for looked, columns in ((table, table.identity_columns), (history, ("tipo", "fuente", "id")))
    ]
    return sql.SQL("SELECT documento, vigente, version FROM ({}) AS todo").format(sql.SQL(" UNION ALL ").join(parts))


def save_many(conn: Connection[TupleRow], records: SourceRecords, items: Sequence[ResourceToSave]) -> SavedMany:
    """Write several resources in one transaction, in their order: all of them or none."""
    total = CountTotals()
    assigned: list[tuple[SourceRecords, AssignedBatch]] = []
    with _prepared_again(conn, records), conn.transaction():
        lock_identities_across_sources(conn, [(records.of(item).fuente, item.type, item.id) for item in items])
        for part in _parts(items):
            done, written = _as_loaded(conn, records, part)
            total.add(written)
            assigned.append((records.of(part[0]), done))
        moved = sum(done.moved for _, done in assigned)
        if moved:
            close_gate(conn)
    for source, done in assigned:
        _learn(source, [done])
    return SavedMany(references=tuple(f"{item.type}/{item.id}" for item in items), moved=moved, **vars(total))


def delete(conn: Connection[TupleRow], records: SourceRecords, fhir_type: str, key: str) -> Deleted:
    """Delete one resource; its content stays in the history, a tombstone follows."""
    with _prepared_again(conn, records), conn.transaction():
        there = remove(conn, records.schema, records.fuente, [(fhir_type, key)]).deleted
    return Deleted(type=fhir_type, id=key, outcome="deleted" if there else "absent")


def _as_loaded(
    conn: Connection[TupleRow], records: SourceRecords, items: Sequence[ResourceToSave]
) -> tuple[AssignedBatch, WriteCounts]:
    """The loader's own way, inside the caller's transaction."""
    source = records.of(items[0])
    assigned = assign_batch(
        conn,
        records.schema,
        [item.prepared for item in items],
        fuente=source.fuente,
        rules=records.rules,
        memory=LookupMemory(undecided=records.undecided),
        by_content=False,
    )
    written = write_batch(conn, records.schema, assigned, fuente=source.fuente, by_copy=False, by_content=False)
    return assigned, written


def _learn(records: SourceRecords, written: Iterable[AssignedBatch]) -> None:
    """Remember the documents of patients that were written; a provisional one of a patient not known would mislead."""
    for assigned in written:
        for place, prepared in assigned.located():
            if prepared.identity[0] == "Patient" and place.document is not None:
                records.remember(prepared.identity[1], place.document)


def _version(conn: Connection[TupleRow], records: SourceRecords, assigned: AssignedBatch) -> int:
    """The version of the one resource that was written."""
    ((place, prepared),) = assigned.located()
    table = records.schema.by_name[place.table]
    found = conn.execute(
        sql.SQL("SELECT version FROM {} AS t WHERE {}").format(table_name(table), _equal(table.key)),
        _key(records, place.document, *prepared.identity),
    ).fetchone()
    if found is None:
        raise ConcurrentChange
    return int(found[0])


def _equal(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("t.{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in columns
    )


def _key(records: SourceRecords, document: str | None, fhir_type: str, key: str) -> dict[str, object]:
    return {"documento_id": document, "fuente": records.fuente, "tipo": fhir_type, "id": key}


def _parts(items: Sequence[ResourceToSave]) -> list[list[ResourceToSave]]:
    """Runs of one source in which no identity is twice, so that versions keep their order."""
    parts: list[list[ResourceToSave]] = [[]]
    seen: set[tuple[str, str]] = set()
    for item in items:
        if (item.type, item.id) in seen or (parts[-1] and parts[-1][0].prepared.fuente != item.prepared.fuente):
            parts.append([])
            seen.clear()
        parts[-1].append(item)
        seen.add((item.type, item.id))
    return [part for part in parts if part]
