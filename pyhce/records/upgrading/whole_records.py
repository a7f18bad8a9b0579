"""Moves whole records that only get another document, many in a few statements.

Nearly every record that the data step changes is such a record: it holds one Patient and what names that Patient, and
the new document has no record yet. Moved one by one they take tens of milliseconds each, together a few.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.reading.reference import own_keys, source_and_key
from pyhce.records.writing.locks import lock_anchors
from pyhce.records.writing.manual_decisions import PatientKey
from pyhce.records.writing.record_moves import ensure_anchors
from pyhce.records.writing.retry import ConcurrentChange
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name
from pyhce.schema.model import Schema, Table


class DocumentChange(NamedTuple):
    """A Patient, its content, and the document of the record that it is to move to."""

    patient: PatientKey
    content: dict[str, Any]
    target: str


class WholeRecords(NamedTuple):
    """Records that can be moved as a whole.

    Args:
        moves: the change of each record, by its present document.
        tables: the tables that store anything of these records.
    """

    moves: dict[str, DocumentChange]
    tables: list[Table]


def find_whole_records(
    conn: Connection[TupleRow], schema: Schema, changes: Mapping[str, DocumentChange]
) -> WholeRecords:
    """Find the records that can be moved as a whole, of records with one Patient each.

    A record cannot if its new document has a record, is the target of two records, or is in dispute, or if it stores a
    resource that names another patient.

    Args:
        changes: by the document of the record.
    """
    targets = [one.target for one in changes.values()]
    taken = {
        document
        for (document,) in conn.execute(
            "SELECT documento_id FROM expediente WHERE documento_id = ANY(%(targets)s) UNION ALL"
            " SELECT documento_calculado FROM hce.documento_en_disputa WHERE documento_calculado = ANY(%(targets)s)",
            {"targets": targets},
        )
    }
    movable = {old: one for old, one in changes.items() if one.target not in taken and targets.count(one.target) == 1}
    tables_by_name: dict[str, Table] = {}
    for table, document, fuente, key in _named_in(conn, schema, movable):
        tables_by_name[table.name] = table
        if document in movable and not _names(movable[document], fuente, key):
            del movable[document]
    return WholeRecords(movable, list(tables_by_name.values()))


def _named_in(
    conn: Connection[TupleRow], schema: Schema, documents: Collection[str]
) -> list[tuple[Table, str, str, str | None]]:
    """Each table that stores anything of these records, with source and key of the patients named there."""
    if not documents:
        return []
    tables = schema.record_tables()
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT {} AS n, documento_id, fuente, paciente_id FROM {} WHERE documento_id = ANY(%(documents)s)"
            " GROUP BY documento_id, fuente, paciente_id"
        ).format(sql.Literal(number), table_name(table))
        for number, table in enumerate(tables)
    )
    found = conn.execute(query, {"documents": list(documents)}).fetchall()
    return [(tables[number], document, fuente, key) for number, document, fuente, key in found]


def _names(change: DocumentChange, fuente: str, key: str | None) -> bool:
    """Whether this key names the Patient of the change."""
    if key is None:
        return False
    source, own_id = change.patient
    return source_and_key(fuente, key) == change.patient or (
        fuente == source and key in own_keys(change.content, own_id)
    )


def move_whole_records(conn: Connection[TupleRow], whole: WholeRecords) -> int:
    """Move records to their new documents, inside the caller's transaction, and return the number of resources moved.

    Raises:
        ConcurrentChange: another session changed one of the records in the meantime.
    """
    moved = 0
    if not whole.moves:
        return moved
    olds = sorted(whole.moves)
    values = {"olds": olds, "news": [whole.moves[old].target for old in olds]}
    lock_anchors(conn, olds)
    ensure_anchors(conn, values["news"])
    for table in whole.tables:
        columns = stored_columns(table)
        selected = sql.SQL(", ").join(
            sql.SQL("m.new") if column == "documento_id" else sql.SQL("t.") + sql.Identifier(column)
            for column in columns
        )
        insert = sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {selected} FROM {table} AS t INNER JOIN"
            " (SELECT unnest(%(olds)s::text[]) AS old, unnest(%(news)s::text[]) AS new) AS m ON t.documento_id = m.old"
        ).format(table=table_name(table), columns=column_list(columns), selected=selected)
        delete = sql.SQL("DELETE FROM {} WHERE documento_id = ANY(%(olds)s)").format(table_name(table))
        inserted, deleted = (conn.execute(statement, values).rowcount for statement in (insert, delete))
        if inserted != deleted:
            raise ConcurrentChange
        moved += deleted if table.holds_resources else 0
    conn.execute("DELETE FROM expediente WHERE documento_id = ANY(%(olds)s)", values)
    return moved
