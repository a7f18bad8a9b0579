"""Saves and deletes, one resource at a time, each with its history; on a connection that commits by itself.

A save of what is where it is expected is one call of the table's function `hce.guardar_…`, which Citus sends to the
node of the patient. Everything else goes the loader's own way, `assign` and `write` in one transaction, so that its
rules are stated once: a Patient, a patient not known, a resource that is elsewhere. Two saves of one identity that is
not there yet are kept apart by an advisory lock on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule
from pyhce.records.reading.incoming import is_id
from pyhce.records.saving.given import Given
from pyhce.records.saving.saved import Deleted, Outcome, Saved, SavedMany
from pyhce.records.writing.assign import Assigned, assign
from pyhce.records.writing.documents import REMEMBERED
from pyhce.records.writing.homes import table_name
from pyhce.records.writing.keys import known_documents
from pyhce.records.writing.patient_locks import lock, lock_number
from pyhce.records.writing.races import LostRace
from pyhce.records.writing.remove import remove
from pyhce.records.writing.upsert import Counts, Written, write
from pyhce.schema.model import FAMILIES, Schema
from pyhce.schema.writer_functions import ARGUMENTS, LOOK_AGAIN, PROTOCOL, name_of

RESOURCE_LOCKS = 0x5245
"""The class of our advisory locks on identities of resources ("RE"); always taken before those of patients."""
_PARAMETERS = ", ".join("%s" for _ in ARGUMENTS)


class Records:
    """A source system's records in a database, and what is known of their patients' documents."""

    def __init__(self, schema: Schema, fuente: str, rules: tuple[DocumentRule, ...]) -> None:
        self.schema, self.fuente, self.rules = schema, fuente, rules
        self.documents: dict[str, str] = {}
        """Documents by the id of the patient. One that is wrong by now is found out by whoever writes under it."""
        self.calls = {
            table.name: f"SELECT hce.{name_of(table)}({_PARAMETERS})"  # our own names
            for table in schema.resource_tables()
        }

        self._elsewhere: dict[str, Records] = {}

    def of(self, item: Given) -> Records:
        """The records of the source that a resource is of: itself, unless its Bundle is of several servers."""
        fuente = item.ready.fuente
        if fuente is None or fuente == self.fuente:
            return self
        if fuente not in self._elsewhere:
            self._elsewhere[fuente] = Records(self.schema, fuente, self.rules)
        return self._elsewhere[fuente]

    def remember(self, key: str, document: str) -> None:
        """Note a patient's document."""
        if len(self.documents) >= REMEMBERED:
            self.documents.clear()
        self.documents[key] = document


def save(conn: Connection[TupleRow], records: Records, item: Given) -> Saved:
    """Write one resource.

    Raises:
        LostRace, psycopg.Error: to be done again, or for good; see `pyhce.records.saving.writer`.
    """
    records = records.of(item)
    found = _directly(conn, records, item, 1 if item.fresh else None) if _plain(item) else None
    return found or _carefully(conn, records, item)


def _plain(item: Given) -> bool:
    """Whether it can be written without touching another row: no Patient, and its patient named by an id."""
    return item.type != "Patient" and (item.key is None or bool(is_id(item.key)))


def _directly(conn: Connection[TupleRow], records: Records, item: Given, version: int | None) -> Saved | None:
    """Write it where it is expected; None if its patient is not known, or it is not there.

    Args:
        version: that of a new row, None if it must be there.
    """
    document = None
    if item.key is not None:
        document = _document(conn, records, item.key)
        if document is None:
            return None
    text = item.ready.text
    values = (document, records.fuente, item.type, item.id, item.key, *text, version, PROTOCOL)
    row: Any = None
    try:
        row = conn.execute(records.calls[item.table.name], values, prepare=True).fetchone()
    except psycopg.Error as error:
        if item.key and (error.sqlstate == LOOK_AGAIN or isinstance(error, psycopg.errors.ForeignKeyViolation)):
            records.documents.pop(item.key, None)
            raise LostRace from error
        raise
    outcome, now = row[0]
    if outcome == "absent":
        return None
    return Saved.model_validate({"type": item.type, "id": item.id, "version": int(now), "outcome": outcome})


def _document(conn: Connection[TupleRow], records: Records, key: str) -> str | None:
    document = records.documents.get(key)
    if document is None:
        document = known_documents(conn, records.fuente, [key]).get(key)
        if document is not None:
            records.remember(key, document)
    return document


def _carefully(conn: Connection[TupleRow], records: Records, item: Given) -> Saved:
    """Look where it is first: create it if it is nowhere, else as the loader does."""
    document = _document(conn, records, item.key) if item.key and _plain(item) else None
    if document or (item.key is None and _plain(item)):
        with conn.transaction():
            version = _last_version(conn, records, item, document)
            saved = _directly(conn, records, item, version + 1) if version is not None else None
        if saved:
            return saved
    with conn.transaction():
        _hold(conn, records, [item])
        done, written = _as_loaded(conn, records, [item])
        now = _version(conn, records, done)
    _learn(records, [done])
    outcome: Outcome = next(n for n in ("new", "changed", "superseded", "unchanged") if getattr(written, n))
    return Saved(type=item.type, id=item.id, version=now, outcome=outcome)


def _last_version(conn: Connection[TupleRow], records: Records, item: Given, document: str | None) -> int | None:
    """Hold an identity; its last version in the history where it would be new, 0 if none, None if it is somewhere."""
    key = _key(records, document, item.type, item.id)
    history = sql.Identifier(FAMILIES[item.table.home].history)
    by_patient = sql.SQL("documento_id = %(documento_id)s AND ") if document else sql.SQL("")
    _hold(conn, records, [item])
    for table in records.schema.homes_of(item.type):
        query = sql.SQL("SELECT 1 FROM {} AS t WHERE {}").format(table_name(table), _equal(table.identity))
        if conn.execute(query, key, prepare=True).fetchone():
            return None
    row = conn.execute(
        sql.SQL(
            "SELECT coalesce(max(version), 0) FROM {} WHERE {}tipo = %(tipo)s AND fuente = %(fuente)s AND id = %(id)s"
        ).format(history, by_patient),
        key,
        prepare=True,
    ).fetchone()
    return int(row[0]) if row else 0


def save_many(conn: Connection[TupleRow], records: Records, items: Sequence[Given]) -> SavedMany:
    """Write several resources in one transaction, in their order: all of them or none."""
    total = Counts()
    assigned: list[tuple[Records, Assigned]] = []
    with conn.transaction():
        _hold(conn, records, items)
        for part in _parts(items):
            done, written = _as_loaded(conn, records, part)
            total.add(written)
            assigned.append((records.of(part[0]), done))
    for source, done in assigned:
        _learn(source, [done])
    moved = sum(done.moved for _, done in assigned)
    return SavedMany(references=tuple(f"{item.type}/{item.id}" for item in items), moved=moved, **vars(total))


def delete(conn: Connection[TupleRow], records: Records, fhir_type: str, key: str) -> Deleted:
    """Delete one resource; its content stays in the history, a tombstone follows."""
    with conn.transaction():
        lock_resources(conn, records.fuente, [(fhir_type, key)])
        if fhir_type == "Patient":
            lock(conn, [(records.fuente, key)])
        there = remove(conn, records.schema, records.fuente, [(fhir_type, key)]).deleted
    return Deleted(type=fhir_type, id=key, outcome="deleted" if there else "absent")


def _as_loaded(conn: Connection[TupleRow], records: Records, items: Sequence[Given]) -> tuple[Assigned, Written]:
    """The loader's own way, inside the caller's transaction."""
    fuente = records.of(items[0]).fuente
    assigned = assign(conn, records.schema, [item.ready for item in items], fuente=fuente, rules=records.rules)
    return assigned, write(conn, records.schema, assigned, fuente=fuente, by_copy=False)


def _learn(records: Records, written: Iterable[Assigned]) -> None:
    """Remember the documents of patients that were written; a provisional one of a patient not known would mislead."""
    for assigned in written:
        for place, ready in assigned.places():
            if ready.identity[0] == "Patient" and place.document is not None:
                records.remember(ready.identity[1], place.document)


def _version(conn: Connection[TupleRow], records: Records, assigned: Assigned) -> int:
    """The version of the one resource that was written."""
    ((place, ready),) = assigned.places()
    table = records.schema.by_name[place.table]
    found = conn.execute(
        sql.SQL("SELECT version FROM {} AS t WHERE {}").format(table_name(table), _equal(table.key)),
        _key(records, place.document, *ready.identity),
    ).fetchone()
    if found is None:
        raise LostRace
    return int(found[0])


def _equal(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("t.{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in columns
    )


def _key(records: Records, document: str | None, fhir_type: str, key: str) -> dict[str, object]:
    return {"documento_id": document, "fuente": records.fuente, "tipo": fhir_type, "id": key}


def _parts(items: Sequence[Given]) -> list[list[Given]]:
    """Runs of one source in which no identity is twice, so that versions keep their order."""
    parts: list[list[Given]] = [[]]
    seen: set[tuple[str, str]] = set()
    for item in items:
        if (item.type, item.id) in seen or (parts[-1] and parts[-1][0].ready.fuente != item.ready.fuente):
            parts.append([])
            seen.clear()
        parts[-1].append(item)
        seen.add((item.type, item.id))
    return [part for part in parts if part]


def _hold(conn: Connection[TupleRow], records: Records, items: Sequence[Given]) -> None:
    """Keep others from writing these identities anew meanwhile."""
    for source in dict.fromkeys(records.of(item) for item in items):
        lock_resources(conn, source.fuente, {(i.type, i.id) for i in items if records.of(i) is source})


def lock_resources(conn: Connection[TupleRow], fuente: str, identities: Iterable[tuple[str, str]]) -> None:
    """Hold identities of resources, by type and id, until the end of the transaction, in one order for everybody."""
    numbers = {lock_number(fuente, f"{fhir_type}\n{key}") for fhir_type, key in identities}
    conn.execute(
        "SELECT pg_advisory_xact_lock(%s, n) FROM (SELECT n FROM unnest(%s::integer[]) AS u (n) ORDER BY n) AS ordered",
        (RESOURCE_LOCKS, sorted(numbers)),
    )
