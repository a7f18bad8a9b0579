"""Bulk Data's `deleted` files: what was deleted since an instant.

Each line is a Bundle of type transaction with one DELETE entry: https://hl7.org/fhir/uv/bulkdata/export.html.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby

import orjson
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.exporting.folder import ExportFolder, PartFile
from pyhce.records.exporting.parts import ExportSelection, PlannedPart, WrittenPart
from pyhce.records.exporting.snapshot import COORDINATOR, Snapshot
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import FAMILIES, Home, Schema

_BATCH = 1000


def write_deleted(snapshot: Snapshot, selection: ExportSelection, folder: ExportFolder) -> list[WrittenPart]:
    """Write a part for each source from which something was deleted since `selection.since`.

    To be called before the resources are read: a later deletion is in the next export.
    """
    files: dict[str, tuple[str, PartFile]] = {}
    counts: Counter[str] = Counter()
    with snapshot.connection(COORDINATOR, shared=not snapshot.distributed) as conn, ExitStack() as stack:
        for source, line in _lines(conn, snapshot, selection):
            if source not in files:
                name = folder.new_part_name()
                files[source] = name, stack.enter_context(PartFile(folder.work / name))
            files[source][1].write(line)
            counts[source] += line.count(b"\n")
    return [
        WrittenPart(
            planned=PlannedPart(table="", type="Bundle", source=source, places=()), file=name, count=counts[source],
            bytes=part.size, sha256=part.sha256, snapshots={},
        )
        for source, (name, part) in files.items()
    ]  # fmt: skip


def _lines(conn: Connection[TupleRow], snapshot: Snapshot, selection: ExportSelection) -> Iterator[tuple[str, bytes]]:
    """Yield sources and lines, a batch at a time."""
    with conn.transaction():
        for home in Home if selection.document is None else (Home.PATIENT,):
            with conn.cursor(name=f"deleted_{home}") as cursor:
                cursor.itersize = _BATCH
                cursor.execute(_tombstones(snapshot, home, selection), selection.model_dump(mode="json"))
                while rows := cursor.fetchmany(_BATCH):
                    for (source, kind), group in groupby(rows, key=lambda row: row[:2]):
                        keys = [row[2] for row in group]
                        existing = _existing_ids(conn, snapshot.schema, kind, source, keys)
                        yield source, b"".join(_line(kind, key) for key in keys if key not in existing)


def _existing_ids(conn: Connection[TupleRow], schema: Schema, kind: str, source: str, keys: list[str]) -> set[str]:
    """Return those of these ids that exist again, in the record of any patient."""
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT id FROM {} WHERE fuente = %(source)s AND id = ANY(%(keys)s){}").format(
            table_name(table), sql.SQL(" AND tipo = %(kind)s" if table.is_generic else "")
        )
        for table in schema.tables_for(kind)
    )
    return {row[0] for row in conn.execute(query, {"source": source, "keys": keys, "kind": kind})}


def _tombstones(snapshot: Snapshot, home: Home, selection: ExportSelection) -> sql.Composed:
    conditions: list[sql.Composable] = [sql.SQL("borrado AND vigente_hasta >= %(since)s::timestamptz")]
    if selection.source is not None:
        conditions.append(sql.SQL("fuente = %(source)s"))
    if selection.types:
        conditions.append(sql.SQL("tipo = ANY(%(types)s)"))
    if selection.document is not None:
        conditions.append(sql.SQL("documento_id = %(document)s"))
    return sql.SQL("SELECT fuente, tipo, id FROM {} WHERE {} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3").format(
        table_name(snapshot.schema.table(FAMILIES[home].history)), sql.SQL(" AND ").join(conditions)
    )


def _line(kind: str, key: str) -> bytes:
    entry = {"request": {"method": "DELETE", "url": f"{kind}/{key}"}}
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}) + b"\n"
