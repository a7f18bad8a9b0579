"""The declaration rendered: pure functions from a Schema to SQL."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pyhce.schema.expression import expression, sql_type
from pyhce.schema.model import FAMILIES, Column, Frozen, Helper, Index, Schema, Table
from pyhce.schema.writer_functions import writers
from pyhce.settings import APP_ROLE, OWNER_ROLE, READONLY_ROLE

NAMES = {1: "initial"}
"""What each migration is called; one without a name is `expand`."""


class Migration(Frozen):
    """One numbered step of the schema; migrations 1..N are the schema.

    Args:
        body: its statements, to run in one transaction with `hce.zona_horaria` set to the installation's zone.
        fingerprint: sha256 of the body, hexadecimal.
    """

    number: int
    name: str
    body: str
    fingerprint: str

    @property
    def record(self) -> str:
        """The statement that notes it in `hce.migracion`."""
        return (
            "INSERT INTO hce.migracion (numero, nombre, huella) "  # noqa: S608 - our own values
            f"VALUES ({self.number}, {literal(self.name)}, '{self.fingerprint}') ON CONFLICT DO NOTHING;"
        )

    @property
    def sql(self) -> str:
        """The body and its record."""
        return f"{self.body}\n{self.record}\n"


def literal(value: str) -> str:
    """A string of our own as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def environment() -> Environment:
    """jinja2 as every template here is rendered: a name that is not given is an error."""
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
    """Every migration of the declaration, in order."""
    return tuple(migration(schema, number) for number in range(1, schema.version + 1))


def migration(schema: Schema, number: int) -> Migration:
    """What the declaration says came with this number: new helpers, tables, columns, indexes."""
    new = [table for table in schema.tables if table.since == number]
    old = [table for table in schema.tables if table.since < number]
    body = (
        environment()
        .get_template("migration.sql.j2")
        .render(
            first=number == 1,
            owner=OWNER_ROLE,
            app=APP_ROLE,
            readonly=READONLY_ROLE,
            roles=(OWNER_ROLE, APP_ROLE, READONLY_ROLE),
            helpers=[_helper(helper) for helper in schema.helpers if helper.since == number],
            writers=[_helper(writer) for writer in writers(schema.tables) if writer.since == number],
            tables=[_table(table) for table in new],
            added_columns=[
                {**_column(table, column), "table": table.qualified}
                for table in old
                for column in table.columns
                if column.since == number
            ],
            indexes=[_index(table, index) for table in schema.tables for index in _new_indexes(table, number)],
        )
        .strip()
        + "\n"
    )
    return Migration(
        number=number,
        name=NAMES.get(number, "expand"),
        body=body,
        fingerprint=hashlib.sha256(body.encode()).hexdigest(),
    )


def index_name(table: Table, index: Index) -> str:
    """`table_column_column_idx`, PostgreSQL's own way."""
    plain = [re.findall(r"[a-z_][a-z0-9_]*", key)[-1] for key in index.keys]
    return index.name or f"{table.name}_{'_'.join(plain)}_idx"


def _new_indexes(table: Table, number: int) -> list[Index]:
    return [index for index in table.indexes if max(index.since, table.since) == number]


def _index(table: Table, index: Index) -> dict[str, str]:
    opclass = f" {index.opclass}" if index.opclass else ""
    return {
        "name": index_name(table, index),
        "table": table.qualified,
        "method": index.method,
        "expressions": ", ".join(index.keys) + opclass,
    }


def _helper(helper: Helper) -> dict[str, str]:
    arguments = (argument.split() for argument in helper.arguments.split(","))
    types = ", ".join(argument[-1] for argument in arguments if argument[0] != "OUT")
    return {**helper.model_dump(), "argument_types": types}


def _table(table: Table) -> dict[str, Any]:
    stored = [column for column in table.columns if column.since <= table.since]
    return {
        "name": table.name,
        "qualified": table.qualified,
        "stored": table.stored,
        "columns": [_column(table, column) for column in stored],
        "key": table.key,
        "parent": table.parent,
        "comment": table_comment(table),
        "grants": grants(table),
        "comments": [
            *((c.name, f"{c.label.es} / {c.label.en}") for c in table.stored),
            *((c.name, column_comment(table, c)) for c in stored),
        ],
    }


def _column(table: Table, column: Column) -> dict[str, str]:
    return {
        "name": column.name,
        "sql_type": sql_type(column),
        "expression": expression(table, column),
        "comment": column_comment(table, column),
    }


def grants(table: Table) -> tuple[tuple[str, str], ...]:
    """What each role may do on a table."""
    staging = {family.staging for family in FAMILIES.values()}
    app = (("SELECT, INSERT, UPDATE, DELETE", APP_ROLE),)
    return app if table.name in staging else (*app, ("SELECT", READONLY_ROLE))


def table_comment(table: Table) -> str:
    """FHIR type and both labels."""
    fhir = f"FHIR {table.fhir_type}. " if table.fhir_type else ""
    return f"{fhir}{table.label.es} / {table.label.en}"


def column_comment(table: Table, column: Column) -> str:
    """FHIR path and both labels."""
    paths = " | ".join(f"{table.fhir_type}.{path.strip()}" for path in column.path.split("|"))
    return f"{paths}. {column.label.es} / {column.label.en}"
