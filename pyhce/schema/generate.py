"""Write the files that are made from the declaration: the image's init scripts and the data dictionary."""

from __future__ import annotations

from pathlib import Path

from pyhce.schema.expression import sql_type
from pyhce.schema.frozen_check import check_frozen
from pyhce.schema.lint import check_declaration
from pyhce.schema.model import Area, Home, Schema
from pyhce.schema.render import environment, index_name, migrations
from pyhce.settings import DATABASE, DEFAULT_TIME_ZONE

HOMES = {
    Home.PATIENT: ("distribuida por documento_id", "distributed by documento_id"),
    Home.REFERENCE: ("de referencia, completa en cada nodo", "reference, whole on every node"),
    Home.ID: ("distribuida por id", "distributed by id"),
}


def sql_files(schema: Schema) -> dict[str, str]:
    """The texts of the init scripts by file name.

    The first two, for the database and its extensions, run on every node; the schema runs on the coordinator only.
    """
    templates = environment()
    values = {"database": DATABASE, "time_zone": DEFAULT_TIME_ZONE, "migrations": migrations(schema)}
    return {
        name: templates.get_template(f"{name}.j2").render(values)
        for name in ("00-create-db.sql", "01-extensions.sql", "02-schema-fhir.sql")
    }


def docs_files(schema: Schema) -> dict[str, str]:
    """The texts of the data dictionary by file name, in English and in Spanish."""
    template = environment().get_template("dictionary.md.j2")
    areas = [(area, [table for table in schema.tables if table.area is area]) for area in Area]
    return {
        f"data-dictionary{'' if language == 'en' else '.' + language}.md": template.render(
            areas=[(area.value, tables) for area, tables in areas if tables],
            language=language,
            schema=schema,
            homes={home: words[language == "en"] for home, words in HOMES.items()},
            sql_type=sql_type,
            index_names=lambda table: [index_name(table, index) for index in table.indexes],
            edges=reference_edges(schema),
        )
        for language in ("en", "es")
    }


def reference_edges(schema: Schema) -> list[tuple[str, str, str]]:
    """The references between tables, as (table, column, target table): the lines of the ER diagram."""
    return [
        (table.name, column.name, target.name)
        for table in schema.tables
        for column in table.columns
        if column.target and (target := schema.by_type.get(column.target)) and column.name != "paciente_id"
    ]


def sql(schema: Schema, folder: Path) -> tuple[Path, ...]:
    """Write the init scripts to a folder and return their paths.

    Raises:
        DeclarationError: the declaration breaks a rule, or changes an object of a frozen migration.
    """
    check_declaration(schema)
    check_frozen(schema)
    return _write(sql_files(schema), folder)


def docs(schema: Schema, folder: Path) -> tuple[Path, ...]:
    """Write the data dictionary to a folder and return the paths.

    Raises:
        DeclarationError: the declaration breaks a rule.
    """
    check_declaration(schema)
    return _write(docs_files(schema), folder)


def _write(files: dict[str, str], folder: Path) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in files)
