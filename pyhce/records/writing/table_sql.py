"""SQL for a table of the declaration: its name, its columns, the FHIR type of its rows."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from pyhce.schema.model import Table


def table_name(table: Table) -> sql.Identifier:
    """The name of a table, with its schema."""
    return sql.Identifier(table.sql_schema, table.name)


def column_list(columns: Iterable[str], prefix: str = "") -> sql.Composed:
    """Column names joined by commas, each after a prefix such as `t.`."""
    return sql.SQL(", ").join(
        sql.SQL(prefix) + sql.Identifier(column) if prefix else sql.Identifier(column) for column in columns
    )


def stored_columns(table: Table) -> tuple[str, ...]:
    """The names of the columns that a writer fills: all but the generated ones."""
    return tuple(column.name for column in table.stored)


def type_expression(table: Table) -> sql.Composable:
    """The FHIR type of a row: a literal, or the column `tipo` of a table that stores several types."""
    return sql.Literal(table.fhir_type) if table.fhir_type else sql.Identifier("tipo")


def type_condition(table: Table, fhir_type: str, prefix: str = "") -> sql.Composable:
    """` AND tipo = …` for a table that stores several FHIR types, else nothing."""
    if not table.has_stored_column("tipo"):
        return sql.SQL("")
    return sql.SQL(" AND {}tipo = {}").format(sql.SQL(prefix), sql.Literal(fhir_type))
