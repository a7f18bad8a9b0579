"""Moving rows between homes: a patient's document changes, a resource's patient changes, two records become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import PROVISIONAL
from pyhce.records.reading.ready import Ready
from pyhce.records.reading.reference import keys_elsewhere
from pyhce.records.writing.races import LostRace
from pyhce.schema.model import FAMILIES, Home, Schema, Table


def names(columns: Iterable[str], prefix: str = "") -> sql.Composed:
    """Column names joined by commas."""
    return sql.SQL(", ").join(
        sql.SQL(prefix) + sql.Identifier(column) if prefix else sql.Identifier(column) for column in columns
    )


def table_name(table: Table) -> sql.Identifier:
    """A table with its schema."""
    return sql.Identifier(table.sql_schema, table.name)


def stored_columns(table: Table) -> tuple[str, ...]:
    """The columns that a writer fills."""
    return tuple(column.name for column in table.stored)


def ensure_records(conn: Connection[TupleRow], documents: Iterable[str]) -> None:
    """Make the anchors that are not there yet."""
    wanted = sorted(set(documents))
    if wanted:
        conn.execute(
            "INSERT INTO expediente (documento_id, provisional, creado_en)"
            " SELECT d, starts_with(d, %s), now() FROM unnest(%s::text[]) AS d ON CONFLICT DO NOTHING",
            (PROVISIONAL, wanted),
        )


def move_patient(
    conn: Connection[TupleRow], schema: Schema, *, old: str, new: str, fuente: str, keys: Sequence[str]
) -> int:
    """Move what belongs to one Patient resource from one record to another; the number of resources moved.

    The old anchor goes when nothing is left under it. A writer that meanwhile looked the patient up under the old
    document gets a foreign key error, and looks again.
    """
    condition = sql.SQL(
        "documento_id = {} AND ((fuente = {} AND paciente_id = ANY({})) OR paciente_id = ANY({}::text[]))"
    ).format(sql.Literal(old), sql.Literal(fuente), sql.Literal(list(keys)), sql.Literal(keys_elsewhere(fuente, keys)))
    return _move(conn, schema, old, new, condition)


def move_record(conn: Connection[TupleRow], schema: Schema, *, old: str, new: str) -> int:
    """Move a whole record to another document; the number of resources moved."""
    return _move(conn, schema, old, new, sql.SQL("documento_id = {}").format(sql.Literal(old)))


def _move(conn: Connection[TupleRow], schema: Schema, old: str, new: str, condition: sql.Composed) -> int:
    conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s FOR UPDATE", (old,))
    history = schema.by_name[FAMILIES[Home.PATIENT].history]
    tables = [*schema.resource_tables(Home.PATIENT), history]
    filled = _filled(conn, tables, condition)
    if not filled:
        return 0
    ensure_records(conn, [new])
    moved = 0
    for table in filled:
        count = _move_rows(conn, table, new, condition)
        moved += count if table.holds_resources else 0
    if not _filled(conn, tables, sql.SQL("documento_id = {}").format(sql.Literal(old))):
        conn.execute("DELETE FROM expediente WHERE documento_id = %s", (old,))
    return moved


def _filled(conn: Connection[TupleRow], tables: Sequence[Table], condition: sql.Composed) -> list[Table]:
    """The tables that hold such rows: one query, on one shard."""
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT {} FROM {} WHERE {} LIMIT 1)").format(sql.Literal(table.name), table_name(table), condition)
        for table in tables
    )
    found = {row[0] for row in conn.execute(query)}
    return [table for table in tables if table.name in found]


def _move_rows(conn: Connection[TupleRow], table: Table, new: str, condition: sql.Composed) -> int:
    columns = stored_columns(table)
    values = sql.SQL(", ").join(
        sql.Literal(new) if column == "documento_id" else sql.Identifier(column) for column in columns
    )
    return _moved(conn, table, table, columns, values, condition)


class Place(NamedTuple):
    """Where a resource is: its table, and its record if it has a patient."""

    table: str
    document: str | None


def type_of(table: Table) -> sql.Composable:
    """What tells the FHIR type of a table's rows."""
    return sql.Literal(table.fhir_type) if table.fhir_type else sql.Identifier("tipo")


def of_type(table: Table, fhir_type: str, prefix: str = "") -> sql.Composable:
    """The condition that a table's rows are of a type, where they may be of another."""
    if not table.stores("tipo"):
        return sql.SQL("")
    return sql.SQL(" AND {}tipo = {}").format(sql.SQL(prefix), sql.Literal(fhir_type))


def is_superseded(conn: Connection[TupleRow], schema: Schema, place: Place, fuente: str, ready: Ready) -> bool:
    """Whether a content is a former version of the resource at this place, or older by meta.lastUpdated."""
    (fhir_type, key), text = ready.identity, ready.text
    table = schema.by_name[place.table]
    history = schema.by_name[FAMILIES[table.home].history]
    at = sql.SQL("fuente = {} AND id = {}").format(sql.Literal(fuente), sql.Literal(key))
    if place.document is not None:
        at += sql.SQL(" AND documento_id = {}").format(sql.Literal(place.document))
    former = conn.execute(
        sql.SQL(
            "SELECT 1 FROM {} WHERE {} AND NOT borrado AND recurso::text = %s::jsonb::text"
            " AND original IS NOT DISTINCT FROM %s LIMIT 1"
        ).format(table_name(history), at + of_type(history, fhir_type)),
        (text.recurso, text.original),
    ).fetchone()
    if former:
        return True
    older = conn.execute(
        sql.SQL(
            "SELECT 1 FROM {} WHERE {} AND hce.momento(%s::jsonb #>> '{{meta,lastUpdated}}')"
            " < hce.momento(recurso #>> '{{meta,lastUpdated}}')"
        ).format(table_name(table), at + of_type(table, fhir_type)),
        (text.recurso,),
    ).fetchone()
    return bool(older)


def move_resource(
    conn: Connection[TupleRow],
    schema: Schema,
    *,
    fuente: str,
    ready: Ready,
    old: Place,
    new: Place,
) -> None:
    """Move one resource, with its history, to another record or to another table.

    It is held first, and its anchor against whoever moves the whole record: of two who move it one finds it gone, and
    what a save has just committed moves too.

    Raises:
        LostRace: it is no longer there.
    """
    fhir_type, key = ready.identity
    tables = schema.by_name[old.table], schema.by_name[new.table]
    histories = [schema.by_name[FAMILIES[table.home].history] for table in tables]
    at = sql.SQL("fuente = {} AND id = {}").format(sql.Literal(fuente), sql.Literal(key))
    if old.document is not None:
        conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s FOR KEY SHARE", (old.document,))
        at += sql.SQL(" AND documento_id = {}").format(sql.Literal(old.document))
    held = sql.SQL("SELECT 1 FROM {} WHERE {} FOR UPDATE").format(
        table_name(tables[0]), at + of_type(tables[0], fhir_type)
    )
    if conn.execute(held).fetchone() is None:
        raise LostRace
    for source, target in (tables, histories):
        condition = at + of_type(source, fhir_type)
        given = {"documento_id": new.document, "tipo": fhir_type, "paciente_id": ready.key}
        columns = stored_columns(target)
        values = sql.SQL(", ").join(sql.Literal(given[c]) if c in given else sql.Identifier(c) for c in columns)
        _moved(conn, source, target, columns, values, condition)


def _moved(
    conn: Connection[TupleRow],
    source: Table,
    target: Table,
    columns: Iterable[str],
    values: sql.Composable,
    condition: sql.Composed,
) -> int:
    """Move rows; their number.

    Raises:
        LostRace: they are no longer the same at the end.
    """
    inserted = conn.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE {}").format(
            table_name(target), names(columns), values, table_name(source), condition
        )
    ).rowcount
    deleted = conn.execute(sql.SQL("DELETE FROM {} WHERE {}").format(table_name(source), condition)).rowcount
    if inserted != deleted:
        raise LostRace
    return deleted
