"""Add, rotate and drop a login role of the site: on every node, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus import authentication
from pyhce.citus.connection import (
    REGISTRAR_LOCK,
    DatabaseConnection,
    advisory_lock,
    connect,
    explained_errors,
    has_citus,
    rows,
    scalar,
)
from pyhce.citus.migrate import refuse_incomplete_schema
from pyhce.citus.site_roles import MODEL_ROLES, PRODUCT_ROLES, RoleState, role_states
from pyhce.errors import HceError, UsageError
from pyhce.schema.model import Schema
from pyhce.settings import SUPERUSER

_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,62}")
_PASSWORD = re.compile(r"[!-~]{8,200}")
_LOCK_TIMEOUT = 60.0


@contextmanager
def changing_roles(dsn: str, schema: Schema) -> Iterator[DatabaseConnection]:
    """A superuser's connection that holds the registrar's lock, so that no registrar runs at the same time.

    Raises:
        UsageError: the role is not a superuser.
        SchemaMismatch: the database does not have the complete schema of this release.
        HceError: a registrar held the lock for a minute.
    """
    with connect(dsn) as conn, explained_errors():
        if not authentication.is_superuser(conn):
            raise UsageError(
                f"role {scalar(conn, 'SELECT current_user')} is not a superuser: managing roles needs one",
                remedy=f"Give the DSN of a superuser, for example with user={SUPERUSER}.",
            )
        refuse_incomplete_schema(conn, schema)
        with advisory_lock(conn, REGISTRAR_LOCK, timeout=_LOCK_TIMEOUT):
            yield conn


def refuse_role_name(name: str) -> None:
    """Refuse an invalid name for a new role.

    Raises:
        UsageError: the name is reserved, or has a wrong form.
    """
    if name.startswith("pg_") or name.startswith("hce_") or name in {*PRODUCT_ROLES, "public", "none"}:
        raise UsageError(
            f"the role name {name!r} is reserved, as are all that begin with pg_ or hce_, {SUPERUSER}, public and none",
            remedy="Choose another name, such as lis_reader.",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a role name: it must begin with a lower-case letter or _, continue with "
            "lower-case letters, digits, _ . or -, and have at most 63 characters",
            remedy="Choose another name, such as lis_reader.",
        )


def refuse_password(password: str) -> None:
    """Refuse a password that some client or node would not accept. The message does not contain it.

    Raises:
        UsageError: the password does not have 8 to 200 printable ASCII characters without spaces.
    """
    if not _PASSWORD.fullmatch(password):
        raise UsageError(
            "the password must have 8 to 200 printable ASCII characters without spaces",
            remedy="Give another password, or none: then pyhce generates one.",
        )


def refuse_existing_role(conn: Connection[TupleRow], name: str) -> None:
    """Refuse the name of an existing role.

    Raises:
        UsageError: the role exists.
    """
    if scalar(conn, "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s)", name):
        raise UsageError(
            f"role {name!r} already exists",
            remedy=f"Choose another name, or give the existing role a new password: pyhce role rotate {name}.",
        )


def site_role(conn: Connection[TupleRow], name: str) -> RoleState:
    """The state of a login role of the site.

    Raises:
        UsageError: there is no such role, or it is one of ours.
    """
    found = {state.name: state for state in role_states(conn)}
    if name in found:
        return found[name]
    if name in PRODUCT_ROLES:
        raise UsageError(
            f"{name} is a role of hce-citus, not of the site",
            remedy="Its password is set by `pyhce register` (PYHCE_APP_PASSWORD, PYHCE_READONLY_PASSWORD), on "
            "Kubernetes from the Secret of the release.",
        )
    raise UsageError(
        f"there is no login role {name!r} that is a member of {' or '.join(MODEL_ROLES.values())}",
        remedy="`pyhce role list` shows the roles of this site.",
    )


def add(conn: Connection[TupleRow], name: str, *, like: str, password: str) -> None:
    """Create a login role on every node.

    Args:
        name: a name that `refuse_role_name` accepts.
        like: a key of MODEL_ROLES.
        password: a password that `refuse_password` accepts.

    Raises:
        UsageError: the role exists.
        ConnectionFailed: a worker did not answer.
    """
    with conn.transaction():
        refuse_existing_role(conn, name)
        role = sql.Identifier(name)
        conn.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                role, sql.Literal(authentication.scram_secret(conn, password))
            )
        )
        conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(MODEL_ROLES[like]), role))
        if has_citus(conn):
            authentication.set_authinfo(conn, {name: password})
    if has_citus(conn):
        authentication.set_authinfo_on_workers(conn, {name: password})


def rotate(conn: Connection[TupleRow], name: str, *, password: str) -> None:
    """Change the password of a login role on every node.

    Raises:
        UsageError: there is no such role of the site.
        ConnectionFailed: a worker did not answer.
    """
    site_role(conn, name)
    authentication.change_passwords(conn, {name: password})


def drop(conn: Connection[TupleRow], name: str) -> int:
    """Drop a login role on every node and end its sessions.

    Returns:
        The number of its sessions on the coordinator.

    Raises:
        UsageError: there is no such role of the site.
        HceError: the role owns objects or has privileges on some. Nothing was changed.
    """
    site_role(conn, name)
    sessions = [pid for (pid,) in rows(conn, "SELECT pid FROM pg_stat_activity WHERE usename = %s", name)]
    try:
        with conn.transaction():
            if has_citus(conn):
                conn.execute("DELETE FROM pg_catalog.pg_dist_authinfo WHERE rolename = %s", (name,))
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    except psycopg.errors.DependentObjectsStillExist as error:
        objects = (error.diag.message_detail or "objects depend on it").splitlines()
        more = f" (and {len(objects) - 1} more)" if len(objects) > 1 else ""
        raise HceError(
            f"role {name} cannot be dropped: {objects[0]}{more}",
            remedy=f"Give its objects to another role (ALTER … OWNER TO {SUPERUSER}), REVOKE its privileges, then run "
            "this command again. Nothing was changed.",
        ) from error
    if has_citus(conn):
        authentication.delete_authinfo_on_workers(conn, name)
        authentication.run_on_workers(conn, _END_SESSIONS)
    conn.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::integer[]) AS pid", (sessions,))
    return len(sessions)


_END_SESSIONS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE usesysid IS NOT NULL AND usesysid NOT IN (SELECT oid FROM pg_authid)"
)
"""Ends the sessions of roles that no longer exist."""
