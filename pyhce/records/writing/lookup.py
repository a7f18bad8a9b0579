"""What is there already of the resources of a batch: few queries, each over all shards of one home.

On Citus an id that does not tell its patient is looked for on every shard, which is the dearest part of a load. So an
identity is looked for where it is to be seated; in the other places where it might be (a table of another home, the
history) only if there is anything of its source and type at all, which every batch asks anew in one small query, after
it has looked: whatever has gone there since was seen where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.reading.prepared import ResourceKey
from pyhce.records.writing.locks import shared_gate
from pyhce.records.writing.row_location import RowLocation, history_location
from pyhce.records.writing.table_sql import table_name, type_condition
from pyhce.schema.model import FAMILIES, Home, Schema, Table

TableType = tuple[str, str]
"""A table, and a FHIR type that may be in it."""


@dataclass
class LookupMemory:
    """What earlier batches of a load found out: it spares asking, and is never trusted where that could do harm.

    Args:
        documents: by patient key; looked up again once the patient is locked.
        filled: tables that hold something of a type and this source.
        empty: those that did not; each batch looks again.
        undecided: resources (source, type, id) in the records of several patients, until a person decides: `together`.
    """

    documents: dict[str, str] = field(default_factory=dict)
    filled: set[TableType] = field(default_factory=set)
    empty: set[TableType] = field(default_factory=set)
    undecided: set[tuple[str, str, str]] = field(default_factory=set)


class ExistingRow(NamedTuple):
    """A resource that is there, and the fingerprint of the text it was loaded from, if that is known."""

    place: RowLocation
    fingerprint: str | None


class ExistingResources(NamedTuple):
    """What is there of a batch's resources.

    Args:
        rows: where each of them is that is there; of several places the first.
        former: the place of the history of those that have former versions or a tombstone: its table, its record.
        several: every place of those that have more than one, rows and histories taken together.
    """

    rows: dict[ResourceKey, ExistingRow]
    former: dict[ResourceKey, RowLocation]
    several: dict[ResourceKey, set[RowLocation]]


def look_up_existing(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    ids: Mapping[str, list[str]],
    seated: Set[TableType],
    memory: LookupMemory,
) -> ExistingResources:
    """Every place of a batch's resources, and of their former versions; the caller holds the identities.

    Args:
        ids: of the resources, by FHIR type.
        seated: the tables, with FHIR types, in which they are to be.
    """
    found = ExistingResources({}, {}, {})

    def look(home: Home, history: Table, looked: Sequence[tuple[Table, str]]) -> None:
        for number, document, keys, fingerprints in _rows(conn, fuente, looked, ids):
            table, fhir_type = looked[number]
            place = RowLocation(table.name, document if home is Home.PATIENT else None)
            if table is history:
                for key in keys:
                    other = found.former.setdefault((fhir_type, key), place)
                    if other != place:
                        found.several.setdefault((fhir_type, key), {other}).add(place)
                continue
            for key, fingerprint in zip(keys, fingerprints, strict=True):
                row = found.rows.setdefault((fhir_type, key), ExistingRow(place, fingerprint))
                if row.place != place:
                    found.several.setdefault((fhir_type, key), {row.place}).add(place)

    with shared_gate(conn):
        for home in Home:
            history = schema.by_name[FAMILIES[home].history]
            homes = [(t, kind) for kind in ids for t in schema.tables_for(kind) if t.home is home]
            others = [(t, kind) for t, kind in homes if (t.name, kind) not in seated]
            others += dict.fromkeys((history, kind) for _, kind in homes)
            known = [(t, kind) for t, kind in homes if (t.name, kind) in seated]
            known += [(t, kind) for t, kind in others if (t.name, kind) in memory.filled]
            look(home, history, known)
            look(home, history, _filled(conn, fuente, [kinds for kinds in others if kinds not in known], memory))
    for identity, former in found.former.items():
        row = found.rows.get(identity)
        if row is not None and history_location(schema, row.place) != former:
            found.several.setdefault(identity, {former}).add(row.place)
    return found


def _filled(
    conn: Connection[TupleRow], fuente: str, asked: Iterable[tuple[Table, str]], memory: LookupMemory
) -> list[tuple[Table, str]]:
    """Those tables that hold anything of this source and type."""
    empty: dict[Table, list[str]] = {}
    kept = []
    for table, fhir_type in asked:
        kinds = table.name, fhir_type
        if kinds in memory.empty and table.has_stored_column("tipo"):
            empty.setdefault(table, []).append(fhir_type)
            continue
        if kinds in memory.filled or _any(conn, table, fuente, fhir_type):
            memory.filled.add(kinds)
            kept.append((table, fhir_type))
        else:
            memory.empty.add(kinds)
    for table, types in empty.items():
        query = sql.SQL("SELECT tipo FROM {} WHERE fuente = %s AND tipo = ANY(%s) GROUP BY tipo")
        for (fhir_type,) in conn.execute(query.format(table_name(table)), (fuente, types)).fetchall():
            memory.empty.discard((table.name, fhir_type))
            memory.filled.add((table.name, fhir_type))
            kept.append((table, fhir_type))
    return kept


def _any(conn: Connection[TupleRow], table: Table, fuente: str, fhir_type: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE fuente = %s{} LIMIT 1").format(
        table_name(table), type_condition(table, fhir_type)
    )
    return conn.execute(query, (fuente,)).fetchone() is not None


def _rows(
    conn: Connection[TupleRow], fuente: str, looked: Sequence[tuple[Table, str]], ids: Mapping[str, list[str]]
) -> list[TupleRow]:
    """Number of the table looked into, document, ids, fingerprints: one query over all shards."""
    if not looked:
        return []
    branches = [_branch(table, fhir_type, number) for number, (table, fhir_type) in enumerate(looked)]
    query = sql.SQL("SELECT n, documento_id, ids, huellas FROM ({}) AS todo").format(
        sql.SQL(" UNION ALL ").join(branches)
    )
    values = {f"ids_{fhir_type}": array_literal(ids[fhir_type]) for _, fhir_type in looked}
    return conn.execute(query, {"fuente": fuente, **values}).fetchall()


def array_literal(ids: Iterable[str]) -> str:
    """Ids as PostgreSQL spells an array: they hold nothing that must be escaped."""
    return '{"' + '","'.join(ids) + '"}'


def _branch(table: Table, fhir_type: str, number: int) -> sql.Composed:
    """The ids that are in one table, grouped by its distribution column, so that workers answer by themselves."""
    document = sql.SQL({Home.PATIENT: "documento_id", Home.ID: "id", Home.REFERENCE: "NULL::text"}[table.home])
    prints = sql.SQL("array_agg(replace(entrada::text, '-', ''))" if table.holds_resources else "NULL::text[]")
    return sql.SQL(
        "SELECT {} AS n, {} AS documento_id, array_agg(id) AS ids, {} AS huellas"
        " FROM {} WHERE fuente = {} AND id = ANY({}::text[]){} GROUP BY 2"
    ).format(
        sql.Literal(number),
        document,
        prints,
        table_name(table),
        sql.Placeholder("fuente"),
        sql.Placeholder(f"ids_{fhir_type}"),
        type_condition(table, fhir_type),
    )
