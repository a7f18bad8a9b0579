"""Authentication between nodes: every node can log in to every other as every role, also after a restart.

Citus reads a role's password from `pg_dist_authinfo` of the node that opens the connection (node id 0: for any node,
-1: for the node itself). sslmode is set in `citus.node_conninfo`, not here
(https://docs.citusdata.com/en/stable/admin_guide/table_management.html).

A password changes in two steps:

1. One transaction on the coordinator has ALTER ROLE, which Citus propagates to the workers by two-phase commit, and the
   change of the coordinator's own `pg_dist_authinfo`. If a worker is down the transaction fails, and nothing changed.
2. Then `pg_dist_authinfo` of every worker changes. If the process is killed before this step, workers still have the
   former password: queries that begin at the coordinator work, `pyhce verify` reports the rest (HCE0107), and the next
   `pyhce register` repairs it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping, Sequence

from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from pyhce.citus.connection import has_citus, rows, scalar
from pyhce.errors import ConnectionFailed
from pyhce.settings import OWNER_ROLE, WRITER_ROLE

logger = logging.getLogger(__name__)

ANY_NODE = 0
THIS_NODE = -1
"""Node ids in `pg_dist_authinfo` that stand for any other node and for the node itself."""
INTERNAL_ROLES = (OWNER_ROLE, WRITER_ROLE)
"""Roles with which only nodes log in, to other nodes.

Citus connects to another node as the current user of the session. That is hce_writer while a writer or a save function
runs, and the owner of the table while Citus moves a shard (its shard_transfer.c).
"""

Authinfo = dict[tuple[int, str], str]
"""The rows of `pg_dist_authinfo` of a node: (node id, role) to a connection string with the password."""

_AUTHINFO = "SELECT nodeid, rolename, authinfo FROM pg_catalog.pg_dist_authinfo"


def wanted_authinfo(passwords: Mapping[str, str]) -> Authinfo:
    """The rows that `pg_dist_authinfo` of a node should have for these passwords by role."""
    return {
        (node, role): make_conninfo("", password=password)
        for role, password in passwords.items()
        for node in (ANY_NODE, THIS_NODE)
    }


def set_authinfo(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> bool:
    """Store on the connected node the passwords with which it logs in to other nodes.

    Args:
        passwords: passwords by role; a role that does not exist on the node is left out.

    Returns:
        Whether anything was changed.
    """
    existing = {role for (role,) in rows(conn, "SELECT rolname FROM pg_roles")}
    stored = authinfo_of(conn)
    wanted = wanted_authinfo({role: password for role, password in passwords.items() if role in existing})
    missing = {key: info for key, info in wanted.items() if stored.get(key) != info}
    with conn.transaction():
        for (node, role), info in missing.items():
            conn.execute("DELETE FROM pg_catalog.pg_dist_authinfo WHERE nodeid = %s AND rolename = %s", (node, role))
            conn.execute("INSERT INTO pg_catalog.pg_dist_authinfo VALUES (%s, %s, %s)", (node, role, info))
    return bool(missing)


def authinfo_of(conn: Connection[TupleRow]) -> Authinfo:
    """The rows of `pg_dist_authinfo` of the connected node."""
    return {(node, role): info for node, role, info in rows(conn, _AUTHINFO)}


def run_on_workers(conn: Connection[TupleRow], statement: sql.Composable | str) -> dict[str, str]:
    """Run a statement on each worker, through the coordinator.

    Returns:
        The statement's result on each worker, by `host:port`.

    Raises:
        ConnectionFailed: a worker did not answer, or the statement failed there.
    """
    text = statement if isinstance(statement, str) else statement.as_string(conn)
    found = rows(
        conn, "SELECT nodename || ':' || nodeport, success, result FROM run_command_on_workers(%s) ORDER BY 1", text
    )
    for worker, success, result in found:
        if not success:
            raise ConnectionFailed(
                f"a statement failed on worker {worker}: {str(result).strip().splitlines()[0]}",
                remedy="Start the worker again, then run `pyhce register`, which completes the change.",
            )
    return {worker: result for worker, _, result in found}


def set_authinfo_on_workers(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> list[str]:
    """Store on every worker the passwords with which it logs in to other nodes.

    Returns:
        The workers, as `host:port`, on which anything was changed.

    Raises:
        ConnectionFailed: a worker did not answer.
    """
    wanted = wanted_authinfo(passwords)
    query = f"SELECT coalesce(json_agg(a), '[]') FROM ({_AUTHINFO}) AS a"  # noqa: S608 - our own query
    outdated = []
    for worker, result in run_on_workers(conn, query).items():
        stored = {(row["nodeid"], row["rolename"]): row["authinfo"] for row in json.loads(result)}
        if any(stored.get(key) != info for key, info in wanted.items()):
            outdated.append(worker)
    if outdated:
        run_on_workers(conn, _set_authinfo_statement(wanted))
        logger.info("stored passwords of %d roles on %s", len(passwords), ", ".join(outdated))
    return outdated


def delete_authinfo_on_workers(conn: Connection[TupleRow], role: str) -> None:
    """Remove a role's password from `pg_dist_authinfo` of every worker. Raises as `set_authinfo_on_workers`."""
    statement = sql.SQL("DELETE FROM pg_catalog.pg_dist_authinfo WHERE rolename = {}")
    run_on_workers(conn, statement.format(sql.Literal(role)))


def _set_authinfo_statement(wanted: Authinfo) -> sql.Composed:
    """One statement that stores these rows on a node, for the roles that exist there."""
    values = sql.SQL(", ").join(
        sql.SQL("({}, {}::name, {})").format(node, sql.Literal(role), sql.Literal(info))
        for (node, role), info in wanted.items()
    )
    return sql.SQL(
        "DO $pyhce$ DECLARE one record; BEGIN FOR one IN SELECT v.* FROM (VALUES {}) AS v (node, role, info)"
        " JOIN pg_roles ON rolname = v.role LOOP"
        " DELETE FROM pg_catalog.pg_dist_authinfo WHERE nodeid = one.node AND rolename = one.role;"
        " INSERT INTO pg_catalog.pg_dist_authinfo VALUES (one.node, one.role, one.info); END LOOP; END $pyhce$"
    ).format(values)


def password_in(info: str | None) -> str | None:
    """The password in a connection string, None if it has none."""
    password = conninfo_to_dict(info).get("password") if info else None
    return str(password) if password else None


def internal_password(conn: Connection[TupleRow], role: str) -> str:
    """The password of an internal role: the one that the coordinator has stored, else a new random one."""
    return password_in(authinfo_of(conn).get((ANY_NODE, role))) or secrets.token_urlsafe(24)


def known_passwords(conn: Connection[TupleRow], more: Sequence[Authinfo] = ()) -> dict[str, str]:
    """The passwords in `pg_dist_authinfo` that are valid, by role.

    Args:
        more: rows of other nodes, used for a role whose password on the coordinator is missing or wrong.
    """
    found: dict[str, str] = {}
    stored = _stored_secrets(conn)
    for authinfo in (authinfo_of(conn), *more):
        for (_, role), info in authinfo.items():
            password = password_in(info)
            if role not in found and password and role in stored and password_matches(password, stored[role]):
                found[role] = password
    return found


def current_passwords(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> dict[str, str]:
    """The given passwords that are valid now, by role."""
    stored = _stored_secrets(conn)
    return {role: p for role, p in passwords.items() if role in stored and password_matches(p, stored[role])}


def _stored_secrets(conn: Connection[TupleRow]) -> dict[str, str]:
    return dict(rows(conn, "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL"))


def change_passwords(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> list[str]:
    """Set passwords of roles that exist, and store them on every node for logins between nodes.

    Returns:
        One sentence for each change.

    Raises:
        ConnectionFailed: a worker did not answer; the passwords changed, and `pyhce register` completes the change.
        psycopg.Error: the transaction failed; nothing changed.
    """
    if not has_citus(conn):
        return [f"set the password of role {role}" for role in set_passwords(conn, passwords)]
    with conn.transaction():
        done = [f"set the password of role {role}" for role in set_passwords(conn, passwords)]
        if set_authinfo(conn, passwords):
            done.append("stored the passwords with which the coordinator logs in to the other nodes")
    return done + [
        f"stored the passwords with which {worker} logs in to the other nodes"
        for worker in set_authinfo_on_workers(conn, passwords)
    ]


def set_passwords(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> list[str]:
    """Set the password of each role that exists and has another one; return the roles that changed."""
    changed = []
    for role, password in passwords.items():
        row = conn.execute("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
        if row is None or (row[0] and row[1] and password_matches(password, row[1])):
            continue
        conn.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(scram_secret(conn, password))
            )
        )
        changed.append(role)
    return changed


def scram_secret(conn: Connection[TupleRow], password: str) -> str:
    """The SCRAM secret of a password, made by the client so that the password never reaches the server's log."""
    return conn.pgconn.encrypt_password(password.encode(), b"", b"scram-sha-256").decode()


def password_matches(password: str, secret: str) -> bool:
    """Whether a password matches a stored secret `SCRAM-SHA-256$iterations:salt$stored:server` (RFC 5803)."""
    if not secret.startswith("SCRAM-SHA-256$"):
        return False
    _, parameters, keys = secret.split("$")
    iterations, salt = parameters.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), base64.b64decode(keys.split(":")[0]))


def trust_rules(conn: Connection[TupleRow]) -> list[str]:
    """The rules of pg_hba.conf that accept a TCP connection without a password or certificate, with line numbers."""
    found = rows(
        conn,
        "SELECT line_number || ': ' || type || ' ' || array_to_string(user_name, ',') || ' ' || coalesce(address, '')"
        " FROM pg_hba_file_rules WHERE auth_method = 'trust' AND type LIKE 'host%%'",
    )
    return [row[0] for row in found]


def is_superuser(conn: Connection[TupleRow]) -> bool:
    """Whether the current role of the session is a superuser."""
    return bool(scalar(conn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
