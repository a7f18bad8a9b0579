"""Records: their anchors, and moves of a patient's rows to another record (re-key, merge, a patient who arrives)."""

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
    """Create the anchors that do not exist yet."""
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
    """Move what belongs to one Patient resource from one record to another, and return the number of resources moved.

    If the old record is empty afterwards, its anchor is deleted. A writer that looked the patient up under the old
    document in the meantime gets a foreign key error, and retries.

    Args:
        old: the document of the record that the rows leave.
        new: the document of the record that they go to.
        keys: the keys that name the patient in the source.
    """
    condition = sql.SQL(
        "documento_id = %(old)s AND ((fuente = %(fuente)s AND paciente_id = ANY(%(keys)s))"
        " OR paciente_id = ANY(%(elsewhere)s::text[]))"
    )
    elsewhere = keys_in_other_sources(fuente, keys)
    values = {"old": old, "new": new, "fuente": fuente, "keys": list(keys), "elsewhere": list(elsewhere)}
    return _move(conn, schema, condition, values)


def move_record(conn: Connection[TupleRow], schema: Schema, *, old: str, new: str) -> int:
    """Move a whole record to another document, and return the number of resources moved."""
    return _move(conn, schema, _OF_RECORD, {"old": old, "new": new})


_OF_RECORD = sql.SQL("documento_id = %(old)s")


def _move(conn: Connection[TupleRow], schema: Schema, condition: sql.SQL, values: Mapping[str, Any]) -> int:
    lock_anchors(conn, [values["old"]])  # the new one is held FOR KEY SHARE by the foreign key of its rows
    tables = schema.record_tables()
    filled = _tables_with_rows(conn, tables, condition, values)
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
    """Delete the anchor of a record if the record is empty. The caller holds the anchor FOR UPDATE."""
    tables = schema.record_tables()
    if not _tables_with_rows(conn, tables, _OF_RECORD, {"old": document}):
        conn.execute("DELETE FROM expediente WHERE documento_id = %s", (document,))


def delete_empty_anchors(conn: Connection[TupleRow], schema: Schema, documents: Iterable[str]) -> None:
    """Delete the anchors of those provisional records that are empty after single resources moved out.

    An anchor that another writer holds is left alone: that writer is storing rows under it.
    """
    provisional = sorted({document for document in documents if document.startswith(PROVISIONAL)})
    if not provisional:
        return
    tables = schema.record_tables()
    query = sql.SQL(" UNION ").join(
        sql.SQL("SELECT documento_id FROM {} WHERE documento_id = ANY(%(documents)s)").format(table_name(table))
        for table in tables
    )
    filled = {row[0] for row in conn.execute(query, {"documents": provisional})}
    for document in provisional:
        lock = "SELECT 1 FROM expediente WHERE documento_id = %s FOR UPDATE SKIP LOCKED"
        if document not in filled and conn.execute(lock, (document,)).fetchone():
            delete_anchor_if_empty(conn, schema, document)


def _tables_with_rows(
    conn: Connection[TupleRow], tables: Sequence[Table], condition: sql.SQL, values: Mapping[str, Any]
) -> list[Table]:
    """The tables with rows that meet the condition: one query, on one shard."""
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT {} FROM {} WHERE {} LIMIT 1)").format(sql.Literal(table.name), table_name(table), condition)
        for table in tables
    )
    found = {row[0] for row in conn.execute(query, values)}
    return [table for table in tables if table.name in found]


def _move_rows(conn: Connection[TupleRow], table: Table, condition: sql.SQL, values: Mapping[str, Any]) -> int:
    """Move rows of one table, and return their number.

    Raises:
        ConcurrentChange: not as many rows were deleted as inserted.
        RecordCollision: one of the rows exists under the new document already.
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
            raise  # Citus reports any error of its copy between nodes as an InternalError_ (ReportCopyError)
        raise RecordCollision(values["old"], values["new"]) from error
    query = sql.SQL("DELETE FROM {} WHERE {}").format(table_name(table), condition)
    if inserted != conn.execute(query, values).rowcount:
        raise ConcurrentChange
    return inserted
