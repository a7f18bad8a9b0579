"""A quick overview of a database: nodes, sizes, counts."""

from __future__ import annotations

from psycopg import sql

from pyhce.citus.migrate import applied
from pyhce.schema.model import Frozen, Schema
from pyhce.verify.context import Context

_CITUS_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"


class NodeStatus(Frozen):
    """A node in a line."""

    name: str
    role: str
    state: str
    shards: int
    size: str


class StatusReport(Frozen):
    """What is there."""

    engine: str
    schema_version: int
    database_size: str
    nodes: tuple[NodeStatus, ...]
    patients: int
    provisional: int
    resources: int


def status(dsn: str, *, schema: Schema) -> StatusReport:
    """Look quickly; for whether it is right, `verify`.

    Raises:
        ConnectionFailed: nobody answers there.
    """
    context = Context(dsn, schema)
    try:
        engine = f"PostgreSQL {context.conn.info.parameter_status('server_version')}"
        if context.citus:
            engine += f" with Citus {context.value(_CITUS_VERSION)}"
        version = max(applied(context.conn), default=0)
        there = [table for table in schema.resource_tables() if table.qualified in context.there]
        return StatusReport(
            engine=engine,
            schema_version=version,
            database_size=_size(context),
            nodes=tuple(_nodes(context)),
            patients=context.value("SELECT count(*) FROM paciente") if version else 0,
            provisional=context.value("SELECT count(*) FROM expediente WHERE provisional") if version else 0,
            resources=sum(_count(context, table.name) for table in there),
        )
    finally:
        context.close()


def _count(context: Context, table: str) -> int:
    row = context.conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def _size(context: Context) -> str:
    if context.workers:
        held = context.value("SELECT pg_size_pretty(sum(shard_size)) FROM citus_shards")
        return str(held or "0 bytes")
    return str(context.value("SELECT pg_size_pretty(pg_database_size(current_database()))"))


def _nodes(context: Context) -> list[NodeStatus]:
    if not context.nodes:
        size = context.value("SELECT pg_size_pretty(pg_database_size(current_database()))")
        return [NodeStatus(name=context.conn.info.host, role="single", state="active", shards=0, size=size)]
    held = {
        place: (shards, size)
        for place, shards, size in context.rows(
            "SELECT nodename || ':' || nodeport, count(*), pg_size_pretty(sum(shard_size)) FROM citus_shards GROUP BY 1"
        )
    }
    return [
        NodeStatus(
            name=node.place,
            role="worker" if node.group else "coordinator",
            state="active" if node.active and node.synced else "not in step" if node.active else "inactive",
            shards=held.get(node.place, (0, ""))[0],
            size=held.get(node.place, (0, "0 bytes"))[1],
        )
        for node in context.nodes
    ]
