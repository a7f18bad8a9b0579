"""Connections to the nodes: open one, wait until a node answers, and explain why a connection failed."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from pyhce.citus.server_errors import READ_ONLY, error_line, is_node_lost, refuse_migrated
from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.settings import DATABASE, WRITER_ROLE

logger = logging.getLogger(__name__)

REGISTRAR_LOCK = 0x484345
"""Key of the advisory lock that a registrar holds while it works: the letters HCE in ASCII."""

NETWORK_DEFAULTS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Settings by which a client notices within 25 seconds that the server's machine has vanished.

Without them the operating system's defaults count: a machine that loses power sends nothing, and the client waits for
its answer for two hours. Keepalives notice it while the client waits for an answer, `tcp_user_timeout` (milliseconds,
Linux) while it sends.
"""

CLIENT_CHECK = 1000
"""Milliseconds between two looks of the server at whether the client of a session with an advisory lock is there."""

DatabaseConnection = Connection[TupleRow]
"""An open connection."""

Progress = Callable[[str], None]
"""A function that is called with one line of text about the current step or wait."""


def no_progress(_: str) -> None:
    """Ignore the progress."""


def complete_dsn(dsn: str) -> str:
    """The DSN as a connection string, with our defaults for what it does not set.

    The defaults are the database (unless PGDATABASE names one), the application name `pyhce`, the client encoding UTF8,
    and `NETWORK_DEFAULTS`, unless a connection service (`service`, PGSERVICE) or PGCONNECT_TIMEOUT may set them.

    Raises:
        UsageError: libpq cannot parse the DSN, or an unescaped character in the password cuts it short.
    """
    try:
        parameters = {key: value for key, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        raise UsageError(
            "could not parse the DSN (it is not shown, because it may contain a password)",
            remedy="Write it as postgresql://user@host:port/database, with special characters percent-encoded, or as "
            "host=… port=… dbname=…, with values that contain spaces in single quotes.",
        ) from None
    if "@" in str(parameters.get("dbname", "")) or not str(parameters.get("port", "5432")).replace(",", "").isdigit():
        raise UsageError(
            "the password in the DSN contains an unescaped special character, such as /",
            remedy="Percent-encode it (%2F for /), or give the password in PGPASSWORD or in a pgpass file.",
        )
    defaults: dict[str, Any] = {"application_name": "pyhce", "client_encoding": "UTF8"}
    if "service" not in parameters and "PGSERVICE" not in os.environ:
        defaults |= NETWORK_DEFAULTS
        if "PGCONNECT_TIMEOUT" in os.environ:
            del defaults["connect_timeout"]
    if "PGDATABASE" not in os.environ:
        defaults["dbname"] = DATABASE
    return make_conninfo("", **{**defaults, **parameters})


def psql_connection(dsn: str) -> tuple[str, dict[str, str]]:
    """The DSN for the command line of psql, without its password, and the environment variable with the password.

    Every user of the machine can read the command line of a process.
    """
    parameters = conninfo_to_dict(complete_dsn(dsn))
    password = parameters.pop("password", None)
    return make_conninfo("", **parameters), {} if password is None else {"PGPASSWORD": str(password)}


def connect(dsn: str, *, autocommit: bool = True) -> Connection[TupleRow]:
    """Open a connection, with our defaults for what the DSN does not set.

    Args:
        dsn: a PostgreSQL URI or a libpq connection string.
        autocommit: whether each statement outside of a transaction block is its own transaction.

    Raises:
        UsageError: libpq cannot parse the DSN.
        ConnectionFailed: the server does not answer, or refuses the connection.
    """
    conninfo = complete_dsn(dsn)
    try:
        return psycopg.connect(conninfo, autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise connection_failure(conninfo, error) from error


def connect_as_writer(dsn: str) -> Connection[TupleRow]:
    """Open a connection as the role that may change rows; see `take_writer_role`. Raises as `connect`."""
    conn = connect(dsn)
    try:
        with explained_errors():
            take_writer_role(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def refuse_worker(conn: Connection[TupleRow]) -> None:
    """Refuse a connection to a worker. Every write begins at the coordinator, because writers take their locks there.

    Raises:
        UsageError: the connection leads to a worker.
    """
    if not has_citus(conn) or not scalar(conn, "SELECT groupid FROM pg_dist_local_group"):
        return
    coordinator = scalar(
        conn, "SELECT nodename || ':' || nodeport FROM pg_dist_node WHERE groupid = 0 AND noderole = 'primary'"
    )
    raise UsageError(
        f"{conn.info.host}:{conn.info.port} is a worker of a Citus cluster: writes must go to the coordinator",
        remedy=f"Connect to the coordinator{f', which is registered as {coordinator}' if coordinator else ''}. "
        "Nothing was written.",
    )


def take_writer_role(conn: Connection[TupleRow]) -> None:
    """Switch the session to hce_writer, which may change rows, if its role is a member of hce_writer.

    A superuser keeps its own role. See `pyhce/schema/roles.py` for why members have to switch.
    """
    is_member = scalar(
        conn,
        "SELECT pg_has_role(session_user, w.oid, 'MEMBER') AND NOT s.rolsuper FROM pg_roles AS w, pg_roles AS s"
        " WHERE w.rolname = %s AND s.rolname = session_user",
        WRITER_ROLE,
    )
    if is_member:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(WRITER_ROLE)))


def connection_failure(conninfo: str, error: Exception) -> ConnectionFailed:
    """The error for a connection that failed, with the address, libpq's reason and a remedy."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    lowered = str(error).lower()
    if "password" in lowered:
        remedy = "Give the role's password in PGPASSWORD or in a pgpass file (PGPASSFILE)."
    elif "does not exist" in lowered:
        remedy = "Check the names of the database and the role. `pyhce up` and the chart create both."
    elif "starting up" in lowered or "recovery" in lowered:
        remedy = "The server is starting. Run the command again in a few seconds."
    else:
        remedy = "Check the host and the port, and that the server runs. `pyhce up` starts one on this machine."
    return ConnectionFailed(f"could not connect to {dsn_address(conninfo)}: {reason}", remedy=remedy)


@contextmanager
def explained_errors() -> Iterator[None]:
    """Turn psycopg's errors into ours.

    The message has the first line of the server's message and nothing else: a statement, a parameter or a DETAIL may
    contain a patient's document.

    Raises:
        ConnectionFailed: the connection to the server, or from the server to a node behind it, was lost; or the server
            is a standby.
        SchemaMismatch: a migration moved the resources to another table meanwhile.
        HceError: the server rejected a statement.
    """
    try:
        yield
    except psycopg.Error as error:
        refuse_migrated(error)
        if error.sqlstate == READ_ONLY:
            raise ConnectionFailed(
                f"the server takes no writes: {error_line(error)}",
                remedy="Connect to the address that follows the leader. With several hosts in the DSN, add "
                "target_session_attrs=read-write. The unfinished transaction was rolled back.",
            ) from error
        if is_node_lost(error):
            raise ConnectionFailed(
                f"lost the connection: {error_line(error)}",
                remedy="Run the same command again when the node serves (`pyhce status` shows the nodes, `pyhce up` "
                "starts those on this machine). Finished work is kept and not repeated. If the connection was lost "
                "during a COMMIT, the transaction may be stored or not: the second run finds out.",
            ) from error
        remedy = "`pyhce verify` looks for the cause. The unfinished transaction was rolled back."
        if isinstance(error, psycopg.OperationalError):
            remedy = "Fix the cause and run the same command again. Finished work is kept."
        raise HceError(
            f"the database rejected a statement: {error_line(error)} ({type(error).__name__})", remedy=remedy
        ) from error


def dsn_address(dsn: str) -> str:
    """Host, port and database of a DSN, as `host:port/database`, without user and password."""
    parts = conninfo_to_dict(dsn)
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or DATABASE}"


def dsn_at(dsn: str, host: str, port: int) -> str:
    """The same DSN for another node: its host and port replaced, an IP address (`hostaddr`) dropped."""
    parts = {key: value for key, value in conninfo_to_dict(complete_dsn(dsn)).items() if key != "hostaddr"}
    return make_conninfo("", **{**parts, "host": host, "port": port})


def dsn_as(dsn: str, role: str, password: str) -> str:
    """The same DSN for another role."""
    return make_conninfo(complete_dsn(dsn), user=role, password=password)


def host_and_port(dsn: str) -> tuple[str, int]:
    """The host and port that libpq would use for a DSN; those of PGHOST and PGPORT if it has none."""
    parts = conninfo_to_dict(complete_dsn(dsn))
    host = parts.get("host") or os.environ.get("PGHOST") or "localhost"
    port = str(parts.get("port") or os.environ.get("PGPORT") or 5432)
    return str(host), int(port.split(",")[0])


def password_file(dsn: str) -> str | None:
    """The password file that libpq would use for a DSN, None if neither it nor PGPASSFILE names one."""
    found = conninfo_to_dict(complete_dsn(dsn)).get("passfile") or os.environ.get("PGPASSFILE")
    return str(found) if found else None


def password_in(dsn: str) -> str:
    """The password in a DSN or in PGPASSWORD, "" if there is none."""
    return str(conninfo_to_dict(complete_dsn(dsn)).get("password") or os.environ.get("PGPASSWORD", ""))


def wait_for_connection(dsn: str, *, timeout: float, progress: Progress = no_progress) -> Connection[TupleRow]:
    """Open a connection; while the server does not answer, try again every 0.5 seconds.

    Args:
        dsn: the server and the role.
        timeout: seconds after which it gives up.
        progress: called once, before the first wait.

    Raises:
        ConnectionFailed: the server did not answer in time, or rejected the password, which is not tried again.
    """
    start = time.monotonic()
    attempt = 1
    while True:
        try:
            conn = connect(dsn)
        except ConnectionFailed as error:
            left = start + timeout - time.monotonic()
            if "password authentication failed" in error.wrong or left <= 0:
                raise
            address, reason = dsn_address(complete_dsn(dsn)), error.wrong.split(": ", 1)[-1]
            if attempt == 1:
                progress(f"waiting for {address}: {reason}")
                logger.warning("waiting up to %.0f s for %s: %s", timeout, address, reason)
            else:
                logger.debug("attempt %d to connect to %s failed: %s", attempt, address, reason)
            attempt += 1
            time.sleep(min(0.5, left))
        else:
            if attempt > 1:
                logger.info("connected to %s:%s after %.1f s", conn.info.host, conn.info.port, time.monotonic() - start)
            return conn


def libpq_variables(host: str, port: int, role: str) -> dict[str, str]:
    """The PG* environment variables with which a libpq program connects to our database, without the password."""
    return {"PGHOST": host, "PGPORT": str(port), "PGDATABASE": DATABASE, "PGUSER": role}


@contextmanager
def advisory_lock(
    conn: Connection[TupleRow], key: int, *, timeout: float, progress: Progress = no_progress
) -> Iterator[None]:
    """Hold an advisory lock of the session within the block.

    The server ends the session soon after its client is gone, also in the middle of a statement. Otherwise a program
    that was killed would hold the lock until its last statement ends, which can take hours.

    Args:
        conn: the session, in autocommit mode.
        key: the key of the lock, such as REGISTRAR_LOCK.
        timeout: seconds to wait for another session that holds the lock.
        progress: called once, before the first wait.

    Raises:
        HceError: another session held the lock for the whole time.
    """
    deadline = time.monotonic() + timeout
    waiting = False
    with suppress(psycopg.errors.InvalidParameterValue):  # a server on Windows cannot look
        conn.execute(f"SET client_connection_check_interval TO {CLIENT_CHECK}".encode())
    while not scalar(conn, "SELECT pg_try_advisory_lock(%s)", key):
        if time.monotonic() >= deadline:
            raise HceError(
                f"another registrar still holds the lock after {timeout:.0f} s",
                remedy="Let it finish and run this command again. pg_stat_activity shows it as application pyhce.",
            )
        if not waiting:
            progress("waiting for another registrar to finish")
            logger.warning("another session holds the advisory lock %#x, waiting up to %.0f s", key, timeout)
            waiting = True
        time.sleep(0.2)
    try:
        yield
    except BaseException:
        try:
            _unlock(conn, key)
        except psycopg.Error:  # Ctrl-C can leave a query running; what ended the block is the error to report
            with suppress(psycopg.Error):
                conn.cancel_safe(timeout=5)  # without effect on a query that the server has not begun
            conn.close()  # the server releases a session's locks when the session ends
        raise
    _unlock(conn, key)


def _unlock(conn: Connection[TupleRow], key: int) -> None:
    if not conn.closed:
        conn.execute("SELECT pg_advisory_unlock(%s)", (key,))


def scalar(conn: Connection[TupleRow], query: str, *values: object) -> Any:
    """The first column of the first row, None if there is none."""
    row = conn.execute(query, values or None).fetchone()
    return row[0] if row else None


def rows(conn: Connection[TupleRow], query: str, *values: object) -> list[TupleRow]:
    """Every row."""
    return conn.execute(query, values or None).fetchall()


def has_citus(conn: Connection[TupleRow]) -> bool:
    """Whether the extension citus is installed in this database."""
    return bool(scalar(conn, "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"))
