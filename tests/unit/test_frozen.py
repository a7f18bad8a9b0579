"""A change of the declaration does not change frozen migrations; it is a later migration."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyhce.citus.distribute import colocation_table
from pyhce.errors import DeclarationError
from pyhce.schema import frozen
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.shorthand import index, resources, text
from pyhce.schema.frozen import FROZEN, fingerprint, frozen_text, statements
from pyhce.schema.frozen_check import check_frozen
from pyhce.schema.model import Area, Helper, Home, Label, PlainColumn, Schema
from pyhce.schema.render import declared_sql, migration, migrations
from tests.shared.slices import schema_variant

LATER = 9
"""The number of a migration after those of the declaration."""
NEW_HELPER = Helper(name="dia_nuevo", arguments="t text", returns="date", body="SELECT hce.dia(t)", comment="A day.")


def changed(name: str, /, **members: object) -> Schema:
    """The declaration with one table changed."""
    return schema_variant(
        SCHEMA, tables=tuple(t.model_copy(update=members) if t.name == name else t for t in SCHEMA.tables)
    )


def relabelled(since: int) -> Schema:
    """The declaration with the label of a table reworded, by migration `since`."""
    return changed("alerta", label=Label(es="Avisos", en="Warnings", since=since))


def with_column(since: int) -> Schema:
    """The declaration with one more column of alerta."""
    added = text("autor", "status", "Autor", "Author", since=since)
    return changed("alerta", columns=(*SCHEMA.table("alerta").columns, added))


def with_helper(since: int, **members: object) -> Schema:
    """The declaration with the helper `dia` changed."""
    helpers = tuple(h.model_copy(update={"since": since, **members}) if h.name == "dia" else h for h in SCHEMA.helpers)
    return schema_variant(SCHEMA, helpers=helpers)


def with_path(table: str, name: str, path: str) -> Schema:
    """The declaration with the path of a column changed, and not the number of its migration."""
    columns = SCHEMA.table(table).columns
    return changed(table, columns=tuple(c.model_copy(update={"path": path}) if c.name == name else c for c in columns))


def without_table(name: str) -> Schema:
    return schema_variant(SCHEMA, tables=tuple(t for t in SCHEMA.tables if t.name != name))


CHANGED: dict[str, Callable[[], Schema]] = {
    "a reworded label": lambda: relabelled(1),
    "a mended helper": lambda: with_helper(1, body="SELECT NULL::date"),
    "another column": lambda: with_column(1),
    "another column of migration 2": lambda: with_column(2),
    "a column of migration 2 with another path": lambda: with_path("paciente", "fallecido", "active"),
    "another key": lambda: changed("alerta", key=("documento_id", "id", "fuente")),
    "another index": lambda: changed("alerta", indexes=(*SCHEMA.table("alerta").indexes, index("codigo"))),
    "a table less": lambda: without_table("alerta"),
    "a helper that is declared anew under its name": lambda: with_helper(LATER, body="SELECT NULL::date"),
}


@pytest.mark.parametrize("number", FROZEN)
def test_a_frozen_text_has_the_fingerprint_that_databases_have(number: int) -> None:
    assert fingerprint(frozen_text(number)) == FROZEN[number] == migration(SCHEMA, number).fingerprint


def test_a_text_that_was_changed_after_it_was_frozen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(frozen.FROZEN, 1, "0" * 64)
    frozen_text.cache_clear()
    with pytest.raises(DeclarationError, match=r"migration 1 was changed after it was frozen: .*0001-initial\.sql"):
        frozen_text(1)


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_of_the_declaration_does_not_change_a_frozen_migration(name: str) -> None:
    assert migration(CHANGED[name](), 1) == migration(SCHEMA, 1)


def test_the_declaration_agrees_with_the_frozen_migrations() -> None:
    check_frozen(SCHEMA)


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_of_an_object_that_databases_have_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"frozen migration [12]") as caught:
        check_frozen(CHANGED[name]())
    assert "since=" in caught.value.remedy


def test_a_new_column_is_the_next_migration() -> None:
    schema = with_column(LATER)
    check_frozen(schema)
    body = declared_sql(schema, LATER)
    assert statements(body) == (
        "ALTER TABLE public.alerta\n    DROP COLUMN IF EXISTS autor,\n    ADD COLUMN autor text\n"
        "    GENERATED ALWAYS AS (recurso ->> 'status') STORED;",
        "COMMENT ON COLUMN public.alerta.autor IS 'Flag.status. Autor / Author';",
    )


def recomputed(since: int) -> Schema:
    """The declaration with another path for the code of alerta, and a helper in the place of `rango_periodo`."""
    former = next(column for column in SCHEMA.table("alerta").columns if column.name == "codigo")
    column = former.model_copy(update={"path": "category", "since": since, "former": former})
    columns = tuple(column if c is former else c for c in SCHEMA.table("alerta").columns)
    schema = changed("alerta", columns=columns)
    helper = Helper(
        name="rango_nuevo", arguments="p jsonb", returns="tstzrange", body="SELECT hce.rango(p ->> 'start')",
        comment="The start.", since=since, replaces="rango_periodo",
    )  # fmt: skip
    return schema_variant(schema, helpers=(*SCHEMA.helpers, helper))


def test_recomputed_columns_are_one_statement_per_table_and_their_indexes_are_rebuilt() -> None:
    schema = recomputed(LATER)
    (alter,) = [s for s in statements(declared_sql(schema, LATER)) if s.startswith("ALTER TABLE public.alerta")]
    assert alter.split("\n", 3)[:3] == [
        "ALTER TABLE public.alerta", "    DROP COLUMN IF EXISTS codigo,", "    DROP COLUMN IF EXISTS fecha,",
    ]  # fmt: skip
    assert alter.count("ADD COLUMN") == 2
    assert "GENERATED ALWAYS AS (hce.rango_nuevo(recurso -> 'period')) STORED" in alter
    body = declared_sql(schema, LATER)
    assert "CREATE INDEX IF NOT EXISTS encuentro_documento_id_fecha_idx ON public.encuentro" in body
    assert "condicion_documento_id_codigo_idx" not in body
    assert "hce.rango_periodo(" not in body


def test_a_recomputed_column_does_not_change_former_migrations() -> None:
    schema = recomputed(LATER)
    check_frozen(schema)
    assert migration(schema, 1) == migration(SCHEMA, 1)
    assert declared_sql(schema, 2) == declared_sql(SCHEMA, 2)


def test_a_new_stored_column_is_the_next_migration() -> None:
    label = Label(es="Origen", en="Origin")
    added = PlainColumn(name="origen", sql_type="text", default="''", label=label, since=LATER)
    schema = changed("alerta", stored=(*SCHEMA.table("alerta").stored, added))
    check_frozen(schema)
    assert "ALTER TABLE public.alerta ADD COLUMN IF NOT EXISTS origen text NOT NULL DEFAULT '';" in declared_sql(
        schema, LATER
    )


def test_a_new_table_is_the_next_migration_with_its_function_its_index_and_its_privileges() -> None:
    table = resources(
        "cuenta",
        "Account",
        Area.FINANCE,
        "Cuentas",
        "Accounts",
        text("estado", "status", "Estado", "Status"),
        patient=("subject",),
        indexes=(index("documento_id", "estado"),),
        since=LATER,
    )
    schema = schema_variant(SCHEMA, tables=(*SCHEMA.tables, table))
    check_frozen(schema)
    body = declared_sql(schema, LATER)
    assert "CREATE TABLE IF NOT EXISTS public.cuenta" in body
    assert "CREATE OR REPLACE FUNCTION hce.guardar_cuenta(" in body
    assert "CREATE INDEX IF NOT EXISTS cuenta_documento_id_estado_idx" in body
    assert "GRANT SELECT ON public.cuenta TO hce_readonly;" in body


def test_a_new_helper_is_the_next_migration() -> None:
    schema = schema_variant(SCHEMA, helpers=(*SCHEMA.helpers, NEW_HELPER.model_copy(update={"since": LATER})))
    check_frozen(schema)
    assert declared_sql(schema, LATER).startswith("CREATE OR REPLACE FUNCTION hce.dia_nuevo(t text) RETURNS date")


def test_only_the_application_may_execute_a_security_definer_function() -> None:
    helper = NEW_HELPER.model_copy(update={"since": LATER, "definer": True})
    body = declared_sql(schema_variant(SCHEMA, helpers=(helper,)), LATER)
    assert "SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$" in body
    assert "ALTER FUNCTION hce.dia_nuevo(text) OWNER TO hce_writer;" in body
    assert "REVOKE ALL ON FUNCTION hce.dia_nuevo(text) FROM PUBLIC;" in body
    assert "GRANT EXECUTE ON FUNCTION hce.dia_nuevo(text) TO hce_app;" in body


def test_a_changed_label_is_a_comment_in_the_next_migration() -> None:
    schema = relabelled(LATER)
    check_frozen(schema)
    assert declared_sql(schema, LATER) == "COMMENT ON TABLE public.alerta IS 'FHIR Flag. Avisos / Warnings';\n"


def test_a_later_migration_replaces_the_save_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyhce.schema.writer_functions.FUNCTIONS_SINCE", LATER)
    schema = schema_variant(SCHEMA, bare_migrations=(LATER,))
    check_frozen(schema)
    assert schema.version == LATER
    replaced = declared_sql(schema, LATER)
    assert replaced.count("CREATE OR REPLACE FUNCTION hce.guardar_") == len(SCHEMA.resource_tables()) - 1


def test_save_functions_with_the_arguments_of_older_releases_are_dropped() -> None:
    body = migration(SCHEMA, 2).body
    old = "hce.guardar_alerta(text, text, text, text, text, text, text, uuid, integer);"
    assert f"DROP FUNCTION IF EXISTS {old}" in body
    assert body.index(old) < body.index("CREATE OR REPLACE FUNCTION hce.guardar_alerta(")
    assert "DROP FUNCTION" not in migration(SCHEMA, 1).body


def test_changed_privileges_are_grants_and_revokes_in_the_next_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    def since_later(table: object, number: int | None = None) -> tuple[tuple[str, str], ...]:
        return (("SELECT", "hce_app"),) if number in {None, LATER} else (("SELECT, INSERT, DELETE", "hce_app"),)

    monkeypatch.setattr("pyhce.schema.render.grants", since_later)
    body = declared_sql(SCHEMA, LATER)
    assert "REVOKE DELETE, INSERT ON public.historia FROM hce_app;" in body
    assert "GRANT" not in body


def test_migrations_are_numbered_without_gaps() -> None:
    assert [m.number for m in migrations(SCHEMA)] == list(range(1, SCHEMA.version + 1))


def test_a_semicolon_in_a_body_or_a_comment_does_not_end_a_statement() -> None:
    first = "CREATE FUNCTION f() RETURNS text AS $$\nBEGIN\n    RETURN ';';\nEND;\n$$;"
    second = "COMMENT ON FUNCTION f() IS 'one; it''s two';"
    assert statements(f"{first}\n{second}\n") == (first, second)


def test_a_table_that_is_declared_first_does_not_start_a_new_colocation_group() -> None:
    first = resources("sustancia", "Substance", Area.MEDICATION, "Sustancias", "Substances", home=Home.ID, since=LATER)
    schema = schema_variant(SCHEMA, tables=(first, *SCHEMA.tables))
    assert {colocation_table(schema, t).name for t in schema.tables if t.home is Home.ID} == {"medicamento"}
    assert {colocation_table(schema, t).name for t in schema.tables if t.home is Home.PATIENT} == {"expediente"}
