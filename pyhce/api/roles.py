"""The verbs on a site's own login roles: add, list, rotate, drop."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyhce.api.database import resolve_dsn
from pyhce.citus import site_role_changes
from pyhce.citus.site_role_changes import (
    changing_roles,
    refuse_existing_role,
    refuse_password,
    refuse_role_name,
    site_role,
)
from pyhce.citus.site_roles import MODEL_ROLES, RoleState, role_states
from pyhce.errors import UsageError
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Frozen
from pyhce.settings import DATABASE


class RoleReport(Frozen):
    """What was done with a role; never its password.

    Args:
        like: `app` or `readonly`.
        pgpass: the file, mode 600, that a generated password was written to; None if the password was given.
        sessions: how many sessions a removal ended.
    """

    name: str
    like: tuple[str, ...]
    pgpass: str | None = None
    sessions: int = 0


class RolesReport(Frozen):
    """The login roles of a site."""

    roles: tuple[RoleState, ...]

    @property
    def exit_code(self) -> int:
        """0 if every role works on every node."""
        return 1 if any(role.problems for role in self.roles) else 0


def list_roles(*, dsn: str | None = None) -> RolesReport:
    """The login roles that are members of hce_app or hce_readonly, with what each lacks."""
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        return RolesReport(roles=role_states(conn))


def add_role(
    name: str, *, like: str, password: str | None = None, pgpass: Path | None = None, dsn: str | None = None
) -> RoleReport:
    """Make a login role that works on every node, and on workers that are added later.

    Args:
        name: lower-case letters, digits, and _ . - after the first.
        like: `app` (member of hce_app) or `readonly` (member of hce_readonly).
        password: 8 to 200 printable ASCII characters; generated if not given.
        pgpass: a new file for a generated password, in libpq's form; NAME.pgpass if not given.

    Raises:
        UsageError: the name is reserved, there already or not written as one; the file is there; the role of the
            connection is no superuser. Nothing was changed.
    """
    refuse_role_name(name)
    if like not in MODEL_ROLES:
        raise UsageError(f"a role cannot be like {like!r}", remedy=f"Choose of: {', '.join(MODEL_ROLES)}.")
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        refuse_existing_role(conn, name)
        with _secret(name, password, pgpass, replace=False) as (secret, file):
            site_role_changes.add(conn, name, like=like, password=secret)
    return RoleReport(name=name, like=(like,), pgpass=file)


def rotate_role(
    name: str, *, password: str | None = None, pgpass: Path | None = None, dsn: str | None = None
) -> RoleReport:
    """Give a login role of the site another password, on every node at once. Open sessions go on.

    Args:
        pgpass: the file for a generated password; a file that is there is replaced.

    Raises:
        UsageError: there is no such role.
    """
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        like = site_role(conn, name).like
        with _secret(name, password, pgpass, replace=True) as (secret, file):
            site_role_changes.rotate(conn, name, password=secret)
    return RoleReport(name=name, like=like, pgpass=file)


def drop_role(name: str, *, dsn: str | None = None) -> RoleReport:
    """Remove a login role of the site from every node and end its sessions.

    Raises:
        UsageError: there is no such role.
        HceError: it owns something.
    """
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        like = site_role(conn, name).like
        sessions = site_role_changes.drop(conn, name)
    return RoleReport(name=name, like=like, sessions=sessions)


@contextmanager
def _secret(name: str, given: str | None, pgpass: Path | None, *, replace: bool) -> Iterator[tuple[str, str | None]]:
    """A password and the file that holds it, if it was generated.

    The file is on disk before the role changes, under a name of its own until that has succeeded: whatever ends this
    process, a password that holds is in a file.
    """
    if given is not None:
        refuse_password(given)
        if pgpass is not None:
            raise UsageError(
                "a password was given, and a file for a generated one",
                remedy="Give one of them: the file is for a password that pyhce makes.",
            )
        yield given, None
        return
    path = pgpass or Path(f"{name}.pgpass")
    if not replace and path.exists():
        raise UsageError(
            f"{path} is there already, and would hold the password",
            remedy="Give another file with --pgpass, or remove it.",
        )
    secret = secrets.token_urlsafe(24)
    new = path.with_name(f"{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(f"*:*:{DATABASE}:{name}:{secret}\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        yield secret, str(path)
    except UsageError:  # nothing was changed
        new.unlink()
        raise
    new.rename(path)
