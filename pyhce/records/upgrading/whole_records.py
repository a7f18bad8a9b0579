"""Whole records that only get another document, many at once.

Nearly every record that the data step changes is such a one: it holds one Patient and what names it, and nothing has
the new document yet. Moved one by one they take tens of milliseconds each, set by set a few.
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
    """A Patient, and the document that it is to be under."""

    patient: PatientKey
    content: dict[str, Any]
    target: str


class WholeRecords(NamedTuple):
    """Records that can be moved as a whole, and the tables that hold anything of them."""

    moves: dict[str, DocumentChange]
    tables: list[Table]


def find_whole_records(conn: Connection[TupleRow], schema: Schema, due: Mapping[str, DocumentChange]) -> WholeRecords:
    """Which of these records, with one Patient each, can be moved as a whole.

    Not one whose new document is there, is asked for twice or is disputed; nor one that holds what names another
    patient.

    Args:
        due: by the document of the record.
    """
    targets = [one.target for one in due.values()]
    taken = {
        document
        for (document,) in conn.execute(
            "SELECT documento_id FROM expediente WHERE documento_id = ANY(%(targets)s) UNION ALL"
            " SELECT documento_calculado FROM hce.documento_en_disputa WHERE documento_calculado = ANY(%(targets)s)",
            {"targets": targets},
        )
    }
    simple = {old: one for old, one in due.items() if one.target not in taken and targets.count(one.target) == 1}
    held: dict[str, Table] = {}
    for table, document, fuente, key in _named_in(conn, schema, simple):
        held[table.name] = table
        if document in simple and not _names(simple[document], fuente, key):
            del simple[document]
    return WholeRecords(simple, list(held.values()))


def _named_in(
    conn: Connection[TupleRow], schema: Schema, documents: Collection[str]
) -> list[tuple[Table, str, str, str | None]]:
    """Each table that holds something of these records, with source and key of the patients that it names."""
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


def _names(due: DocumentChange, fuente: str, key: str | None) -> bool:
    """Whether what names its patient so names this one."""
    if key is None:
        return False
    source, own_id = due.patient
    return source_and_key(fuente, key) == due.patient or (fuente == source and key in own_keys(due.content, own_id))


def move_whole_records(conn: Connection[TupleRow], whole: WholeRecords) -> int:
    """Give records their new documents, inside the caller's transaction; the number of resources moved.

    Raises:
        LostRace: another session changed one of them meanwhile.
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
