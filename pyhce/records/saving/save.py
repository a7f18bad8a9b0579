"""Saves and deletes single resources, each with its history, on a connection in autocommit mode.

A save takes the shortest of three ways:

1. The resource is stored where it is expected: one call of the table's function `hce.guardar_…`, which Citus sends to
   the node of the patient. It takes no identity lock.
2. The resource is not there: lock its identity and look it up everywhere. If it has no row, call the same function to
   insert one, with the version after the last one of its history.
3. Anything else (a Patient, a resource whose patient is not known, a resource that is stored elsewhere): what a load
   does with a batch, `assign_batch` and `write_batch` in one transaction. So these rules exist only once.

One rule differs from a load: content that equals a former version is a change, because an application means what it
saves. Only a resource that is older by meta.lastUpdated is not written.
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
    """A source system to write for, and the documents of its patients as far as they are known.

    Args:
        schema: the schema of the database.
        fuente: the source.
        rules: which identifiers are documents.
        undecided: resources (source, type, id) in the records of several patients, until a person decides.
    """

    def __init__(
        self,
        schema: Schema,
        fuente: str,
        rules: tuple[DocumentRule, ...],
        undecided: set[ResourceIdentity] | None = None,
    ) -> None:
        self.schema, self.fuente, self.rules = schema, fuente, rules
        self.documents: dict[str, str] = {}
        """Documents by patient id. If one is out of date, the write under it fails, and it is looked up again."""
        self.undecided: set[ResourceIdentity] = set() if undecided is None else undecided
        self.calls = {
            table.name: f"SELECT hce.{writer_name(table)}({_PARAMETERS})"  # our own names
            for table in schema.resource_tables()
        }

        self._elsewhere: dict[str, SourceRecords] = {}

    def for_source_of(self, item: ResourceToSave) -> SourceRecords:
        """The records of the resource's source: these, unless its Bundle holds resources of several servers."""
        fuente = item.prepared.fuente
        if fuente is None or fuente == self.fuente:
            return self
        if fuente not in self._elsewhere:
            self._elsewhere[fuente] = SourceRecords(self.schema, fuente, self.rules, self.undecided)
        return self._elsewhere[fuente]

    def remember(self, key: str, document: str) -> None:
        """Remember a patient's document."""
        if len(self.documents) >= REMEMBERED_DOCUMENTS:
            self.documents.clear()
        self.documents[key] = document


def save(conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave) -> Saved:
    """Write one resource.

    Raises:
        ConcurrentChange: another writer changed it in the meantime. The call must be retried.
        psycopg.Error: the database refused it. `pyhce.records.saving.writer` says which errors are retried.
    """
    records = records.for_source_of(item)
    with _joining_duplicates(conn, records):
        found = _save_in_place(conn, records, item, 1 if item.fresh else None) if _is_simple(item) else None
        return found or _save_with_look_up(conn, records, item)


@contextmanager
def _joining_duplicates(conn: Connection[TupleRow], records: SourceRecords) -> Iterator[None]:
    """Join duplicates that made the call fail, after the rollback, and release the gate.

    Raises:
        ConcurrentChange: duplicates were joined. The call must be retried.
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


def _is_simple(item: ResourceToSave) -> bool:
    """Whether a write touches no other row: no Patient, and its patient, if it has one, is named by an id."""
    return item.type != "Patient" and (item.key is None or bool(is_id(item.key)))


def _save_in_place(
    conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave, version: int | None
) -> Saved | None:
    """Write a resource where it is expected. Returns None if its patient is not known or it is not stored there.

    Args:
        version: the version of a new row; None if the row must exist.
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


def _save_with_look_up(conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave) -> Saved:
    """Look the resource up first. Insert it if it is stored nowhere, else write it like a load."""
    document = _document(conn, records, item.key) if item.key and _is_simple(item) else None
    if document or (item.key is None and _is_simple(item)):
        with conn.transaction():
            version = _last_version(conn, records, item, document)
            saved = _save_in_place(conn, records, item, version + 1) if version is not None else None
        if saved:
            return saved
    with conn.transaction():
        done, written = _write_as_batch(conn, records, [item])
        now = _version(conn, records, done)
        if done.moved:
            close_gate(conn)
    _remember_documents(records, [done])
    outcome: Outcome = next(n for n in ("new", "changed", "superseded", "unchanged") if getattr(written, n))
    return Saved(type=item.type, id=item.id, version=now, outcome=outcome)


def _last_version(
    conn: Connection[TupleRow], records: SourceRecords, item: ResourceToSave, document: str | None
) -> int | None:
    """Lock an identity, and return its last version in the history of its expected location; 0 if it has no history.

    Returns None if the resource is stored somewhere, or its history is in another location.
    """
    values = {"fuente": records.fuente, "tipo": item.type, "id": item.id}
    lock_identities(conn, records.fuente, [(item.type, item.id)])
    last = 0
    with shared_gate(conn):
        for table in records.schema.tables_for(item.type):
            rows = conn.execute(_rows_query(records.schema, table), values, prepare=True)
            for found_document, is_current, version in rows:
                if is_current or table.home is not item.table.home or found_document != document:
                    return None
                last = max(last, version)
    return last


def _rows_query(schema: Schema, table: Table) -> sql.Composed:
    """A query for the rows of an identity in a table and in its history: document, whether it is current, version."""
    history = schema.by_name[FAMILIES[table.home].history]
    own, document = ("documento_id", "documento_id") if table.home is Home.PATIENT else ("id", "NULL::text")
    parts = [
        sql.SQL("SELECT {} AS propio, {} AS documento, {} AS vigente, version FROM {} AS t WHERE {}").format(
            sql.SQL(own), sql.SQL(document), sql.Literal(looked is table), table_name(looked), _equals(columns)
        )
        for looked, columns in ((table, table.identity_columns), (history, ("tipo", "fuente", "id")))
    ]
    return sql.SQL("SELECT documento, vigente, version FROM ({}) AS todo").format(sql.SQL(" UNION ALL ").join(parts))


def save_many(conn: Connection[TupleRow], records: SourceRecords, items: Sequence[ResourceToSave]) -> SavedMany:
    """Write several resources in their order, in one transaction: all of them or none. Raises as `save`."""
    total = CountTotals()
    assigned: list[tuple[SourceRecords, AssignedBatch]] = []
    with _joining_duplicates(conn, records), conn.transaction():
        lock_identities_across_sources(
            conn, [(records.for_source_of(item).fuente, item.type, item.id) for item in items]
        )
        for part in _runs(items):
            done, written = _write_as_batch(conn, records, part)
            total.add(written)
            assigned.append((records.for_source_of(part[0]), done))
        moved = sum(done.moved for _, done in assigned)
        if moved:
            close_gate(conn)
    for source, done in assigned:
        _remember_documents(source, [done])
    return SavedMany(references=tuple(f"{item.type}/{item.id}" for item in items), moved=moved, **vars(total))


def delete(conn: Connection[TupleRow], records: SourceRecords, fhir_type: str, key: str) -> Deleted:
    """Delete one resource. Its content stays in the history, followed by a tombstone. Raises as `save`."""
    with _joining_duplicates(conn, records), conn.transaction():
        there = remove(conn, records.schema, records.fuente, [(fhir_type, key)]).deleted
    return Deleted(type=fhir_type, id=key, outcome="deleted" if there else "absent")


def _write_as_batch(
    conn: Connection[TupleRow], records: SourceRecords, items: Sequence[ResourceToSave]
) -> tuple[AssignedBatch, WriteCounts]:
    """Write resources of one source like a batch of a load, inside the caller's transaction."""
    source = records.for_source_of(items[0])
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


def _remember_documents(records: SourceRecords, written: Iterable[AssignedBatch]) -> None:
    """Remember the documents of the Patients that were written.

    The documents of other resources are not remembered: one of a Patient that has not arrived is provisional, and would
    be out of date soon.
    """
    for assigned in written:
        for place, prepared in assigned.located():
            if prepared.identity[0] == "Patient" and place.document is not None:
                records.remember(prepared.identity[1], place.document)


def _version(conn: Connection[TupleRow], records: SourceRecords, assigned: AssignedBatch) -> int:
    """The version of the one resource of the batch."""
    ((place, prepared),) = assigned.located()
    table = records.schema.by_name[place.table]
    found = conn.execute(
        sql.SQL("SELECT version FROM {} AS t WHERE {}").format(table_name(table), _equals(table.key)),
        _key(records, place.document, *prepared.identity),
    ).fetchone()
    if found is None:
        raise ConcurrentChange
    return int(found[0])


def _equals(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("t.{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in columns
    )


def _key(records: SourceRecords, document: str | None, fhir_type: str, key: str) -> dict[str, object]:
    return {"documento_id": document, "fuente": records.fuente, "tipo": fhir_type, "id": key}


def _runs(items: Sequence[ResourceToSave]) -> list[list[ResourceToSave]]:
    """Split items into runs of one source in which no identity occurs twice, so that versions keep their order."""
    parts: list[list[ResourceToSave]] = [[]]
    seen: set[tuple[str, str]] = set()
    for item in items:
        if (item.type, item.id) in seen or (parts[-1] and parts[-1][0].prepared.fuente != item.prepared.fuente):
            parts.append([])
            seen.clear()
        parts[-1].append(item)
        seen.add((item.type, item.id))
    return [part for part in parts if part]
