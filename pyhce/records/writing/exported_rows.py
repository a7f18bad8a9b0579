"""Rows of an export to the places where they were, if nothing in the database speaks against it.

A row that is there, or whose patient is in another record here, is not placed: it is written as any other resource is,
by the identity rules and by what persons decided here. Locks are those of `pyhce.records.writing.locks`.
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
"""Rows that are sent at once."""


class RestoredRows(NamedTuple):
    """What came of a batch.

    Args:
        rows: those that were placed.
        there: those that are there already, loaded from the very same text.
        rest: those that are to be written as other resources are.
    """

    rows: list[ExportedRow]
    there: list[ExportedRow]
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
    """Put current rows of one type where they were, inside the caller's transaction; no identity is twice in them.

    Args:
        missing: whether to put those that are not there; else they are of the rest.
    """
    lock_identities(conn, fuente, [row.prepared.identity for row in rows])
    _lock_patients(conn, fuente, rows)
    seats = [_seat(schema, row) for row in rows]
    seated = {(seat.table, row.prepared.identity[0]) for seat, row in zip(seats, rows, strict=True)}
    found = look_up_existing(conn, schema, fuente, _ids(rows), seated, memory or LookupMemory())
    keys = {
        row.prepared.patient_key for row in rows if row.prepared.patient_key and "=" not in row.prepared.patient_key
    }
    known = look_up_keys(conn, fuente, keys, DEFAULT_RULES).ids if keys else {}
    done = RestoredRows([], [], [])
    by_table: dict[str, list[ExportedRow]] = defaultdict(list)
    for row, seat in zip(rows, seats, strict=True):
        held, identity = found.rows.get(row.prepared.identity), row.prepared.identity
        same_text = held is not None and held.fingerprint is not None and held.fingerprint == row.entrada_hex
        if held is not None and held.place == seat and same_text:
            done.there.append(row)
        elif (
            not missing
            or held is not None
            or identity in found.former
            or known.get(row.prepared.patient_key or "", seat.document) != seat.document
        ):
            done.rest.append(row)
        else:
            by_table[seat.table].append(row)
            done.rows.append(row)
    ensure_anchors(conn, (row.document for row in done.rows if row.document is not None))
    for name, those in sorted(by_table.items()):
        _copy(conn, schema.by_name[name], fuente, those)
    return done


def restore_former_versions(
    conn: Connection[TupleRow], schema: Schema, fuente: str, rows: Sequence[ExportedRow]
) -> int:
    """Put former versions and tombstones of one type beside the resources; how many were not there.

    Their record is that of the resource, or of its other versions, if it is there.
    """
    lock_identities(conn, fuente, {row.prepared.identity for row in rows})
    _lock_patients(conn, fuente, rows)
    found = look_up_existing(conn, schema, fuente, _ids(rows), set(), LookupMemory())
    by_history: dict[str, list[ExportedRow]] = defaultdict(list)
    for row in rows:
        held = found.rows.get(row.prepared.identity)
        here = held.place if held else found.former.get(row.prepared.identity)
        at = row if here is None else row._replace(document=here.document)
        home = schema.by_name[here.table if here else _seat(schema, row).table].home
        by_history[FAMILIES[home].history].append(at)
    placed = 0
    for name, those in sorted(by_history.items()):
        table = schema.by_name[name]
        there = set(
            conn.execute(
                sql.SQL("SELECT tipo, id, version FROM {} WHERE fuente = %s AND id = ANY(%s)").format(
                    table_name(table)
                ),
                (fuente, sorted({row.prepared.identity[1] for row in those})),
            )
        )
        new = [row for row in those if (*row.prepared.identity, row.version) not in there]
        ensure_anchors(conn, (row.document for row in new if row.document is not None))
        _copy(conn, table, fuente, new)
        placed += len(new)
    return placed


def create_records(conn: Connection[TupleRow], records: Iterable[tuple[str, bool, str]]) -> None:
    """Make records, given as document, whether provisional, when made; those that are there stay as they are."""
    wanted = list(records)
    conn.execute(
        "INSERT INTO expediente (documento_id, provisional, creado_en)"
        " SELECT d, p, c FROM unnest(%s::text[], %s::boolean[], %s::timestamptz[]) AS u (d, p, c)"
        " ON CONFLICT DO NOTHING",
        ([one[0] for one in wanted], [one[1] for one in wanted], [one[2] for one in wanted]),
    )


def is_empty_database(conn: Connection[TupleRow], schema: Schema) -> bool:
    """Whether a database holds no resource, no former version, no record and no decision of a person."""
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


def _seat(schema: Schema, row: ExportedRow) -> RowLocation:
    table = schema.table_for(row.prepared.identity[0], names_patient=row.document is not None)
    return RowLocation(table.name, row.document)


def _lock_patients(conn: Connection[TupleRow], fuente: str, rows: Iterable[ExportedRow]) -> None:
    """Alone a Patient's own key and document, which other writers may be deciding about; shared those named."""
    alone, shared = set(), set()
    for row in rows:
        if row.prepared.identity[0] == "Patient":
            alone.add((fuente, row.prepared.identity[1]))
            if row.document is not None and not row.document.startswith(PROVISIONAL):
                alone.add(document_lock_key(row.document))
        elif row.prepared.patient_key is not None:
            shared.add((fuente, row.prepared.patient_key))
    if alone or shared:
        lock_patients(conn, alone, shared=shared - alone)


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
        held: dict[str, object] = {
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
        yield "\t".join(_field(held[name]) for name in columns).encode() + b"\n"


def _field(value: object) -> str:
    return copy_escape(value.decode() if isinstance(value, bytes) else None if value is None else str(value))
