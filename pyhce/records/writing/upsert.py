"""Writes a batch whose locations are known: new resources by COPY, the others through a co-located staging table.

A resource whose row was loaded from the very same text is left alone. The rest is copied into the staging table. Then a
few statements for each table run on the workers, in parallel:

1. Archive: copy the current version of each changed row to the history. ON CONFLICT DO NOTHING: if two writers archive
   the same version, one of them succeeds.
2. Update the rows that were archived.
3. Insert the resources that have no row, by anti-join: those that were deleted, and new ones that COPY did not take.
4. Check that every staged resource is stored as it came. If not, another writer changed it in the meantime, and the
   transaction is retried.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg import Connection, Cursor, sql
from psycopg.rows import TupleRow

from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.writing.assign import AssignedBatch, LocatedResource
from pyhce.records.writing.retry import ConcurrentChange
from pyhce.records.writing.row_location import RowLocation
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name
from pyhce.schema.model import FAMILIES, Home, Schema, Table
from pyhce.schema.writer_functions import PROTOCOL

_PIECES = 300
"""Parts of rows in one message of a COPY; a row has three."""


class WriteCounts(NamedTuple):
    """Numbers of resources of a batch, by what happened to them."""

    new: int
    changed: int
    unchanged: int
    superseded: int


def write_batch(
    conn: Connection[TupleRow],
    schema: Schema,
    batch: AssignedBatch,
    *,
    fuente: str,
    by_copy: bool = True,
    by_content: bool = True,
) -> WriteCounts:
    """Write a batch whose locations are known, inside the caller's transaction.

    Args:
        by_copy: whether new resources go straight into their table by COPY; if False they go through the staging table.
            On Citus every error of a COPY is an `InternalError_` (ReportCopyError in its multi_copy.c).
        by_content: whether a resource that equals a former version of its row changes nothing. True for a load, whose
            files may be older than the database. False for an application, which means what it saves.

    Raises:
        ConcurrentChange: another writer changed a row in the meantime. The transaction must be retried.
    """
    total = CountTotals()
    total.unchanged += sum(map(len, batch.unchanged.values()))
    to_merge: dict[str, list[LocatedResource]] = defaultdict(list)
    new: dict[str, list[RowLocation]] = defaultdict(list)
    for row in batch.to_merge:
        to_merge[row.location.table].append(row)
    for location, rows in batch.new.items():
        if by_copy:
            new[location.table].append(location)
        else:
            to_merge[location.table] += [LocatedResource(location, False, prepared) for prepared in rows]
    for home in (Home.REFERENCE, Home.ID, Home.PATIENT):
        tables = [table for table in schema.tables if table.home is home]
        for table in tables:
            if table.name in new:
                locations = {location: batch.new[location] for location in new[table.name]}
                total.new += _copy(conn, table, locations, fuente)
        by_table = {table.name: to_merge[table.name] for table in tables if table.name in to_merge}
        if not by_table:
            continue
        lot = uuid.uuid4()
        _stage(conn, schema, home, lot, fuente, [row for staged in by_table.values() for row in staged])
        for name, staged in sorted(by_table.items()):
            total.add(_merge(conn, schema, schema.by_name[name], staged, lot, by_content))
        staging = schema.by_name[FAMILIES[home].staging]
        conn.execute(sql.SQL("DELETE FROM {} WHERE lote = %s").format(table_name(staging)), (lot,))
    return WriteCounts(**vars(total))


class CountTotals:
    """The sums of several `WriteCounts`."""

    def __init__(self) -> None:
        self.new = self.changed = self.unchanged = self.superseded = 0

    def add(self, written: WriteCounts) -> None:
        """Add counts."""
        for name, count in written._asdict().items():
            setattr(self, name, getattr(self, name) + count)


def _copy(
    conn: Connection[TupleRow], table: Table, locations: Mapping[RowLocation, Sequence[PreparedResource]], fuente: str
) -> int:
    """Insert new resources by COPY, and return their number.

    If another writer inserted one of them in the meantime, the key exists, and the transaction is retried.
    """
    columns = [name for name in stored_columns(table) if name not in {"version", "actualizado_en"}]
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(table_name(table), column_list(columns))
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        for lines in _lines(table, locations, fuente):
            copy.write(b"".join(lines))
    return sum(map(len, locations.values()))


def _lines(
    table: Table, locations: Mapping[RowLocation, Sequence[PreparedResource]], fuente: str
) -> Iterator[list[bytes]]:
    """Rows in COPY's text format, a hundred at a time: what fits into the processor's cache is copied fastest."""
    lines: list[bytes] = []
    for location, rows in sorted(locations.items()):
        first = (
            f"{copy_escape(location.document)}\t{copy_escape(fuente)}"
            if location.document is not None
            else copy_escape(fuente)
        )
        for (fhir_type, key), patient, recurso, original, fingerprint, _, _, _ in rows:
            if not table.is_generic:
                start = f"{first}\t{key}\t"
            elif table.home is Home.PATIENT:
                start = f"{first}\t{fhir_type}\t{key}\t{copy_escape(patient)}\t"
            else:
                start = f"{first}\t{fhir_type}\t{key}\t"
            if b"\\" in recurso:
                recurso = recurso.replace(b"\\", b"\\\\")
            exact = "\\N" if original is None else copy_escape(original.decode())
            lines += (start.encode(), recurso, f"\t{exact}\t{fingerprint}\n".encode())
            if len(lines) > _PIECES:
                yield lines
                lines = []
    yield lines


def copy_escape(value: str | None) -> str:
    """A value in COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html."""
    if value is None:
        return "\\N"
    plain = value.replace("\\", "\\\\")
    return plain.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _stage(
    conn: Connection[TupleRow],
    schema: Schema,
    home: Home,
    batch: uuid.UUID,
    fuente: str,
    rows: Sequence[LocatedResource],
) -> None:
    staging = schema.by_name[FAMILIES[home].staging]
    columns = tuple(column.name for column in staging.stored)
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(table_name(staging), column_list(columns))
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        for order, row in enumerate(rows):
            prepared = row.prepared
            (fhir_type, key), text = prepared.identity, prepared.text
            values = {
                "documento_id": row.location.document,
                "lote": batch,
                "orden": order,
                "tipo": fhir_type,
                "fuente": fuente,
                "id": key,
                "paciente_id": prepared.patient_key,
                "recurso": text.recurso,
                "original": text.original,
                "entrada": text.fingerprint,
                "protocolo": PROTOCOL,
            }
            copy.write_row([values[column] for column in columns])


def _merge(
    conn: Connection[TupleRow],
    schema: Schema,
    table: Table,
    rows: Sequence[LocatedResource],
    batch: uuid.UUID,
    by_content: bool,
) -> WriteCounts:
    """Merge staged rows into their table; only the statements that the rows need, by what was looked up."""
    family = FAMILIES[table.home]
    parts = _parts(table, schema.by_name[family.history], schema.by_name[family.staging])
    values = {"lote": batch, "tipos": sorted({row.prepared.identity[0] for row in rows}), "ahora": datetime.now(UTC)}
    parts["passed_over"] = sql.SQL(_KNOWN if by_content else f"({_IS_OLDER} AND {_KNOWN})").format(**parts)

    def run(statement: str) -> Cursor[TupleRow]:
        return conn.execute(sql.SQL(statement).format(**parts), values)

    archived = run(_ARCHIVE).rowcount if any(row.has_row for row in rows) else 0
    older = 0
    if archived:
        row = run(_OLDER).fetchone()
        older = row[0] if row else 0
        if run(_UPDATE).rowcount != archived:
            raise ConcurrentChange
    new = 0 if all(row.has_row for row in rows) else run(_INSERT).rowcount
    present, same, superseded = run(_CHECK).fetchone() or (0, 0, 0)
    if present != len(rows) or same + superseded != len(rows):
        raise ConcurrentChange
    changed = archived - older
    return WriteCounts(new=new, changed=changed, unchanged=same - new - changed, superseded=superseded)


def _parts(table: Table, history: Table, staging: Table) -> dict[str, sql.Composable]:
    """The parts of the statements that differ between tables."""
    keys = [column for column in table.key if column != "tipo"]
    kind = sql.SQL(" AND t.tipo = c.tipo") if table.is_generic else sql.SQL("")

    def on(left: str, right: str) -> sql.Composed:
        return sql.SQL(" AND ").join(
            sql.SQL("{}.{} = {}.{}").format(*(sql.Identifier(x) for x in (left, key, right, key))) for key in keys
        )

    by_patient = table.home is Home.PATIENT
    document = ("documento_id",) if by_patient else ()
    plain_patient = ("paciente_id",) if by_patient and table.is_generic else ()
    inserted = (*document, "fuente", *(("tipo",) if table.is_generic else ()), *plain_patient, "id")
    return {
        "t": table_name(table),
        "h": table_name(history),
        "c": table_name(staging),
        "t_is_c": on("t", "c") + kind,
        "h_is_c": on("h", "c") + sql.SQL(" AND h.tipo = c.tipo"),
        "inserted": column_list(inserted),
        "inserted_from_c": column_list(inserted, "c."),
        "document": column_list(document) + sql.SQL(", ") if document else sql.SQL(""),
        "document_from_t": column_list(document, "t.") + sql.SQL(", ") if document else sql.SQL(""),
        "patient": sql.SQL(", paciente_id") if by_patient else sql.SQL(""),
        "patient_from_c": sql.SQL(", c.paciente_id") if by_patient else sql.SQL(""),
        "set_patient": sql.SQL(", paciente_id = c.paciente_id") if plain_patient else sql.SQL(""),
    }


_SAME_ORIGINAL = """(
    {row}.original IS NOT DISTINCT FROM c.original OR (c.original IS NULL AND position('"urn:' IN {row}.original) > 0)
)"""
"""Whether two exact texts are equal. Release 1.0 also kept a text only because of its references by `urn:`."""
_DIFFERS = f"(t.recurso::text <> c.recurso::text OR NOT {_SAME_ORIGINAL.format(row='t')})"
_KNOWN = f"""EXISTS (
    SELECT 1 FROM {{h}} AS h
    WHERE {{h_is_c}} AND NOT h.borrado
        AND h.recurso::text = c.recurso::text AND {_SAME_ORIGINAL.format(row="h")}
)"""  # noqa: S608 - composed by sql.SQL.format
_IS_OLDER = """coalesce(
    hce.instante(c.recurso #>> '{{meta,lastUpdated}}') < hce.instante(t.recurso #>> '{{meta,lastUpdated}}'), false
)"""

_ARCHIVE = f"""
INSERT INTO {{h}} ({{document}}tipo, fuente, id, version, vigente_desde, vigente_hasta, recurso, original{{patient}})
SELECT
    {{document_from_t}}c.tipo, t.fuente, t.id, t.version, t.actualizado_en, %(ahora)s::timestamptz,
    CASE WHEN {_IS_OLDER} THEN c.recurso ELSE t.recurso END,
    CASE WHEN {_IS_OLDER} THEN c.original ELSE t.original END{{patient_from_c}}
FROM {{t}} AS t
INNER JOIN {{c}} AS c ON {{t_is_c}}
WHERE c.lote = %(lote)s AND c.tipo = ANY(%(tipos)s) AND {_DIFFERS} AND NOT {{passed_over}}
ON CONFLICT DO NOTHING"""  # noqa: S608 - composed by sql.SQL.format

_OLDER = f"""
SELECT count(*) FROM {{t}} AS t
INNER JOIN {{c}} AS c ON {{t_is_c}}
INNER JOIN {{h}} AS h ON {{h_is_c}} AND h.version = t.version
WHERE c.lote = %(lote)s AND c.tipo = ANY(%(tipos)s) AND {_IS_OLDER}"""  # noqa: S608 - composed by sql.SQL.format

_UPDATE = f"""
UPDATE {{t}} AS t
SET
    recurso = CASE WHEN {_IS_OLDER} THEN t.recurso ELSE c.recurso END,
    original = CASE WHEN {_IS_OLDER} THEN t.original ELSE c.original END,
    entrada = CASE WHEN {_IS_OLDER} THEN t.entrada ELSE c.entrada END,
    version = t.version + 1,
    actualizado_en = %(ahora)s::timestamptz{{set_patient}}
FROM {{c}} AS c
INNER JOIN {{h}} AS h ON {{h_is_c}}
WHERE {{t_is_c}} AND h.version = t.version AND c.lote = %(lote)s AND c.tipo = ANY(%(tipos)s)"""  # noqa: S608

_INSERT = """
INSERT INTO {t} ({inserted}, version, actualizado_en, recurso, original, entrada)
SELECT
    {inserted_from_c},
    coalesce((SELECT max(h.version) FROM {h} AS h WHERE {h_is_c}), 0) + 1,
    %(ahora)s::timestamptz, c.recurso, c.original, c.entrada
FROM {c} AS c
LEFT JOIN {t} AS t ON {t_is_c}
WHERE c.lote = %(lote)s AND c.tipo = ANY(%(tipos)s) AND t.id IS NULL
ON CONFLICT DO NOTHING"""

_CHECK = f"""
SELECT
    count(t.id),
    count(*) FILTER (WHERE t.id IS NOT NULL AND NOT {_DIFFERS}),
    count(*) FILTER (WHERE t.id IS NOT NULL AND {_DIFFERS} AND {_KNOWN})
FROM {{c}} AS c
LEFT JOIN {{t}} AS t ON {{t_is_c}}
WHERE c.lote = %(lote)s AND c.tipo = ANY(%(tipos)s)"""  # noqa: S608 - composed by sql.SQL.format
