"""A quick overview of a database: nodes, versions, sizes and counts."""

from __future__ import annotations

from psycopg import sql

from pyhce.citus.migrate import applied_migrations
from pyhce.citus.nodes import RegisteredNode
from pyhce.patroni import GroupState, Standbys, group_states
from pyhce.schema.model import Frozen, Schema
from pyhce.verify.context import Context

UNKNOWN = "unknown"
_SIZES = (
    "SELECT nodename || ':' || nodeport, sum(shard_size)::bigint, pg_size_pretty(sum(shard_size))"
    " FROM citus_shards JOIN pg_dist_node AS n USING (nodename, nodeport) WHERE n.noderole = 'primary' GROUP BY 1"
)
"""The size of the shards on each primary node. The view lists each shard once more for a secondary node."""
_CITUS_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"


class NodeStatus(Frozen):
    """One node.

    Args:
        role: coordinator, worker, or single without Citus.
        state: active, inactive, "metadata not synchronized" or "does not answer".
        shards: shard placements on the node.
        size: of its shards, as text; "unknown" while a node does not answer.
    """

    name: str
    role: str
    state: str
    shards: int
    size: str


class StatusReport(Frozen):
    """An overview of a database. While a node does not answer, counts are None and sizes are "unknown".

    Args:
        standbys: the state of each group; None without standbys.
    """

    engine: str
    schema_version: int
    database_size: str
    nodes: tuple[NodeStatus, ...]
    patients: int | None
    provisional: int | None
    resources: int | None
    standbys: tuple[GroupState, ...] | None = None


def status(dsn: str, *, schema: Schema, standbys: Standbys | None = None) -> StatusReport:
    """Read nodes, versions, sizes and counts. It checks nothing; see `verify`.

    Raises:
        ConnectionFailed: the coordinator does not answer.
    """
    context = Context(dsn, schema)
    try:
        engine = f"PostgreSQL {context.conn.info.parameter_status('server_version')}"
        if context.citus:
            engine += f" with Citus {context.value(_CITUS_VERSION)}"
        version = max(applied_migrations(context.conn), default=0)
        answering = _answering(context)
        all_answer = all(node.address in answering for node in context.nodes)
        patients, provisional, resources = _counts(context) if all_answer else (None, None, None)
        return StatusReport(
            engine=engine,
            schema_version=version,
            database_size=_size(context) if all_answer else UNKNOWN,
            nodes=tuple(_nodes(context, answering)),
            patients=patients,
            provisional=provisional,
            resources=resources,
            standbys=group_states(standbys.ha, standbys.password) if standbys else None,
        )
    finally:
        context.close()


def _answering(context: Context) -> set[str]:
    """Addresses of the nodes that answer the coordinator. A worker need not be reachable from here."""
    if not context.nodes:
        return set()
    context.conn.execute("SET citus.node_connection_timeout TO '10s'")
    return {
        node.address
        for node in context.nodes
        if node.group == 0 or context.value("SELECT citus_check_connection_to_node(%s, %s)", node.host, node.port)
    }


def _counts(context: Context) -> tuple[int, int, int]:
    """The numbers of Patients, provisional records and resources."""
    exists = {t.name: t.qualified in context.existing_tables for t in context.schema.tables}
    counts = {t.name: _count(context, t.name) for t in context.schema.resource_tables() if exists[t.name]}
    provisional = context.value("SELECT count(*) FROM expediente WHERE provisional") if exists["expediente"] else 0
    return counts.get("paciente", 0), provisional, sum(counts.values())


def _count(context: Context, table: str) -> int:
    row = context.conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0


def _size(context: Context) -> str:
    if context.workers:
        total = sum(size for _, size, _ in context.rows(_SIZES))
        return str(context.value("SELECT pg_size_pretty(%s::numeric)", total))
    return str(context.value("SELECT pg_size_pretty(pg_database_size(current_database()))"))


def _nodes(context: Context, answering: set[str]) -> list[NodeStatus]:
    if not context.nodes:
        size = context.value("SELECT pg_size_pretty(pg_database_size(current_database()))")
        return [NodeStatus(name=context.conn.info.host, role="single", state="active", shards=0, size=size)]
    shards = dict(context.rows("SELECT groupid, count(*) FROM pg_dist_placement GROUP BY 1"))
    sizes = {}
    if all(node.address in answering for node in context.nodes):
        sizes = {address: text for address, _, text in context.rows(_SIZES)}
    return [
        NodeStatus(
            name=node.address,
            role="worker" if node.group else "coordinator",
            state=_state(node, answering),
            shards=shards.get(node.group, 0),
            size=sizes.get(node.address) or ("0 bytes" if sizes else UNKNOWN),
        )
        for node in context.nodes
    ]


def _state(node: RegisteredNode, answering: set[str]) -> str:
    if node.address not in answering:
        return "does not answer"
    if not node.active:
        return "inactive"
    return "active" if node.synced else "metadata not synchronized"
