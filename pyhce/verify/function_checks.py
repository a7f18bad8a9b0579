"""The functions of the schema `hce` on every node: helpers that compute typed columns, and functions that write."""

from __future__ import annotations

from pyhce.citus.connection import rows
from pyhce.citus.distributed_functions import undistributed_functions
from pyhce.schema.writer_functions import writer_functions, writer_name
from pyhce.settings import WRITER_ROLE
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, ok_unless

_WRITING = """
    SELECT p.proname, p.prosrc,
        p.prosecdef AND pg_get_userbyid(p.proowner) = %s AND array_to_string(p.proconfig, ',') LIKE 'search_path=%%',
        NOT EXISTS (
            SELECT 1 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0
        )
    FROM pg_proc AS p INNER JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'hce' AND p.provolatile = 'v'
"""


def helpers(context: Context) -> Finding:
    """The helpers that compute typed columns are as declared and IMMUTABLE on every node."""
    problems = []
    for address, conn in context.every_node():
        stored: dict[str, dict[str, str]] = {}
        for name, body, volatility in conn.execute(
            "SELECT p.proname, p.prosrc, p.provolatile::text FROM pg_proc p"
            " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'hce'"
        ):
            stored.setdefault(name, {})[_essence(body)] = volatility
        for helper in context.schema.helpers:
            bodies = stored.get(helper.name)
            if bodies is None:
                problems.append(f"{address}: hce.{helper.name} is missing")
            elif _essence(helper.body) not in bodies:
                problems.append(
                    f"{address}: hce.{helper.name} is not as declared, but stored values were computed as declared"
                )
            elif bodies[_essence(helper.body)] != "i":
                problems.append(f"{address}: hce.{helper.name} is not IMMUTABLE")
    return ok_unless(problems, f"{len(context.schema.helpers)} helper functions, IMMUTABLE on every node")


def writing(context: Context) -> Finding:
    """The functions that write one resource are as declared on every node, and Citus runs them on the row's node."""
    declared = writer_functions(context.schema.tables)
    problems = []
    for address, conn in context.every_node():
        stored = {name: rest for name, *rest in rows(conn, _WRITING, WRITER_ROLE)}
        for writer in declared:
            body, definer, closed = stored.get(writer.name, ("", False, False))
            if _essence(body) != _essence(writer.body):
                problems.append(
                    f"{address}: hce.{writer.name} is {'not as declared' if writer.name in stored else 'missing'}"
                )
            elif writer.definer and not definer:
                problems.append(f"{address}: hce.{writer.name} does not run with the privileges of {WRITER_ROLE}")
            elif writer.definer and not closed:
                problems.append(f"{address}: every role can call hce.{writer.name}")
    if context.citus and context.nodes:
        problems += [
            f"hce.{writer_name(table)} is not distributed with {table.name}"
            for _, table in undistributed_functions(context.conn, context.schema)
        ]
    return ok_unless(problems, f"{len(declared)} functions write one resource with its history")


def _essence(body: str) -> str:
    """A function's text without surrounding white space and the last semicolon."""
    return body.strip().rstrip(";")
