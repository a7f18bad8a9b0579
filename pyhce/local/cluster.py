"""The processes of a data folder: one PostgreSQL, or a Citus coordinator and its workers."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyhce.errors import HceError, UsageError
from pyhce.local import folder as folders
from pyhce.local import server
from pyhce.local.account import runnable_engine, server_account
from pyhce.local.engine import Engine, find_engine
from pyhce.local.folder import FolderState, NodeState
from pyhce.schema.model import Frozen
from pyhce.settings import DATABASE, DEFAULT_TIME_ZONE, DEFAULT_WORKERS, NODE_PORT, SUPERUSER

MAX_WORKERS = 32
NEEDED_BYTES = 1024**3


class LocalNode(Frozen):
    """A server process; `pid` is None while it does not run."""

    name: str
    host: str = "localhost"
    port: int
    data: Path
    pid: int | None


class LocalCluster(Frozen):
    """The processes of a data folder.

    Args:
        recovered: what was found broken and mended, in sentences.
    """

    folder: Path
    engine: Engine
    coordinator: LocalNode
    workers: tuple[LocalNode, ...]
    created: bool = False
    already_running: bool = False
    recovered: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[LocalNode, ...]:
        """The coordinator, then the workers."""
        return (self.coordinator, *self.workers)


class LocalStatus(Frozen):
    """What is in a data folder; `cluster` is None if it holds none."""

    folder: Path
    cluster: LocalCluster | None


class StopReport(Frozen):
    """Which nodes were stopped."""

    folder: Path
    stopped: tuple[str, ...]


class FolderContents(Frozen):
    """What a deletion removes."""

    folder: Path
    nodes: tuple[str, ...]
    bytes: int

    @property
    def summary(self) -> str:
        """In a sentence."""
        return (
            f"{self.folder} holds {len(self.nodes)} PostgreSQL nodes ({', '.join(self.nodes)}) with all their data, "
            f"{self.bytes / 1024**2:.0f} MiB, and the passwords"
        )


class DeleteReport(Frozen):
    """What was removed."""

    folder: Path
    nodes: tuple[str, ...]
    bytes: int


def start(
    folder: Path,
    *,
    engine: Engine,
    workers: int = DEFAULT_WORKERS,
    port: int = NODE_PORT,
    time_zone: str = DEFAULT_TIME_ZONE,
    on_progress: Callable[[str], None] = lambda _: None,
) -> LocalCluster:
    """Start the processes of a data folder, making what is not there; safe to repeat and to interrupt.

    Args:
        folder: where everything is kept; private to its owner.
        workers: processes beside the coordinator on Citus; more than before adds some, fewer is refused.
        port: the coordinator's; a new worker takes the next free one, and keeps it.

    Raises:
        UsageError: the folder, or the number of workers, does not fit.
        HceError: a port is taken, the folder is another PostgreSQL's, or a server did not start.
    """
    account = server_account()
    _refuse_workers(engine, workers)
    folders.make_folder(folder, account)
    with folders.folder_lock(folder):
        held = folders.read_state(folder)
        if held is not None:
            _refuse_other_engine(folder, held, engine)
        _refuse_full_disk(folder)
        runnable = runnable_engine(engine, folder, account)
        state = _target_state(folder, held, engine, workers, port, time_zone)
        recovered = [sentence for n in state.nodes for sentence in server.recover(_data(folder, n), n.name)]
        running = {n.name: server.settled_pid_of(_data(folder, n)) for n in state.nodes}
        moved = held is not None and held.nodes[0].port != port and running["coordinator"] is not None
        if moved:
            server.stop_server(_data(folder, state.nodes[0]), runnable, account)
            running["coordinator"] = None
        stopped = [node for node in state.nodes if running[node.name] is None]
        for node in stopped:
            server.refuse_taken_port(node.port, node.name)
        folders.write_state(folder, state)
        secrets = folders.passwords(folder)
        pgpass = folders.write_pgpass(folder, state)

        def bring_up(node: NodeState) -> None:
            data = _data(folder, node)
            if not data.exists():
                on_progress(f"making the data folder of {node.name}")
                server.initialise(data, runnable, account, secrets[SUPERUSER])
            server.configure(data, runnable, account, port=node.port, time_zone=state.time_zone)
            on_progress(f"starting {node.name} at port {node.port}")
            server.start_server(data, runnable, account, node.name)

        _on_every_node(bring_up, stopped)
        on_progress("preparing the database on every node")
        _on_every_node(lambda node: server.create_database(runnable, account, node.port, pgpass), state.nodes)
        return _cluster(
            folder,
            state,
            created=held is None,
            already_running=not stopped and not moved,
            recovered=tuple(recovered),
        )


def engine_for(folder: Path, pg_config: Path | None = None, *, citus: bool | None = None) -> Engine:
    """The PostgreSQL to run a folder with: the one that is asked for, else the one that made it, else what is found.

    Raises:
        UsageError: the pg_config given is none.
        HceError: there is no such PostgreSQL.
    """
    held = folders.read_state(folder)
    if held is None or pg_config is not None or os.environ.get("PYHCE_PG_CONFIG"):
        return find_engine(pg_config, citus=citus)
    if citus is None or citus == (held.engine.kind == "citus"):
        if (held.engine.bindir / "postgres").exists():
            return held.engine
        citus = held.engine.kind == "citus"
    return find_engine(citus=citus)


def _on_every_node(deed: Callable[[NodeState], None], nodes: Iterable[NodeState]) -> None:
    """Do it to every node at the same time; the first error is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=MAX_WORKERS + 1) as pool:
        for future in [pool.submit(deed, node) for node in nodes]:
            future.result()


def _data(folder: Path, node: NodeState) -> Path:
    return folder / node.name


def _refuse_workers(engine: Engine, workers: int) -> None:
    if engine.kind == "citus" and not 1 <= workers <= MAX_WORKERS:
        raise UsageError(
            f"--workers {workers} is not from 1 to {MAX_WORKERS}", remedy="Two are the default; each is a process."
        )


def _refuse_other_engine(folder: Path, held: FolderState, engine: Engine) -> None:
    """A data folder belongs to one major version and one kind of PostgreSQL."""
    was, now = held.engine, engine
    if was.major != now.major or (was.kind == "citus") != (now.kind == "citus"):
        raise HceError(
            f"{folder} was made by PostgreSQL {was.major} ({was.kind}, {was.source}), "
            f"and PostgreSQL {now.major} ({now.kind}, {now.source}) cannot run it",
            remedy="Use the PostgreSQL that made it (--pg-config, --no-citus), or another --folder. "
            "To move the data: pyhce export from the one, pyhce load into the other.",
        )
    if was.kind == "citus" and was.citus_version != now.citus_version:
        raise HceError(
            f"{folder} was made by Citus {was.citus_version}, this is Citus {now.citus_version}",
            remedy="Use the Citus that made it, or another --folder.",
        )


def _refuse_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise HceError(
            f"{folder} has {free / 1024**2:.0f} MiB free, the database needs at least {NEEDED_BYTES // 1024**2} MiB",
            remedy="Make room, or give a --folder on another volume.",
        )


def _target_state(
    folder: Path, held: FolderState | None, engine: Engine, workers: int, port: int, time_zone: str
) -> FolderState:
    """What the folder is to hold: what it holds, with the port asked for and perhaps more workers."""
    count = workers if engine.kind == "citus" else 0
    known = held.nodes[1:] if held else ()
    if len(known) > count:
        raise UsageError(
            f"{folder} has {len(known)} workers, --workers {count} is fewer: their shards would be lost",
            remedy=f"Give --workers {len(known)} or more.",
        )
    nodes = [NodeState(name="coordinator", port=port), *known]
    for number in range(len(known), count):
        nodes.append(NodeState(name=f"worker-{number}", port=_free_port({n.port for n in nodes}, port)))
    return FolderState(engine=engine, time_zone=held.time_zone if held else time_zone, nodes=tuple(nodes))


def _free_port(used: set[int], after: int) -> int:
    for port in range(after + 1, min(after + 1000, 65536)):
        if port in used:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise HceError(f"no free port after {after} for a worker", remedy="Give a lower --port.")


def _cluster(folder: Path, state: FolderState, **facts: object) -> LocalCluster:
    nodes = [
        LocalNode(name=n.name, port=n.port, data=_data(folder, n), pid=server.pid_of(_data(folder, n)))
        for n in state.nodes
    ]
    return LocalCluster.model_validate(
        {"folder": folder, "engine": state.engine, "coordinator": nodes[0], "workers": tuple(nodes[1:]), **facts}
    )


def status(folder: Path) -> LocalStatus:
    """What is in a data folder, and what of it runs."""
    state = folders.read_state(folder)
    return LocalStatus(folder=folder, cluster=_cluster(folder, state) if state else None)


def stop(folder: Path) -> StopReport:
    """Stop the processes of a data folder; its data stays.

    Raises:
        UsageError: it is none of ours.
    """
    state, account = _require_state(folder), server_account()
    with folders.folder_lock(folder):
        engine = runnable_engine(state.engine, folder, account)
        stopped = [n.name for n in reversed(state.nodes) if server.stop_server(_data(folder, n), engine, account)]
    return StopReport(folder=folder, stopped=tuple(stopped))


def contents(folder: Path) -> FolderContents:
    """What a deletion would remove.

    Raises:
        UsageError: it is none of ours.
    """
    state = _require_state(folder)
    return FolderContents(folder=folder, nodes=tuple(n.name for n in state.nodes), bytes=_size(folder))


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def delete(folder: Path) -> DeleteReport:
    """Stop the processes of a data folder and remove it.

    Raises:
        UsageError: it is none of ours.
    """
    goes = contents(folder)
    stop(folder)
    (folder / "pgpass").unlink(missing_ok=True)
    for node in goes.nodes:
        shutil.rmtree(folder / node)
    shutil.rmtree(folder)
    return DeleteReport(folder=folder, nodes=goes.nodes, bytes=goes.bytes)


def _require_state(folder: Path) -> FolderState:
    state = folders.read_state(folder)
    if state is None:
        raise UsageError(
            f"{folder} is no data folder of pyhce", remedy="Give the --folder that `pyhce up` was given, if any."
        )
    return state


def dsn(cluster: LocalCluster, role: str = SUPERUSER, database: str = DATABASE) -> str:
    """A connection string to the coordinator; the password stays in its file."""
    node = cluster.coordinator
    passfile = str((cluster.folder / "pgpass").resolve()).replace("\\", "\\\\").replace("'", "\\'")
    return f"host={node.host} port={node.port} dbname={database} user={role} passfile='{passfile}'"


def environment(cluster: LocalCluster, role: str = SUPERUSER) -> dict[str, str]:
    """The PG* variables that lead libpq to the coordinator."""
    state = _require_state(cluster.folder)
    return folders.libpq_environment(cluster.folder, state, role)


def psql_program(folder: Path) -> Path | None:
    """The psql of the engine that runs a folder, None if it has none."""
    state = folders.read_state(folder)
    program = state.engine.bindir / "psql" if state else None
    return program if program and program.exists() else None
