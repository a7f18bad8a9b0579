"""One moment of the database: a snapshot on every node that several connections read in.

On one node it is one snapshot (`pg_export_snapshot`). Citus has none across nodes: there is one a node, and as long as
`pg_current_snapshot()` stays the same nothing was committed there. What is as it was read on every node was there at
once, unless a transaction is committed on one node and on another only prepared yet: Citus writes to several nodes by
two-phase commit, so that is seen in `pg_prepared_xacts`, if it is asked after the reading and before the comparison.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from pyhce.citus.connection import connect, has_citus
from pyhce.errors import ConnectionFailed, HceError
from pyhce.schema.model import Schema

COORDINATOR = 0
"""The node that we are connected to: Citus's group of the coordinator."""
DOCUMENT_SETTING = "pyhce.documento"
"""The setting of a session that holds the document of an export of one patient.

COPY takes no parameters, and a document is never written into a statement, which a server may log. Statements name the
setting; its value is a bound parameter.
"""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far the clocks of writers may be apart."""
UNSEEN_TRANSACTION_AGE = timedelta(hours=1)
"""How long a transaction may have run that we may not see."""
_TRIES = 20
_RELATIONS_PER_QUERY = 64
"""Relations asked about in one statement."""


class NodeAddress(NamedTuple):
    """A node of the cluster."""

    host: str
    port: int


class ShardPlacement(NamedTuple):
    """Where a table, or one of its shards, is.

    Args:
        shard: Citus's number of the shard, 0 where nothing is distributed.
        node: the node's group.
        placement: changes when the shard is somewhere else; without Citus the file of the table.
        relation: what it is called there.
    """

    shard: int
    node: int
    placement: int
    relation: str


class Snapshot:
    """A moment; `nodes`, `places` and `snapshots` are of then.

    Args:
        distributed: whether there is Citus.
        half_committed: whether a transaction was prepared on some node, so perhaps committed on another.
        direct: whether every node is read itself; else all goes through the coordinator, without a common snapshot.
        document: of the patient tables only the shards that hold this one.
    """

    def __init__(
        self,
        conn: Connection[TupleRow],
        schema: Schema,
        *,
        document: str | None = None,
        through_coordinator: bool = False,
    ) -> None:
        self.conn, self.schema, self._document = conn, schema, document
        self.distributed = has_citus(conn)
        self.direct = not through_coordinator
        self.nodes: dict[int, NodeAddress] = {}
        self.placements: dict[str, tuple[ShardPlacement, ...]] = {}
        self.node_snapshots: dict[int, str] = {}
        self.half_committed = False
        self._exported: dict[int, str] = {}
        self._keepers: dict[int, Connection[TupleRow]] = {}

    def connection(self, node: int, *, shared: bool = True) -> Connection[TupleRow]:
        """Another connection to a node; in its snapshot, where there is one to share."""
        at = self.nodes[node] if node != COORDINATOR else None
        made = connect(_dsn(self.conn, at))
        made.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET jit = off")
        if self.distributed:  # else the catalog does not show the shards, which are tables of their own
            made.execute("SET citus.override_table_visibility = off")
        if self._document is not None:
            made.execute("SELECT set_config(%s, %s, false)", (DOCUMENT_SETTING, self._document))
        if shared and self.direct:
            made.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            made.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._exported[node])))
        return made

    def query(self, node: int, query: sql.Composable | str) -> list[dict[str, Any]]:
        """The rows of a query on one node; without a way to it, by way of the coordinator."""
        body = query if isinstance(query, sql.Composable) else sql.SQL(query)
        whole = sql.SQL("SELECT coalesce(json_agg(q), '[]')::text FROM ({}) AS q").format(body).as_string(self.conn)
        if node in self._keepers or node == COORDINATOR:
            row = self._keepers.get(node, self.conn).execute(whole.encode()).fetchone()
        else:
            row = self.conn.execute(
                "SELECT result FROM master_run_on_worker(%s, %s, %s, true) WHERE success",
                ([self.nodes[node].host], [self.nodes[node].port], [whole]),
            ).fetchone()
            if row is None:
                raise ConnectionFailed(
                    f"the coordinator could not ask {self.nodes[node].host}:{self.nodes[node].port}",
                    remedy="`pyhce verify` says what is wrong with the node.",
                )
        return list(json.loads(row[0])) if row else []

    def query_all(self, node: int, queries: Sequence[sql.Composable]) -> Iterator[dict[str, Any]]:
        """The rows of many queries of one shape on one node, some of them in one statement."""
        for start in range(0, len(queries), _RELATIONS_PER_QUERY):
            yield from self.query(node, sql.SQL(" UNION ALL ").join(queries[start : start + _RELATIONS_PER_QUERY]))

    @contextmanager
    def open(self) -> Iterator[Snapshot]:
        """Take the moment and keep its snapshots until the end."""
        for attempt in range(_TRIES):
            with ExitStack() as stack:
                if self._taken(stack, last=attempt == _TRIES - 1):
                    yield self
                    return
                self._keepers, self._exported = {}, {}
            time.sleep(0.02)
        raise HceError(
            "shards went on moving from node to node", remedy="Run the same command again when the rebalancer is done."
        )

    def _taken(self, stack: ExitStack, *, last: bool) -> bool:
        """Whether the snapshots and the places are of one moment, and nothing is half committed, or it stays so."""
        self.nodes = _nodes(self.conn, self.distributed)
        before = self._placed()
        if self.direct and not self._keep(stack):
            self.direct = False
        if not self.direct:
            self.half_committed = any(self.query(node, _PREPARED)[0]["some"] for node in self.nodes)
            self.node_snapshots = {node: self.query(node, _SNAPSHOT)[0]["now"] for node in self.nodes}
        self.placements = self._placed()
        return self.placements == before and (not self.distributed or not self.half_committed or last)

    def _keep(self, stack: ExitStack) -> bool:
        """Open a snapshot on every node; whether all of them can be reached."""
        self._keepers, self.node_snapshots, self.half_committed = {}, {}, False
        for node in self.nodes:
            try:
                keeper = stack.enter_context(self.connection(node, shared=False))
            except ConnectionFailed:
                if node == COORDINATOR:
                    raise
                self._keepers = {}
                return False
            if self.distributed and not self._is(node, keeper):
                self._keepers = {}
                return False
            prepared = keeper.execute(_PREPARED).fetchone()
            self.half_committed |= bool(prepared and prepared[0])
            keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            row = keeper.execute("SELECT pg_current_snapshot()::text, pg_export_snapshot()").fetchone()
            assert row is not None  # noqa: S101 - an aggregate-less SELECT without FROM has one row
            self.node_snapshots[node], self._exported[node] = row
            self._keepers[node] = keeper
        return True

    def _is(self, node: int, keeper: Connection[TupleRow]) -> bool:
        """Whether the server that answers under a node's name is the one that the coordinator means."""
        query = "SELECT pg_postmaster_start_time() AT TIME ZONE 'UTC' AS born"
        row = keeper.execute(f"SELECT to_json(q) ->> 'born' FROM ({query}) AS q").fetchone()  # noqa: S608
        return row is not None and row[0] == self.query(node, query)[0]["born"]

    def _placed(self) -> dict[str, tuple[ShardPlacement, ...]]:
        found: dict[str, dict[int, ShardPlacement]] = {}
        for name, *place in self.conn.execute(_SHARDS if self.distributed else _TABLES):
            found.setdefault(name, {}).setdefault(place[0], ShardPlacement(*place))
        tables = {table.qualified: table for table in (*self.schema.resource_tables(), *self.schema.histories())}
        mine = self._shards_of(self._document) if self.distributed and self._document else None
        return {
            tables[name].name: tuple(p for p in places.values() if mine is None or p.shard in mine)
            for name, places in found.items()
            if name in tables
        }

    def _shards_of(self, document: str) -> set[int]:
        """The shards that hold a document's rows, one a table."""
        names = [table.qualified for table in self.schema.record_tables()]
        query = "SELECT get_shard_id_for_distribution_column(name::regclass, %s::text) FROM unnest(%s::text[]) AS name"
        return {row[0] for row in self.conn.execute(query, (document, names))}


def transaction_time(snapshot: Snapshot) -> datetime:
    """A moment such that whatever a transaction stamped earlier is committed; to be asked before reading anything.

    A resource is stamped before its transaction commits: so it is the start of the oldest transaction under way on
    any node, less what the writers' clocks may be apart.
    """
    snapshot.nodes = _nodes(snapshot.conn, snapshot.distributed)
    oldest = min(datetime.fromisoformat(snapshot.query(node, _OLDEST)[0]["oldest"]) for node in snapshot.nodes)
    seen = all(snapshot.query(node, _SEEN)[0]["seen"] for node in snapshot.nodes)
    return oldest.astimezone(UTC) - (CLOCK_TOLERANCE if seen else UNSEEN_TRANSACTION_AGE)


def _dsn(conn: Connection[TupleRow], node: NodeAddress | None) -> str:
    """The way to the database that a connection has, or to another node of it."""
    given = {name: value for name, value in conn.info.get_parameters().items() if name != "hostaddr"}
    if "passfile" not in given and conn.info.password:
        given["password"] = conn.info.password
    if node is not None:
        given |= {"host": node.host, "port": str(node.port), "connect_timeout": "5"}
    return make_conninfo("", **given)


def _nodes(conn: Connection[TupleRow], distributed: bool) -> dict[int, NodeAddress]:
    if not distributed:
        return {COORDINATOR: NodeAddress("", 0)}
    rows = conn.execute(
        "SELECT groupid, nodename, nodeport FROM pg_dist_node WHERE isactive AND noderole = 'primary' ORDER BY groupid"
    )
    return {COORDINATOR: NodeAddress("", 0), **{group: NodeAddress(host, port) for group, host, port in rows}}


_PREPARED = (
    "SELECT EXISTS (SELECT 1 FROM pg_prepared_xacts WHERE database = current_database() AND gid LIKE 'citus%') AS some"
)
_SNAPSHOT = "SELECT pg_current_snapshot()::text AS now"
_OLDEST = """
SELECT least(
    clock_timestamp(),
    (SELECT min(xact_start) FROM pg_stat_activity
     WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'),
    (SELECT min(prepared) - interval '1 hour' FROM pg_prepared_xacts WHERE database = current_database())
) AS oldest"""
_SEEN = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS seen"
_TABLES = """
SELECT n.nspname || '.' || c.relname, 0, 0, pg_relation_filenode(c.oid)::bigint,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'hce')
ORDER BY c.relname"""
_SHARDS = """
SELECT n.nspname || '.' || c.relname, s.shardid, p.groupid, p.placementid,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname || '_' || s.shardid)
FROM pg_dist_shard AS s
INNER JOIN pg_dist_placement AS p ON p.shardid = s.shardid
INNER JOIN pg_class AS c ON c.oid = s.logicalrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY c.relname, s.shardid, p.groupid"""
