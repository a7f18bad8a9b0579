"""A snapshot of the database that several connections read, and the placements of its shards.

**One node.** One session takes a snapshot (`pg_export_snapshot`), and every other session reads in it (`SET TRANSACTION
SNAPSHOT`). However long they read, all of them see the database as it was at that instant.

**Citus** has no snapshot across nodes, so each node has its own. A transaction that writes to two workers may be in the
snapshot of one and not in that of the other:

    time   worker 1                    worker 2
    1      snapshot A: `100:100:`
    2      transaction 100 commits     transaction 200 commits (the same write, by two-phase commit)
    3                                  snapshot B: `201:201:`

B holds the write and A does not: what is read in A and B together never existed. So parts are checked after they were
read. `pg_current_snapshot()` of a node (`xmin:xmax:running transactions`) stays the same for as long as nothing
commits there. After the parts are read, a new snapshot is opened on every node, and each part is compared with it
(`pyhce.records.exporting.compare`): here worker 1 now says `101:101:`, so its parts are counted, and those with a
changed row are read again. In the round in which no part has changed, every part is as it is now on all nodes: one
consistent snapshot.

One case is left: the new snapshots are taken between the two commits of time 2. A part of worker 2 holds the write,
worker 1 does not show it yet, and no part looks changed. Citus prepares a transaction on every node before it commits
it on any, so worker 1 lists it in `pg_prepared_xacts`. Then `half_committed` is true and the round does not count. For
this, `pg_prepared_xacts` is read after the parts and before the new snapshot of the node.
"""

from __future__ import annotations

import json
import logging
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

logger = logging.getLogger(__name__)

COORDINATOR = 0
"""The node that the export is connected to: Citus's group id of the coordinator; without Citus the only node."""
DOCUMENT_SETTING = "pyhce.documento"
"""The session setting that holds the document in an export of one patient.

COPY takes no parameters, and a document is never part of a statement's text, because servers log statements. Statements
name the setting instead, and its value is sent as a bound parameter.
"""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far the clocks of two writers may be apart."""
UNSEEN_TRANSACTION_AGE = timedelta(hours=1)
"""The age that is assumed of transactions that this role has no privilege to see."""
_TRIES = 20
_RELATIONS_PER_QUERY = 64
"""Relations that one statement asks about."""


class NodeAddress(NamedTuple):
    """A node of the cluster."""

    host: str
    port: int


class ShardPlacement(NamedTuple):
    """Where a table, or one of its shards, is stored.

    Args:
        shard: the shard's id, 0 without Citus.
        node: the group id of the node that stores it.
        placement: the id of Citus's placement, which changes when the shard moves; without Citus the table's filenode.
        relation: the shard's name on its node, quoted; without Citus the table's.
    """

    shard: int
    node: int
    placement: int
    relation: str


class Snapshot:
    """The snapshots of all nodes, and the shards as they were placed then. `open` takes them, again in each round.

    Args:
        document: limits the patient tables to the shards that hold this document.
        through_coordinator: read nothing from the workers themselves.

    Attributes:
        distributed: whether the database uses Citus.
        direct: whether each node is read over a connection of its own. If not, every query goes through the coordinator
            and sees no common snapshot.
        nodes: the address of each node by its group id.
        placements: the placements of each table, by the table's name.
        node_snapshots: `pg_current_snapshot()` of each node.
        half_committed: whether a transaction was prepared on some node, and so perhaps committed on another.
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
        self._sessions: dict[int, Connection[TupleRow]] = {}

    def connection(self, node: int, *, shared: bool = True) -> Connection[TupleRow]:
        """Open a connection to a node, in that node's snapshot if `shared` and if the nodes are read directly."""
        at = self.nodes[node] if node != COORDINATOR else None
        made = connect(_dsn_of(self.conn, at))
        made.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET jit = off")
        if self.distributed:  # by default Citus hides shards in the catalogs
            made.execute("SET citus.override_table_visibility = off")
        if self._document is not None:
            made.execute("SELECT set_config(%s, %s, false)", (DOCUMENT_SETTING, self._document))
        if shared and self.direct:
            made.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            made.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._exported[node])))
        return made

    def query(self, node: int, query: sql.Composable | str) -> list[dict[str, Any]]:
        """Return the rows of a query on one node, through the coordinator if the node is not read directly."""
        body = query if isinstance(query, sql.Composable) else sql.SQL(query)
        whole = sql.SQL("SELECT coalesce(json_agg(q), '[]')::text FROM ({}) AS q").format(body).as_string(self.conn)
        if node in self._sessions or node == COORDINATOR:
            row = self._sessions.get(node, self.conn).execute(whole.encode()).fetchone()
        else:
            row = self.conn.execute(
                "SELECT result FROM master_run_on_worker(%s, %s, %s, true) WHERE success",
                ([self.nodes[node].host], [self.nodes[node].port], [whole]),
            ).fetchone()
            if row is None:
                raise ConnectionFailed(
                    f"the coordinator could not run a query on {self.nodes[node].host}:{self.nodes[node].port}",
                    remedy="Find out what is wrong with the node: pyhce verify",
                )
        return list(json.loads(row[0])) if row else []

    def query_all(self, node: int, queries: Sequence[sql.Composable]) -> Iterator[dict[str, Any]]:
        """Return the rows of many queries with the same columns on one node, several queries in each statement."""
        for start in range(0, len(queries), _RELATIONS_PER_QUERY):
            yield from self.query(node, sql.SQL(" UNION ALL ").join(queries[start : start + _RELATIONS_PER_QUERY]))

    @contextmanager
    def open(self) -> Iterator[Snapshot]:
        """Take the snapshots and keep them until the block ends.

        Raises:
            HceError: shards kept moving, so that their placements were never the same before and after.
        """
        for attempt in range(_TRIES):
            with ExitStack() as stack:
                if self._take(stack, last=attempt == _TRIES - 1):
                    logger.debug("took snapshots of %d nodes, %s", len(self.nodes), self._way())
                    yield self
                    return
                self._sessions, self._exported = {}, {}
            logger.debug("a shard moved or a transaction was half committed: taking the snapshots again")
            time.sleep(0.02)
        raise HceError(
            "shards kept moving between nodes", remedy="Run the same command again when the rebalancer has finished."
        )

    def _way(self) -> str:
        return "read directly" if self.direct else "read through the coordinator"

    def _take(self, stack: ExitStack, *, last: bool) -> bool:
        """Take the snapshots; whether no shard moved meanwhile and no transaction is half committed.

        On the `last` attempt a half-committed transaction is accepted: `half_committed` tells the caller.
        """
        self.nodes = _nodes(self.conn, self.distributed)
        before = self._read_placements()
        if self.direct and not self._open_on_every_node(stack):
            self.direct = False
        if not self.direct:
            self.half_committed = any(self.query(node, _PREPARED)[0]["some"] for node in self.nodes)
            self.node_snapshots = {node: self.query(node, _SNAPSHOT)[0]["now"] for node in self.nodes}
        self.placements = self._read_placements()
        return self.placements == before and (not self.distributed or not self.half_committed or last)

    def _open_on_every_node(self, stack: ExitStack) -> bool:
        """Open a snapshot on every node; False if a worker cannot be reached from here."""
        self._sessions, self.node_snapshots, self.half_committed = {}, {}, False
        for node in self.nodes:
            try:
                session = stack.enter_context(self.connection(node, shared=False))
            except ConnectionFailed:
                if node == COORDINATOR:
                    raise
                return self._give_up_direct(node, "it cannot be reached from here")
            if self.distributed and not self._is_expected_server(node, session):
                return self._give_up_direct(node, "another server answers at its address")
            prepared = session.execute(_PREPARED).fetchone()
            self.half_committed |= bool(prepared and prepared[0])
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            row = session.execute("SELECT pg_current_snapshot()::text, pg_export_snapshot()").fetchone()
            assert row is not None  # noqa: S101 - an aggregate-less SELECT without FROM has one row
            self.node_snapshots[node], self._exported[node] = row
            self._sessions[node] = session
        return True

    def _give_up_direct(self, node: int, reason: str) -> bool:
        address = self.nodes[node]
        logger.warning("%s:%s is read through the coordinator: %s", address.host, address.port, reason)
        self._sessions = {}
        return False

    def _is_expected_server(self, node: int, session: Connection[TupleRow]) -> bool:
        """Whether the server at this address is the node that the coordinator knows, and not another cluster's."""
        query = "SELECT pg_postmaster_start_time() AT TIME ZONE 'UTC' AS born"
        row = session.execute(f"SELECT to_json(q) ->> 'born' FROM ({query}) AS q").fetchone()  # noqa: S608
        return row is not None and row[0] == self.query(node, query)[0]["born"]

    def _read_placements(self) -> dict[str, tuple[ShardPlacement, ...]]:
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
        """Return the ids of the shards that hold a document's rows, one for each table."""
        names = [table.qualified for table in self.schema.record_tables()]
        query = "SELECT get_shard_id_for_distribution_column(name::regclass, %s::text) FROM unnest(%s::text[]) AS name"
        return {row[0] for row in self.conn.execute(query, (document, names))}


def transaction_time(snapshot: Snapshot) -> datetime:
    """Return the instant to give to the next `--since`; to be called before anything is read.

    Every row stamped before it is committed already. A row is stamped before its transaction commits, so the instant is
    the start of the oldest running transaction of any node, minus the difference that clocks may have. Bulk Data calls
    it `transactionTime`: https://hl7.org/fhir/uv/bulkdata/export.html#response---output-manifest
    """
    snapshot.nodes = _nodes(snapshot.conn, snapshot.distributed)
    oldest = min(datetime.fromisoformat(snapshot.query(node, _OLDEST)[0]["oldest"]) for node in snapshot.nodes)
    seen = all(snapshot.query(node, _SEEN)[0]["seen"] for node in snapshot.nodes)
    return oldest.astimezone(UTC) - (CLOCK_TOLERANCE if seen else UNSEEN_TRANSACTION_AGE)


def _dsn_of(conn: Connection[TupleRow], node: NodeAddress | None) -> str:
    """Return the DSN of a connection, or the same DSN for another node of its cluster."""
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
