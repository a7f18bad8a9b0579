"""Build an index on a table in use: concurrently, and on Citus on every shard.

CREATE INDEX CONCURRENTLY does not run in a transaction. An interrupted one leaves an invalid index behind; on Citus the
invalid index may exist on some shards only, even if the coordinator has none. Such an index is dropped and built again.
"""

from __future__ import annotations

import logging

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import has_citus, rows, scalar

logger = logging.getLogger(__name__)

VALID, INVALID, ABSENT = "valid", "invalid", "absent"
_STATE = (
    "SELECT coalesce((SELECT CASE WHEN indisvalid THEN 'valid' ELSE 'invalid' END FROM pg_index"
    " WHERE indexrelid = to_regclass({index})), 'absent')"
)
_DROP = (
    "DO $drop$ BEGIN PERFORM set_config('lock_timeout', '1s', true);"
    " EXECUTE 'DROP INDEX IF EXISTS ' || {index}; END $drop$"
)
"""Drops the index of one shard. It is invalid, so no query uses it; the shard is locked only briefly."""


def build_index(conn: Connection[TupleRow], name: str, table: str, statement: str) -> None:
    """Build an index unless a valid one exists; drop what an interrupted attempt left. Outside of a transaction.

    Args:
        name: the index, without schema.
        table: the table, with schema.
        statement: `CREATE INDEX IF NOT EXISTS name ON table …`.

    Raises:
        LockNotAvailable: another session holds a shard; the caller can retry.
    """
    index = f"{table.split('.')[0]}.{name}"
    states = index_states(conn, index, table)
    if states == {VALID}:
        return
    if states != {ABSENT}:
        logger.warning("dropping index %s, which an interrupted build left invalid", index)
        _drop(conn, index, table)
    conn.execute(statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1).encode())


def index_states(conn: Connection[TupleRow], index: str, table: str) -> set[str]:
    """The states of an index (VALID, INVALID, ABSENT) on the coordinator and, on Citus, on each shard of its table.

    Args:
        conn: the coordinator.
        index: the index, with schema.
        table: its table, with schema.
    """
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
    """An SQL expression for the name of the index on a shard; Citus replaces `%s` by the name of the shard.

    For example `public.alerta_fecha_idx` is `public.alerta_fecha_idx_102009` on the shard `alerta_102009`.
    """
    return f"('{index}_' || substring('%s' from '[0-9]+$'))"


def _on_shards(conn: Connection[TupleRow], table: str, command: str) -> list[tuple[bool, str]]:
    """Success and result of a command on each placement of a table; empty if Citus does not distribute the table."""
    if not has_citus(conn):
        return []
    query = (
        "SELECT r.success, r.result FROM pg_dist_partition p,"
        " run_command_on_placements(p.logicalrelid, %s) r WHERE p.logicalrelid = to_regclass(%s)"
    )
    return [(success, result) for success, result in rows(conn, query, command, table)]
