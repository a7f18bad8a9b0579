"""Migrations of a database full of data to a later schema; run on each engine.

Each test has servers of its own: a migration cannot be undone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyhce import local
from pyhce.citus import online
from pyhce.citus.connection import DatabaseConnection, connect, has_citus
from pyhce.citus.data_steps import pending_data_steps
from pyhce.citus.indexes import INVALID, VALID, build_index, index_states
from pyhce.citus.migrate import applied_migrations, refuse_incomplete_schema
from pyhce.citus.nodes import Node
from pyhce.citus.register import RegistrationReport, register
from pyhce.errors import HceError, SchemaMismatch
from pyhce.records.loading.load import load
from pyhce.records.loading.report import LoadReport
from pyhce.records.upgrading import table_step
from pyhce.records.upgrading.upgrade import upgrade
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.declaration.catalogues import keys
from pyhce.schema.declaration.shorthand import code, index, resources, text
from pyhce.schema.model import Area, Helper, Home, Index, Schema, Table
from pyhce.verify import verify
from tests.conftest import SHARDS, registered_database
from tests.shared.database import TestDatabase
from tests.shared.records import person
from tests.shared.slices import SMALL, schema_variant
from tests.shared.until import until

pytestmark = pytest.mark.slow  # each test has servers of its own

LATER = SCHEMA.version + 1
"""The migration after those of the declaration."""
ACCOUNTS = resources(
    "cuenta", "Account", Area.FINANCE, "Cuentas", "Accounts", text("estado", "status", "Estado", "Status"),
    patient=("subject",), indexes=(index("documento_id", "estado"),), since=LATER,
)  # fmt: skip
SUBSTANCES = resources(
    "sustancia", "Substance", Area.MEDICATION, "Sustancias", "Substances", keys(), home=Home.ID, since=LATER,
)  # fmt: skip
SERVICES = resources(
    "servicio_salud", "HealthcareService", Area.ADMINISTRATION, "Servicios de salud", "Healthcare services", keys(),
    home=Home.REFERENCE, since=LATER,
)  # fmt: skip
BY_STATUS = Index(keys=("documento_id", "estado"), name="alerta_por_estado_idx", since=LATER)


RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
RDA = "https://fhir.minsalud.gov.co/rda/StructureDefinition"
OWN = (
    code("raza", f"extension('{RACE}').extension('ombCategory').valueCoding", "Raza", "Race", since=LATER),
    code("nacionalidad", f"extension('{RDA}/ExtensionPatientNationality').valueCoding", "País", "Country", since=LATER),
    text(
        "primer_apellido", f"name.preferred().family.extension('{RDA}/ExtensionFathersFamilyName').valueString",
        "Primer apellido", "First surname", since=LATER,
    ),
)  # fmt: skip
"""Columns that a site may add, for the extensions of its profiles."""


def with_tables(schema: Schema, *added: Table) -> Schema:
    """A later declaration, with tables for types that had none. They come right after the anchors."""
    types = {table.fhir_type for table in added}
    paths = tuple((kind, where) for kind, where in schema.patient_paths if kind not in types)
    anchor, *rest = schema.tables
    return schema_variant(schema, tables=(anchor, *added, *rest), patient_paths=paths)


def with_column_and_index(schema: Schema) -> Schema:
    """A later declaration, with one more column and one more index of `alerta`."""
    flag = schema.table("alerta")
    column = text("autor", "author.display", "Autor", "Author", since=LATER)
    more = flag.model_copy(update={"columns": (*flag.columns, column), "indexes": (*flag.indexes, BY_STATUS)})
    return schema_variant(schema, tables=tuple(more if table is flag else table for table in schema.tables))


def with_columns_computed_anew(schema: Schema) -> Schema:
    """A later declaration, with another path, another helper and a partial index of `paciente`."""
    patients = schema.table("paciente")
    given = next(column for column in patients.columns if column.name == "nombre")
    text_of_name = given.model_copy(update={"path": "name.text | name.given", "since": LATER, "former": given})
    columns = (*(text_of_name if column is given else column for column in patients.columns), *OWN)
    dated = Index(keys=("documento_id", "fecha_nacimiento"), where="fecha_nacimiento IS NOT NULL", since=LATER)
    more = patients.model_copy(update={"columns": columns, "indexes": (*patients.indexes, dated)})
    first_day = Helper(
        name="dia_primero", arguments="t text", returns="date", body="SELECT hce.dia(t)",
        comment="The first day.", since=LATER, replaces="dia_exacto",
    )  # fmt: skip
    return schema_variant(
        schema,
        tables=tuple(more if table is patients else table for table in schema.tables),
        helpers=(*schema.helpers, first_day),
    )


def register_schema(db: TestDatabase, schema: Schema, **options: Any) -> RegistrationReport:
    """Register as the release with this schema does."""
    workers = [Node(host=node.host, port=node.port) for node in db.cluster.workers]
    options = {"workers": workers, "passwords": local.passwords(db.folder), "shard_count": SHARDS, **options}
    return register(db.dsn, schema=schema, **options)


def load_with_schema(db: TestDatabase, schema: Schema, folder: Path, *lines: object) -> LoadReport:
    """Load as the release with this schema does."""
    path = folder / "input.ndjson"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return load(db.conn, [path], schema=schema, fuente="s", reject_file=folder / "r", again=True)


def row_count(db: TestDatabase, table: str) -> int:
    return int(db.value(f"SELECT count(*) FROM {table}"))


def account(key: str, subject: str | None, name: str = "a") -> dict[str, Any]:
    named = {"subject": [{"reference": subject}]} if subject else {}
    return {"resourceType": "Account", "id": key, "status": "active", "name": name, **named}


def catalogue(kind: str, key: str, name: str) -> dict[str, Any]:
    return {"resourceType": kind, "id": key, "text": {"status": "generated", "div": f"<div>{name}</div>"}}


UNTYPED = (
    person("p1", "1001"),
    person("p2", "1002"),
    account("c1", "Patient/p1"),
    account("c2", "Patient/p2"),
    account("c3", None),
    account("c4", "Patient/gone"),
    catalogue("Substance", "s1", "one"),
    catalogue("HealthcareService", "h1", "one"),
)
CHANGED = (
    account("c1", "Patient/p1", "b"),
    catalogue("Substance", "s1", "two"),
    catalogue("HealthcareService", "h1", "two"),
)


def stored_versions(db: TestDatabase, kind: str) -> list[tuple[str, str, int]]:
    """The former versions of a type in all histories: (table, id, version)."""
    found = []
    for table in ("historia", "historia_compartida", "historia_referencia"):
        found += [(table, *row) for row in db.rows(f"SELECT id, version FROM {table} WHERE tipo = %s", kind)]
    return sorted(found)


def test_a_new_table_for_a_type_takes_its_rows_and_its_history(
    engine: local.Engine, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = with_tables(SCHEMA, SUBSTANCES, ACCOUNTS, SERVICES)
    with registered_database(engine, workers) as db:
        load_with_schema(db, SCHEMA, tmp_path, *UNTYPED)
        assert load_with_schema(db, SCHEMA, tmp_path, *CHANGED).changed == 3
        assert (row_count(db, "recurso_paciente"), row_count(db, "recurso_compartido")) == (3, 3)
        assert stored_versions(db, "Account") == [("historia", "c1", 1)]

        assert register_schema(db, later).migrations == (LATER,)
        assert [step.table for step in pending_data_steps(db.conn, later)] == ["sustancia", "cuenta", "servicio_salud"]
        unfinished = rf"'Substance to sustancia' of migration {LATER} is not finished"
        with pytest.raises(SchemaMismatch, match=unfinished) as refused:
            refuse_incomplete_schema(db.conn, later)
        assert "`pyhce register`" in refused.value.remedy
        (check,) = [c for c in verify(db.dsn, schema=later, groups=["schema"]).failed if c.code == "HCE0201"]
        assert "Account to cuenta" in " ".join(check.details)
        with pytest.raises(SchemaMismatch, match="now belong in the table cuenta"):  # a writer that began before
            load_with_schema(db, SCHEMA, tmp_path, account("c5", "Patient/p1"))

        monkeypatch.setattr(table_step, "ROWS_AT_ONCE", 1)
        interrupt_upgrade(db, later, at="Account from recurso_paciente to cuenta: 2 of 4")
        done = {step.name: step.counts for step in upgrade(db.conn, schema=later)}
        assert done["Account to cuenta"] == {"rows": 3}
        assert done["HealthcareService to servicio_salud"] == {"rows": 1, "former versions": 1}
        refuse_incomplete_schema(db.conn, later)
        assert upgrade(db.conn, schema=later) == ()

        assert (row_count(db, "cuenta"), row_count(db, "sustancia"), row_count(db, "servicio_salud")) == (3, 1, 1)
        assert (row_count(db, "recurso_paciente"), db.rows("SELECT id FROM recurso_compartido")) == (0, [("c3",)])
        assert stored_versions(db, "Account") == [("historia", "c1", 1)]
        assert stored_versions(db, "Substance") == [("historia_compartida", "s1", 1)]
        assert stored_versions(db, "HealthcareService") == [("historia_referencia", "h1", 1)]

        again = load_with_schema(db, later, tmp_path, *UNTYPED[3:6], *CHANGED)
        assert (again.new, again.changed, again.unchanged) == (0, 0, 6)
        assert (
            load_with_schema(db, later, tmp_path, account("c1", "Patient/p1", "c"), person("gone", "1003")).changed == 1
        )
        assert stored_versions(db, "Account") == [("historia", "c1", 1), ("historia", "c1", 2)]
        assert verify(db.dsn, schema=later).failed == ()
        assert not register_schema(db, later).changed


def interrupt_upgrade(db: TestDatabase, schema: Schema, *, at: str) -> None:
    """Run the data steps, and interrupt them at this progress line."""

    def say(line: str) -> None:
        if at in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), connect(db.dsn) as conn:
        upgrade(conn, schema=schema, progress=say)


@pytest.mark.usefixtures("sliced")
def test_a_migration_waits_behind_an_export_and_readers_pass(
    engine: local.Engine, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online, "PAUSE", 0.2)
    later = with_column_and_index(SMALL)
    lines: list[str] = []
    with registered_database(engine, workers, SMALL) as db, connect(db.dsn) as export, ThreadPoolExecutor(2) as pool:
        process = f"process {export.info.backend_pid}"
        with export.transaction():
            export.execute("SELECT count(*) FROM alerta")
            migration = pool.submit(register_schema, db, later, progress=lines.append)
            until(lambda: sum("is held by process" in line for line in lines) >= 3 or migration.done())
            assert not migration.done()
            waits = [seconds(db.dsn, "SELECT count(*) FROM alerta") for _ in range(20)]
            assert max(waits) < online.LOCK_TIMEOUT + 2.0, "LOCK_TIMEOUT, and a busy machine"
            assert LATER not in applied_migrations(db.conn)
        assert migration.result().migrations == (LATER,)
        assert index_states(db.conn, "public.alerta_por_estado_idx", "public.alerta") == {VALID}
        assert verify(db.dsn, schema=later, groups=["schema"]).failed == ()
    assert any(f"public.alerta is held by {process}" in line for line in lines)


def seconds(dsn: str, query: str) -> float:
    """The seconds that a new session takes for a query."""
    with connect(dsn) as conn:
        start = time.monotonic()
        conn.execute(query)
        return time.monotonic() - start


@pytest.mark.usefixtures("sliced")
def test_a_migration_that_gives_up_names_the_blocking_session_and_can_be_repeated(
    engine: local.Engine, workers: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(online, "LOCK_TIMEOUT", 0.1)
    monkeypatch.setattr(online, "PAUSE", 0.1)
    later = with_column_and_index(SMALL)
    with registered_database(engine, workers, SMALL) as db, connect(db.dsn) as export:
        with export.transaction():
            export.execute("SELECT count(*) FROM alerta")
            with pytest.raises(HceError, match=rf"could not lock public.alerta: .*{export.info.backend_pid}") as told:
                register_schema(db, later, lock_wait=0.3)
            assert "`pyhce register` again" in told.value.remedy
            logged = [record.getMessage() for record in caplog.records if record.name == "pyhce.citus.online"]
            conflict = f"lock conflict on public.alerta, held by process {export.info.backend_pid}"
            assert any(conflict in message for message in logged), logged
            assert max(applied_migrations(db.conn)) == SMALL.version
            end = "SELECT pg_terminate_backend(%s::integer, 5000::bigint)"  # what the remedy says
            db.conn.execute(end, (export.info.backend_pid,))
            export.close()
        assert register_schema(db, later).migrations == (LATER,)
        assert verify(db.dsn, schema=later, groups=["schema"]).failed == ()


@pytest.mark.usefixtures("sliced")
def test_a_migration_that_is_killed_before_any_of_its_parts_is_finished_by_the_same_command(
    engine: local.Engine, workers: int
) -> None:
    later = with_tables(with_column_and_index(SMALL), ACCOUNTS, SUBSTANCES, SERVICES)
    with registered_database(engine, workers, SMALL) as db:
        seen: set[str] = set()
        while not killed_at_the_next_part(db, later, seen):
            assert len(seen) < 20
        assert len(seen) > 5
        assert max(applied_migrations(db.conn)) == LATER
        upgrade(db.conn, schema=later)
        assert verify(db.dsn, schema=later, groups=["schema", "placement"]).failed == ()


def killed_at_the_next_part(db: TestDatabase, schema: Schema, seen: set[str]) -> bool:
    """Run the migration until the first part that it had not reached before. Returns whether it was complete."""

    def say(line: str) -> None:
        if line.startswith("migration") and line not in seen:
            seen.add(line)
            raise KeyboardInterrupt

    try:
        register_schema(db, schema, progress=say)
    except KeyboardInterrupt:
        return False
    return True


@pytest.mark.usefixtures("sliced")
def test_an_index_that_an_interrupted_build_left_is_built_anew(engine: local.Engine, workers: int) -> None:
    statement = "CREATE INDEX IF NOT EXISTS alerta_prueba_idx ON public.alerta USING btree (documento_id, version);"
    with registered_database(engine, workers, SMALL) as db:

        def states() -> set[str]:
            return index_states(db.conn, "public.alerta_prueba_idx", "public.alerta")

        def build() -> None:
            build_index(db.conn, "alerta_prueba_idx", "public.alerta", statement)

        build()
        assert states() == {VALID}
        for spoil in breaking_changes(db.conn):
            spoil()
            assert INVALID in states()
            build()
            assert states() == {VALID}
        before = db.value("SELECT 'alerta_prueba_idx'::regclass::oid")
        build()
        assert db.value("SELECT 'alerta_prueba_idx'::regclass::oid") == before


def breaking_changes(conn: DatabaseConnection) -> list[Callable[[], object]]:
    """What an interrupted build may leave: an invalid index here or on one shard, or an index on shards only."""
    here = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'alerta_prueba_idx'::regclass"
    found: list[Callable[[], object]] = [lambda: conn.execute(here)]
    if has_citus(conn):
        shard = "UPDATE pg_index SET indisvalid = false WHERE indexrelid ="
        named = "('alerta_prueba_idx_' || substring('%s' from '[0-9]+$'))::regclass"
        on_shards = f"SELECT bool_and(success) FROM run_command_on_placements('alerta', $${shard} {named}$$)"
        found.append(lambda: conn.execute(on_shards.encode()))

        def gone_here() -> None:
            conn.execute(on_shards.encode())
            with conn.transaction():
                conn.execute("SET LOCAL citus.enable_ddl_propagation TO off")
                conn.execute("DROP INDEX alerta_prueba_idx")

        found.append(gone_here)
    return found


PEOPLE = {
    "p1": {"name": [{"text": "Ana R.", "given": ["Ana"]}], "birthDate": "1958", "extension": [
        {"url": "http://x.example/other", "valueCoding": {"code": "no"}},
        {"url": RACE, "extension": [
            {"url": "text", "valueString": "White"}, {"url": "ombCategory", "valueCoding": {"code": "2106-3"}},
        ]},
    ]},
    "p2": {"name": [{"given": ["Luz"], "_family": {"extension": [
        {"url": f"{RDA}/ExtensionMothersFamilyName", "valueString": "Díaz"},
        {"url": f"{RDA}/ExtensionFathersFamilyName", "valueString": "Rojas"},
    ]}}], "birthDate": "1960-02-03", "extension": [
        {"url": f"{RDA}/ExtensionPatientNationality", "valueCoding": {"system": "urn:iso:std:iso:3166", "code": "170"}},
    ]},
}  # fmt: skip


@pytest.mark.usefixtures("sliced")
def test_columns_are_computed_anew_once_with_their_indexes(engine: local.Engine, workers: int, tmp_path: Path) -> None:
    later = with_columns_computed_anew(SMALL)
    where = "SELECT pg_relation_filepath('paciente')"
    if workers:
        where = (
            "SELECT array_agg(result) FROM run_command_on_placements('paciente', $$SELECT pg_relation_filepath('%s')$$)"
        )
    asked = "SELECT id, nombre, fecha_nacimiento::text FROM paciente ORDER BY id"
    with registered_database(engine, workers, SMALL) as db:
        load_with_schema(db, SMALL, tmp_path, *({**person(key, key[1:]), **members} for key, members in PEOPLE.items()))
        assert db.rows(asked) == [("p1", "Ana", None), ("p2", "Luz", "1960-02-03")]
        assert register_schema(db, later).migrations == (LATER,)
        assert db.rows(asked) == [("p1", "Ana R.", "1958-01-01"), ("p2", "Luz", "1960-02-03")]
        own = "SELECT raza, nacionalidad, primer_apellido FROM paciente ORDER BY id"
        assert db.rows(own) == [("2106-3", None, None), (None, "170", "Rojas")]
        for name in ("paciente_fecha_nacimiento_idx", "paciente_documento_id_fecha_nacimiento_idx"):
            assert index_states(db.conn, f"public.{name}", "public.paciente") == {VALID}
        before = db.rows(where)
        db.conn.execute("DELETE FROM hce.migracion WHERE numero = %s", (LATER,))
        assert register_schema(db, later).migrations == (LATER,)
        assert db.rows(where) == before, "what is done does not rewrite the table again"
        assert verify(db.dsn, schema=later, groups=["schema", "typed columns"]).failed == ()


@pytest.mark.usefixtures("sliced")
def test_a_column_that_a_site_depends_on_is_computed_anew_only_when_the_site_allows_it(
    engine: local.Engine, workers: int
) -> None:
    later = with_columns_computed_anew(SMALL)
    with registered_database(engine, workers, SMALL) as db:
        db.conn.execute("CREATE VIEW nombres AS SELECT documento_id, nombre FROM paciente")
        db.conn.execute("CREATE INDEX del_sitio_idx ON paciente (nombre)")
        definition = db.value("SELECT pg_get_viewdef('nombres')")
        with pytest.raises(HceError) as refused:
            register_schema(db, later)
        assert "view nombres uses public.paciente.nombre" in str(refused.value)
        assert "index del_sitio_idx uses public.paciente.nombre" in str(refused.value)
        assert max(applied_migrations(db.conn)) == SMALL.version
        db.conn.execute("DROP VIEW nombres")
        db.conn.execute("DROP INDEX del_sitio_idx")
        assert register_schema(db, later).migrations == (LATER,)
        db.conn.execute(f"CREATE VIEW nombres AS {definition}".encode())
        assert db.rows("SELECT * FROM nombres") == []
