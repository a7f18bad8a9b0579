"""Homes of resources, and records that move: a patient's document changes, two records become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import PROVISIONAL
from pyhce.records.reading.reference import keys_in_other_sources
from pyhce.records.writing.locks import lock_anchors
from pyhce.records.writing.retry import ConcurrentChange, RecordCollision
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name
from pyhce.schema.model import Schema, Table


def ensure_anchors(conn: Connection[TupleRow], documents: Iterable[str]) -> None:
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
        "documento_id = %(old)s AND ((fuente = %(fuente)s AND paciente_id = ANY(%(keys)s))"
        " OR paciente_id = ANY(%(elsewhere)s::text[]))"
    )
    elsewhere = keys_in_other_sources(fuente, keys)
    values = {"old": old, "new": new, "fuente": fuente, "keys": list(keys), "elsewhere": list(elsewhere)}
    return _move(conn, schema, condition, values)


def move_record(conn: Connection[TupleRow], schema: Schema, *, old: str, new: str) -> int:
    """Move a whole record to another document; the number of resources moved."""
    return _move(conn, schema, _OF_RECORD, {"old": old, "new": new})


_OF_RECORD = sql.SQL("documento_id = %(old)s")


def _move(conn: Connection[TupleRow], schema: Schema, condition: sql.SQL, values: Mapping[str, Any]) -> int:
    lock_anchors(conn, [values["old"]])  # rows under the new one hold it FOR KEY SHARE, by their foreign key
    tables = schema.record_tables()
    filled = _filled(conn, tables, condition, values)
    if not filled:
        return 0
    ensure_anchors(conn, [values["new"]])
    moved = 0
    for table in filled:
        count = _move_rows(conn, table, condition, values)
        moved += count if table.holds_resources else 0
    delete_anchor_if_empty(conn, schema, values["old"])
    return moved


def delete_anchor_if_empty(conn: Connection[TupleRow], schema: Schema, document: str) -> None:
    """Delete the anchor of a record under which nothing is left; the caller holds it FOR UPDATE."""
    tables = schema.record_tables()
    if not _filled(conn, tables, _OF_RECORD, {"old": document}):
        conn.execute("DELETE FROM expediente WHERE documento_id = %s", (document,))


def delete_empty_anchors(conn: Connection[TupleRow], schema: Schema, documents: Iterable[str]) -> None:
    """Delete the anchors of those provisional records that single resources have left, if nothing else is in them.

    An anchor that another writer holds is passed over: something is being written under it.
    """
    left = sorted({document for document in documents if document.startswith(PROVISIONAL)})
    if not left:
        return
    tables = schema.record_tables()
    query = sql.SQL(" UNION ").join(
        sql.SQL("SELECT documento_id FROM {} WHERE documento_id = ANY(%(left)s)").format(table_name(table))
        for table in tables
    )
    filled = {row[0] for row in conn.execute(query, {"left": left})}
    for document in left:
        held = "SELECT 1 FROM expediente WHERE documento_id = %s FOR UPDATE SKIP LOCKED"
        if document not in filled and conn.execute(held, (document,)).fetchone():
            delete_anchor_if_empty(conn, schema, document)


def _filled(
    conn: Connection[TupleRow], tables: Sequence[Table], condition: sql.SQL, values: Mapping[str, Any]
) -> list[Table]:
    """The tables that hold such rows: one query, on one shard."""
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT {} FROM {} WHERE {} LIMIT 1)").format(sql.Literal(table.name), table_name(table), condition)
        for table in tables
    )
    found = {row[0] for row in conn.execute(query, values)}
    return [table for table in tables if table.name in found]


def _move_rows(conn: Connection[TupleRow], table: Table, condition: sql.SQL, values: Mapping[str, Any]) -> int:
    """Move a table's rows; their number.

    Raises:
        LostRace: they are no longer the same at the end.
        Collision: one of them is under the new document already.
    """
    columns = stored_columns(table)
    moved = sql.SQL(", ").join(
        sql.SQL("%(new)s::text") if column == "documento_id" else sql.Identifier(column) for column in columns
    )
    query = sql.SQL("INSERT INTO {t} ({columns}) SELECT {moved} FROM {t} WHERE {condition}").format(
        t=table_name(table), columns=column_list(columns), moved=moved, condition=condition
    )
    try:
        inserted = conn.execute(query, values).rowcount
    except (psycopg.errors.UniqueViolation, psycopg.errors.InternalError_) as error:
        if isinstance(error, psycopg.errors.InternalError_) and "duplicate key" not in str(error):
            raise  # what Citus copies from node to node fails so whatever the error is (ReportCopyError)
        raise RecordCollision(values["old"], values["new"]) from error
    query = sql.SQL("DELETE FROM {} WHERE {}").format(table_name(table), condition)
    if inserted != conn.execute(query, values).rowcount:
        raise ConcurrentChange
    return inserted
