"""05: typed columns are what their FHIR paths give; values that FHIR does not allow are told."""

from __future__ import annotations

from psycopg import sql

from pyhce.schema.expression import concrete_paths, expression
from pyhce.schema.model import Kind, Table
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, FunctionCheck, Result, judged

GROUP = "typed columns"
SAMPLE = 200
_DATES = {Kind.RANGE, Kind.MOMENT, Kind.DATES}


def _typed(context: Context) -> list[Table]:
    return [table for table in context.schema.resource_tables() if table.columns]


def recomputed(context: Context) -> Finding:
    """A sample of each table, computed again."""
    problems = []
    looked = 0
    for table in _typed(context):
        wrong = sql.SQL(", ").join(
            sql.SQL("count(*) FILTER (WHERE {} IS DISTINCT FROM {})").format(
                sql.Identifier(c.name),
                sql.SQL(expression(table, c)),
            )
            for c in table.columns
        )
        columns = sql.SQL(", ").join(
            sql.Identifier(name) for name in ("recurso", "id", *(c.name for c in table.columns if c.name != "id"))
        )
        row = context.conn.execute(
            sql.SQL("SELECT count(*), {} FROM (SELECT {} FROM {} LIMIT {}) AS s").format(
                wrong, columns, sql.Identifier(table.name), sql.Literal(SAMPLE)
            )
        ).fetchone()
        total, *counts = row or (0,)
        looked += total
        problems += [f"{table.name}.{c.name}: {n} of {total}" for c, n in zip(table.columns, counts, strict=True) if n]
    return judged(problems, f"{looked} rows of {len(_typed(context))} tables computed again, all the same")


def readable_dates(context: Context) -> Finding:
    """Dates that are there and mean no day, such as 2024-02-30: the typed column is NULL."""
    problems = []
    for table in _typed(context):
        for column in table.columns:
            members = _members(table, column.path) if column.kind in _DATES else []
            if not members:
                continue
            there = sql.SQL(" OR ").join(
                sql.SQL("jsonb_path_exists(recurso, {})").format(sql.Literal(member)) for member in members
            )
            row = context.conn.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE {} IS NULL AND ({})").format(
                    sql.Identifier(table.name), sql.Identifier(column.name), there
                )
            ).fetchone()
            if row and row[0]:
                problems.append(f"{table.name}.{column.name}: {row[0]} values are no date")
    return judged(problems, "every date that is there can be read", severity=Result.WARNING)


def _members(table: Table, path: str) -> list[str]:
    """The JSON paths of the plain dates that a column reads."""
    return [
        f"$.{concrete}"
        for alternative in path.split("|")
        for concrete, kind in concrete_paths(str(table.fhir_type), alternative.strip())
        if kind in {"date", "dateTime", "instant"}
    ]


CHECKS = (
    FunctionCheck(
        "HCE0501", GROUP, "Typed columns are what the resource says (a sample)",
        "A helper was changed in place: restore it, then rewrite the column (ALTER TABLE … with a new helper name).",
        recomputed,
    ),
    FunctionCheck(
        "HCE0502", GROUP, "Dates can be read", "Correct them at the source and load again; the resource is kept.",
        readable_dates,
    ),
)  # fmt: skip
