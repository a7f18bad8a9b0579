"""The registrar brings running nodes to the declared state: nodes, migrations, distribution, grants.

Each run makes only the missing changes and reports them, so it can be repeated and interrupted.
"""

from __future__ import annotations

import logging
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
from pyhce.citus.nodes import Node, Secondary
from pyhce.citus.online import LOCK_WAIT
from pyhce.counted import counted
from pyhce.errors import UsageError
from pyhce.schema.model import Frozen, Schema
from pyhce.settings import COORDINATOR_POD, DATABASE, DEFAULT_SHARD_COUNT, DEFAULT_TIME_ZONE, SUPERUSER

logger = logging.getLogger(__name__)

_RELOAD = "SELECT pg_reload_conf()"
"""PostgreSQL reads a renewed certificate only when it reloads its configuration or starts."""


class RegistrationReport(Frozen):
    """What the registrar found and changed in one run.

    Args:
        engine: `citus`, or `postgresql` if the extension is not installed.
        schema_version: the number of the newest migration of this release.
        migrations: the numbers of the migrations that were applied.
        distributed: the names of the tables that were distributed or made reference tables.
        data_steps: the data steps that were run: changes of stored rows that a migration needs.
        nodes: one sentence for each change to the registered nodes.
        settings: one sentence for each change to roles, passwords, privileges and settings.
        not_mended: one sentence for each problem with a role of the site that the registrar cannot repair, with the
            command that does.
        pods: one sentence for each pod that was replaced and each setting of Patroni that was changed.
        seconds: duration of the run.
    """

    engine: str
    schema_version: int
    migrations: tuple[int, ...] = ()
    distributed: tuple[str, ...] = ()
    data_steps: tuple[DataStepReport, ...] = ()
    nodes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    not_mended: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether the run changed anything."""
        return bool(self.migrations or self.distributed or self.data_steps or self.nodes or self.settings or self.pods)


def register(
    dsn: str,
    *,
    schema: Schema,
    workers: Sequence[Node] = (),
    coordinator: Node | None = None,
    secondaries: Sequence[Secondary] = (),
    passwords: Mapping[str, str] | None = None,
    shard_count: int = DEFAULT_SHARD_COUNT,
    time_zone: str = DEFAULT_TIME_ZONE,
    timeout: float = 120.0,
    lock_wait: float = LOCK_WAIT,
    progress: Progress = no_progress,
) -> RegistrationReport:
    """Wait for every node, then bring the cluster to the declared state: nodes, migrations, distribution, grants.

    Safe to repeat and to interrupt: it makes only the missing changes, each in a transaction or in a statement that can
    run twice. Without workers and without Citus it prepares a single PostgreSQL server. Passwords change last: if the
    registrar fails earlier, the applications keep the passwords that they have.

    Args:
        dsn: the coordinator, with a role that is a superuser.
        schema: the declaration.
        workers: the workers, under names that every node can resolve.
        coordinator: the coordinator, under a name that the workers can resolve; default: the registered name, else the
            host of the DSN.
        secondaries: where standbys answer. If workers are given, all other secondary nodes are removed.
        passwords: passwords by role, for the roles that log in. The nodes also use them to log in to each other.
        shard_count: number of shards of a distributed table; counts only when the table is created.
        time_zone: time zone for dates and times that have none; counts only when the schema is created.
        timeout: seconds to wait for the nodes and for another registrar, in total.
        lock_wait: seconds for which a migration retries while other sessions hold a table.
        progress: called with one line of text at each step.

    Raises:
        ConnectionFailed: a node did not answer in time.
        ForeignNode: a worker belongs to another cluster.
        SchemaMismatch: this release does not know the schema of the database.
        UsageError: the role is not a superuser, the encoding is not UTF8, or workers were given and a node lacks Citus.
        HceError: another registrar held its lock, or other sessions held a table, for the whole time.
    """
    start = time.monotonic()
    with wait_for_connection(dsn, timeout=timeout, progress=progress) as conn, explained_errors():
        _refuse_unsuitable(conn, workers)
        own = {conn.info.user: conn.info.password} if conn.info.password else {}
        secrets = {**own, **(passwords or {})}
        seconds_left = timeout - (time.monotonic() - start)
        with advisory_lock(conn, REGISTRAR_LOCK, timeout=max(seconds_left, 1.0), progress=progress):
            migrate.refuse_unknown_schema(conn, schema)
            citus = has_citus(conn)
            changes: list[str] = []
            settings: list[str] = []
            if citus:
                secrets |= {
                    role: authentication.internal_password(conn, role) for role in authentication.INTERNAL_ROLES
                }
                # The new passwords become valid in the last step; until then nodes use those that are valid now.
                valid_now = {
                    **authentication.known_passwords(conn),
                    **authentication.current_passwords(conn, secrets),
                    **own,
                }
                changes, settings = _register_nodes(
                    conn, dsn, workers, coordinator, valid_now, start + timeout, progress
                )
                if workers or secondaries:
                    changes += nodes.set_secondaries(conn, secondaries)
            applied = migrate.migrate(
                conn, schema, time_zone=time_zone, shard_count=shard_count, lock_wait=lock_wait, progress=progress
            )
            distributed = []
            if citus:
                distributed = distribute.distribute(conn, schema, shard_count=shard_count, progress=progress)
                functions = distributed_functions.distribute_functions(conn, schema)
                settings += [f"distributed the save functions: {len(functions)}"] if functions else []
                copied = distribute.replicate_reference_tables(conn, progress=progress)
                changes += (
                    [f"copied reference tables to nodes that lacked them: {counted(copied, 'copy', 'copies')}"]
                    if copied
                    else []
                )
            data_steps.complete_empty_data_steps(conn, schema)
            settings += _configure_nodes(conn, dsn, citus=citus)
            settings += node_privileges.allow_reads_from_standbys(conn) if citus else []
            repairs = site_roles.repair_roles(conn)
            progress("roles and their passwords")
            settings += [*repairs.done, *authentication.change_passwords(conn, secrets)]
    report = RegistrationReport(
        engine="citus" if citus else "postgresql",
        schema_version=schema.version,
        migrations=tuple(applied),
        distributed=tuple(distributed),
        nodes=tuple(changes),
        settings=tuple(settings),
        not_mended=tuple(repairs.not_done),
        seconds=round(time.monotonic() - start, 2),
    )
    logger.info(
        "registered in %.1f s: %d migrations, %d tables distributed, %d changes to nodes, %d to settings",
        report.seconds,
        len(report.migrations),
        len(report.distributed),
        len(report.nodes),
        len(report.settings),
    )
    return report


def _refuse_unsuitable(conn: Connection[TupleRow], workers: Sequence[Node]) -> None:
    if not authentication.is_superuser(conn):
        raise UsageError(
            f"role {scalar(conn, 'SELECT current_user')} is not a superuser: the registrar needs a superuser",
            remedy=f"Give the DSN of a superuser, for example with user={SUPERUSER}.",
        )
    encoding = scalar(conn, "SHOW server_encoding")
    if encoding != "UTF8":
        raise UsageError(
            f"the encoding of the database is {encoding}, not UTF8",
            remedy=f"Create it again: CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0.",
        )
    if not workers or has_citus(conn):
        return
    if not scalar(conn, "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'citus')"):
        raise UsageError(
            f"{counted(len(workers), 'worker was', 'workers were')} given, but the extension citus is not "
            "available on this server",
            remedy="Run the command without --worker, or connect to a server with Citus.",
        )
    raise UsageError(
        "the extension citus is available on this server, but not installed in this database",
        remedy="Run CREATE EXTENSION citus in this database on every node, then run this command again.",
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
    """Add or repair every worker, and let every node log in to every other.

    All workers are checked before the first one is changed.

    Returns:
        One sentence for each change to a node, and one for each change to the stored passwords.
    """
    here = coordinator or _coordinator_by_default(conn)
    changes: list[str] = []
    settings: list[str] = []
    reached: list[tuple[Node, Connection[TupleRow]]] = []
    try:
        for node in workers:
            progress(f"worker {node}")
            seconds_left = max(deadline - time.monotonic(), 1.0)
            worker = wait_for_connection(dsn_at(dsn, node.host, node.port), timeout=seconds_left, progress=progress)
            reached.append((node, worker))
            if not has_citus(worker):
                raise UsageError(
                    f"the extension citus is not installed in the database of worker {node}",
                    remedy="Run CREATE EXTENSION citus in this database on every node, then run this command again.",
                )
        for node, worker in reached:
            nodes.refuse_foreign_worker(conn, node, worker)
        for node, connection in [(here, conn), *reached]:
            if authentication.set_authinfo(connection, secrets):
                settings.append(f"stored the passwords with which {node} logs in to the other nodes")
        if (reached or nodes.registered_nodes(conn)) and nodes.set_coordinator_name(conn, here):
            changes.append(f"registered the coordinator as {here}")
        for node, worker in reached:
            changes += nodes.add_or_repair_worker(conn, node, worker)
    finally:
        for _, worker in reached:
            worker.close()
    return changes, settings


def _coordinator_by_default(conn: Connection[TupleRow]) -> Node:
    """The registered name, else the host of the DSN.

    The chart's name of the coordinator's pod comes first: with standbys the coordinator was registered under the name
    of their Service, and without them it is the pod again.
    """
    given = _coordinator_of_dsn(conn)
    if given.host.startswith(COORDINATOR_POD):
        return given
    return _registered_coordinator(conn) or given


def _registered_coordinator(conn: Connection[TupleRow]) -> Node | None:
    """The coordinator under its registered name; the DSN may use a name that the workers cannot resolve."""
    known = next((node for node in nodes.registered_nodes(conn) if node.group == 0), None)
    return Node(host=known.host, port=known.port) if known else None


def _coordinator_of_dsn(conn: Connection[TupleRow]) -> Node:
    """The coordinator under the host name of the DSN."""
    return Node(host=conn.info.host.split(",")[0] or "localhost", port=conn.info.port)


def _configure_nodes(conn: Connection[TupleRow], dsn: str, *, citus: bool) -> list[str]:
    """Set on every node what Citus does not propagate, and reload the node's configuration and certificate."""
    done = ["set privileges on the coordinator"] if node_privileges.set_node_privileges(conn) else []
    if log_settings.apply_log_settings(conn):
        done.append("set log settings on the coordinator")
    conn.execute(_RELOAD)
    for node in nodes.registered_nodes(conn) if citus else ():
        if node.group == 0 or not node.active:
            continue
        with wait_for_connection(dsn_at(dsn, node.host, node.port), timeout=10) as worker:
            if node_privileges.set_node_privileges(worker):
                done.append(f"set privileges on {node.address}")
            if log_settings.apply_log_settings(worker):
                done.append(f"set log settings on {node.address}")
            worker.execute(_RELOAD)
    return done
