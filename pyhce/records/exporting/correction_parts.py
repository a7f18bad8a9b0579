"""The two parts that FHIR has no resources for: the records, and what persons decided about documents.

A full export of all sources holds all of both. A full export of one source holds the decisions about Patients of that
source only, and no list of records, because that list names the documents of other sources.
"""

from __future__ import annotations

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.exporting.copy_out import raw_blocks
from pyhce.records.exporting.folder import ExportFolder, PartFile
from pyhce.records.exporting.parts import ExportSelection, PlannedPart, WrittenPart
from pyhce.records.exporting.snapshot import COORDINATOR, Snapshot
from pyhce.records.line import COPY_UNESCAPED
from pyhce.records.reading.finished_export import CORRECTIONS, RECORDS
from pyhce.records.writing.table_sql import column_list, table_name
from pyhce.schema.model import Table

CORRECTION_TABLES = ("asignacion", "misma_persona", "documento_en_disputa")
_OF_SOURCE = {
    "asignacion": "fuente = {0} AND paciente_id <> ''",
    "misma_persona": "fuente = {0} AND otra_fuente = {0}",
    "documento_en_disputa": "fuente = {0}",
}


def write_correction_parts(snapshot: Snapshot, selection: ExportSelection, folder: ExportFolder) -> list[WrittenPart]:
    """Write the records and the corrections, unless the export is limited to some types, a patient or a time."""
    if not selection.everything:
        return []
    with snapshot.connection(COORDINATOR, shared=not snapshot.distributed) as conn:
        found = [
            _copied(
                conn, folder, CORRECTIONS, [_rows_of_source(snapshot, name, selection) for name in CORRECTION_TABLES]
            )
        ]
        if selection.source is None:
            anchor = snapshot.schema.table("expediente")
            found.append(_copied(conn, folder, RECORDS, [_rows_of(anchor, sql.SQL(""), sql.SQL("true"))]))
    return [done for done in found if done.count]


def _rows_of_source(snapshot: Snapshot, name: str, selection: ExportSelection) -> sql.Composed:
    table = snapshot.schema.table(name)
    condition = sql.SQL("true")
    if selection.source is not None:
        return _rows_of(
            table, sql.Literal(name) + sql.SQL(", "), sql.SQL(_OF_SOURCE[name]).format(sql.Literal(selection.source))
        )
    return _rows_of(table, sql.Literal(name) + sql.SQL(", "), condition)


def _rows_of(table: Table, first: sql.Composable, condition: sql.Composable) -> sql.Composed:
    columns = column_list(column.name for column in table.stored)
    return sql.SQL("SELECT json_build_array({}{})::text FROM {} WHERE {}").format(
        first, columns, table_name(table), condition
    )


def _copied(conn: Connection[TupleRow], folder: ExportFolder, kind: str, queries: list[sql.Composed]) -> WrittenPart:
    name, count = folder.new_part_name(), 0
    with PartFile(folder.work / name) as file:
        for query in queries:
            for rows, block in raw_blocks(
                conn, sql.SQL("COPY ({}) TO STDOUT {}").format(query, sql.SQL(COPY_UNESCAPED))
            ):
                file.write(block)
                count += rows
    planned = PlannedPart(table="", type=kind, source="", places=())
    return WrittenPart(planned=planned, file=name, count=count, bytes=file.size, sha256=file.sha256, snapshots={})
