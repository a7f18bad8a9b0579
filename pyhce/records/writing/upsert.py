"""A batch into its tables: what is new by COPY, what may have changed through a co-located staging table.

Of what is there already, what was loaded from the very same text is left alone. The rest is staged; then, set by set
on the workers: archive what changed to the history (ON CONFLICT DO NOTHING: of two writers one archives a version),
update what was archived, insert by anti-join what was deleted once. Then look whether everything is as it came: if
not, another writer won a race and the batch is done again.
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
"""Parts of rows that are sent at once, three a row."""


class WriteCounts(NamedTuple):
    """Counts of a batch."""

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
    """Write a batch whose places are known, inside the caller's transaction.

    Args:
        by_content: whether a former version that comes again changes nothing. So it is for a load, whose files may be
            older than what is there; an application that saves a former content means it.
        by_copy: whether what is new goes straight into its table, else through the staging table as the rest does. On
            Citus an error of the first is an `InternalError_` whatever it is (ReportCopyError in multi_copy.c).

    Raises:
        LostRace: the batch must be done again.
    """
    total = CountTotals()
    total.unchanged += sum(map(len, batch.same.values()))
    other: dict[str, list[LocatedResource]] = defaultdict(list)
    new: dict[str, list[RowLocation]] = defaultdict(list)
    for row in batch.other:
        other[row.place.table].append(row)
    for place, rows in batch.new.items():
        if by_copy:
            new[place.table].append(place)
        else:
            other[place.table] += [LocatedResource(place, False, prepared) for prepared in rows]
    for home in (Home.REFERENCE, Home.ID, Home.PATIENT):
        tables = [table for table in schema.tables if table.home is home]
        for table in tables:
            if table.name in new:
                places = {place: batch.new[place] for place in new[table.name]}
                total.new += _copy(conn, table, places, fuente)
        mine = {table.name: other[table.name] for table in tables if table.name in other}
        if not mine:
            continue
        lot = uuid.uuid4()
        _stage(conn, schema, home, lot, fuente, [row for held in mine.values() for row in held])
        for name, held in sorted(mine.items()):
            total.add(_merge(conn, schema, schema.by_name[name], held, lot, by_content))
        staging = schema.by_name[FAMILIES[home].staging]
        conn.execute(sql.SQL("DELETE FROM {} WHERE lote = %s").format(table_name(staging)), (lot,))
    return WriteCounts(**vars(total))


class CountTotals:
    """Counts that grow."""

    def __init__(self) -> None:
        self.new = self.changed = self.unchanged = self.superseded = 0

    def add(self, written: WriteCounts) -> None:
        """Add the counts of one table."""
        for name, count in written._asdict().items():
            setattr(self, name, getattr(self, name) + count)


def _copy(
    conn: Connection[TupleRow], table: Table, places: Mapping[RowLocation, Sequence[PreparedResource]], fuente: str
) -> int:
    """New resources straight into their table, by COPY; their number.

    If another writer has brought one of them meanwhile, its key is there: the batch is done again.
    """
    columns = [name for name in stored_columns(table) if name not in {"version", "actualizado_en"}]
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(table_name(table), column_list(columns))
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        for lines in _lines(table, places, fuente):
            copy.write(b"".join(lines))
    return sum(map(len, places.values()))


def _lines(
    table: Table, places: Mapping[RowLocation, Sequence[PreparedResource]], fuente: str
) -> Iterator[list[bytes]]:
    """Rows in COPY's text format, some hundred at a time: what fits the processor's cache is copied fastest."""
    lines: list[bytes] = []
    for place, rows in sorted(places.items()):
        first = (
            f"{copy_escape(place.document)}\t{copy_escape(fuente)}"
            if place.document is not None
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
            held = {
                "documento_id": row.place.document,
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
            copy.write_row([held[column] for column in columns])


def _merge(
    conn: Connection[TupleRow],
    schema: Schema,
    table: Table,
    rows: Sequence[LocatedResource],
    batch: uuid.UUID,
    by_content: bool,
) -> WriteCounts:
    """Staged rows into their table. What was looked up as there or not there spares the statements for the other."""
    family = FAMILIES[table.home]
    parts = _parts(table, schema.by_name[family.history], schema.by_name[family.staging])
    values = {"lote": batch, "tipos": sorted({row.prepared.identity[0] for row in rows}), "ahora": datetime.now(UTC)}
    parts["passed_over"] = sql.SQL(_KNOWN if by_content else f"({_IS_OLDER} AND {_KNOWN})").format(**parts)

    def run(statement: str) -> Cursor[TupleRow]:
        return conn.execute(sql.SQL(statement).format(**parts), values)

    archived = run(_ARCHIVE).rowcount if any(row.there for row in rows) else 0
    older = 0
    if archived:
        row = run(_OLDER).fetchone()
        older = row[0] if row else 0
        if run(_UPDATE).rowcount != archived:
            raise ConcurrentChange
    new = 0 if all(row.there for row in rows) else run(_INSERT).rowcount
    present, same, superseded = run(_CHECK).fetchone() or (0, 0, 0)
    if present != len(rows) or same + superseded != len(rows):
        raise ConcurrentChange
    changed = archived - older
    return WriteCounts(new=new, changed=changed, unchanged=same - new - changed, superseded=superseded)


def _parts(table: Table, history: Table, staging: Table) -> dict[str, sql.Composable]:
    """The pieces that differ between tables."""
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
"""Whether exact texts are alike; up to release 1.0 one was kept for the sake of references by urn: alone."""
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
