"""A slice of the declaration, which registers in two seconds: frozen migrations cut to the tables that it has."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pyhce.schema import render
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.frozen import FROZEN, fingerprint, statements
from pyhce.schema.model import Schema
from pyhce.schema.render import Migration


def variant(schema: Schema, **members: object) -> Schema:
    """A declaration with members of its own replaced. (`model_copy` would keep what was computed of the old ones.)"""
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
"""Some of its tables."""
_TABLE = re.compile(r"(?:TABLE|ON|INTO|COLUMN)(?: IF NOT EXISTS| TABLE| COLUMN)? (?:public|hce)\.([a-z_]+)")
_WRITER = re.compile(r"FUNCTION hce\.guardar_([a-z_]+)\(")


def cut(schema: Schema, number: int, whole: Migration) -> Migration:
    """A frozen migration without what concerns a table that this slice does not have."""
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
    """Register slices in this test."""
    whole = render.migration
    monkeypatch.setattr(render, "migration", lambda schema, number: cut(schema, number, whole(schema, number)))
    yield
