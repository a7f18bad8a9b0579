"""Render the declaration as SQL: pure functions from a Schema to the text of its migrations."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pyhce.schema.expression import expression, sql_type
from pyhce.schema.frozen import FROZEN, fingerprint, frozen_text, migration_name
from pyhce.schema.model import Column, Frozen, Helper, Index, PlainColumn, Schema, Table
from pyhce.schema.path import alternatives
from pyhce.schema.roles import ROLE_STATEMENTS, grants
from pyhce.schema.writer_functions import dropped_signatures, writer_functions
from pyhce.settings import APP_ROLE, OWNER_ROLE, WRITER_ROLE


class Migration(Frozen):
    """One migration; migrations 1 to N together give the whole schema.

    Args:
        number: its number.
        name: its name.
        body: its statements. Migration 1 needs `hce.zona_horaria` set to the time zone of the installation.
        fingerprint: the SHA-256 of the body, in hexadecimal.
    """

    number: int
    name: str
    body: str
    fingerprint: str

    @property
    def record(self) -> str:
        """The statement that records the migration in `hce.migracion`."""
        return (
            "INSERT INTO hce.migracion (numero, nombre, huella) "  # noqa: S608 - our own values
            f"VALUES ({self.number}, {literal(self.name)}, '{self.fingerprint}') ON CONFLICT DO NOTHING;"
        )

    @property
    def sql(self) -> str:
        """The body and the statement that records it."""
        return f"{self.body}\n{self.record}\n"


def literal(value: str) -> str:
    """A string as an SQL literal; for our own texts only, never for input."""
    return "'" + value.replace("'", "''") + "'"


def environment() -> Environment:
    """The jinja2 environment of the templates of this package; an undefined name is an error."""
    env = Environment(
        loader=PackageLoader("pyhce.schema"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - SQL and Markdown, not HTML
    )
    env.filters["literal"] = literal
    return env


def migrations(schema: Schema) -> tuple[Migration, ...]:
    """All migrations of the declaration, in order."""
    return tuple(migration(schema, number) for number in range(1, schema.version + 1))


def migration(schema: Schema, number: int) -> Migration:
    """The migration with this number: its frozen text, or the text rendered from the declaration."""
    body = frozen_text(number) if number in FROZEN else declared_sql(schema, number)
    return Migration(number=number, name=migration_name(number), body=body, fingerprint=fingerprint(body))


def declared_sql(schema: Schema, number: int) -> str:
    """The statements of a migration, rendered from the declaration.

    They create and change helpers, tables, save functions, columns, comments, privileges and indexes.
    """
    new = [table for table in schema.tables if table.since == number]
    old = [table for table in schema.tables if table.since < number]
    computed = {table.name: _computed_columns(schema, table, number) for table in old}
    template = environment().get_template("migration.sql.j2")
    body = template.render(
        owner=OWNER_ROLE,
        app=APP_ROLE,
        writer=WRITER_ROLE,
        roles=ROLE_STATEMENTS.get(number, ""),
        helpers=[_helper(helper) for helper in schema.helpers if helper.since == number],
        writers=[_helper(writer) for writer in writer_functions(schema.tables) if writer.since == number],
        dropped=dropped_signatures(number, schema.tables),
        tables=[_table(schema, table) for table in new],
        added_columns=[column for table in old for column in _added_columns(table, number)],
        computed=[_computed(schema, table, columns, number) for table in old if (columns := computed[table.name])],
        comments=[comment for table in schema.tables for comment in _reworded(table, number)],
        privileges=[statement for table in old for statement in _changed_privileges(table, number)],
        indexes=[
            _index(table, index) for table in old for index in _built_indexes(table, computed[table.name], number)
        ],
        moved=[
            (generic.qualified, table.name, table.fhir_type)
            for table in new
            if number > 1
            for generic in schema.generic_tables_emptied_by(table)
        ],
    )
    return body.strip() + "\n"


def index_name(table: Table, index: Index) -> str:
    """The name of an index: the declared one, else `table_column_column_idx`, as PostgreSQL would name it."""
    plain = [re.findall(r"[a-z_][a-z0-9_]*", key)[-1] for key in index.keys]
    return index.name or f"{table.name}_{'_'.join(plain)}_idx"


def _new_indexes(table: Table, number: int) -> list[Index]:
    return [index for index in table.indexes if max(index.since, table.since) == number]


def _built_indexes(table: Table, computed: list[Column], number: int) -> list[Index]:
    """The indexes that a migration builds on an existing table: new ones, and those on a recomputed column."""
    recomputed = {column.name for column in computed if column.first_migration < number}
    new = _new_indexes(table, number)
    return [
        index for index in table.indexes if index in new or (index.since < number and index.identifiers & recomputed)
    ]


def _index(table: Table, index: Index) -> dict[str, str]:
    opclass = f" {index.opclass}" if index.opclass else ""
    return {
        "name": index_name(table, index),
        "table": table.qualified,
        "method": index.method,
        "expressions": ", ".join(index.keys) + opclass,
        "where": f" WHERE {index.where}" if index.where else "",
    }


def _helper(helper: Helper) -> dict[str, str]:
    arguments = (argument.split() for argument in helper.arguments.split(","))
    types = ", ".join(argument[-1] for argument in arguments if argument[0] != "OUT")
    return {**helper.model_dump(), "argument_types": types}


def _table(schema: Schema, table: Table) -> dict[str, Any]:
    columns = [column.as_of(table.since) for column in table.columns if column.first_migration <= table.since]
    stored = [column for column in table.stored if column.since <= table.since]
    every: list[PlainColumn | Column] = [*stored, *columns]
    return {
        "name": table.name,
        "qualified": table.qualified,
        "stored": stored,
        "columns": [_column(schema, table, column, table.since) for column in columns],
        "key": table.key,
        "parent": table.parent,
        "comment": table_comment(table) if table.label.since <= table.since else None,
        "grants": grants(table, table.since),
        "comments": [
            (column.name, column_comment(table, column)) for column in every if column.label.since <= table.since
        ],
        "indexes": [_index(table, index) for index in _new_indexes(table, table.since)],
    }


def _column(schema: Schema, table: Table, column: Column, number: int) -> dict[str, str]:
    return {
        "name": column.name,
        "sql_type": sql_type(column.as_of(number)),
        "expression": expression(table, column, number, schema.helpers),
    }


def _added_columns(table: Table, number: int) -> list[dict[str, str]]:
    """The stored columns that a migration adds to an existing table."""
    return [
        {
            "table": table.qualified,
            "name": column.name,
            "definition": _definition(column),
            "comment": column_comment(table, column),
        }
        for column in table.stored
        if column.since == number
    ]


def _computed(schema: Schema, table: Table, columns: list[Column], number: int) -> dict[str, Any]:
    """The typed columns of an existing table that a migration adds or recomputes, all in one statement."""
    return {
        "table": table.qualified,
        "columns": [_column(schema, table, column, number) for column in columns],
        "comments": [(column.name, column_comment(table, column.as_of(number))) for column in columns],
    }


def _computed_columns(schema: Schema, table: Table, number: int) -> list[Column]:
    """The typed columns that are new in a migration, or have another expression since."""
    return [
        column
        for column in table.columns
        if column.first_migration == number
        or (
            column.first_migration < number
            and _column(schema, table, column, number) != _column(schema, table, column, number - 1)
        )
    ]


def _definition(column: PlainColumn) -> str:
    required = " NOT NULL" if column.required else ""
    return f"{column.sql_type}{required}{f' DEFAULT {column.default}' if column.default else ''}"


def _reworded(table: Table, number: int) -> list[tuple[str, str]]:
    """The comments on existing tables and columns that a migration changes."""
    whole = [("TABLE " + table.qualified, table_comment(table))]
    columns = [
        (f"COLUMN {table.qualified}.{column.name}", column_comment(table, column))
        for column in table.all_columns
        if column.label.since == number > max(column.since, table.since)
    ]
    return [*(whole if table.label.since == number > table.since else []), *columns]


def _changed_privileges(table: Table, number: int) -> list[str]:
    """The GRANT and REVOKE statements that lead from the privileges before a migration to those after it."""
    before, since = _privileges(grants(table, number - 1)), _privileges(grants(table, number))
    roles = sorted({role for role, _ in before | since})
    statements = []
    for role in roles:
        lost = sorted(privilege for of, privilege in before - since if of == role)
        gained = sorted(privilege for of, privilege in since - before if of == role)
        statements += [f"REVOKE {', '.join(lost)} ON {table.qualified} FROM {role};"] if lost else []
        statements += [f"GRANT {', '.join(gained)} ON {table.qualified} TO {role};"] if gained else []
    return statements


def _privileges(granted: tuple[tuple[str, str], ...]) -> set[tuple[str, str]]:
    return {(role, privilege) for privileges, role in granted for privilege in privileges.split(", ")}


def table_comment(table: Table) -> str:
    """The COMMENT of a table: its FHIR type, if it has one, and both labels."""
    fhir = f"FHIR {table.fhir_type}. " if table.fhir_type else ""
    return f"{fhir}{table.label.es} / {table.label.en}"


def column_comment(table: Table, column: Column | PlainColumn) -> str:
    """The COMMENT of a column: its FHIR path, if it has one, and both labels."""
    labels = f"{column.label.es} / {column.label.en}"
    if isinstance(column, PlainColumn):
        return labels
    return " | ".join(f"{table.fhir_type}.{path}" for path in alternatives(column.path)) + f". {labels}"
