"""Distribution of the tables: compare the declaration with what Citus has, and distribute what is missing.

A table of patients or of shared resources becomes a distributed table, a catalogue becomes a reference table.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, no_progress, rows, scalar
from pyhce.errors import SchemaMismatch
from pyhce.schema.model import FAMILIES, Home, Schema, Table

logger = logging.getLogger(__name__)


class CitusTable(NamedTuple):
    """A distributed or reference table, as Citus' view `citus_tables` names its properties.

    Args:
        kind: `distributed` or `reference`.
        column: the distribution column; `<none>` for a reference table.
        colocation: the id of its colocation group.
        shards: the number of its shards.
    """

    kind: str
    column: str
    colocation: int
    shards: int


def citus_tables(conn: Connection[TupleRow]) -> dict[str, CitusTable]:
    """The distributed and reference tables, by name with schema.

    It reads the metadata, not the view `citus_tables`: the view measures every shard through other connections. In a
    transaction that has locked a reference table, such a connection would wait for the transaction, which waits for it.
    """
    found = rows(
        conn,
        "SELECT n.nspname || '.' || c.relname, CASE WHEN p.partkey IS NOT NULL THEN 'distributed'"
        " WHEN p.repmodel = 't' THEN 'reference' ELSE 'local' END,"
        " coalesce(column_to_column_name(p.logicalrelid, p.partkey), '<none>'), p.colocationid,"
        " (SELECT count(*) FROM pg_dist_shard s WHERE s.logicalrelid = p.logicalrelid)"
        " FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace",
    )
    return {name: CitusTable(*rest) for name, *rest in found}


def colocation_table(schema: Schema, table: Table) -> Table:
    """The table with which a table is co-located: the first one of its colocation group; a reference table itself."""
    first = FAMILIES[table.home].colocate_with
    return schema.table(first) if first else table


def distribute(
    conn: Connection[TupleRow], schema: Schema, *, shard_count: int, progress: Progress = no_progress
) -> list[str]:
    """Distribute every table that is not distributed yet, in an order that lets the others be co-located with it.

    Each table is one transaction: after a kill the next run continues with the remaining tables.

    Args:
        shard_count: number of shards of a table that starts a colocation group.

    Returns:
        The names of the tables that were distributed or made reference tables.

    Raises:
        SchemaMismatch: a table is distributed in another way than declared.
    """
    existing = citus_tables(conn)
    missing = [table for table in schema.tables if table.qualified not in existing]
    missing.sort(
        key=lambda table: colocation_table(schema, table) is not table
    )  # False, the first of a group, sorts first
    refuse_wrong_distribution(schema, existing)
    for number, table in enumerate(missing, 1):
        progress(f"distributing table {table.name} ({number} of {len(missing)})")
        with conn.transaction():
            conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
            conn.execute("SET LOCAL client_min_messages TO warning")
            distribute_table(conn, schema, table, shard_count=shard_count)
    return [table.name for table in missing]


def distribute_table(conn: Connection[TupleRow], schema: Schema, table: Table, *, shard_count: int) -> None:
    """Make a table distributed or a reference table, as declared, inside the caller's transaction.

    Args:
        conn: the coordinator.
        schema: the declaration.
        table: the table, which must exist and not be distributed yet.
        shard_count: the number of its shards if it starts a colocation group.
    """
    if table.home is Home.REFERENCE:
        conn.execute("SELECT create_reference_table(%s)", (table.qualified,))
    else:
        first = colocation_table(schema, table)
        colocate_with = "none" if first is table else first.qualified
        conn.execute(
            "SELECT create_distributed_table(%s, %s, colocate_with => %s, shard_count => %s)",
            (table.qualified, table.distribution_column, colocate_with, shard_count if first is table else None),
        )
    if scalar(conn, "SELECT pg_relation_size(%s::regclass) > 0", table.qualified):
        conn.execute("SELECT truncate_local_data_after_distributing_table(%s)", (table.qualified,))
    logger.info("distributed table %s: %s", table.qualified, table.distribution_column or "reference")


def replicate_reference_tables(conn: Connection[TupleRow], *, progress: Progress = no_progress) -> int:
    """Copy reference tables to the nodes that lack them, for example a worker that was added later.

    Citus itself does this only when shards move (Citus docs: replicate_reference_tables).

    Returns:
        The number of placements that were missing.
    """
    missing = int(
        scalar(
            conn,
            "SELECT count(*) FROM pg_dist_partition t JOIN pg_dist_shard s USING (logicalrelid)"
            " CROSS JOIN pg_dist_node n WHERE t.partmethod = 'n' AND t.repmodel = 't' AND n.isactive"
            " AND n.noderole = 'primary' AND NOT EXISTS"
            " (SELECT 1 FROM pg_dist_placement p WHERE p.shardid = s.shardid AND p.groupid = n.groupid)",
        )
    )
    if missing:
        progress("copying reference tables to the nodes that lack them")
        logger.info("copying reference tables: %d placements are missing", missing)
        conn.execute("SELECT replicate_reference_tables()")
    return missing


def refuse_wrong_distribution(schema: Schema, existing: dict[str, CitusTable]) -> None:
    """Refuse a database in which a table is not distributed as declared; the registrar does not redistribute rows.

    Args:
        existing: what `citus_tables` found.

    Raises:
        SchemaMismatch: with the table, its distribution and the declared one.
    """
    for table in schema.tables:
        actual = existing.get(table.qualified)
        if actual is None:
            continue
        column = table.distribution_column or "<none>"
        first = existing.get(colocation_table(schema, table).qualified)
        separate = table.home is not Home.REFERENCE and first is not None and first.colocation != actual.colocation
        if actual.column != column or separate:
            raise SchemaMismatch(
                f"table {table.name} is {_description(actual.column)} (colocation group {actual.colocation}), "
                f"the declaration says {_description(column)}"
                + (f", co-located with {colocation_table(schema, table).name}" if separate else ""),
                remedy=f"Run SELECT undistribute_table('{table.qualified}'), then `pyhce register` again.",
            )


def _description(column: str) -> str:
    return "a reference table" if column == "<none>" else f"distributed by {column}"
