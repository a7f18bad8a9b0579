"""The registrar: from running nodes to a cluster with the schema on it. It converges, and says what it changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus import (
    authentication,
    data_steps,
    distribute,
    distributed_functions,
    log_settings,
    migrate,
    node_privileges,
    nodes,
    site_roles,
)
from pyhce.citus.connection import (
    REGISTRAR_LOCK,
    Progress,
    advisory_lock,
    dsn_at,
    explained_errors,
    has_citus,
    no_progress,
    scalar,
    wait_for_connection,
)
from pyhce.citus.data_steps import DataStepReport
from pyhce.citus.nodes import Node
from pyhce.citus.online import LOCK_WAIT
from pyhce.errors import UsageError
from pyhce.schema.model import Frozen, Schema
from pyhce.settings import DEFAULT_SHARD_COUNT, DEFAULT_TIME_ZONE, SUPERUSER

_RELOAD = "SELECT pg_reload_conf()"
"""PostgreSQL reads a renewed certificate when it is told to, or starts."""


class RegistrationReport(Frozen):
    """What the registrar found and did.

    Args:
        engine: `citus`, or `postgresql` where the extension is absent.
        migrations: the numbers applied now.
        distributed: the tables that were given their home now.
        data_steps: the changes of stored rows that the migrations needed, made now.
        nodes: one sentence for each change to the cluster's nodes.
        settings: one sentence for each change to roles, secrets and privileges.
        not_mended: what is wrong with a role of the site and must be mended by a person, with the command.
        seconds: how long it took.
    """

    engine: str
    schema_version: int
    migrations: tuple[int, ...] = ()
    distributed: tuple[str, ...] = ()
    data_steps: tuple[DataStepReport, ...] = ()
    nodes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    not_mended: tuple[str, ...] = ()
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything had to be done."""
        return bool(self.migrations or self.distributed or self.data_steps or self.nodes or self.settings)


def register(
    dsn: str,
    *,
    schema: Schema,
    workers: Sequence[Node] = (),
    coordinator: Node | None = None,
    passwords: Mapping[str, str] | None = None,
    shard_count: int = DEFAULT_SHARD_COUNT,
    time_zone: str = DEFAULT_TIME_ZONE,
    timeout: float = 120.0,
    lock_wait: float = LOCK_WAIT,
    progress: Progress = no_progress,
) -> RegistrationReport:
    """Wait for every node, then make the cluster what the declaration says.

    Safe to repeat and to interrupt: only the difference is made, in steps that are whole or not there. Without
    workers and without Citus it prepares a single PostgreSQL. Passwords change last, when all else has succeeded:
    a registrar that fails leaves the applications with the passwords that they have.

    Args:
        dsn: the coordinator, as a superuser.
        workers: the workers by the names under which every node finds them.
        coordinator: the coordinator's name for the workers; from the DSN if not given.
        passwords: of the roles that log in; how nodes log in to each other follows from them.
        shard_count: shards of a distributed table, when it is made.
        time_zone: of dates without one, when the schema is made.
        timeout: seconds to wait for nodes and for another registrar, in all.
        lock_wait: seconds that a migration goes on trying where others hold a table.

    Raises:
        ConnectionFailed: a node did not answer in time.
        ForeignNode: a worker belongs to another cluster.
        SchemaMismatch: the database is not one that this release knows.
        UsageError: workers were given and the coordinator has no Citus; the role is no superuser.
    """
    start = time.monotonic()
    with wait_for_connection(dsn, timeout=timeout, progress=progress) as conn, explained_errors():
        _refuse_unsuitable(conn, workers)
        own = {conn.info.user: conn.info.password} if conn.info.password else {}
        secrets = {**own, **(passwords or {})}
        left = timeout - (time.monotonic() - start)
        with advisory_lock(conn, REGISTRAR_LOCK, timeout=max(left, 1.0), progress=progress):
            migrate.refuse_unknown_schema(conn, schema)
            citus = has_citus(conn)
            changes: list[str] = []
            settings: list[str] = []
            if citus:
                secrets |= {
                    role: authentication.internal_password(conn, role) for role in authentication.INTERNAL_ROLES
                }
                # New passwords hold from the last step on.
                holding = {
                    **authentication.known_passwords(conn),
                    **authentication.current_passwords(conn, secrets),
                    **own,
                }
                changes, settings = _register_nodes(conn, dsn, workers, coordinator, holding, start + timeout, progress)
            applied = migrate.migrate(
                conn, schema, time_zone=time_zone, shard_count=shard_count, lock_wait=lock_wait, progress=progress
            )
            homes = []
            if citus:
                homes = distribute.distribute(conn, schema, shard_count=shard_count, progress=progress)
                delegated = distributed_functions.distribute_functions(conn, schema)
                settings += (
                    [f"functions that write run on the nodes of their rows: {len(delegated)}"] if delegated else []
                )
                copied = distribute.replicate_reference_tables(conn, progress=progress)
                changes += [f"{copied} copies of reference tables to nodes that lacked them"] if copied else []
            data_steps.complete_empty_data_steps(conn, schema)
            settings += _configure_nodes(conn, dsn, citus=citus)
            mended = site_roles.repair_roles(conn)
            progress("roles and their passwords")
            settings += [*mended.done, *authentication.change_passwords(conn, secrets)]
    return RegistrationReport(
        engine="citus" if citus else "postgresql",
        schema_version=schema.version,
        migrations=tuple(applied),
        distributed=tuple(homes),
        nodes=tuple(changes),
        settings=tuple(settings),
        not_mended=tuple(mended.not_done),
        seconds=round(time.monotonic() - start, 2),
    )


def _refuse_unsuitable(conn: Connection[TupleRow], workers: Sequence[Node]) -> None:
    if not authentication.is_superuser(conn):
        raise UsageError(
            f"role {scalar(conn, 'SELECT current_user')} is no superuser: registering takes one",
            remedy=f"Connect as {SUPERUSER}.",
        )
    encoding = scalar(conn, "SHOW server_encoding")
    if encoding != "UTF8":
        raise UsageError(f"the database's encoding is {encoding}, not UTF8", remedy="Create it with ENCODING 'UTF8'.")
    if not workers or has_citus(conn):
        return
    if not scalar(conn, "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'citus')"):
        raise UsageError(
            f"{len(workers)} workers were given, but this PostgreSQL has no Citus: only Citus has workers",
            remedy="Leave the workers out, or connect to a PostgreSQL with the extension citus.",
        )
    raise UsageError(
        "Citus is installed here, but not in this database",
        remedy="CREATE EXTENSION citus in this database on every node, then run this again.",
    )


def _register_nodes(
    conn: Connection[TupleRow],
    dsn: str,
    workers: Sequence[Node],
    coordinator: Node | None,
    secrets: Mapping[str, str],
    deadline: float,
    progress: Progress,
) -> tuple[list[str], list[str]]:
    """Every worker a member, every node able to log in to every other; what changed of nodes and of secrets."""
    here = coordinator or _registered_coordinator(conn) or _coordinator_of_dsn(conn)
    changes: list[str] = []
    settings: list[str] = []
    reached: list[tuple[Node, Connection[TupleRow]]] = []
    try:
        for node in workers:
            progress(f"worker {node}")
            left = max(deadline - time.monotonic(), 1.0)
            worker = wait_for_connection(dsn_at(dsn, node.host, node.port), timeout=left, progress=progress)
            reached.append((node, worker))
            if not has_citus(worker):
                raise UsageError(
                    f"worker {node} has no extension citus in the database",
                    remedy="CREATE EXTENSION citus in this database on every node, then run this again.",
                )
        for node, worker in reached:
            nodes.refuse_foreign_worker(conn, node, worker)
        for place, connection in [(here, conn), *reached]:
            if authentication.set_authinfo(connection, secrets):
                settings.append(f"{place} knows how to log in to the other nodes")
        if (reached or nodes.registered_nodes(conn)) and nodes.set_coordinator_name(conn, here):
            changes.append(f"the coordinator is {here}")
        for node, worker in reached:
            changes += nodes.add_or_repair_worker(conn, node, worker)
    finally:
        for _, worker in reached:
            worker.close()
    return changes, settings


def _registered_coordinator(conn: Connection[TupleRow]) -> Node | None:
    """The coordinator as the cluster knows it: who runs this elsewhere may call it otherwise."""
    known = next((node for node in nodes.registered_nodes(conn) if node.group == 0), None)
    return Node(host=known.host, port=known.port) if known else None


def _coordinator_of_dsn(conn: Connection[TupleRow]) -> Node:
    """The coordinator as the DSN names it."""
    return Node(host=conn.info.host.split(",")[0] or "localhost", port=conn.info.port)


def _configure_nodes(conn: Connection[TupleRow], dsn: str, *, citus: bool) -> list[str]:
    """What Citus does not carry, on every node; each reads its certificate anew."""
    done = ["privileges of our roles, coordinator"] if node_privileges.set_node_privileges(conn) else []
    if log_settings.apply_log_settings(conn):
        done.append("settings that keep documents out of the log, coordinator")
    conn.execute(_RELOAD)
    for node in nodes.registered_nodes(conn) if citus else ():
        if node.group == 0 or not node.active:
            continue
        with wait_for_connection(dsn_at(dsn, node.host, node.port), timeout=10) as worker:
            if node_privileges.set_node_privileges(worker):
                done.append(f"privileges of our roles, {node.address}")
            if log_settings.apply_log_settings(worker):
                done.append(f"settings that keep documents out of the log, {node.address}")
            worker.execute(_RELOAD)
    return done
