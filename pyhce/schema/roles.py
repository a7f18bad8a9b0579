"""The roles of the database, by the migration that brought them, and what each may do on a table.

`hce_app` reads, and writes by the functions `hce.guardar_…`. The right to change rows belongs to `hce_writer`, which no
person logs in as: pyhce takes it with SET ROLE after it has connected (`pyhce.citus.connection.connect_as_writer`).
hce_app is a member that does not inherit, so a statement of psql has it only if it asks for it. Both ways of saying
that are the same on PostgreSQL 15 and later: NOINHERIT of the member, before the GRANT.
"""

from __future__ import annotations

from pyhce.schema.model import FAMILIES, Table
from pyhce.settings import APP_ROLE, READONLY_ROLE, WRITER_ROLE

WRITER_SINCE = 2
"""The migration that brings hce_writer."""

ROLE_STATEMENTS = {
    WRITER_SINCE: f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{WRITER_ROLE}') THEN
        CREATE ROLE {WRITER_ROLE} NOLOGIN;
    END IF;
END
$$;
ALTER ROLE {APP_ROLE} NOINHERIT;
GRANT {WRITER_ROLE} TO {APP_ROLE};
GRANT USAGE ON SCHEMA hce TO {WRITER_ROLE};
GRANT USAGE ON SCHEMA public TO {WRITER_ROLE};
GRANT SELECT ON hce.migracion TO {WRITER_ROLE};
"""  # noqa: S608 - our own names
}
"""What a migration says about roles, before anything else."""

_FIXED = frozenset({"hce.instalacion"})
"""Tables that only a migration writes."""


def grants(table: Table, number: int | None = None) -> tuple[tuple[str, str], ...]:
    """What each role may do on a table, as (privileges, role), after a migration; after all of them if None.

    A change of privileges is a case for the number of the migration that brings it; that migration is rendered with
    the GRANT and REVOKE between the two.
    """
    readonly = () if table.name in {family.staging for family in FAMILIES.values()} else (("SELECT", READONLY_ROLE),)
    if number is not None and number < WRITER_SINCE:
        return (("SELECT, INSERT, UPDATE, DELETE", APP_ROLE), *readonly)
    writer = "SELECT" if table.qualified in _FIXED else "SELECT, INSERT, UPDATE, DELETE"
    return (("SELECT", APP_ROLE), (writer, WRITER_ROLE), *readonly)
