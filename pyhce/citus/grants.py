"""What Citus does not carry to other nodes: privileges on the database itself."""

from __future__ import annotations

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import scalar
from pyhce.settings import APP_ROLE, READONLY_ROLE

DATABASE_ROLES = (APP_ROLE, READONLY_ROLE)


def grant_database(node: Connection[TupleRow]) -> bool:
    """On one node: our roles may connect, nobody else may by default; whether that changed anything."""
    database = scalar(node, "SELECT current_database()")
    public = scalar(
        node,
        "SELECT EXISTS (SELECT 1 FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
        " WHERE datname = current_database() AND a.grantee = 0)",
    )
    missing = [
        role
        for role in DATABASE_ROLES
        if not scalar(
            node,
            "SELECT EXISTS (SELECT 1 FROM pg_database d, aclexplode(datacl) a WHERE datname = current_database()"
            " AND a.grantee = %s::regrole AND a.privilege_type = 'CONNECT')",
            role,
        )
    ]
    if public:
        node.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
    for role in missing:
        node.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(role))
        )
    return bool(public or missing)
