"""What a verification's probes use: connections to the nodes, and facts about the cluster that are read once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.authentication import is_superuser
from pyhce.citus.connection import connect, dsn_at, has_citus, rows, scalar
from pyhce.citus.distribute import CitusTable, citus_tables
from pyhce.citus.nodes import RegisteredNode, registered_nodes
from pyhce.errors import HceError
from pyhce.patroni import GroupState, HaFile, Standbys, group_states
from pyhce.schema.model import Schema
from pyhce.verify.model import Finding, skipped

logger = logging.getLogger(__name__)
CITUS_VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"


class Context:
    """A connection to the coordinator, connections to the other nodes, and facts about the cluster.

    Raises:
        ConnectionFailed: the coordinator does not answer.
    """

    def __init__(self, dsn: str, schema: Schema, standbys: Standbys | None = None) -> None:
        self.dsn = dsn
        self.schema = schema
        self.standbys = standbys
        self.conn: Connection[TupleRow] = connect(dsn)
        self._worker_connections: dict[str, Connection[TupleRow]] = {}
        self.unreachable_nodes: set[str] = set()
        """Addresses of nodes that the current probe could not connect to, as from outside of their network."""
        self._connection_errors: dict[str, HceError] = {}
        if self.citus:  # a node that does not respond delays a probe no longer than a connection of our own
            self.conn.execute("SET citus.node_connection_timeout TO '10s'")

    def close(self) -> None:
        """Close every connection."""
        for conn in (self.conn, *self._worker_connections.values()):
            conn.close()

    def rows(self, query: str, *values: object) -> list[Any]:
        """Rows from the coordinator."""
        return rows(self.conn, query, *values)

    def value(self, query: str, *values: object) -> Any:
        """One value from the coordinator."""
        return scalar(self.conn, query, *values)

    @cached_property
    def citus(self) -> bool:
        """Whether this is a Citus cluster."""
        return has_citus(self.conn)

    @cached_property
    def superuser(self) -> bool:
        """Whether this session is a superuser's."""
        return is_superuser(self.conn)

    @property
    def ha(self) -> HaFile:
        """The file of groups; only with standbys."""
        if self.standbys is None:
            raise AssertionError("probes of standbys are skipped without standbys")
        return self.standbys.ha

    @property
    def rest_password(self) -> str:
        """The password of Patroni's REST API; "" without standbys."""
        return self.standbys.password if self.standbys else ""

    @cached_property
    def group_states(self) -> tuple[GroupState, ...]:
        """The state of each group; only with standbys."""
        return group_states(self.ha, self.rest_password)

    @cached_property
    def nodes(self) -> list[RegisteredNode]:
        """The registered nodes; none without Citus."""
        return registered_nodes(self.conn) if self.citus else []

    @cached_property
    def workers(self) -> list[RegisteredNode]:
        """The registered nodes without the coordinator."""
        return [node for node in self.nodes if node.group != 0]

    @cached_property
    def citus_tables(self) -> dict[str, CitusTable]:
        """How Citus stores each table, by its name with schema; empty without Citus."""
        return citus_tables(self.conn) if self.citus else {}

    @cached_property
    def existing_tables(self) -> set[str]:
        """The tables of the schemas public and hce, as schema.name."""
        names = self.rows(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'hce')"
        )
        return {name for (name,) in names}

    def connection_to(self, node: RegisteredNode) -> Connection[TupleRow]:
        """A connection to a node. It is kept for the next probe.

        Raises:
            ConnectionFailed: the node does not answer. Further calls for it fail at once.
        """
        if node.group == 0:
            return self.conn
        if node.address in self._connection_errors:
            raise self._connection_errors[node.address]
        conn = self._worker_connections.get(node.address)
        if conn is None or conn.closed:
            try:
                conn = self._worker_connections[node.address] = connect(dsn_at(self.dsn, node.host, node.port))
            except HceError as error:
                self._connection_errors[node.address] = error
                logger.warning("cannot check %s from here: %s", node.address, error.wrong.splitlines()[0])
                raise
        return conn

    def every_node(self) -> Iterator[tuple[str, Connection[TupleRow]]]:
        """Each node's address and a connection; nodes that cannot be reached are in `unreachable_nodes` instead.

        Without Citus: "the server" and its connection.
        """
        if not self.nodes:
            yield "the server", self.conn
        for node in self.nodes:
            try:
                conn = self.connection_to(node)
            except HceError:
                self.unreachable_nodes.add(node.address)
                continue
            yield node.address, conn


def only_on_citus(function: Callable[[Context], Finding]) -> Callable[[Context], Finding]:
    """A probe that is skipped on a PostgreSQL without Citus."""

    def probe(context: Context) -> Finding:
        return function(context) if context.citus and context.nodes else skipped("one PostgreSQL without Citus")

    return probe
