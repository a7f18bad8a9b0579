"""Rows of an export, restored to the locations where they were when the export was made.

A row is not restored if its identity is stored already, or if its patient is in another record here. Such a row is
written like any other resource, by the identity rules and the decisions that persons made in this database. The locks
are rows_of_table of `pyhce.records.writing.locks`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import DEFAULT_RULES, PROVISIONAL
from pyhce.records.reading.exported_rows import ExportedRow
from pyhce.records.writing.claims import document_lock_key
from pyhce.records.writing.locks import lock_identities
from pyhce.records.writing.lookup import LookupMemory, look_up_existing
from pyhce.records.writing.patient_keys import look_up_keys
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.record_moves import ensure_anchors
from pyhce.records.writing.row_location import RowLocation
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name
from pyhce.records.writing.upsert import copy_escape
from pyhce.schema.model import FAMILIES, Home, Schema, Table

_PIECES = 300
"""Rows in one message of a COPY."""


class RestoredRows(NamedTuple):
    """The rows of a batch, by what happened to them.

    Args:
        restored: rows that were stored where they were.
        already_stored: rows that are stored already, loaded from the very same text.
        rest: rows that are still to be written, like other resources.
    """

    restored: list[ExportedRow]
    already_stored: list[ExportedRow]
    rest: list[ExportedRow]


def restore_rows(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    rows: Sequence[ExportedRow],
    memory: LookupMemory | None = None,
    *,
    missing: bool = True,
) -> RestoredRows:
    """Restore current rows of one type, inside the caller's transaction.

    Args:
        rows: no identity is in them twice.
        memory: what earlier batches of the same source found out; updated.
        missing: whether to restore rows that are not stored; if False they are in `rest`.
    """
    lock_identities(conn, fuente, [row.prepared.identity for row in rows])
    _lock_patients(conn, fuente, rows)
    locations = [_former_location(schema, row) for row in rows]
    expected = {(location.table, row.prepared.identity[0]) for location, row in zip(locations, rows, strict=True)}
    found = look_up_existing(conn, schema, fuente, _ids(rows), expected, memory or LookupMemory())
    keys = {
        row.prepared.patient_key for row in rows if row.prepared.patient_key and "=" not in row.prepared.patient_key
    }
    known = look_up_keys(conn, fuente, keys, DEFAULT_RULES).ids if keys else {}
    result = RestoredRows([], [], [])
    by_table: dict[str, list[ExportedRow]] = defaultdict(list)
    for row, location in zip(rows, locations, strict=True):
        stored, identity = found.rows.get(row.prepared.identity), row.prepared.identity
        same_text = stored is not None and stored.fingerprint is not None and stored.fingerprint == row.entrada_hex
        if stored is not None and stored.location == location and same_text:
            result.already_stored.append(row)
        elif (
            not missing
            or stored is not None
            or identity in found.former
            or known.get(row.prepared.patient_key or "", location.document) != location.document
        ):
            result.rest.append(row)
        else:
            by_table[location.table].append(row)
            result.restored.append(row)
    ensure_anchors(conn, (row.document for row in result.restored if row.document is not None))
    for name, rows_of_table in sorted(by_table.items()):
        _copy(conn, schema.by_name[name], fuente, rows_of_table)
    return result


def restore_former_versions(
    conn: Connection[TupleRow], schema: Schema, fuente: str, rows: Sequence[ExportedRow]
) -> int:
    """Restore former versions and tombstones of one type, and return how many were not stored yet.

    They go to the record of the resource or of its other versions, if one of these is stored; else to their own.
    """
    lock_identities(conn, fuente, {row.prepared.identity for row in rows})
    _lock_patients(conn, fuente, rows)
    found = look_up_existing(conn, schema, fuente, _ids(rows), set(), LookupMemory())
    by_history: dict[str, list[ExportedRow]] = defaultdict(list)
    for row in rows:
        stored = found.rows.get(row.prepared.identity)
        here = stored.location if stored else found.former.get(row.prepared.identity)
        at = row if here is None else row._replace(document=here.document)
        home = schema.by_name[here.table if here else _former_location(schema, row).table].home
        by_history[FAMILIES[home].history].append(at)
    restored = 0
    for name, rows_of_table in sorted(by_history.items()):
        table = schema.by_name[name]
        existing = set(
            conn.execute(
                sql.SQL("SELECT tipo, id, version FROM {} WHERE fuente = %s AND id = ANY(%s)").format(
                    table_name(table)
                ),
                (fuente, sorted({row.prepared.identity[1] for row in rows_of_table})),
            )
        )
        new = [row for row in rows_of_table if (*row.prepared.identity, row.version) not in existing]
        ensure_anchors(conn, (row.document for row in new if row.document is not None))
        _copy(conn, table, fuente, new)
        restored += len(new)
    return restored


def create_records(conn: Connection[TupleRow], records: Iterable[tuple[str, bool, str]]) -> None:
    """Create records, given as (document, provisional, created at); existing ones stay as they are."""
    wanted = list(records)
    conn.execute(
        "INSERT INTO expediente (documento_id, provisional, creado_en)"
        " SELECT d, p, c FROM unnest(%s::text[], %s::boolean[], %s::timestamptz[]) AS u (d, p, c)"
        " ON CONFLICT DO NOTHING",
        ([one[0] for one in wanted], [one[1] for one in wanted], [one[2] for one in wanted]),
    )


def is_empty_database(conn: Connection[TupleRow], schema: Schema) -> bool:
    """Whether a database holds no resource, former version, record or decision of a person."""
    decisions = (schema.by_name[name] for name in ("expediente", "asignacion", "misma_persona", "documento_en_disputa"))
    tables = [*schema.resource_tables(), *schema.histories(), *decisions]
    return not any(
        conn.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table_name(table))).fetchone() for table in tables
    )


def _ids(rows: Iterable[ExportedRow]) -> dict[str, list[str]]:
    """The ids of rows, by type."""
    ids: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        fhir_type, key = row.prepared.identity
        ids[fhir_type].append(key)
    return ids


def _former_location(schema: Schema, row: ExportedRow) -> RowLocation:
    table = schema.table_for(row.prepared.identity[0], names_patient=row.document is not None)
    return RowLocation(table.name, row.document)


def _lock_patients(conn: Connection[TupleRow], fuente: str, rows: Iterable[ExportedRow]) -> None:
    """Lock each Patient's own key and document exclusively, as its document may change; the patients named, shared."""
    exclusive, shared = set(), set()
    for row in rows:
        if row.prepared.identity[0] == "Patient":
            exclusive.add((fuente, row.prepared.identity[1]))
            if row.document is not None and not row.document.startswith(PROVISIONAL):
                exclusive.add(document_lock_key(row.document))
        elif row.prepared.patient_key is not None:
            shared.add((fuente, row.prepared.patient_key))
    if exclusive or shared:
        lock_patients(conn, exclusive, shared=shared - exclusive)


def _copy(conn: Connection[TupleRow], table: Table, fuente: str, rows: Sequence[ExportedRow]) -> None:
    columns = stored_columns(table)
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(table_name(table), column_list(columns))
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        for start in range(0, len(rows), _PIECES):
            copy.write(b"".join(_lines(table, columns, fuente, rows[start : start + _PIECES])))


def _lines(table: Table, columns: Sequence[str], fuente: str, rows: Sequence[ExportedRow]) -> Iterator[bytes]:
    """Rows in COPY's text format."""
    for row in rows:
        prepared = row.prepared
        values: dict[str, object] = {
            "documento_id": row.document,
            "fuente": fuente,
            "tipo": prepared.identity[0],
            "id": prepared.identity[1],
            "paciente_id": prepared.patient_key if table.home is Home.PATIENT else None,
            "version": row.version,
            "actualizado_en": row.since,
            "vigente_desde": row.since,
            "vigente_hasta": row.until,
            "borrado": row.deleted,
            "recurso": prepared.recurso,
            "original": prepared.original,
            "entrada": row.entrada,
        }
        yield "\t".join(_field(values[name]) for name in columns).encode() + b"\n"


def _field(value: object) -> str:
    return copy_escape(value.decode() if isinstance(value, bytes) else None if value is None else str(value))
