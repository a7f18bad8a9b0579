"""Distribute the functions that save a resource (`hce.guardar_…`) with the table that they write.

Citus runs a `SELECT function(…)` that is alone in its transaction on the node that owns the row, which it finds by the
function's distribution argument (Citus docs: create_distributed_function). Inside a larger transaction the function
runs on the coordinator, with the same result.
"""

from __future__ import annotations

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import rows
from pyhce.citus.distribute import colocation_table
from pyhce.schema.model import Schema, Table
from pyhce.schema.writer_functions import distribution_argument, writer_functions, writer_name

_FUNCTIONS = """
    SELECT p.proname, p.proargnames[o.distribution_argument_index + 1], o.colocationid, p.oid::regprocedure::text
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    LEFT JOIN pg_catalog.pg_dist_object AS o ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid
    WHERE n.nspname = 'hce' AND p.proname = ANY(%s)
"""


def undistributed_functions(conn: Connection[TupleRow], schema: Schema) -> list[tuple[str, Table]]:
    """The save functions that are not distributed with their table: (signature, table) of each."""
    tables = {writer_name(table): table for table in schema.resource_tables() if distribution_argument(table)}
    names = [writer.name for writer in writer_functions(schema.tables) if writer.name in tables]
    groups: dict[str, int] = dict(
        rows(
            conn,
            "SELECT n.nspname || '.' || c.relname, t.colocationid FROM pg_dist_partition t"
            " JOIN pg_class c ON c.oid = t.logicalrelid JOIN pg_namespace n ON n.oid = c.relnamespace",
        )
    )
    return [
        (signature, tables[name])
        for name, argument, group, signature in rows(conn, _FUNCTIONS, names)
        if argument != distribution_argument(tables[name]) or group != groups.get(tables[name].qualified)
    ]


def distribute_functions(conn: Connection[TupleRow], schema: Schema) -> list[str]:
    """Distribute the save functions that are not distributed with their table; return their names."""
    found = undistributed_functions(conn, schema)
    if found:
        with conn.transaction():
            conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
            conn.execute("SET LOCAL client_min_messages TO warning")
            for signature, table in found:
                conn.execute(
                    "SELECT create_distributed_function(%s::regprocedure, %s, colocate_with => %s)",
                    (signature, distribution_argument(table), colocation_table(schema, table).qualified),
                )
    return [writer_name(table) for _, table in found]
