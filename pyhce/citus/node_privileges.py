"""Privileges that Citus does not propagate to every node: on the database, on schemas, and REVOKE on functions.

A worker that is added later gets every GRANT on a function, but not the REVOKE from PUBLIC.
"""

from __future__ import annotations

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import has_citus, rows, scalar
from pyhce.settings import APP_ROLE, OWNER_ROLE, READONLY_ROLE, WRITER_ROLE

DATABASE_ROLES = (OWNER_ROLE, WRITER_ROLE, APP_ROLE, READONLY_ROLE)
OWNER_SCHEMAS = ("public", "hce")
"""The schemas in which the owner may create tables: when a shard moves, Citus creates its table as the owner."""


def set_node_privileges(node: Connection[TupleRow]) -> bool:
    """Set the privileges on one node: only our roles may connect, the owner may create tables, PUBLIC may not write.

    Args:
        node: a connection to that node, as a superuser.

    Returns:
        Whether anything was changed.
    """
    statements = [*_on_database(node), *_on_schemas(node), *_on_functions(node)]
    if statements:
        with node.transaction():
            if has_citus(node):  # the caller visits every node, and Citus refuses propagation from a worker
                node.execute("SET LOCAL citus.enable_ddl_propagation TO off")
            for statement in statements:
                node.execute(statement)
    return bool(statements)


def allow_reads_from_standbys(coordinator: Connection[TupleRow]) -> list[str]:
    """Let the roles that log in ask for reads from secondary nodes, if there are any. Needs PostgreSQL 15.

    The setting can only be given when a connection is opened, and Citus reserves it for superusers.

    Returns:
        One sentence for each role that got the privilege.
    """
    if not scalar(
        coordinator,
        "SELECT current_setting('server_version_num')::int >= 150000"
        " AND EXISTS (SELECT 1 FROM pg_dist_node WHERE noderole = 'secondary')",
    ):
        return []
    done = []
    for role in (APP_ROLE, READONLY_ROLE):
        if not scalar(coordinator, "SELECT has_parameter_privilege(%s, 'citus.use_secondary_nodes', 'SET')", role):
            coordinator.execute(
                sql.SQL("GRANT SET ON PARAMETER citus.use_secondary_nodes TO {}").format(sql.Identifier(role))
            )
            done.append(f"allowed {role} to read from standbys")
    return done


def _on_database(node: Connection[TupleRow]) -> list[sql.Composed]:
    database = sql.Identifier(scalar(node, "SELECT current_database()"))
    missing = [role for role in DATABASE_ROLES if not _explicitly_connects(node, role)]
    open_to_all = scalar(
        node,
        "SELECT EXISTS (SELECT 1 FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
        " WHERE datname = current_database() AND a.grantee = 0)",
    )
    revoke = [sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database)] if open_to_all else []
    return [
        *revoke,
        *(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(r)) for r in missing),
    ]


def _explicitly_connects(node: Connection[TupleRow], role: str) -> bool:
    return bool(
        scalar(
            node,
            "SELECT EXISTS (SELECT 1 FROM pg_database d, aclexplode(datacl) a WHERE datname = current_database()"
            " AND a.grantee = %s::regrole AND a.privilege_type = 'CONNECT')",
            role,
        )
    )


def _on_schemas(node: Connection[TupleRow]) -> list[sql.Composed]:
    return [
        sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(OWNER_ROLE))
        for schema in OWNER_SCHEMAS
        if not scalar(node, "SELECT has_schema_privilege(%s, %s, 'CREATE')", OWNER_ROLE, schema)
    ]


def _on_functions(node: Connection[TupleRow]) -> list[sql.Composed]:
    """PUBLIC may not execute the SECURITY DEFINER functions."""
    found = rows(
        node,
        "SELECT p.oid::regprocedure::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'hce' AND p.prosecdef AND EXISTS (SELECT 1"
        " FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0) ORDER BY 1",
    )
    return [sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(sql.SQL(name)) for (name,) in found]
