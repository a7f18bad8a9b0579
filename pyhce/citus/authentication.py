"""Authentication between nodes: every node can log in to every other as every role, after any restart.

Citus looks a role's secret up in `pg_dist_authinfo` of the node that connects (node id 0: to any node, -1: to itself):
https://docs.citusdata.com/en/stable/admin_guide/table_management.html and `citus.node_conninfo` for sslmode.

A password changes in one transaction of the coordinator, which holds ALTER ROLE (Citus carries it to the workers by
two-phase commit) and the coordinator's own `pg_dist_authinfo`; then that of every worker changes. A worker that is down
makes the transaction fail, so nothing has changed. A kill between the two leaves workers with the former password:
queries that begin at the coordinator work, `verify` finds it (HCE0107), and the next `register` mends it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence

from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from pyhce.citus.connection import has_citus, rows, scalar
from pyhce.errors import ConnectionFailed
from pyhce.settings import OWNER_ROLE, WRITER_ROLE

ANY_NODE = 0
THIS_NODE = -1
INTERNAL_ROLES = (OWNER_ROLE, WRITER_ROLE)
"""Roles that only nodes log in as.

Citus opens a connection to another node as the current user of the session. It moves shards as the owner of their
table (its shard_transfer.c), and it runs what a session or a function does as hce_writer.
"""

Authinfo = dict[tuple[int, str], str]
"""What a node holds: (node id, role) to a connection string with the password."""

_AUTHINFO = "SELECT nodeid, rolename, authinfo FROM pg_catalog.pg_dist_authinfo"


def wanted_authinfo(passwords: Mapping[str, str]) -> Authinfo:
    """What a node should hold."""
    return {
        (node, role): make_conninfo("", password=password)
        for role, password in passwords.items()
        for node in (ANY_NODE, THIS_NODE)
    }


def set_authinfo(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> bool:
    """Note on this node how each role that it has logs in elsewhere; whether that changed anything."""
    there = {role for (role,) in rows(conn, "SELECT rolname FROM pg_roles")}
    held = authinfo_of(conn)
    wanted = wanted_authinfo({role: password for role, password in passwords.items() if role in there})
    missing = {key: info for key, info in wanted.items() if held.get(key) != info}
    with conn.transaction():
        for (node, role), info in missing.items():
            conn.execute("DELETE FROM pg_catalog.pg_dist_authinfo WHERE nodeid = %s AND rolename = %s", (node, role))
            conn.execute("INSERT INTO pg_catalog.pg_dist_authinfo VALUES (%s, %s, %s)", (node, role, info))
    return bool(missing)


def authinfo_of(conn: Connection[TupleRow]) -> Authinfo:
    """What a node holds."""
    return {(node, role): info for node, role, info in rows(conn, _AUTHINFO)}


def run_on_workers(conn: Connection[TupleRow], statement: sql.Composable | str) -> dict[str, str]:
    """The result of one statement on each worker, by host:port, asked by way of the coordinator.

    Raises:
        ConnectionFailed: a worker does not answer, or refused.
    """
    text = statement if isinstance(statement, str) else statement.as_string(conn)
    found = rows(
        conn, "SELECT nodename || ':' || nodeport, success, result FROM run_command_on_workers(%s) ORDER BY 1", text
    )
    for place, success, result in found:
        if not success:
            raise ConnectionFailed(
                f"{place} did not do as told: {str(result).strip().splitlines()[0]}",
                remedy="Bring the worker back, then run `pyhce register`: what was begun is finished.",
            )
    return {place: result for place, _, result in found}


def set_authinfo_on_workers(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> list[str]:
    """Note on every worker how these roles log in elsewhere; the workers on which that changed something.

    Raises:
        ConnectionFailed: a worker does not answer.
    """
    wanted = wanted_authinfo(passwords)
    asked = f"SELECT coalesce(json_agg(a), '[]') FROM ({_AUTHINFO}) AS a"  # noqa: S608 - our own query
    late = []
    for place, said in run_on_workers(conn, asked).items():
        held = {(row["nodeid"], row["rolename"]): row["authinfo"] for row in json.loads(said)}
        if any(held.get(key) != info for key, info in wanted.items()):
            late.append(place)
    if late:
        run_on_workers(conn, _set_authinfo_statement(wanted))
    return late


def delete_authinfo_on_workers(conn: Connection[TupleRow], role: str) -> None:
    """Remove a role's secret from every worker. Raises as `set_authinfo_on_workers`."""
    statement = sql.SQL("DELETE FROM pg_catalog.pg_dist_authinfo WHERE rolename = {}")
    run_on_workers(conn, statement.format(sql.Literal(role)))


def _set_authinfo_statement(wanted: Authinfo) -> sql.Composed:
    """One statement that notes all of it on a node, for the roles that the node has."""
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
    """The password of a connection string, None if it has none."""
    held = conninfo_to_dict(info).get("password") if info else None
    return str(held) if held else None


def internal_password(conn: Connection[TupleRow], role: str) -> str:
    """The password with which nodes log in to each other as an internal role, made up by the first registrar."""
    return password_in(authinfo_of(conn).get((ANY_NODE, role))) or secrets.token_urlsafe(24)


def known_passwords(conn: Connection[TupleRow], more: Sequence[Authinfo] = ()) -> dict[str, str]:
    """The passwords that nodes hold and that are right, by role.

    Args:
        more: what other nodes hold, asked after the coordinator.
    """
    found: dict[str, str] = {}
    stored = _stored_secrets(conn)
    for held in (authinfo_of(conn), *more):
        for (_, role), info in held.items():
            password = password_in(info)
            if role not in found and password and role in stored and password_matches(password, stored[role]):
                found[role] = password
    return found


def current_passwords(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> dict[str, str]:
    """Those of these passwords that are the roles' own now."""
    stored = _stored_secrets(conn)
    return {role: p for role, p in passwords.items() if role in stored and password_matches(p, stored[role])}


def _stored_secrets(conn: Connection[TupleRow]) -> dict[str, str]:
    return dict(rows(conn, "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL"))


def change_passwords(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> list[str]:
    """Let each role log in with its password, and every node as the role; one sentence for each change.

    Raises:
        ConnectionFailed: a worker does not answer.
        psycopg.Error: the transaction failed, and nothing has changed.
    """
    if not has_citus(conn):
        return [f"role {role} may log in" for role in set_passwords(conn, passwords)]
    with conn.transaction():
        done = [f"role {role} may log in" for role in set_passwords(conn, passwords)]
        if set_authinfo(conn, passwords):
            done.append("the coordinator knows how each role logs in to the other nodes")
    return done + [
        f"{place} knows how each role logs in to the other nodes" for place in set_authinfo_on_workers(conn, passwords)
    ]


def set_passwords(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> list[str]:
    """Let each role that exists log in with its password (Citus carries it to the workers); the roles changed."""
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
    """The SCRAM secret, so that the password itself never reaches the server's log."""
    return conn.pgconn.encrypt_password(password.encode(), b"", b"scram-sha-256").decode()


def password_matches(password: str, secret: str) -> bool:
    """Whether a password fits a stored `SCRAM-SHA-256$iterations:salt$stored:server` (RFC 5803)."""
    if not secret.startswith("SCRAM-SHA-256$"):
        return False
    _, parameters, keys = secret.split("$")
    iterations, salt = parameters.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), base64.b64decode(keys.split(":")[0]))


def trust_rules(conn: Connection[TupleRow]) -> list[str]:
    """The lines of pg_hba.conf that let anyone in over TCP without a secret."""
    found = rows(
        conn,
        "SELECT line_number || ': ' || type || ' ' || array_to_string(user_name, ',') || ' ' || coalesce(address, '')"
        " FROM pg_hba_file_rules WHERE auth_method = 'trust' AND type LIKE 'host%%'",
    )
    return [row[0] for row in found]


def is_superuser(conn: Connection[TupleRow]) -> bool:
    """Whether this session is a superuser's."""
    return bool(scalar(conn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
