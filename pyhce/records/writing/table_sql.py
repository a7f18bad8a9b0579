"""Pieces of SQL that name a table, its columns and the FHIR type of its rows."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from pyhce.schema.model import Table


def table_name(table: Table) -> sql.Identifier:
    """A table with its schema."""
    return sql.Identifier(table.sql_schema, table.name)


def column_list(columns: Iterable[str], prefix: str = "") -> sql.Composed:
    """Column names joined by commas."""
    return sql.SQL(", ").join(
        sql.SQL(prefix) + sql.Identifier(column) if prefix else sql.Identifier(column) for column in columns
    )


def stored_columns(table: Table) -> tuple[str, ...]:
    """The columns that a writer fills."""
    return tuple(column.name for column in table.stored)


def type_expression(table: Table) -> sql.Composable:
    """What tells the FHIR type of a table's rows."""
    return sql.Literal(table.fhir_type) if table.fhir_type else sql.Identifier("tipo")


def type_condition(table: Table, fhir_type: str, prefix: str = "") -> sql.Composable:
    """The condition that a table's rows are of a type, where they may be of another."""
    if not table.has_stored_column("tipo"):
        return sql.SQL("")
    return sql.SQL(" AND {}tipo = {}").format(sql.SQL(prefix), sql.Literal(fhir_type))
