"""The roles of the database, and their privileges on each table, by migration.

`hce_app` may read tables, and writes through the functions `hce.guardar_…`. Only `hce_writer` may change rows. It has
no password for people: pyhce switches to it with SET ROLE after it has connected
(`pyhce.citus.connection.connect_as_writer`). hce_app is a member of hce_writer without inheritance, so a session of
psql can change rows only after its own SET ROLE. NOINHERIT on the member, set before the GRANT, has this effect on
PostgreSQL 15 and on later releases alike.
"""

from __future__ import annotations

from pyhce.schema.model import FAMILIES, Table
from pyhce.settings import APP_ROLE, READONLY_ROLE, WRITER_ROLE

WRITER_SINCE = 2
"""The migration that creates hce_writer."""

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
"""The statements about roles with which a migration begins."""

_FIXED = frozenset({"hce.instalacion"})
"""Tables to which only migrations write."""


def grants(table: Table, number: int | None = None) -> tuple[tuple[str, str], ...]:
    """The privileges on a table after a migration, or now if `number` is None: (privileges, role) pairs.

    To change privileges, add a case for the number of the migration that makes the change. That migration is rendered
    with the GRANT and REVOKE statements that lead from the former privileges to the new ones.
    """
    readonly = () if table.name in {family.staging for family in FAMILIES.values()} else (("SELECT", READONLY_ROLE),)
    if number is not None and number < WRITER_SINCE:
        return (("SELECT, INSERT, UPDATE, DELETE", APP_ROLE), *readonly)
    writer = "SELECT" if table.qualified in _FIXED else "SELECT, INSERT, UPDATE, DELETE"
    return (("SELECT", APP_ROLE), (writer, WRITER_ROLE), *readonly)
