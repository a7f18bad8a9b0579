"""The lanes of a ledger: which rows each writes, at which node, and in which transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import Connection, pq
from psycopg.rows import TupleRow

from pyhce.citus.connection import rows
from pyhce.citus.nodes import RegisteredNode, registered_nodes
from pyhce.errors import UsageError
from pyhce.verify.ledger.accounts import Outcome

SHARD_TABLE = "recurso_compartido"
_CANDIDATES = 256
_ADD_SHARD_ROW = (
    "INSERT INTO recurso_compartido (fuente, tipo, id, recurso) VALUES (%s, 'Basic', %s,"
    ' \'{"resourceType": "Basic"}\')'
)
_ADD_REFERENCE_ROW = (
    'INSERT INTO organizacion (fuente, id, recurso) VALUES (%s, %s, \'{"resourceType": "Organization"}\')'
)
_SERVER_STOPS = "57P"
"""The errors of a server that stops or has crashed."""
_CONNECTION_LOST = ("08", _SERVER_STOPS)
"""The errors that leave open whether another node has committed."""


@dataclass(frozen=True)
class Lane:
    """A series of writes, one after another, over a connection of its own.

    Args:
        name: see `LaneReport`.
        host, port: the node that it connects to; host "" is the one of the ledger's DSN.
        groups: the Citus groups on whose shards each of its transactions writes a row; empty for the reference table.
    """

    name: str
    host: str
    port: int
    groups: tuple[int, ...]


def lanes_of(conn: Connection[TupleRow]) -> tuple[Lane, ...]:
    """The lanes for the nodes of a cluster.

    Raises:
        UsageError: it has no distributed table on a worker.
    """
    nodes = {node.group: node for node in registered_nodes(conn)}
    groups = [group for group in _groups_with_shards(conn) if group in nodes]
    if not groups:
        raise UsageError(
            f"no node has a shard of {SHARD_TABLE}: a ledger needs a Citus cluster with workers",
            remedy="Start one: pyhce up --workers 2",
        )
    labels = _labels([nodes[group] for group in groups])
    direct = [group for group in groups if group]
    return (
        *(Lane(f"single {labels[group]}", "", 0, (group,)) for group in groups),
        *(Lane(f"direct {labels[group]}", nodes[group].host, nodes[group].port, (group,)) for group in direct),
        Lane("multi", "", 0, tuple(groups)),
        Lane("reference", "", 0, ()),
    )


def _groups_with_shards(conn: Connection[TupleRow]) -> list[int]:
    found = rows(
        conn,
        "SELECT DISTINCT groupid FROM pg_dist_placement JOIN pg_dist_shard USING (shardid)"
        " WHERE logicalrelid = to_regclass(%s) ORDER BY groupid",
        SHARD_TABLE,
    )
    return [group for (group,) in found]


def _labels(nodes: Sequence[RegisteredNode]) -> dict[int, str]:
    """A short name for each node by its group: the first part of its host name, or its address if hosts are equal."""
    hosts = [node.host.partition(".")[0] for node in nodes]
    unique = len(set(hosts)) == len(hosts)
    return {node.group: host if unique else node.address for node, host in zip(nodes, hosts, strict=True)}


class RowIds:
    """New ids of rows that are stored on shards of given Citus groups."""

    def __init__(self, prefix: str, groups: Sequence[int]) -> None:
        self._prefix = prefix
        self._pools: dict[int, deque[str]] = {group: deque() for group in groups}
        self._used = 0

    def next(self, conn: Connection[TupleRow]) -> tuple[str, ...]:
        """An id for each group; one id of any place if there is no group.

        Args:
            conn: any node; it is asked where an id is stored.
        """
        if not self._pools:
            self._used += 1
            return (f"{self._prefix}-{self._used}",)
        while not all(self._pools.values()):
            self._refill(conn)
        return tuple(pool.popleft() for pool in self._pools.values())

    def _refill(self, conn: Connection[TupleRow]) -> None:
        candidates = [f"{self._prefix}-{self._used + n}" for n in range(1, _CANDIDATES + 1)]
        self._used += _CANDIDATES
        placed = rows(
            conn,
            "SELECT id, groupid FROM unnest(%s::text[]) AS id JOIN pg_dist_placement"
            " ON shardid = get_shard_id_for_distribution_column(%s, id)",
            candidates,
            SHARD_TABLE,
        )
        for row_id, group in placed:
            if group in self._pools:
                self._pools[group].append(row_id)


def write(conn: Connection[TupleRow], source: str, ids: Sequence[str], *, reference: bool) -> Outcome:
    """Write rows in one transaction and return its outcome. An error that refuses the transaction is not raised.

    Args:
        conn: in autocommit mode, with a role that may write.
        source: the source of the rows.
        ids: their ids. One row of a shard is written without a transaction block, as applications do.
        reference: whether they are rows of the reference table.
    """
    statement = _ADD_REFERENCE_ROW if reference else _ADD_SHARD_ROW
    if len(ids) == 1 and not reference:
        return _write_one(conn, statement, source, ids[0])
    try:
        conn.execute("BEGIN")
        for row_id in ids:
            conn.execute(statement, (source, row_id))
    except psycopg.Error:
        roll_back(conn)
        return Outcome.REFUSED
    try:
        committed = conn.execute("COMMIT").statusmessage == "COMMIT"
    except psycopg.Error as error:
        # A server that still answers has aborted the transaction: after its own commit it only warns.
        if _is_alive(conn) and not (error.sqlstate or "").startswith(_SERVER_STOPS):
            roll_back(conn)
            return Outcome.REFUSED
        return Outcome.UNKNOWN
    return Outcome.ACKNOWLEDGED if committed else Outcome.REFUSED


def _write_one(conn: Connection[TupleRow], statement: str, source: str, row_id: str) -> Outcome:
    try:
        conn.execute(statement, (source, row_id))
    except psycopg.Error as error:
        # The node that has the shard commits by itself: if it was lost meanwhile, it may have committed.
        lost = not error.sqlstate or error.sqlstate.startswith(_CONNECTION_LOST)
        return Outcome.UNKNOWN if lost else Outcome.REFUSED
    return Outcome.ACKNOWLEDGED


def _is_alive(conn: Connection[TupleRow]) -> bool:
    return not conn.closed and conn.pgconn.status == pq.ConnStatus.OK


def roll_back(conn: Connection[TupleRow]) -> None:
    """End an aborted transaction; the connection is closed if that fails."""
    try:
        conn.execute("ROLLBACK")
    except psycopg.Error:
        conn.close()
