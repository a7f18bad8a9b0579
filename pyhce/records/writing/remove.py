"""Remove: resources that their source deleted, as the DELETE entries of transactions say; their versions stay.

The semantics, the same for one resource as for a thousand. A resource that is there at version n: its content goes to
the history of its home as version n, a tombstone follows as version n + 1 (`borrado`, holding no more than type and
id), the row goes. What is not there, or was deleted before, is counted and changes nothing: no second tombstone. If it
comes again it is new, at version n + 2. Of a Patient only its own row goes: record and other resources stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.writing.homes import names, of_type, table_name
from pyhce.records.writing.races import LostRace
from pyhce.schema.model import FAMILIES, Home, Schema, Table

Removable = tuple[str, str]
"""A FHIR type with an id, or with `identifier=system|value` of a conditional delete, decoded."""


class Removed(NamedTuple):
    """What came of it.

    Args:
        deleted: resources that were there.
        missing: asked for, and not there or deleted before.
        not_done: conditions that more than one resource fits, or that are not `identifier=system|value`. They may
            name a patient: not for a log.
    """

    deleted: int
    missing: int
    not_done: tuple[Removable, ...]


def remove(conn: Connection[TupleRow], schema: Schema, fuente: str, identities: Sequence[Removable]) -> Removed:
    """Delete resources of a source, leaving a tombstone of each, inside the caller's transaction; safe to repeat.

    Set by set: three statements for each table that may hold a type, run on the workers; a thousand identities at
    once are well.

    Raises:
        LostRace: another writer changed one of them meanwhile: the caller's transaction is to be done again.
    """
    asked = dict.fromkeys(identities)
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    conditions: dict[str, list[str]] = defaultdict(list)
    for kind, key in asked:
        if "=" in key:
            conditions[kind].append(key)
        else:
            wanted[kind][key] = None
    missing = 0
    not_done: list[Removable] = []
    for kind, keys in conditions.items():
        fitting = _fitting(conn, schema, fuente, kind, keys)
        for key in keys:
            found = fitting.get(key, set())
            if len(found) > 1 or not key.startswith("identifier=") or "|" not in key:
                not_done.append((kind, key))
            elif found:
                wanted[kind][found.pop()] = None
            else:
                missing += 1
    deleted = 0
    for kind, ids in sorted(wanted.items()):
        count = sum(_remove(conn, schema, table, kind, fuente, sorted(ids)) for table in schema.homes_of(kind))
        deleted += count
        missing += max(0, len(ids) - count)
    return Removed(deleted, missing, tuple(not_done))


def _fitting(
    conn: Connection[TupleRow], schema: Schema, fuente: str, kind: str, keys: Sequence[str]
) -> dict[str, set[str]]:
    """The ids of the resources that carry each of these identifiers."""
    found: dict[str, set[str]] = defaultdict(set)
    for table in schema.homes_of(kind):
        query = sql.SQL(
            "SELECT id, hce.claves_propias(id, recurso -> 'identifier') FROM {} WHERE fuente = %s{}"
            " AND hce.claves_propias(id, recurso -> 'identifier') && %s::text[]"
        ).format(table_name(table), of_type(table, kind))
        for key, own in conn.execute(query, (fuente, list(keys))):
            for condition in set(own) & set(keys):
                found[condition].add(key)
    return found


def _remove(
    conn: Connection[TupleRow], schema: Schema, table: Table, kind: str, fuente: str, ids: Sequence[str]
) -> int:
    """Delete what a table holds of these; how many."""
    history = schema.by_name[FAMILIES[table.home].history]
    by_patient = table.home is Home.PATIENT
    home = ("documento_id",) if by_patient else ()
    both = (*home, *(("paciente_id",) if by_patient else ()))
    parts = {
        "t": table_name(table),
        "h": table_name(history),
        "type": sql.Literal(kind),
        "of_type": of_type(table, kind, "t."),
        "home": names(both) + sql.SQL(", ") if both else sql.SQL(""),
        "home_of_t": names(both, "t.") + sql.SQL(", ") if both else sql.SQL(""),
        "together": sql.SQL("".join(f" AND h.{column} = t.{column}" for column in home)),
    }
    values = {"fuente": fuente, "ids": list(ids), "now": datetime.now(UTC)}
    archived, tombs, gone = (
        conn.execute(sql.SQL(statement).format(**parts), values).rowcount for statement in (_ARCHIVE, _TOMB, _DELETE)
    )
    if not archived == tombs == gone or conn.execute(sql.SQL(_LEFT).format(**parts), values).fetchone() != (0,):
        raise LostRace
    return gone


_THOSE = "t.fuente = %(fuente)s AND t.id = ANY(%(ids)s){of_type}"
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

_LEFT = f"SELECT count(*) FROM {{t}} AS t WHERE {_THOSE}"  # noqa: S608 - composed by sql.SQL.format
