"""Which resources of a batch are stored already, and where: few queries, each over all shards of one home.

On Citus an id alone does not tell the shard, so it is tables up on every shard. That is the most expensive part of a
load. Therefore an identity is always looked up in the table where it is expected. In other tables (the table of another
home, the history) it is looked up only if they hold anything of its source and type. Every batch asks that again with
one small query, after its first look-up: a row that another writer moved in the meantime was found where it was.

Example: a load of 4,000 Observations of one source that all name a patient. They are expected in `observacion`. The
table `recurso_compartido` and the histories are searched too, but only if they hold Observations of this source.
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
"""The name of a table, and a FHIR type that it may store."""


@dataclass
class LookupMemory:
    """What earlier batches of a load found out. It saves queries; nothing depends on its being up to date.

    Args:
        documents: by patient key; tables up again once the patient is locked.
        filled: tables that hold something of a type and this source.
        empty: tables that held nothing of a type and this source; every batch asks again.
        undecided: resources (source, type, id) in the records of several patients, until a person decides
            (`pyhce repair identities`).
    """

    documents: dict[str, str] = field(default_factory=dict)
    filled: set[TableType] = field(default_factory=set)
    empty: set[TableType] = field(default_factory=set)
    undecided: set[tuple[str, str, str]] = field(default_factory=set)


class ExistingRow(NamedTuple):
    """The location of a row, and the fingerprint of the text that it was loaded from, if that is known."""

    location: RowLocation
    fingerprint: str | None


class ExistingResources(NamedTuple):
    """What is stored of the resources of a batch.

    Args:
        rows: the row of each resource that has one; the first one found if it has several.
        former: the location of the history of each resource with former versions or a tombstone.
        duplicates: every location of each resource that has several, of rows and histories.
    """

    rows: dict[ResourceKey, ExistingRow]
    former: dict[ResourceKey, RowLocation]
    duplicates: dict[ResourceKey, set[RowLocation]]


def look_up_existing(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    ids: Mapping[str, list[str]],
    expected: Set[TableType],
    memory: LookupMemory,
) -> ExistingResources:
    """Look up every location of a batch's resources and of their former versions. The caller has locked the identities.

    Args:
        ids: the ids of the resources, by FHIR type.
        expected: the tables, with FHIR types, in which the resources are to be stored.
        memory: what earlier batches of the same source found out; updated.
    """
    found = ExistingResources({}, {}, {})

    def search(home: Home, history: Table, tables: Sequence[tuple[Table, str]]) -> None:
        for number, document, keys, fingerprints in _rows(conn, fuente, tables, ids):
            table, fhir_type = tables[number]
            location = RowLocation(table.name, document if home is Home.PATIENT else None)
            if table is history:
                for key in keys:
                    other = found.former.setdefault((fhir_type, key), location)
                    if other != location:
                        found.duplicates.setdefault((fhir_type, key), {other}).add(location)
                continue
            for key, fingerprint in zip(keys, fingerprints, strict=True):
                row = found.rows.setdefault((fhir_type, key), ExistingRow(location, fingerprint))
                if row.location != location:
                    found.duplicates.setdefault((fhir_type, key), {row.location}).add(location)

    with shared_gate(conn):
        for home in Home:
            history = schema.by_name[FAMILIES[home].history]
            homes = [(t, kind) for kind in ids for t in schema.tables_for(kind) if t.home is home]
            others = [(t, kind) for t, kind in homes if (t.name, kind) not in expected]
            others += dict.fromkeys((history, kind) for _, kind in homes)
            known = [(t, kind) for t, kind in homes if (t.name, kind) in expected]
            known += [(t, kind) for t, kind in others if (t.name, kind) in memory.filled]
            search(home, history, known)
            search(
                home,
                history,
                _tables_with_rows(conn, fuente, [kinds for kinds in others if kinds not in known], memory),
            )
    for identity, former in found.former.items():
        row = found.rows.get(identity)
        if row is not None and history_location(schema, row.location) != former:
            found.duplicates.setdefault(identity, {former}).add(row.location)
    return found


def _tables_with_rows(
    conn: Connection[TupleRow], fuente: str, asked: Iterable[tuple[Table, str]], memory: LookupMemory
) -> list[tuple[Table, str]]:
    """Those of the tables that hold anything of their FHIR type and this source."""
    empty: dict[Table, list[str]] = {}
    with_rows = []
    for table, fhir_type in asked:
        kinds = table.name, fhir_type
        if kinds in memory.empty and table.has_stored_column("tipo"):
            empty.setdefault(table, []).append(fhir_type)
            continue
        if kinds in memory.filled or _has_rows(conn, table, fuente, fhir_type):
            memory.filled.add(kinds)
            with_rows.append((table, fhir_type))
        else:
            memory.empty.add(kinds)
    for table, types in empty.items():
        query = sql.SQL("SELECT tipo FROM {} WHERE fuente = %s AND tipo = ANY(%s) GROUP BY tipo")
        for (fhir_type,) in conn.execute(query.format(table_name(table)), (fuente, types)).fetchall():
            memory.empty.discard((table.name, fhir_type))
            memory.filled.add((table.name, fhir_type))
            with_rows.append((table, fhir_type))
    return with_rows


def _has_rows(conn: Connection[TupleRow], table: Table, fuente: str, fhir_type: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE fuente = %s{} LIMIT 1").format(
        table_name(table), type_condition(table, fhir_type)
    )
    return conn.execute(query, (fuente,)).fetchone() is not None


def _rows(
    conn: Connection[TupleRow], fuente: str, tables: Sequence[tuple[Table, str]], ids: Mapping[str, list[str]]
) -> list[TupleRow]:
    """One query over all shards: the position in `tables`, document, ids and fingerprints of the rows found."""
    if not tables:
        return []
    branches = [_query_of_table(table, fhir_type, number) for number, (table, fhir_type) in enumerate(tables)]
    query = sql.SQL("SELECT n, documento_id, ids, huellas FROM ({}) AS todo").format(
        sql.SQL(" UNION ALL ").join(branches)
    )
    values = {f"ids_{fhir_type}": array_literal(ids[fhir_type]) for _, fhir_type in tables}
    return conn.execute(query, {"fuente": fuente, **values}).fetchall()


def array_literal(ids: Iterable[str]) -> str:
    """Ids as a PostgreSQL array literal. FHIR ids hold no character that must be escaped."""
    return '{"' + '","'.join(ids) + '"}'


def _query_of_table(table: Table, fhir_type: str, number: int) -> sql.Composed:
    """The ids found in one table, grouped by its distribution column so that each worker aggregates its own rows."""
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
