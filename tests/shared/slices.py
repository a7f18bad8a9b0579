"""A slice of the declaration that registers in two seconds, with the frozen migrations cut down to its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pyhce.schema import render
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.frozen import FROZEN, fingerprint, statements
from pyhce.schema.model import Schema
from pyhce.schema.render import Migration


def schema_variant(schema: Schema, **members: object) -> Schema:
    """A copy of a declaration with some members replaced; `model_copy` would keep values computed from the old ones."""
    return Schema.model_validate({**{name: getattr(schema, name) for name in Schema.model_fields}, **members})


_NAMES = """
expediente paciente encuentro observacion alerta organizacion medicamento recurso_paciente recurso_compartido
historia historia_compartida historia_referencia
"""
SMALL = Schema(
    tables=tuple(table for table in SCHEMA.tables if table.sql_schema == "hce" or table.name in _NAMES.split()),
    helpers=SCHEMA.helpers,
    patient_paths=SCHEMA.patient_paths,
    extra_data_steps=SCHEMA.extra_data_steps,
    bare_migrations=SCHEMA.bare_migrations,
)
"""The slice: some tables of the declaration."""
_TABLE = re.compile(r"(?:TABLE|ON|INTO|COLUMN)(?: IF NOT EXISTS| TABLE| COLUMN)? (?:public|hce)\.([a-z_]+)")
_WRITER = re.compile(r"FUNCTION hce\.guardar_([a-z_]+)\(")


def migration_of_slice(schema: Schema, number: int, whole: Migration) -> Migration:
    """A frozen migration without the statements about tables that are not in the slice."""
    absent = SCHEMA.by_name.keys() - schema.by_name.keys()
    if number not in FROZEN or not absent:
        return whole
    kept = [statement for statement in statements(whole.body) if not absent.intersection(_concerned(statement))]
    body = "\n".join(kept) + "\n"
    return Migration(number=number, name=whole.name, body=body, fingerprint=fingerprint(body))


def _concerned(statement: str) -> list[str]:
    head = statement.split("$$", 1)[0]
    return [*_TABLE.findall(head), *_WRITER.findall(head)]


@pytest.fixture
def sliced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets a test register slices."""
    whole = render.migration
    monkeypatch.setattr(
        render, "migration", lambda schema, number: migration_of_slice(schema, number, whole(schema, number))
    )
    yield
