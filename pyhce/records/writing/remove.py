"""Remove: resources that their source deleted, as the DELETE entries of transactions say; their versions stay.

The semantics, the same for one resource as for a thousand. A resource that is there at version n: its content goes to
the history of its home as version n, a tombstone follows as version n + 1 (`borrado`, holding no more than type and
id), the row goes. What is not there, or was deleted before, is counted and changes nothing: no second tombstone. If it
comes again it is new, at version n + 2. Of a Patient only its own row goes: record and other resources stay.
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
"""A FHIR type with an id, or with the terms of a conditional delete, a line each: see `reading.conditions`."""


class Removed(NamedTuple):
    """What came of it.

    Args:
        deleted: resources that were there.
        missing: asked for, and not there or deleted before.
        not_done: conditions that more than one resource fits, or that are not understood. They may name a patient: not
            for a log.
        overtaken: those of which a later version is there than the one that was deleted: it stays.
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
    """Delete resources of a source, leaving a tombstone of each, inside the caller's transaction; safe to repeat.

    Identities are locked, then looked up: what a condition fits is looked up again once it is locked. Then set by set,
    three statements for each table that holds any, run on the workers; a thousand identities at once are well.

    Args:
        versions: which version of its resource a deletion was, where a history tells.

    Raises:
        LostRace: another writer changed one of them meanwhile: the caller's transaction is to be done again.
    """
    asked = dict.fromkeys(identities)
    plain = [removable for removable in asked if "=" not in removable[1]]
    conditions = [removable for removable in asked if "=" in removable[1]]
    resolved = _resolved(conn, schema, fuente, conditions)
    wanted = {*plain, *(identity for found in resolved.values() if len(found) == 1 for identity in found)}
    lock_identities(conn, fuente, wanted)
    if _resolved(conn, schema, fuente, conditions) != resolved:
        raise ConcurrentChange
    people = [(fuente, key) for kind, key in wanted if kind == "Patient"]
    if people:
        lock_patients(conn, people)
    not_done = [condition for condition, found in resolved.items() if len(found) > 1 or _terms(condition) is None]
    missing = sum(not found and condition not in not_done for condition, found in resolved.items())
    there = _places(conn, schema, fuente, wanted)
    overtaken = _overtaken(conn, schema, fuente, there, versions) if versions else set()
    for place in there.values():
        for identity in overtaken & place.keys():
            del place[identity]
    deleted = {identity for place in there.values() for identity in place}
    for (name, kind), found in sorted(there.items()):
        if found:
            _remove(conn, schema.by_name[name], schema, kind, fuente, found)
    missing += len(wanted) - len(deleted) - len(overtaken)
    return Removed(len(deleted), missing, tuple(not_done), len(overtaken))


def _terms(condition: Removable) -> Terms | None:
    """What a resource must carry to fit, None if that is not understood."""
    terms = frozenset(condition[1].split("\n"))
    understood = all("=" not in term or (term.startswith("identifier=") and "|" in term) for term in terms)
    return terms if understood else None


def _resolved(
    conn: Connection[TupleRow], schema: Schema, fuente: str, conditions: Sequence[Removable]
) -> dict[Removable, set[ResourceKey]]:
    """The resources that each condition fits."""
    kinds: dict[str, dict[Terms, Removable]] = defaultdict(dict)
    for condition in conditions:
        if terms := _terms(condition):
            kinds[condition[0]][terms] = condition
    found: dict[Removable, set[ResourceKey]] = {condition: set() for condition in conditions}
    for kind, asked in kinds.items():
        for terms, ids in matching_ids(conn, schema, fuente, kind, asked).items():
            found[asked[terms]] = {(kind, key) for key in ids}
    return found


def _places(
    conn: Connection[TupleRow], schema: Schema, fuente: str, identities: Iterable[ResourceKey]
) -> dict[tuple[str, str], dict[ResourceKey, list[str]]]:
    """Where each of these is: by table and type, the records that hold it (more than one only by a fault)."""
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
                for key, held in conn.execute(query, (fuente, sorted(ids))):
                    found[table.name, kind][kind, key].append(held)
    return found


def _overtaken(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    places: Mapping[tuple[str, str], Mapping[ResourceKey, Sequence[str]]],
    versions: Mapping[Removable, int],
) -> set[ResourceKey]:
    """Those of which a later version is there than the one that was deleted, by `meta.versionId` as a number."""
    found: set[ResourceKey] = set()
    for (name, kind), held in places.items():
        ids = sorted(key for kind_, key in held if (kind_, key) in versions)
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
    places: Mapping[ResourceKey, Sequence[str]],
) -> None:
    """Delete these from a table, where they were found."""
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
    documents = sorted({document for held in places.values() for document in held})
    values = {
        "fuente": fuente,
        "ids": sorted(key for _, key in places),
        "documents": documents,
        "now": datetime.now(UTC),
    }
    archived, tombs, gone = (
        conn.execute(sql.SQL(statement).format(**parts), values).rowcount for statement in (_ARCHIVE, _TOMB, _DELETE)
    )
    if not archived == tombs == gone == sum(map(len, places.values())):
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
