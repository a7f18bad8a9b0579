"""One server: create, configure, start and stop it, and recover its data directory after a kill."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

from pyhce.counted import counted
from pyhce.errors import HceError
from pyhce.local.account import Account, run_as
from pyhce.local.engine import Engine
from pyhce.settings import DATABASE, SUPERUSER

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
START_TIMEOUT = 120.0
SETTLE_TIMEOUT = 20.0


def initialise(data: Path, engine: Engine, account: Account, password: str) -> None:
    """Create a node's data directory: UTF8, data checksums, and a locale independent of glibc's collation.

    It is created under another name and renamed when it is complete, so that an interrupted attempt leaves nothing.

    Args:
        data: the data directory.
        engine: the PostgreSQL whose initdb to run.
        account: the account that the server runs under.
        password: of the superuser; initdb reads it from a file of mode 600, which is deleted.

    Raises:
        HceError: initdb failed; the text holds its last output lines.
    """
    partial = data.with_name(f".{data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    secret = data.with_name(f".{data.name}.pw")
    try:
        handle = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(password + "\n")
        if account.is_other_user:
            os.chown(partial, account.uid, account.gid)
            os.chown(secret, account.uid, account.gid)
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if engine.major >= 17
            else ["--locale=C.UTF-8"]
        )
        done = run_as(
            [
                engine.program("initdb"), "--pgdata", str(partial), "--username", SUPERUSER,
                "--pwfile", str(secret), "--encoding=UTF8", *locale, "--data-checksums",
                "--auth=scram-sha-256", "--no-instructions",
            ],
            account,
            timeout=300,
        )  # fmt: skip
        if done.returncode != 0:
            raise HceError(
                f"initdb failed for {data.name}:\n{last_lines(done.stdout)}",
                remedy="Fix what it reports and run the same command again.",
            )
        partial.rename(data)
    finally:
        secret.unlink(missing_ok=True)
        shutil.rmtree(partial, ignore_errors=True)


def configure(data: Path, engine: Engine, account: Account, *, port: int, time_zone: str) -> None:
    """Write a server's settings to pyhce.conf, which postgresql.conf includes last."""
    pyhce_conf = data / "pyhce.conf"
    # Patroni writes a postgresql.conf that includes the original one under this name.
    original = data / "postgresql.base.conf"
    postgresql_conf = original if original.exists() else data / "postgresql.conf"
    lines = [f"{name} = {value}" for name, value in settings(data, engine, port=port, time_zone=time_zone).items()]
    pyhce_conf.write_text("# Written by pyhce at each start.\n" + "\n".join(lines) + "\n")
    if "pyhce.conf" not in postgresql_conf.read_text():
        with postgresql_conf.open("a") as out:
            out.write("\ninclude_if_exists = 'pyhce.conf'\n")
    if account.is_other_user:
        os.chown(pyhce_conf, account.uid, account.gid)


def settings(data: Path, engine: Engine, *, port: int, time_zone: str) -> dict[str, str]:
    """A server's settings by name.

    max_wal_size is at most a quarter of the volume and a quarter of its free space. The log contains no statement, no
    parameter and no DETAIL, because each of them may hold a patient's document.
    """
    disk = shutil.disk_usage(data)
    wal = max(64, min(1024, disk.total // 4 // MIB, disk.free // 4 // MIB))
    values = {
        "port": str(port),
        "listen_addresses": "'localhost'",
        "unix_socket_directories": "''",
        "max_wal_size": f"{wal}MB",
        "min_wal_size": f"{min(80, wal)}MB",
        "shared_buffers": "128MB",
        "password_encryption": "scram-sha-256",
        "jit": "off",
        "timezone": f"'{time_zone}'",
        "lc_messages": "'C'",
        "log_destination": "stderr",
        "logging_collector": "on",
        "log_directory": "'log'",
        "log_filename": "'server-%a.log'",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "max_connections": "100",
        "max_locks_per_transaction": "1024",  # a writer locks each resource of a batch: pyhce/records/writing/locks.py
    }
    if engine.kind == "citus":
        values |= {
            "shared_preload_libraries": "'citus'",
            "citus.node_conninfo": "'sslmode=prefer'",
            "wal_level": "logical",
            "max_connections": "300",
            "max_prepared_transactions": "300",
            "max_locks_per_transaction": "256",
            "max_worker_processes": "24",
            "max_replication_slots": "24",
            "max_wal_senders": "24",
        }
    return values


def pid_of(data: Path) -> int | None:
    """The process id of the server that runs on a data directory, None if none does.

    The pid file alone is not enough: after a kill, the process id in it may belong to another program.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if runs_in(pid, data) else None


def settled_pid_of(data: Path) -> int | None:
    """As `pid_of`, but wait until a server that is ending, or was just killed, is gone.

    A process whose port answers is a running server. One whose port does not answer is waited for, for at most
    `SETTLE_TIMEOUT` seconds; if it still exists then, it counts as running.
    """
    deadline = time.monotonic() + SETTLE_TIMEOUT
    waiting = False
    while True:
        pid = pid_of(data)
        if pid is None or time.monotonic() > deadline or _answers(data):
            return pid
        if not waiting:
            logger.info("waiting for the server in %s (pid %d) to answer or to end", data, pid)
            waiting = True
        time.sleep(0.05)


def _answers(data: Path) -> bool:
    """Whether a server answers at the port in the pid file (its fourth line)."""
    try:
        port = int((data / "postmaster.pid").read_text().split("\n")[3])
    except (OSError, ValueError, IndexError):
        return False
    return answers(port)


def answers(port: int) -> bool:
    """Whether a server answers at a port.

    A running server answers an SSLRequest (PostgreSQL manual, "Message Formats") with one byte. A connection alone
    proves nothing: the kernel still accepts it for a process that is ending.
    """
    try:
        with socket.create_connection(("localhost", port), timeout=1) as probe:
            probe.sendall(struct.pack("!ii", 8, 80877103))
            return probe.recv(1) in (b"S", b"N", b"E")
    except OSError:
        return False


def runs_in(pid: int, data: Path) -> bool:
    """Whether a process's working directory is this data directory, as it is for PostgreSQL's processes.

    Without /proc, whether the process exists at all.
    """
    if not Path("/proc").is_dir():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True
    try:
        return Path(f"/proc/{pid}/cwd").resolve() == data.resolve()
    except OSError:
        return False


def processes_in(data: Path) -> list[int]:
    """The ids of the processes that a killed server left behind on its data directory."""
    if not Path("/proc").is_dir():
        return []
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and runs_in(int(p.name), data)]


def recover(data: Path, name: str) -> list[str]:
    """Prepare a data directory for a start after its server was killed; return a sentence for each repair."""
    if settled_pid_of(data) is not None or not (data / "postmaster.pid").exists():
        return []
    repairs = [f"{name}: its server was killed; removed the stale postmaster.pid"]
    orphans = processes_in(data)
    if orphans:
        repairs.append(
            f"{name}: ended {counted(len(orphans), 'process', 'processes')} that the killed server had left behind"
        )
        _end_processes(orphans, data)
    (data / "postmaster.pid").unlink(missing_ok=True)
    for repair in repairs:
        logger.warning("%s", repair)
    return repairs


def _end_processes(pids: list[int], data: Path) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            if runs_in(pid, data):
                os.kill(pid, signal_number)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if not processes_in(data):
                return
            time.sleep(0.05)


def refuse_taken_port(port: int, name: str) -> None:
    """Refuse a port that another program listens on.

    Raises:
        HceError: the text names the port, and the program if it can be seen.
    """
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno not in (98, 48):  # not EADDRINUSE (Linux, macOS): the machine has no such address
                continue
            raise HceError(
                f"port {port} of {name} is taken by another program{_listening_process(port)}",
                remedy="Stop that program, or give another --port; a new folder's workers take the ports after it.",
            ) from error


def _listening_process(port: int) -> str:
    """The process that listens on a port as ` (name, pid 1)`, "" if it cannot be seen."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            for line in Path(table).read_text().splitlines()[1:]:
                parts = line.split()
                if parts[3] == "0A" and int(parts[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{parts[9]}]")
        except OSError:
            continue
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(handle) in inodes for handle in (process / "fd").iterdir()):
                return f" ({(process / 'comm').read_text().strip()}, pid {process.name})"
        except OSError:
            continue
    return ""


def start_server(data: Path, engine: Engine, account: Account, name: str) -> None:
    """Start a server and wait until it accepts connections, for at most `START_TIMEOUT` seconds.

    Raises:
        HceError: it did not start; the text holds the last lines of its log.
    """
    command = [
        engine.program("pg_ctl"), "start", "--pgdata", str(data), "--wait", "--timeout", str(int(START_TIMEOUT)),
        "--silent", "--log", str(data / "start.log"),
    ]  # fmt: skip
    try:
        done = run_as(command, account, timeout=START_TIMEOUT + 10, cwd=str(data) if not account.is_other_user else "/")
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode != 0:
        raise HceError(
            f"could not start the server {name}:\n{_log_tail(data)}",
            remedy=f"Fix what its log reports ({data / 'log'}) and run the same command again.",
        )


def stop_server(data: Path, engine: Engine, account: Account) -> bool:
    """Stop a server and disconnect its clients; return whether it ran.

    If a fast shutdown takes more than 60 s, an immediate one follows.

    Raises:
        HceError: the server does not stop.
    """
    if pid_of(data) is None:
        return False
    for mode in ("fast", "immediate"):
        done = run_as(
            [engine.program("pg_ctl"), "stop", "--pgdata", str(data), "--mode", mode, "--wait", "--timeout", "60"],
            account,
            timeout=70,
        )
        if done.returncode == 0 or pid_of(data) is None:
            return True
    raise HceError(f"could not stop the server in {data}", remedy=f"Read its log in {data / 'log'}.")


def create_database(engine: Engine, account: Account, port: int, pgpass: Path) -> None:
    """Create the database and, with Citus, its extension on one server, as far as they do not exist.

    Citus copies neither from the coordinator to the workers.

    Raises:
        HceError: psql failed; the text holds its last output lines.
    """
    env = {"PGPASSFILE": str(pgpass), "PGCONNECT_TIMEOUT": "20"}
    base = [engine.program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "localhost", "-p", str(port)]
    ourselves = Account(uid=os.geteuid(), gid=os.getegid())  # only this account may read the password file
    list_databases = [*base, "-U", SUPERUSER, "-d", "postgres", "-c", "SELECT datname FROM pg_database"]
    existing = run_as(list_databases, ourselves, timeout=60, env=env)
    if existing.returncode != 0:
        raise HceError(
            f"could not list the databases on port {port}: {last_lines(existing.stdout)}",
            remedy="Fix what psql reports. If the password is wrong, another server uses the port: give --port.",
        )
    statements = []
    if DATABASE not in existing.stdout.split():
        statements = [("postgres", f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")]
    if engine.kind == "citus":
        statements.append((DATABASE, "SET client_min_messages TO warning; CREATE EXTENSION IF NOT EXISTS citus"))
    for database, statement in statements:
        done = run_as([*base, "-U", SUPERUSER, "-d", database, "-c", statement], ourselves, timeout=120, env=env)
        if done.returncode != 0:
            raise HceError(
                f"could not create the database on port {port}: {last_lines(done.stdout)}",
                remedy="Fix what psql reports. If the password is wrong, another server uses the port: give --port.",
            )


def _log_tail(data: Path) -> str:
    logs = sorted((data / "log").glob("*.log"), key=lambda p: p.stat().st_mtime) if (data / "log").is_dir() else []
    texts = [p.read_text(errors="replace") for p in [*logs[-1:], data / "start.log"] if p.exists()]
    return last_lines("\n".join(texts)) or "there is no log"


def last_lines(text: str, count: int = 15) -> str:
    """The last lines of a text."""
    return "\n".join(text.strip().splitlines()[-count:])
