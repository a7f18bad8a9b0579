"""The servers of a data folder: one PostgreSQL, or a Citus coordinator and its workers."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyhce.counted import counted
from pyhce.errors import HceError, UsageError
from pyhce.local import folder as folders
from pyhce.local import server
from pyhce.local.account import Account, runnable_engine, server_account
from pyhce.local.engine import Engine, find_engine
from pyhce.local.folder import FolderState, NodeState
from pyhce.local.groups import Groups
from pyhce.local.standbys import MEMBER_HOST, Requirements, with_standbys
from pyhce.schema.model import Frozen
from pyhce.settings import DATABASE, DEFAULT_TIME_ZONE, DEFAULT_WORKERS, NODE_PORT, SUPERUSER

MAX_WORKERS = 32
MAX_STANDBYS = 3
MAX_PORT = 65535
REQUIRED_BYTES = 1024**3
"""Free bytes that the volume must have."""


class LocalNode(Frozen):
    """A server.

    Args:
        data: its data directory.
        pid: its process id, None if it does not run.
    """

    name: str
    host: str = "localhost"
    port: int
    data: Path
    pid: int | None


class LocalCluster(Frozen):
    """The servers of a data folder.

    Args:
        workers: empty on a single PostgreSQL.
        members: with standbys, every server; the nodes' ports then lead to the leaders among them.
        created: whether this start created the folder's servers.
        already_running: whether all of them ran before this start.
        recovered: what this start repaired, a sentence for each repair.
    """

    folder: Path
    engine: Engine
    coordinator: LocalNode
    workers: tuple[LocalNode, ...]
    members: tuple[LocalNode, ...] = ()
    created: bool = False
    already_running: bool = False
    recovered: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[LocalNode, ...]:
        """The coordinator, then the workers."""
        return (self.coordinator, *self.workers)


class LocalStatus(Frozen):
    """The servers of a data folder; `cluster` is None if the folder has none."""

    folder: Path
    cluster: LocalCluster | None


class StopReport(Frozen):
    """The names of the servers that were stopped."""

    folder: Path
    stopped: tuple[str, ...]


class FolderContents(Frozen):
    """What a data folder holds: its servers by name, and its size in bytes."""

    folder: Path
    nodes: tuple[str, ...]
    bytes: int

    @property
    def summary(self) -> str:
        """The content in one sentence."""
        return (
            f"{self.folder} contains {len(self.nodes)} PostgreSQL servers ({', '.join(self.nodes)}), all their data "
            f"and their passwords: {self.bytes / 1024**2:.0f} MiB"
        )


class DeleteReport(Frozen):
    """What was deleted: the servers by name, and the size in bytes."""

    folder: Path
    nodes: tuple[str, ...]
    bytes: int


def start(
    folder: Path,
    *,
    engine: Engine,
    workers: int | None = None,
    standbys: int | None = None,
    port: int | None = None,
    time_zone: str = DEFAULT_TIME_ZONE,
    on_progress: Callable[[str], None] = lambda _: None,
) -> LocalCluster:
    """Create the servers of a data folder as far as they do not exist, and start them.

    Safe to repeat and to interrupt.

    Args:
        folder: the data folder; it becomes private to its owner.
        engine: the PostgreSQL to run.
        workers: number of workers, used with Citus only. More than before adds workers; fewer is refused. If None: as
            many as the folder has, or DEFAULT_WORKERS in a new one.
        standbys: number of standbys of each node, run by Patroni; Citus only. None keeps what the folder has. More than
            before adds standbys; fewer is refused.
        port: the coordinator's port; if None the folder's, or NODE_PORT in a new one. A new worker takes the next free
            port and keeps it.
        time_zone: used for dates that carry none; ignored if the servers exist.
        on_progress: called with a line on what is being done.

    Raises:
        UsageError: the folder contains other files, or the number of workers or standbys or the port is not allowed.
        HceError: a port is taken, the folder was made by another PostgreSQL, the volume is full, or a server did not
            start.
    """
    account = server_account()
    if workers is not None:
        _refuse_workers(engine, workers)
    if port is not None:
        _refuse_port(port)
    folders.make_folder(folder, account)
    with folders.folder_lock(folder):
        before = folders.read_state(folder)
        if before is not None:
            _refuse_other_engine(folder, before, engine)
        if port is None:
            port = before.nodes[0].port if before else NODE_PORT
        if workers is None:
            workers = len(before.nodes) - 1 if before else DEFAULT_WORKERS
        _refuse_full_disk(folder)
        runnable = runnable_engine(engine, folder, account)
        state = _target_state(folder, before, engine, workers, port, time_zone)
        count = _standbys(folder, before, engine, standbys)
        if count:
            state = with_standbys(state, count, lambda used: _free_port(used, port))
            return _start_with_standbys(folder, before, state, runnable, account, on_progress)
        recovered = [sentence for n in state.nodes for sentence in server.recover(_data(folder, n), n.name)]
        running = {n.name: server.settled_pid_of(_data(folder, n)) for n in state.nodes}
        moved = before is not None and before.nodes[0].port != port and running["coordinator"] is not None
        if moved:
            running["coordinator"] = None
        stopped = [node for node in state.nodes if running[node.name] is None]
        for node in stopped:
            server.refuse_taken_port(node.port, node.name)
        if moved:  # only now: a refused port leaves the server running
            server.stop_server(_data(folder, state.nodes[0]), runnable, account)
        folders.write_state(folder, state)
        secrets = folders.passwords(folder)
        pgpass = folders.write_pgpass(folder, state)

        def bring_up(node: NodeState) -> None:
            data = _data(folder, node)
            if not data.exists():
                on_progress(f"creating the data directory of {node.name}")
                server.initialise(data, runnable, account, secrets[SUPERUSER])
            server.configure(data, runnable, account, port=node.port, time_zone=state.time_zone)
            on_progress(f"starting {node.name} on port {node.port}")
            server.start_server(data, runnable, account, node.name)

        _on_every_node(bring_up, stopped)
        on_progress("creating the database on every server, if it does not exist")
        _on_every_node(lambda node: server.create_database(runnable, account, node.port, pgpass), state.nodes)
        return _cluster(
            folder,
            state,
            created=before is None,
            already_running=not stopped and not moved,
            recovered=tuple(recovered),
        )


def _start_with_standbys(
    folder: Path,
    before: FolderState | None,
    state: FolderState,
    runnable: Engine,
    account: Account,
    on_progress: Callable[[str], None],
) -> LocalCluster:
    """Start the groups of a folder; servers that ran without Patroni are stopped first, and it adopts their data."""
    on_progress("looking for etcd and Patroni")
    requirements = Requirements(folder, account)
    secrets = folders.passwords(folder)
    groups = Groups(folder, state, runnable, account, secrets[SUPERUSER])
    recovered: list[str] = []
    plain = before.nodes if before is not None and before.standbys is None else ()
    for node in plain:
        recovered += server.recover(_data(folder, node), node.name)
    running = [node for node in plain if server.pid_of(_data(folder, node)) is not None]
    groups.refuse_taken_ports(ours={node.port for node in running})  # a refused port leaves the servers running
    for node in running:
        on_progress(f"stopping {node.name}: Patroni takes it over")
        server.stop_server(_data(folder, node), runnable, account)
    folders.write_state(folder, state)
    pgpass = folders.write_pgpass(folder, state)
    ran, repairs = groups.start(requirements, state.time_zone, pgpass, on_progress)
    return _cluster(
        folder, state, created=before is None, already_running=ran, recovered=(*recovered, *repairs)
    )  # fmt: skip


def engine_for(folder: Path, pg_config: Path | None = None, *, citus: bool | None = None) -> Engine:
    """The PostgreSQL to run a folder's servers with.

    It is the one of `pg_config` or PYHCE_PG_CONFIG, else the one that made the folder, else as `find_engine`.

    Args:
        folder: the data folder.
        pg_config: as for `find_engine`.
        citus: as for `find_engine`; None uses Citus if the folder was made with it.

    Raises:
        UsageError: `pg_config` is not a program pg_config of a supported PostgreSQL server.
        HceError: there is no such PostgreSQL.
    """
    state = folders.read_state(folder)
    if state is None or pg_config is not None or os.environ.get("PYHCE_PG_CONFIG"):
        return find_engine(pg_config, citus=citus)
    made_with_citus = state.engine.kind == "citus"
    if citus is None or citus == made_with_citus:
        if (state.engine.bindir / "postgres").exists():
            return state.engine
        citus = made_with_citus
    return find_engine(citus=citus)


def _on_every_node(action: Callable[[NodeState], None], nodes: Iterable[NodeState]) -> None:
    """Call a function with every node in parallel; when all calls have ended, raise the first error."""
    with ThreadPoolExecutor(max_workers=MAX_WORKERS + 1) as pool:
        for future in [pool.submit(action, node) for node in nodes]:
            future.result()


def _data(folder: Path, node: NodeState) -> Path:
    return folder / node.name


def _refuse_workers(engine: Engine, workers: int) -> None:
    least = 1 if engine.kind == "citus" else 0
    if not least <= workers <= MAX_WORKERS:
        raise UsageError(
            f"--workers {workers} is not between {least} and {MAX_WORKERS}",
            remedy="Give a number in that range: --workers 2",
        )


def _standbys(folder: Path, before: FolderState | None, engine: Engine, wanted: int | None) -> int:
    """The number of standbys of each node."""
    known = 0
    if before is not None and before.standbys is not None:
        known = len(before.standbys.members) // len(before.nodes) - 1
    if wanted is None:
        return known
    if not 0 <= wanted <= MAX_STANDBYS:
        raise UsageError(
            f"--standbys {wanted} is not between 0 and {MAX_STANDBYS}", remedy="Give a number in that range: 1"
        )
    if wanted and engine.kind != "citus":
        raise UsageError(
            f"--standbys needs Citus, and {engine.source} is PostgreSQL {engine.version} without it",
            remedy="Give the pg_config of a PostgreSQL with the extension citus (--pg-config), or omit --standbys.",
        )
    if wanted < known:
        raise UsageError(
            f"--standbys {wanted} is fewer than the {known} of {folder}",
            remedy="Omit --standbys. To go back, run pyhce export, then `pyhce up` with another --folder, then "
            "pyhce load.",
        )
    return wanted


def _refuse_port(port: int) -> None:
    if not 1 <= port <= MAX_PORT:
        raise UsageError(
            f"--port {port} is not between 1 and {MAX_PORT}", remedy=f"Give a number in that range: --port {NODE_PORT}"
        )


def _refuse_other_engine(folder: Path, state: FolderState, engine: Engine) -> None:
    """Refuse a PostgreSQL of another major version, or with Citus if the folder's has none, or the reverse."""
    was, now = state.engine, engine
    if was.major != now.major or (was.kind == "citus") != (now.kind == "citus"):
        raise HceError(
            f"{folder} was made by PostgreSQL {was.major} ({was.kind}, {was.source}); "
            f"PostgreSQL {now.major} ({now.kind}, {now.source}) cannot run it",
            remedy="Use the PostgreSQL that made it (--pg-config, --no-citus), or give another --folder. "
            "To move the data, run pyhce export on the old database and pyhce load on the new one.",
        )
    if was.kind == "citus" and was.citus_version != now.citus_version:
        raise HceError(
            f"{folder} was made by Citus {was.citus_version}; Citus {now.citus_version} cannot run it",
            remedy="Use the Citus that made it (--pg-config), or give another --folder.",
        )


def _refuse_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < REQUIRED_BYTES:
        raise HceError(
            f"the volume of {folder} has {free / 1024**2:.0f} MiB free, and the database needs at least "
            f"{REQUIRED_BYTES // 1024**2} MiB",
            remedy="Free some space, or give a --folder on another volume.",
        )


def _target_state(
    folder: Path, before: FolderState | None, engine: Engine, workers: int, port: int, time_zone: str
) -> FolderState:
    """The folder's nodes as before, with the coordinator at the port asked for, and new workers if more are wanted."""
    count = workers if engine.kind == "citus" else 0
    known = before.nodes[1:] if before else ()
    if len(known) > count:
        raise UsageError(
            f"--workers {count} is fewer than the {counted(len(known), 'worker')} of {folder}: shards would be lost",
            remedy=f"Give --workers {len(known)} or more.",
        )
    nodes = [NodeState(name="coordinator", port=port), *known]
    for number in range(len(known), count):
        nodes.append(NodeState(name=f"worker-{number}", port=_free_port({n.port for n in nodes}, port)))
    return FolderState(
        engine=engine,
        time_zone=before.time_zone if before else time_zone,
        nodes=tuple(nodes),
        standbys=before.standbys if before else None,
    )


def _free_port(used: set[int], after: int) -> int:
    for port in range(after + 1, min(after + 1000, MAX_PORT + 1)):
        if port in used:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise HceError(f"there is no free port after {after} for a worker", remedy="Give another --port.")


def _cluster(folder: Path, state: FolderState, **facts: object) -> LocalCluster:
    nodes = [
        LocalNode(name=n.name, port=n.port, data=_data(folder, n), pid=server.pid_of(_data(folder, n)))
        for n in state.nodes
    ]
    members = [
        LocalNode(
            name=m.name, host=MEMBER_HOST, port=m.port, data=folder / m.name, pid=server.pid_of(folder / m.name)
        )
        for m in (state.standbys.members if state.standbys else ())
    ]  # fmt: skip
    return LocalCluster.model_validate(
        {
            "folder": folder,
            "engine": state.engine,
            "coordinator": nodes[0],
            "workers": tuple(nodes[1:]),
            "members": tuple(members),
            **facts,
        }
    )


def status(folder: Path) -> LocalStatus:
    """The servers of a data folder, each with its process id if it runs."""
    state = folders.read_state(folder)
    return LocalStatus(folder=folder, cluster=_cluster(folder, state) if state else None)


def stop(folder: Path) -> StopReport:
    """Stop the servers of a data folder; its data is kept.

    Raises:
        UsageError: it is not a data folder of pyhce.
        HceError: a server does not stop.
    """
    state, account = _require_state(folder), server_account()
    with folders.folder_lock(folder):
        engine = runnable_engine(state.engine, folder, account)
        if state.standbys is not None:
            groups = Groups(folder, state, engine, account, folders.passwords(folder)[SUPERUSER])
            return StopReport(folder=folder, stopped=tuple(groups.stop()))
        stopped = [n.name for n in reversed(state.nodes) if server.stop_server(_data(folder, n), engine, account)]
    return StopReport(folder=folder, stopped=tuple(stopped))


def contents(folder: Path) -> FolderContents:
    """What `delete` would remove.

    Raises:
        UsageError: it is not a data folder of pyhce.
    """
    state = _require_state(folder)
    servers = state.standbys.members if state.standbys else state.nodes
    return FolderContents(folder=folder, nodes=tuple(s.name for s in servers), bytes=_size(folder))


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total


def delete(folder: Path) -> DeleteReport:
    """Stop the servers of a data folder and delete it with all its data.

    Raises:
        UsageError: it is not a data folder of pyhce.
        HceError: a server does not stop.
    """
    before = contents(folder)
    stop(folder)
    (folder / "pgpass").unlink(missing_ok=True)
    for node in before.nodes:
        shutil.rmtree(folder / node, ignore_errors=True)  # a standby may not have copied its data yet
    shutil.rmtree(folder)
    return DeleteReport(folder=folder, nodes=before.nodes, bytes=before.bytes)


def _require_state(folder: Path) -> FolderState:
    state = folders.read_state(folder)
    if state is None:
        raise UsageError(
            f"{folder} is not a data folder of pyhce", remedy="Give the --folder that `pyhce up` was called with."
        )
    return state


def dsn(cluster: LocalCluster, role: str = SUPERUSER, database: str = DATABASE) -> str:
    """A libpq connection string to the coordinator; it names the password file and holds no password."""
    node = cluster.coordinator
    passfile = str((cluster.folder / "pgpass").resolve()).replace("\\", "\\\\").replace("'", "\\'")
    return f"host={node.host} port={node.port} dbname={database} user={role} passfile='{passfile}'"


def environment(cluster: LocalCluster, role: str = SUPERUSER) -> dict[str, str]:
    """The variables (PG*) with which libpq connects to the coordinator; the password stays in its file.

    Raises:
        UsageError: the folder is not a data folder of pyhce any more.
    """
    state = _require_state(cluster.folder)
    return folders.libpq_environment(cluster.folder, state, role)


def psql_program(folder: Path) -> Path | None:
    """The psql of a folder's PostgreSQL, None if it has none."""
    state = folders.read_state(folder)
    program = state.engine.bindir / "psql" if state else None
    return program if program and program.exists() else None
