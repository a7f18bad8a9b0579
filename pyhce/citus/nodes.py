"""The nodes of the cluster: which are registered, what a worker contains, and how a worker is added or repaired.

`citus_add_node` does nothing for a node that is registered already, even if the node is inactive or its metadata is
out of sync. So the repair is done here
(https://docs.citusdata.com/en/stable/develop/api_udf.html, "Node management functions").
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import rows, scalar
from pyhce.counted import counted
from pyhce.errors import ForeignNode, UsageError
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)


class Node(Frozen):
    """The host name and port of a node."""

    host: str
    port: int = 5432

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Node:
        """The node of `host` or `host:port`; the port is 5432 if it is not given.

        Raises:
            UsageError: the text is neither, or the port is not between 1 and 65535.
        """
        host, _, port = text.rpartition(":") if ":" in text else (text, "", "5432")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise UsageError(
                f"{text!r} is not a node: write host or host:port, with a port from 1 to 65535",
                remedy="For example: citus-worker-0.citus-nodes:5432.",
            )
        return cls(host=host, port=int(port))


class Secondary(Frozen):
    """Where the standbys of a group answer, for reads with `citus.use_secondary_nodes`.

    Args:
        primary: the registered name of the group.
        node: the address of its standbys; it stays the same after a failover, like a read-only Service.
    """

    primary: Node
    node: Node

    @classmethod
    def parse(cls, text: str) -> Secondary:
        """The secondary of `PRIMARY=HOST[:PORT]`.

        Raises:
            UsageError: the text is not of this form.
        """
        primary, equals, node = text.partition("=")
        if not equals:
            raise UsageError(
                f"{text!r} is not a secondary: write PRIMARY=HOST[:PORT]",
                remedy="For example: citus-worker-0=citus-worker-0-read.",
            )
        return cls(primary=Node.parse(primary), node=Node.parse(node))


class RegisteredNode(NamedTuple):
    """A row of `pg_dist_node`."""

    id: int
    group: int
    host: str
    port: int
    active: bool
    has_metadata: bool
    synced: bool
    takes_shards: bool

    @property
    def address(self) -> str:
        """Host and port, as `host:port`."""
        return f"{self.host}:{self.port}"


class WorkerMetadata(NamedTuple):
    """What a worker's own database says about the cluster that it belongs to.

    Args:
        group: its group id; 0 if it belongs to no cluster.
        nodes: (node id, group id) of each node that it knows.
        tables: number of Citus tables in its metadata.
        local_tables: number of ordinary tables in the schemas public and hce.
    """

    group: int
    nodes: frozenset[tuple[int, int]]
    tables: int
    local_tables: int


def registered_nodes(conn: Connection[TupleRow]) -> list[RegisteredNode]:
    """The primary nodes in `pg_dist_node`, the coordinator first."""
    return [
        RegisteredNode(*row)
        for row in rows(
            conn,
            "SELECT nodeid, groupid, nodename, nodeport, isactive, hasmetadata, metadatasynced, shouldhaveshards"
            " FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid",
        )
    ]


def worker_metadata(worker: Connection[TupleRow]) -> WorkerMetadata:
    """What a worker's own database says about the cluster that it belongs to."""
    return WorkerMetadata(
        group=scalar(worker, "SELECT groupid FROM pg_dist_local_group") or 0,
        nodes=frozenset((n.id, n.group) for n in registered_nodes(worker)),
        tables=scalar(worker, "SELECT count(*) FROM pg_dist_partition"),
        local_tables=scalar(
            worker,
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname IN ('public', 'hce')"
            " AND NOT EXISTS (SELECT 1 FROM pg_dist_partition p WHERE p.logicalrelid = c.oid)"
            " AND NOT EXISTS (SELECT 1 FROM pg_dist_shard s JOIN pg_class t ON t.oid = s.logicalrelid"
            "  WHERE c.relname = t.relname || '_' || s.shardid)"
            " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')",
        ),
    )


def set_coordinator_name(conn: Connection[TupleRow], node: Node) -> bool:
    """Register the coordinator's own name; workers need it before they are added.

    Returns:
        Whether the name was missing or different.
    """
    known = next((n for n in registered_nodes(conn) if n.group == 0), None)
    if known and (known.host, known.port) == (node.host, node.port):
        return False
    conn.execute("SELECT citus_set_coordinator_host(%s, %s)", (node.host, node.port))
    logger.info("registered the coordinator as %s", node)
    return True


def set_secondaries(conn: Connection[TupleRow], secondaries: Sequence[Secondary]) -> list[str]:
    """Register these secondary nodes and remove all others. Citus reads from them only if a session asks for it.

    Returns:
        One sentence for each change.

    Raises:
        UsageError: a primary is not registered.
    """
    groups = {(node.host, node.port): node.group for node in registered_nodes(conn)}
    wanted: dict[tuple[str, int, int], Secondary] = {}
    for one in secondaries:
        group = groups.get((one.primary.host, one.primary.port))
        if group is None:
            raise UsageError(
                f"{one.primary} is not a registered node: it cannot have the secondary {one.node}",
                remedy=f"Name a registered node: {', '.join(f'{host}:{port}' for host, port in groups)}.",
            )
        wanted[one.node.host, one.node.port, group] = one
    known = rows(conn, "SELECT nodename, nodeport, groupid FROM pg_dist_node WHERE noderole = 'secondary'")
    changes = []
    for host, port, group in known:
        if (host, port, group) not in wanted:
            conn.execute("SELECT citus_remove_node(%s, %s)", (host, port))
            changes.append(f"removed the secondary node {host}:{port}")
    for key, one in wanted.items():
        if key not in known:
            conn.execute(
                "SELECT citus_add_secondary_node(%s, %s, %s, %s)",
                (one.node.host, one.node.port, one.primary.host, one.primary.port),
            )
            changes.append(f"added {one.node} as the secondary node of {one.primary}")
    for change in changes:
        logger.info("%s", change)
    return changes


def refuse_foreign_worker(conn: Connection[TupleRow], node: Node, worker: Connection[TupleRow]) -> None:
    """Refuse a worker that is neither a member of this cluster, under this or another name, nor empty.

    Changes nothing.

    Args:
        node: the name under which it is to be registered.
        worker: a connection to it.

    Raises:
        ForeignNode: it belongs to another cluster, has tables of its own, or is a member that lost its data.
    """
    metadata = worker_metadata(worker)
    known = _registered_under_name(conn, node)
    if known is not None:
        _refuse_replaced_server(conn, known, worker, metadata)
    elif _registered_under_other_name(conn, worker, metadata) is None:
        _refuse_occupied_worker(node, metadata)


def add_or_repair_worker(conn: Connection[TupleRow], node: Node, worker: Connection[TupleRow]) -> list[str]:
    """Add a worker to the cluster, or repair the registration of one that is a member.

    `refuse_foreign_worker` must have accepted it.

    Args:
        conn: the coordinator.
        node: the name under which the worker is to be registered.
        worker: a connection to it.

    Returns:
        One sentence for each change; empty if the worker was an active member under this name.
    """
    changes = _add_or_repair(conn, node, worker)
    for change in changes:
        logger.info("%s", change)
    return changes


def _add_or_repair(conn: Connection[TupleRow], node: Node, worker: Connection[TupleRow]) -> list[str]:
    known = _registered_under_name(conn, node)
    if known is not None:
        return _repair(conn, known)
    former = _registered_under_other_name(conn, worker, worker_metadata(worker))
    if former is not None:
        conn.execute("SELECT citus_update_node(%s, %s, %s)", (former.id, node.host, node.port))
        renamed = former._replace(host=node.host, port=node.port)
        return [f"renamed {former.address} to {node}", *_repair(conn, renamed)]
    conn.execute("SELECT citus_add_node(%s, %s)", (node.host, node.port))
    return [f"added {node}"]


def _registered_under_name(conn: Connection[TupleRow], node: Node) -> RegisteredNode | None:
    return next((n for n in registered_nodes(conn) if n.group and (n.host, n.port) == (node.host, node.port)), None)


def _registered_under_other_name(
    conn: Connection[TupleRow], worker: Connection[TupleRow], metadata: WorkerMetadata
) -> RegisteredNode | None:
    """The registered node that the worker is, by its own metadata: its group in this cluster."""
    member = next((n for n in registered_nodes(conn) if metadata.group and n.group == metadata.group), None)
    return member if member is not None and same_cluster(conn, worker) else None


def installation_id(conn: Connection[TupleRow]) -> str | None:
    """The id (a UUID) of the installation that a node belongs to; None if the node has no schema yet."""
    if scalar(conn, "SELECT to_regclass('hce.instalacion')") is None:
        return None
    return str(scalar(conn, "SELECT id FROM hce.instalacion LIMIT 1"))


def same_cluster(conn: Connection[TupleRow], worker: Connection[TupleRow]) -> bool:
    """Whether a worker belongs to this cluster.

    Decided by the id of the installation. Before there is one, by the name of the coordinator that both have
    registered.
    """
    own, other = installation_id(conn), installation_id(worker)
    if own and other:
        return own == other
    coordinators = [{n.address for n in registered_nodes(c) if n.group == 0} for c in (conn, worker)]
    return bool(coordinators[0]) and coordinators[0] == coordinators[1]


def _repair(conn: Connection[TupleRow], known: RegisteredNode) -> list[str]:
    done = []
    if not (known.active and known.has_metadata and known.synced):
        conn.execute("SELECT citus_activate_node(%s, %s)", (known.host, known.port))
        done.append(f"activated {known.address} and synced its metadata")
    if not known.takes_shards:
        conn.execute("SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', true)", (known.host, known.port))
        done.append(f"allowed shards on {known.address} again")
    return done


def _refuse_occupied_worker(node: Node, metadata: WorkerMetadata) -> None:
    if metadata.group or metadata.nodes or metadata.tables:
        raise ForeignNode(
            f"worker {node} belongs to another cluster: its metadata lists {counted(len(metadata.nodes), 'node')} and "
            f"{counted(metadata.tables, 'table')}. A new worker must have an empty database",
            remedy="Remove it from that cluster, or start a server with an empty volume under this name. "
            "Nothing was changed.",
        )
    if metadata.local_tables:
        raise ForeignNode(
            f"worker {node} has {counted(metadata.local_tables, 'table')} in the schemas "
            "public and hce. A new worker must have an empty database",
            remedy="Drop these tables, or give the worker an empty database: Citus creates the tables on workers. "
            "Nothing was changed.",
        )


def _refuse_replaced_server(
    conn: Connection[TupleRow], known: RegisteredNode, worker: Connection[TupleRow], metadata: WorkerMetadata
) -> None:
    """Refuse a server that answers under a registered name and is not the one that was registered."""
    placements = scalar(
        conn,
        "SELECT count(*) FROM pg_dist_placement p JOIN pg_dist_shard s USING (shardid)"
        " JOIN pg_dist_partition t ON t.logicalrelid = s.logicalrelid WHERE groupid = %s AND partmethod = 'h'",
        known.group,
    )
    if not metadata.group and not metadata.nodes and not metadata.local_tables:
        if known.has_metadata and placements:
            raise ForeignNode(
                f"{known.address} is registered with {counted(placements, 'shard')}, but its database is empty: "
                "the data is lost, or another volume is mounted",
                remedy="Mount the worker's own volume, or restore it from a backup. Nothing was changed.",
            )
        return
    if not known.has_metadata:
        return
    if metadata.group != known.group or not same_cluster(conn, worker):
        raise ForeignNode(
            f"the server at {known.address} belongs to another cluster: its group is {metadata.group}, the registered "
            f"one is {known.group}",
            remedy="Check which server this name resolves to, and which volume it has mounted. Nothing was changed.",
        )
