"""Tables to their homes: what the declaration says, against what Citus has; only the difference is made."""

from __future__ import annotations

from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, no_progress, rows, scalar
from pyhce.errors import SchemaMismatch
from pyhce.schema.model import FAMILIES, Home, Schema, Table


class CitusTable(NamedTuple):
    """How Citus holds a table."""

    kind: str
    """`distributed` or `reference`."""
    column: str
    """The distribution column, `<none>` for a reference table."""
    colocation: int
    shards: int


def citus_tables(conn: Connection[TupleRow]) -> dict[str, CitusTable]:
    """Every table that Citus holds, by its name with its schema."""
    found = rows(
        conn,
        "SELECT n.nspname || '.' || c.relname, t.citus_table_type, t.distribution_column, t.colocation_id,"
        " t.shard_count FROM citus_tables t JOIN pg_class c ON c.oid = t.table_name"
        " JOIN pg_namespace n ON n.oid = c.relnamespace",
    )
    return {name: CitusTable(*rest) for name, *rest in found}


def colocation_table(schema: Schema, table: Table) -> Table:
    """The table that the others of its home are co-located with; a reference table stands for itself."""
    anchor = FAMILIES[table.home].colocate_with
    return schema.table(anchor) if anchor else table


def distribute(
    conn: Connection[TupleRow], schema: Schema, *, shard_count: int, progress: Progress = no_progress
) -> list[str]:
    """Give every table its home, parents first; the tables that had to move.

    Each table is one transaction, so a kill at any moment leaves whole tables and the next run finishes.

    Raises:
        SchemaMismatch: a table has another home than the declaration says.
    """
    there = citus_tables(conn)
    wanted = [table for table in schema.tables if table.qualified not in there]
    wanted.sort(key=lambda table: colocation_table(schema, table) is not table)  # anchors first, else as declared
    refuse_wrong_distribution(schema, there)
    for number, table in enumerate(wanted, 1):
        progress(f"table {table.name} to its home ({number} of {len(wanted)})")
        with conn.transaction():
            conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
            conn.execute("SET LOCAL client_min_messages TO warning")
            distribute_table(conn, schema, table, shard_count=shard_count)
    return [table.name for table in wanted]


def distribute_table(conn: Connection[TupleRow], schema: Schema, table: Table, *, shard_count: int) -> None:
    """Give a table its home, inside the caller's transaction."""
    if table.home is Home.REFERENCE:
        conn.execute("SELECT create_reference_table(%s)", (table.qualified,))
    else:
        first = colocation_table(schema, table)
        together = "none" if first is table else first.qualified
        conn.execute(
            "SELECT create_distributed_table(%s, %s, colocate_with => %s, shard_count => %s)",
            (table.qualified, table.distribution_column, together, shard_count if first is table else None),
        )
    if scalar(conn, "SELECT pg_relation_size(%s::regclass) > 0", table.qualified):
        conn.execute("SELECT truncate_local_data_after_distributing_table(%s)", (table.qualified,))


def replicate_reference_tables(conn: Connection[TupleRow], *, progress: Progress = no_progress) -> int:
    """Bring reference tables to the nodes that lack them, as a late worker does; how many placements were made.

    Citus itself does so only when shards move (docs: replicate_reference_tables).
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
        progress("reference tables to the nodes that lack them")
        conn.execute("SELECT replicate_reference_tables()")
    return missing


def refuse_wrong_distribution(schema: Schema, there: dict[str, CitusTable]) -> None:
    """Refuse a table whose home is not the declared one: moving its rows is no registrar's business.

    Raises:
        SchemaMismatch: naming the table, its home and the declared one.
    """
    for table in schema.tables:
        held = there.get(table.qualified)
        if held is None:
            continue
        column = table.distribution_column or "<none>"
        anchor = there.get(colocation_table(schema, table).qualified)
        alone = table.home is not Home.REFERENCE and anchor is not None and anchor.colocation != held.colocation
        if held.column != column or alone:
            raise SchemaMismatch(
                f"table {table.name} is {held.kind} by {held.column} (colocation group {held.colocation}), "
                f"the declaration says {'reference' if table.home is Home.REFERENCE else 'distributed'} by {column}"
                + (f", co-located with {colocation_table(schema, table).name}" if alone else ""),
                remedy="Undo what placed it so (undistribute_table) and run this again.",
            )
