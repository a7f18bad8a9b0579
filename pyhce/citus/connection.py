"""Connections to the nodes: open one, wait for one, say in plain words why there is none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.settings import DATABASE, WRITER_ROLE

REGISTRAR_LOCK = 0x484345
"""The advisory lock that one registrar at a time holds ("HCE")."""

DatabaseConnection = Connection[TupleRow]
"""An open connection."""

Progress = Callable[[str], None]
"""Called with one line on what is being done or waited for."""


def no_progress(_: str) -> None:
    """A progress that nobody sees."""


def complete_dsn(dsn: str) -> str:
    """A DSN with our defaults where it is silent: the database, a connection time-out, a name to be seen by.

    Raises:
        UsageError: libpq cannot read it.
    """
    try:
        given = {key: value for key, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.ProgrammingError:
        raise UsageError(
            "the DSN cannot be read (it is not repeated here, as it may hold a password)",
            remedy="Write it as postgresql://user@host:port/database or as host=… port=… dbname=…, special characters "
            "percent-encoded in the one, quoted in the other.",
        ) from None
    if "@" in str(given.get("dbname", "")) or not str(given.get("port", "5432")).replace(",", "").isdigit():
        raise UsageError(
            "the DSN's password holds a character that ends it, such as /",
            remedy="Percent-encode it (%2F for /), or leave it to PGPASSWORD or a pgpass file.",
        )
    defaults: dict[str, Any] = {"connect_timeout": 10, "application_name": "pyhce", "client_encoding": "UTF8"}
    if "PGDATABASE" not in os.environ:
        defaults["dbname"] = DATABASE
    return make_conninfo("", **{**defaults, **given})


def connect(dsn: str, *, autocommit: bool = True) -> Connection[TupleRow]:
    """Open a connection.

    Raises:
        UsageError: the DSN cannot be read.
        ConnectionFailed: nobody answers there, or not to us.
    """
    conninfo = complete_dsn(dsn)
    try:
        return psycopg.connect(conninfo, autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise connection_failure(conninfo, error) from error


def connect_as_writer(dsn: str) -> Connection[TupleRow]:
    """Open a connection with the rights to write; see `take_writer_role`. Raises as `connect`."""
    conn = connect(dsn)
    take_writer_role(conn)
    return conn


def refuse_worker(conn: Connection[TupleRow]) -> None:
    """Refuse a worker: every write begins at the coordinator, where the writers' locks are.

    Raises:
        UsageError: the connection is one to a worker.
    """
    if not has_citus(conn) or not scalar(conn, "SELECT groupid FROM pg_dist_local_group"):
        return
    found = scalar(
        conn, "SELECT nodename || ':' || nodeport FROM pg_dist_node WHERE groupid = 0 AND noderole = 'primary'"
    )
    raise UsageError(
        f"{conn.info.host}:{conn.info.port} is a worker of a Citus cluster: writes begin at the coordinator",
        remedy=f"Connect to the coordinator{f', which the cluster knows as {found}' if found else ''}. "
        "Nothing was written.",
    )


def take_writer_role(conn: Connection[TupleRow]) -> None:
    """Let a session change rows, if its role is a member of hce_writer and so may; a superuser stays as it is."""
    may = scalar(
        conn,
        "SELECT pg_has_role(session_user, w.oid, 'MEMBER') AND NOT s.rolsuper FROM pg_roles AS w, pg_roles AS s"
        " WHERE w.rolname = %s AND s.rolname = session_user",
        WRITER_ROLE,
    )
    if may:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(WRITER_ROLE)))


def connection_failure(conninfo: str, error: Exception) -> ConnectionFailed:
    """Why a node does not answer, in plain words, with what to do."""
    where = dsn_address(conninfo)
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    lowered = str(error).lower()
    if "password" in lowered:
        remedy = "Give the role's password in PGPASSWORD or a pgpass file (PGPASSFILE)."
    elif "does not exist" in lowered:
        remedy = "Check the database and the role; `pyhce up` or the chart makes them."
    elif "starting up" in lowered or "recovery" in lowered:
        remedy = "The server is starting: wait, or give --wait."
    else:
        remedy = "Check the host and the port, and that the server runs (`pyhce up` starts one on this machine)."
    return ConnectionFailed(f"no connection to {where}: {reason}", remedy=remedy)


@contextmanager
def explained_errors() -> Iterator[None]:
    """What the database refuses, in plain words; never a statement, a parameter or a DETAIL, which may name a document.

    Raises:
        ConnectionFailed: the server, or a node behind it, went away.
        HceError: it refused.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate and error.sqlstate[:2] not in {"08", "57"}:
            raise HceError(
                f"the database refused: {_first_line(error)} ({type(error).__name__})",
                remedy="Mend what it says and run the same command again: what was finished stays.",
            ) from error
        raise ConnectionFailed(
            f"the connection broke: {_first_line(error)}",
            remedy="Bring the node back (`pyhce up`, `pyhce status`) and run the same command again: "
            "what was finished stays, nothing is done twice.",
        ) from error
    except psycopg.Error as error:
        raise HceError(
            f"the database refused: {_first_line(error)} ({type(error).__name__})",
            remedy="`pyhce verify` looks for what is wrong. Nothing of the unfinished transaction stays.",
        ) from error


def _first_line(error: psycopg.Error) -> str:
    lines = str(error.diag.message_primary or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def dsn_address(dsn: str) -> str:
    """Host, port and database of a DSN, without secrets."""
    parts = conninfo_to_dict(dsn)
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or DATABASE}"


def dsn_at(dsn: str, host: str, port: int) -> str:
    """The same DSN at another node."""
    parts = {key: value for key, value in conninfo_to_dict(complete_dsn(dsn)).items() if key != "hostaddr"}
    return make_conninfo("", **{**parts, "host": host, "port": port})


def wait_for_connection(dsn: str, *, timeout: float, progress: Progress = no_progress) -> Connection[TupleRow]:
    """Open a connection, asking again until `timeout` seconds have passed.

    Raises:
        ConnectionFailed: nobody answered in time.
    """
    deadline = time.monotonic() + timeout
    said = False
    while True:
        try:
            return connect(dsn)
        except ConnectionFailed as error:
            hopeless = "password authentication failed" in error.wrong
            if hopeless or time.monotonic() >= deadline:
                raise
            if not said:
                progress(f"waiting for {dsn_address(complete_dsn(dsn))}: {error.wrong.split(': ', 1)[-1]}")
                said = True
            time.sleep(min(0.5, max(0.0, deadline - time.monotonic())))


def libpq_variables(host: str, port: int, role: str) -> dict[str, str]:
    """The PG* variables that lead any libpq program to our database there, its password aside."""
    return {"PGHOST": host, "PGPORT": str(port), "PGDATABASE": DATABASE, "PGUSER": role}


@contextmanager
def advisory_lock(
    conn: Connection[TupleRow], key: int, *, timeout: float, progress: Progress = no_progress
) -> Iterator[None]:
    """Hold a session's advisory lock, waiting at most `timeout` seconds for whoever has it.

    Raises:
        HceError: somebody else held it all the time.
    """
    deadline = time.monotonic() + timeout
    said = False
    while not scalar(conn, "SELECT pg_try_advisory_lock(%s)", key):
        if time.monotonic() >= deadline:
            raise HceError(
                f"another registrar has been at work for {timeout:.0f} s",
                remedy="Let it finish and run this again; it is found in pg_stat_activity as application pyhce.",
            )
        if not said:
            progress("waiting for another registrar to finish")
            said = True
        time.sleep(0.2)
    try:
        yield
    finally:
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
    """Whether the extension is installed in this database."""
    return bool(scalar(conn, "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"))
