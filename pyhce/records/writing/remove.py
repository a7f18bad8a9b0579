"""Deletes resources that their source deleted; their former versions stay in the history.

A resource whose row has version n is deleted in three steps: its content goes to the history as version n, a tombstone
follows as version n + 1 (`borrado`; it holds only the type and the id), and the row is deleted. A resource that is not
stored, or was deleted before, is counted and gets no second tombstone. If the resource comes again, it is new,
with version n + 2. Deleting a Patient deletes its own row only; its record and its other resources stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.reading.prepared import ResourceKey
from pyhce.records.reading.requests import version_number
from pyhce.records.writing.condition_matches import Terms, matching_ids
from pyhce.records.writing.locks import lock_identities, shared_gate
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.retry import ConcurrentChange
from pyhce.records.writing.table_sql import column_list, table_name, type_condition
from pyhce.schema.model import FAMILIES, Home, Schema, Table

Removable = tuple[str, str]
"""A FHIR type, with an id or with the terms of a conditional delete, one a line: see `reading.conditions`."""


class Removed(NamedTuple):
    """What a removal did.

    Args:
        deleted: number of resources deleted.
        missing: number of resources that are not stored or were deleted before.
        not_done: conditions that match more than one resource, or cannot be read. They may name a patient and must not
            be logged.
        overtaken: number of resources that stay, because a later version is stored than the one that was deleted.
    """

    deleted: int
    missing: int
    not_done: tuple[Removable, ...]
    overtaken: int = 0


def remove(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    identities: Sequence[Removable],
    *,
    versions: Mapping[Removable, int] = MappingProxyType({}),
) -> Removed:
    """Delete resources of a source and leave a tombstone of each, inside the caller's transaction; safe to repeat.

    The identities are locked, then looked up. What a condition matches is looked up before and after the locks. Then
    three statements for each table run on the workers; a thousand identities in one call are fine.

    Args:
        identities: what to delete.
        versions: the version number of each deletion, where the input gives one.

    Raises:
        ConcurrentChange: another writer changed one of the resources. The transaction must be retried.
    """
    asked = dict.fromkeys(identities)
    plain = [removable for removable in asked if "=" not in removable[1]]
    conditions = [removable for removable in asked if "=" in removable[1]]
    resolved = _resolved(conn, schema, fuente, conditions)
    wanted = {*plain, *(identity for found in resolved.values() if len(found) == 1 for identity in found)}
    lock_identities(conn, fuente, wanted)
    if _resolved(conn, schema, fuente, conditions) != resolved:
        raise ConcurrentChange
    patients = [(fuente, key) for kind, key in wanted if kind == "Patient"]
    if patients:
        lock_patients(conn, patients)
    not_done = [condition for condition, found in resolved.items() if len(found) > 1 or _terms(condition) is None]
    missing = sum(not found and condition not in not_done for condition, found in resolved.items())
    stored = _stored_documents(conn, schema, fuente, wanted)
    overtaken = _overtaken(conn, schema, fuente, stored, versions) if versions else set()
    for documents_of in stored.values():
        for identity in overtaken & documents_of.keys():
            del documents_of[identity]
    deleted = {identity for documents_of in stored.values() for identity in documents_of}
    for (name, kind), found in sorted(stored.items()):
        if found:
            _remove(conn, schema.by_name[name], schema, kind, fuente, found)
    missing += len(wanted) - len(deleted) - len(overtaken)
    return Removed(len(deleted), missing, tuple(not_done), len(overtaken))


def _terms(condition: Removable) -> Terms | None:
    """The keys that a matching resource carries, None if the condition cannot be read."""
    terms = frozenset(condition[1].split("\n"))
    understood = all("=" not in term or (term.startswith("identifier=") and "|" in term) for term in terms)
    return terms if understood else None


def _resolved(
    conn: Connection[TupleRow], schema: Schema, fuente: str, conditions: Sequence[Removable]
) -> dict[Removable, set[ResourceKey]]:
    """The resources that each condition matches."""
    kinds: dict[str, dict[Terms, Removable]] = defaultdict(dict)
    for condition in conditions:
        if terms := _terms(condition):
            kinds[condition[0]][terms] = condition
    found: dict[Removable, set[ResourceKey]] = {condition: set() for condition in conditions}
    for kind, asked in kinds.items():
        for terms, ids in matching_ids(conn, schema, fuente, kind, asked).items():
            found[asked[terms]] = {(kind, key) for key in ids}
    return found


def _stored_documents(
    conn: Connection[TupleRow], schema: Schema, fuente: str, identities: Iterable[ResourceKey]
) -> dict[tuple[str, str], dict[ResourceKey, list[str]]]:
    """The documents under which each identity is stored, by table and type; several only for a duplicate."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for kind, key in identities:
        kinds[kind].append(key)
    found: dict[tuple[str, str], dict[ResourceKey, list[str]]] = defaultdict(lambda: defaultdict(list))
    with shared_gate(conn):
        for kind, ids in sorted(kinds.items()):
            for table in schema.tables_for(kind):
                document = "documento_id" if table.home is Home.PATIENT else "''"
                query = sql.SQL("SELECT id, {} FROM {} WHERE fuente = %s AND id = ANY(%s){}").format(
                    sql.SQL(document), table_name(table), type_condition(table, kind)
                )
                for key, stored_document in conn.execute(query, (fuente, sorted(ids))):
                    found[table.name, kind][kind, key].append(stored_document)
    return found


def _overtaken(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    documents: Mapping[tuple[str, str], Mapping[ResourceKey, Sequence[str]]],
    versions: Mapping[Removable, int],
) -> set[ResourceKey]:
    """The resources stored with a later `meta.versionId`, as a number, than that of the version that was deleted."""
    found: set[ResourceKey] = set()
    for (name, kind), found_documents in documents.items():
        ids = sorted(key for kind_, key in found_documents if (kind_, key) in versions)
        if not ids:
            continue
        table = schema.by_name[name]
        query = sql.SQL("SELECT id, recurso #>> '{{meta,versionId}}' FROM {} WHERE fuente = %s AND id = ANY(%s){}")
        for key, version in conn.execute(query.format(table_name(table), type_condition(table, kind)), (fuente, ids)):
            number = version_number(version)
            if number is not None and number > versions[kind, key]:
                found.add((kind, key))
    return found


def _remove(
    conn: Connection[TupleRow],
    table: Table,
    schema: Schema,
    kind: str,
    fuente: str,
    stored: Mapping[ResourceKey, Sequence[str]],
) -> None:
    """Delete resources from the table and the records in which they were found."""
    history = schema.by_name[FAMILIES[table.home].history]
    by_patient = table.home is Home.PATIENT
    home = ("documento_id",) if by_patient else ()
    both = (*home, *(("paciente_id",) if by_patient else ()))
    parts = {
        "t": table_name(table),
        "h": table_name(history),
        "type": sql.Literal(kind),
        "of_type": type_condition(table, kind, "t."),
        "there": sql.SQL(" AND t.documento_id = ANY(%(documents)s)" if by_patient else ""),
        "home": column_list(both) + sql.SQL(", ") if both else sql.SQL(""),
        "home_of_t": column_list(both, "t.") + sql.SQL(", ") if both else sql.SQL(""),
        "together": sql.SQL("".join(f" AND h.{column} = t.{column}" for column in home)),
    }
    documents = sorted({document for found_documents in stored.values() for document in found_documents})
    values = {
        "fuente": fuente,
        "ids": sorted(key for _, key in stored),
        "documents": documents,
        "now": datetime.now(UTC),
    }
    archived, tombs, gone = (
        conn.execute(sql.SQL(statement).format(**parts), values).rowcount for statement in (_ARCHIVE, _TOMB, _DELETE)
    )
    if not archived == tombs == gone == sum(map(len, stored.values())):
        raise ConcurrentChange


_THOSE = "t.fuente = %(fuente)s AND t.id = ANY(%(ids)s){there}{of_type}"
_IN_HISTORY = "h.tipo = {type} AND h.fuente = t.fuente AND h.id = t.id{together}"

_ARCHIVE = f"""
INSERT INTO {{h}} ({{home}}tipo, fuente, id, version, vigente_desde, vigente_hasta, borrado, recurso, original)
SELECT
    {{home_of_t}}{{type}}, t.fuente, t.id, t.version, t.actualizado_en, %(now)s::timestamptz, false,
    t.recurso, t.original
FROM {{t}} AS t
WHERE {_THOSE}
ON CONFLICT DO NOTHING"""  # noqa: S608 - composed by sql.SQL.format

_TOMB = f"""
INSERT INTO {{h}} ({{home}}tipo, fuente, id, version, vigente_desde, vigente_hasta, borrado, recurso, original)
SELECT
    {{home_of_t}}{{type}}, t.fuente, t.id, t.version + 1, %(now)s::timestamptz, %(now)s::timestamptz, true,
    jsonb_build_object('resourceType', {{type}}::text, 'id', t.id), NULL
FROM {{t}} AS t
INNER JOIN {{h}} AS h ON {_IN_HISTORY} AND h.version = t.version AND NOT h.borrado
WHERE {_THOSE}
ON CONFLICT DO NOTHING"""  # noqa: S608 - composed by sql.SQL.format

_DELETE = f"""
DELETE FROM {{t}} AS t
USING {{h}} AS h
WHERE {_IN_HISTORY} AND h.version = t.version + 1 AND h.borrado AND {_THOSE}"""  # noqa: S608
