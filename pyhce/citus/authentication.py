"""Authentication between nodes: every node knows how to log in to every other as every role, after any restart.

Citus looks a role's secret up in `pg_dist_authinfo` of the node that connects (node id 0: to any node, -1: to itself):
https://docs.citusdata.com/en/stable/admin_guide/table_management.html and `citus.node_conninfo` for sslmode.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping

from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from pyhce.citus.connection import rows, scalar
from pyhce.settings import OWNER_ROLE, WRITER_ROLE

ANY_NODE = 0
THIS_NODE = -1


def set_authinfo(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> bool:
    """Note on this node how each role that it has logs in elsewhere; whether that changed anything."""
    there = {role for (role,) in rows(conn, "SELECT rolname FROM pg_roles")}
    wanted = {
        (node, role): make_conninfo("", password=password)
        for role, password in passwords.items()
        if role in there
        for node in (ANY_NODE, THIS_NODE)
    }
    held = {(node, role): info for node, role, info in rows(conn, "SELECT * FROM pg_catalog.pg_dist_authinfo")}
    missing = {key: info for key, info in wanted.items() if held.get(key) != info}
    with conn.transaction():
        for (node, role), info in missing.items():
            conn.execute("DELETE FROM pg_catalog.pg_dist_authinfo WHERE nodeid = %s AND rolename = %s", (node, role))
            conn.execute("INSERT INTO pg_catalog.pg_dist_authinfo VALUES (%s, %s, %s)", (node, role, info))
    return bool(missing)


INTERNAL_ROLES = (OWNER_ROLE, WRITER_ROLE)
"""Roles that only nodes log in as.

Citus opens a connection to another node as the current user of the session. It moves shards as the owner of their
table (its shard_transfer.c), and it runs what a session or a function does as hce_writer.
"""


def internal_secret(conn: Connection[TupleRow], role: str) -> str:
    """The password with which nodes log in to each other as an internal role, made up by the first registrar."""
    query = "SELECT authinfo FROM pg_catalog.pg_dist_authinfo WHERE nodeid = 0 AND rolename = %s"
    held = scalar(conn, query, role)
    return str(conninfo_to_dict(held)["password"]) if held else secrets.token_urlsafe(24)


def set_passwords(conn: Connection[TupleRow], passwords: Mapping[str, str]) -> list[str]:
    """Let each role that exists log in with its password (Citus carries it to the workers); the roles changed."""
    changed = []
    for role, password in passwords.items():
        row = conn.execute("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
        if row is None or (row[0] and row[1] and matches(password, row[1])):
            continue
        conn.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(_secret(conn, password))
            )
        )
        changed.append(role)
    return changed


def _secret(conn: Connection[TupleRow], password: str) -> str:
    """The SCRAM secret, so that the password itself never reaches the server's log."""
    return conn.pgconn.encrypt_password(password.encode(), b"", b"scram-sha-256").decode()


def matches(password: str, secret: str) -> bool:
    """Whether a password fits a stored `SCRAM-SHA-256$iterations:salt$stored:server` (RFC 5803)."""
    if not secret.startswith("SCRAM-SHA-256$"):
        return False
    _, parameters, keys = secret.split("$")
    iterations, salt = parameters.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), base64.b64decode(keys.split(":")[0]))


def trusts_anyone(conn: Connection[TupleRow]) -> list[str]:
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
