"""HCE05: typed columns have the values that their FHIR paths give; dates can be read."""

from __future__ import annotations

from psycopg import sql

from pyhce.counted import counted
from pyhce.schema.expression import concrete_paths, expression
from pyhce.schema.model import Column, ColumnKind, Table
from pyhce.schema.path import alternatives, parse_path
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, FunctionCheck, Result, ok_unless

GROUP = "typed columns"
SAMPLE = 200
"""How many rows of each table are computed again."""
_DATES = {ColumnKind.RANGE, ColumnKind.MOMENT, ColumnKind.DATE, ColumnKind.DATES}
_PLAIN = {"date", "dateTime", "instant"}


def _typed(context: Context) -> list[Table]:
    return [table for table in context.schema.resource_tables() if table.columns]


def recomputed(context: Context) -> Finding:
    """The typed columns of a sample of each table have the values that a new computation gives."""
    problems = []
    rows = 0
    for table in _typed(context):
        wrong = sql.SQL(", ").join(
            sql.SQL("count(*) FILTER (WHERE {} IS DISTINCT FROM {})").format(
                sql.Identifier(c.name),
                sql.SQL(expression(table, c, helpers=context.schema.helpers)),
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
        rows += total
        problems += [
            f"{table.name}.{c.name}: {n} of {counted(total, 'value')} {'differs' if n == 1 else 'differ'}"
            for c, n in zip(table.columns, counts, strict=True)
            if n
        ]
    return ok_unless(
        problems, f"{counted(rows, 'row')} of {len(_typed(context))} tables computed again, no value differs"
    )


def readable_dates(context: Context) -> Finding:
    """Count dates that do not exist, such as 2024-02-30, and periods that end before they start."""
    problems = []
    for table in _typed(context):
        unreadable = {c.name: _unreadable(table, c) for c in table.columns if c.kind in _DATES}
        conditions = [(name, condition) for name, condition in unreadable.items() if condition]
        if not conditions:
            continue
        counts = sql.SQL(", ").join(sql.SQL("count(*) FILTER (WHERE {})").format(c) for _, c in conditions)
        row = context.conn.execute(sql.SQL("SELECT {} FROM {}").format(counts, sql.Identifier(table.name))).fetchone()
        problems += [
            f"{table.name}.{name}: {counted(count, 'value is', 'values are')} not a date or period"
            for (name, _), count in zip(conditions, row or (), strict=True)
            if count
        ]
    return ok_unless(problems, "every date and period can be read", severity=Result.WARNING)


def _unreadable(table: Table, column: Column) -> sql.Composed | None:
    """An SQL condition: the row has a value for the column that is not a date or period. None for other columns."""
    conditions = []
    for alternative in alternatives(column.path):
        at = parse_path(str(table.fhir_type), alternative)
        first = sql.SQL(f"jsonb_path_query_first({at.root}, {{}})")
        for concrete, kind in concrete_paths(at.fhir_type, at.path):
            bounds = {"Period": (".start", ".end")}.get(kind, ("",) if kind in _PLAIN else ())
            for bound in bounds:
                value = first.format(sql.Literal(at.jsonpath(at.with_path(concrete).steps) + bound))
                conditions.append(
                    sql.SQL("({value} IS NOT NULL AND hce.lapso({value} #>> '{{}}') IS NULL)").format(value=value)
                )
            if kind == "Period":
                whole = sql.SQL("({value} IS NOT NULL AND {column} IS NULL)")
                parts = sql.SQL("coalesce({}, {})").format(
                    *(first.format(sql.Literal(at.jsonpath(at.with_path(concrete).steps) + bound)) for bound in bounds)
                )
                conditions.append(whole.format(value=parts, column=sql.Identifier(column.name)))
    return sql.SQL(" OR ").join(conditions) if conditions else None


CHECKS = (
    FunctionCheck(
        "HCE0501", GROUP, "Typed columns have the values of their resources (sample)",
        "Restore the helper function that was changed, from 02-schema-fhir.sql, which `pyhce generate sql --to FOLDER` "
        "writes. Then compute the column again: `UPDATE NAME SET recurso = recurso;`.",
        recomputed,
    ),
    FunctionCheck(
        "HCE0502", GROUP, "Dates and periods can be read",
        "Correct them at the source and load the resources again: `pyhce load PATHS`.",
        readable_dates,
    ),
)  # fmt: skip
