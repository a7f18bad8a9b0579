"""The cluster's nodes: what should be, what is, and the difference made good.

`citus_add_node` leaves a node alone that it knows, whatever its state: the repair is ours
(https://docs.citusdata.com/en/stable/develop/api_udf.html, cluster management).
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import rows, scalar
from pyhce.errors import ForeignNode, UsageError
from pyhce.schema.model import Frozen


class Node(Frozen):
    """Where a node is found, by name."""

    host: str
    port: int = 5432

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Node:
        """`host` or `host:port`.

        Raises:
            UsageError: it is neither.
        """
        host, _, port = text.rpartition(":") if ":" in text else (text, "", "5432")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise UsageError(
                f"{text!r} is not a node: a node is host or host:port, the port from 1 to 65535",
                remedy="For example citus-worker-0.citus-nodes:5432.",
            )
        return cls(host=host, port=int(port))


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
        """host:port."""
        return f"{self.host}:{self.port}"


class WorkerMetadata(NamedTuple):
    """What a node itself holds of a cluster's metadata."""

    group: int
    nodes: frozenset[tuple[int, int]]
    """(node id, group) of every node it knows."""
    tables: int
    """Tables in its metadata."""
    local_tables: int
    """Tables of ours that it holds outside of any cluster."""


def registered_nodes(conn: Connection[TupleRow]) -> list[RegisteredNode]:
    """The rows of `pg_dist_node`, the coordinator first."""
    return [
        RegisteredNode(*row)
        for row in rows(
            conn,
            "SELECT nodeid, groupid, nodename, nodeport, isactive, hasmetadata, metadatasynced, shouldhaveshards"
            " FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid",
        )
    ]


def worker_metadata(worker: Connection[TupleRow]) -> WorkerMetadata:
    """What a worker holds of a cluster's metadata."""
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
    """Note the coordinator's own name, before any worker is added; whether that changed anything."""
    known = next((n for n in registered_nodes(conn) if n.group == 0), None)
    if known and (known.host, known.port) == (node.host, node.port):
        return False
    conn.execute("SELECT citus_set_coordinator_host(%s, %s)", (node.host, node.port))
    return True


def refuse_foreign_worker(conn: Connection[TupleRow], node: Node, worker: Connection[TupleRow]) -> None:
    """Refuse a worker that is neither a member, under this or another name, nor empty. Nothing is changed.

    Raises:
        ForeignNode: it carries another cluster's metadata or tables, or lost its own.
    """
    held = worker_metadata(worker)
    known = _registered_under_name(conn, node)
    if known is not None:
        _refuse_replaced_server(conn, known, worker, held)
    elif _registered_under_other_name(conn, worker, held) is None:
        _refuse_occupied_worker(node, held)


def add_or_repair_worker(conn: Connection[TupleRow], node: Node, worker: Connection[TupleRow]) -> list[str]:
    """Make a worker that is no stranger a whole member of the cluster; what that took, nothing if it was one."""
    known = _registered_under_name(conn, node)
    if known is not None:
        return _repair(conn, known)
    renamed = _registered_under_other_name(conn, worker, worker_metadata(worker))
    if renamed is not None:
        conn.execute("SELECT citus_update_node(%s, %s, %s)", (renamed.id, node.host, node.port))
        moved = renamed._replace(host=node.host, port=node.port)
        return [f"{renamed.address} is now called {node}", *_repair(conn, moved)]
    conn.execute("SELECT citus_add_node(%s, %s)", (node.host, node.port))
    return [f"added {node}"]


def _registered_under_name(conn: Connection[TupleRow], node: Node) -> RegisteredNode | None:
    """The worker that is registered under this name."""
    return next((n for n in registered_nodes(conn) if n.group and (n.host, n.port) == (node.host, node.port)), None)


def _registered_under_other_name(
    conn: Connection[TupleRow], worker: Connection[TupleRow], held: WorkerMetadata
) -> RegisteredNode | None:
    """The member that a worker says it is, registered under another name."""
    member = next((n for n in registered_nodes(conn) if held.group and n.group == held.group), None)
    return member if member is not None and same_cluster(conn, worker) else None


def installation_id(conn: Connection[TupleRow]) -> str | None:
    """The identity of the installation that a node belongs to, None where there is none yet."""
    if scalar(conn, "SELECT to_regclass('hce.instalacion')") is None:
        return None
    return str(scalar(conn, "SELECT id FROM hce.instalacion LIMIT 1"))


def same_cluster(conn: Connection[TupleRow], worker: Connection[TupleRow]) -> bool:
    """Whether a worker's metadata is this cluster's.

    By the installation's identity; before there is one, by the coordinator that the worker knows.
    """
    here, there = installation_id(conn), installation_id(worker)
    if here and there:
        return here == there
    coordinators = [{n.address for n in registered_nodes(c) if n.group == 0} for c in (conn, worker)]
    return bool(coordinators[0]) and coordinators[0] == coordinators[1]


def _repair(conn: Connection[TupleRow], known: RegisteredNode) -> list[str]:
    done = []
    if not (known.active and known.has_metadata and known.synced):
        conn.execute("SELECT citus_activate_node(%s, %s)", (known.host, known.port))
        done.append(f"activated {known.address} and synced its metadata")
    if not known.takes_shards:
        conn.execute("SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', true)", (known.host, known.port))
        done.append(f"{known.address} takes shards again")
    return done


def _refuse_occupied_worker(node: Node, held: WorkerMetadata) -> None:
    if held.group or held.nodes or held.tables:
        raise ForeignNode(
            f"{node} carries the metadata of another cluster ({len(held.nodes)} nodes, {held.tables} tables): "
            "a worker joins with an empty database",
            remedy="Take it out of its cluster, or give this one an empty volume. Nothing was changed.",
        )
    if held.local_tables:
        raise ForeignNode(
            f"{node} holds {held.local_tables} tables of its own in public or hce: a worker joins empty",
            remedy="Give it an empty database: the schema's tables reach workers by distribution only. "
            "Nothing was changed.",
        )


def _refuse_replaced_server(
    conn: Connection[TupleRow], known: RegisteredNode, worker: Connection[TupleRow], held: WorkerMetadata
) -> None:
    """A registered name behind which another server now answers."""
    placements = scalar(
        conn,
        "SELECT count(*) FROM pg_dist_placement p JOIN pg_dist_shard s USING (shardid)"
        " JOIN pg_dist_partition t ON t.logicalrelid = s.logicalrelid WHERE groupid = %s AND partmethod = 'h'",
        known.group,
    )
    if not held.group and not held.nodes and not held.local_tables:
        if known.has_metadata and placements:
            raise ForeignNode(
                f"{known.address} is registered with {placements} shards, but an empty server answers there: "
                "its data is gone or another volume is mounted",
                remedy="Mount its own volume, or restore it from a backup. Nothing was changed.",
            )
        return
    if not known.has_metadata:
        return
    if held.group != known.group or not same_cluster(conn, worker):
        raise ForeignNode(
            f"{known.address} answers, but as a member of another cluster "
            f"(its group is {held.group}, not {known.group})",
            remedy="Check which server that name leads to, and its volume. Nothing was changed.",
        )
