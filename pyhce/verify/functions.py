"""The functions of the schema `hce`, on every node: those that typed columns are computed with, those that write."""

from __future__ import annotations

from pyhce.citus.connection import rows
from pyhce.citus.delegate import undelegated
from pyhce.schema.writer_functions import name_of, writers
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, judged


def helpers(context: Context) -> Finding:
    """The functions that typed columns are computed with, on every node that has them."""
    problems = []
    for place, conn in context.every_node():
        found: dict[str, dict[str, str]] = {}
        for name, body, volatility in conn.execute(
            "SELECT p.proname, p.prosrc, p.provolatile::text FROM pg_proc p"
            " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'hce'"
        ):
            found.setdefault(name, {})[_essence(body)] = volatility
        for helper in context.schema.helpers:
            bodies = found.get(helper.name)
            if bodies is None:
                problems.append(f"{place}: hce.{helper.name} is missing")
            elif _essence(helper.body) not in bodies:
                problems.append(
                    f"{place}: hce.{helper.name} is not the declared function: stored values came from that"
                )
            elif bodies[_essence(helper.body)] != "i":
                problems.append(f"{place}: hce.{helper.name} is not IMMUTABLE")
    return judged(problems, f"{len(context.schema.helpers)} helpers, immutable on every node")


def writing(context: Context) -> Finding:
    """The functions that write one resource, on every node, and that Citus sends them to the node of the row."""
    wanted = writers(context.schema.tables)
    problems = []
    for place, conn in context.every_node():
        held: dict[str, str] = dict(
            rows(
                conn,
                "SELECT p.proname, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
                " WHERE n.nspname = 'hce' AND p.provolatile = 'v'",
            )
        )
        for writer in wanted:
            if _essence(held.get(writer.name, "")) != _essence(writer.body):
                problems.append(
                    f"{place}: hce.{writer.name} is {'not as declared' if writer.name in held else 'missing'}"
                )
    if context.citus and context.nodes:
        problems += [
            f"hce.{name_of(table)} is not distributed with {table.name}"
            for _, table in undelegated(context.conn, context.schema)
        ]
    return judged(problems, f"{len(wanted)} functions write one resource with its history")


def _essence(body: str) -> str:
    """A function's text without what surrounds it."""
    return body.strip().rstrip(";")
