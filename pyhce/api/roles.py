"""Add, list, rotate and drop a site's login roles."""

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
    """A role that was added, rotated or dropped. The password is never in it.

    Args:
        like: "app", "readonly" or both.
        pgpass: the file (mode 600) that a generated password was written to; None if the password was given.
        sessions: the number of sessions that a drop ended.
    """

    name: str
    like: tuple[str, ...]
    pgpass: str | None = None
    sessions: int = 0


class RolesReport(Frozen):
    """The login roles of a site, each with its problems."""

    roles: tuple[RoleState, ...]

    @property
    def exit_code(self) -> int:
        """0 if every role works on every node."""
        return 1 if any(role.problems for role in self.roles) else 0


def list_roles(*, dsn: str | None = None) -> RolesReport:
    """The login roles that are members of hce_app or hce_readonly, with what each lacks on which node."""
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        return RolesReport(roles=role_states(conn))


def add_role(
    name: str, *, like: str, password: str | None = None, pgpass: Path | None = None, dsn: str | None = None
) -> RoleReport:
    """Create a login role that works on every node, and on workers that are added later.

    Args:
        name: lower-case letters, digits, and after the first character _ . - too.
        like: `app` (member of hce_app) or `readonly` (member of hce_readonly).
        password: 8 to 200 printable ASCII characters; generated if None.
        pgpass: a new libpq password file for a generated password; NAME.pgpass if None.

    Raises:
        UsageError: the name is reserved, taken or not valid; the file exists; the connection is not a superuser's.
            Nothing was changed.
    """
    refuse_role_name(name)
    if like not in MODEL_ROLES:
        raise UsageError(f"a role cannot be like {like!r}", remedy=f"Choose one of: {', '.join(MODEL_ROLES)}.")
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        refuse_existing_role(conn, name)
        with _secret(name, password, pgpass, replace=False) as (secret, file):
            site_role_changes.add(conn, name, like=like, password=secret)
    return RoleReport(name=name, like=(like,), pgpass=file)


def rotate_role(
    name: str, *, password: str | None = None, pgpass: Path | None = None, dsn: str | None = None
) -> RoleReport:
    """Change the password of a login role on every node at once. Open sessions stay connected.

    Args:
        password: as for `add_role`.
        pgpass: the file for a generated password; an existing file is replaced.

    Raises:
        UsageError: the role does not exist or is not one of the site.
    """
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        like = site_role(conn, name).like
        with _secret(name, password, pgpass, replace=True) as (secret, file):
            site_role_changes.rotate(conn, name, password=secret)
    return RoleReport(name=name, like=like, pgpass=file)


def drop_role(name: str, *, dsn: str | None = None) -> RoleReport:
    """Remove a login role from every node and end its sessions.

    Raises:
        UsageError: the role does not exist or is not one of the site.
        HceError: the role owns an object.
    """
    with changing_roles(resolve_dsn(dsn), SCHEMA) as conn:
        like = site_role(conn, name).like
        sessions = site_role_changes.drop(conn, name)
    return RoleReport(name=name, like=like, sessions=sessions)


@contextmanager
def _secret(name: str, given: str | None, pgpass: Path | None, *, replace: bool) -> Iterator[tuple[str, str | None]]:
    """The password, and the path of the file that contains it if it was generated.

    A generated password is on disk, in NAME.pgpass.new, before the block changes the role, and is renamed after it. If
    this process is killed at any time, the password that is valid is in one of the two files.
    """
    if given is not None:
        refuse_password(given)
        if pgpass is not None:
            raise UsageError(
                "both a password and a file for a generated password are given",
                remedy="Give one of them: the file is for a password that pyhce generates.",
            )
        yield given, None
        return
    path = pgpass or Path(f"{name}.pgpass")
    if not replace and path.exists():
        raise UsageError(
            f"the file for the password exists already: {path}",
            remedy="Give another file with --pgpass, or remove this one.",
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
