"""An index on a table in use: built concurrently, on Citus on every shard.

CREATE INDEX CONCURRENTLY is no transaction. If it is interrupted it leaves an index that is not valid, on Citus on some
of the shards, perhaps without its like on the coordinator: that one is dropped and built anew.
"""

from __future__ import annotations

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import has_citus, rows, scalar

VALID, INVALID, ABSENT = "valid", "invalid", "absent"
_STATE = (
    "SELECT coalesce((SELECT CASE WHEN indisvalid THEN 'valid' ELSE 'invalid' END FROM pg_index"
    " WHERE indexrelid = to_regclass({index})), 'absent')"
)
_DROP = (
    "DO $drop$ BEGIN PERFORM set_config('lock_timeout', '1s', true);"
    " EXECUTE 'DROP INDEX IF EXISTS ' || {index}; END $drop$"
)
"""Of one shard. It is not valid, so no query uses it; the table is locked for a moment."""


def build_index(conn: Connection[TupleRow], name: str, table: str, statement: str) -> None:
    """Build an index unless it is there and valid; drop what an interrupted attempt left. Outside of a transaction.

    Args:
        name: without its schema, which is the table's.
        table: with its schema.
        statement: `CREATE INDEX IF NOT EXISTS name ON table …`.

    Raises:
        LockNotAvailable: a shard is held by another session; to be tried again.
    """
    index = f"{table.split('.')[0]}.{name}"
    states = index_states(conn, index, table)
    if states == {VALID}:
        return
    if states != {ABSENT}:
        _drop(conn, index, table)
    conn.execute(statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1).encode())


def index_states(conn: Connection[TupleRow], index: str, table: str) -> set[str]:
    """Whether an index is valid, invalid or absent: on the coordinator and, on Citus, on each shard of its table."""
    here = scalar(conn, _STATE.format(index="%s"), index)
    return {here, *(result for _, result in _on_shards(conn, table, _STATE.format(index=_of_shard(index))))}


def _drop(conn: Connection[TupleRow], index: str, table: str) -> None:
    schema, name = index.split(".")
    drop = sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(schema, name))
    if scalar(conn, "SELECT to_regclass(%s) IS NOT NULL", index):
        conn.execute(drop)
    for success, result in _on_shards(conn, table, _DROP.format(index=_of_shard(index))):
        if not success:
            raise psycopg.errors.LockNotAvailable(result)


def _of_shard(index: str) -> str:
    """The index of one shard by name, as an SQL expression: Citus puts the shard's name for `%s`."""
    return f"('{index}_' || substring('%s' from '[0-9]+$'))"


def _on_shards(conn: Connection[TupleRow], table: str, command: str) -> list[tuple[bool, str]]:
    """What a command gives on each placement of a table; nothing where the table is not Citus'."""
    if not has_citus(conn):
        return []
    query = (
        "SELECT r.success, r.result FROM pg_dist_partition p,"
        " run_command_on_placements(p.logicalrelid, %s) r WHERE p.logicalrelid = to_regclass(%s)"
    )
    return [(success, result) for success, result in rows(conn, query, command, table)]
