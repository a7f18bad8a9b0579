"""What an erasure writes: it deletes rows, and masks the patient in rows that only refer to them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.erasing.receipt import Counted, Erased, digest
from pyhce.records.erasing.search import Hit, SearchResult, patient_of
from pyhce.records.erasing.trace import CandidateRow, Person, Verdict, mask_patient, verdict_on
from pyhce.records.identity import PROVISIONAL
from pyhce.records.writing.retry import ConcurrentChange
from pyhce.records.writing.table_sql import table_name, type_expression
from pyhce.schema.model import Home, Schema, Table

_CONTENT = "encode(sha256(convert_to(recurso::text || coalesce(chr(10) || original, ''), 'UTF8')), 'hex')"


class ErasureChanges(NamedTuple):
    """What one transaction of an erasure changed; the fields have the names of `Erasure`."""

    record: tuple[Erased, ...]
    elsewhere: tuple[Erased, ...]
    masked: tuple[Counted, ...]
    corrections: int


def apply_changes(conn: Connection[TupleRow], schema: Schema, person: Person, found: SearchResult) -> ErasureChanges:
    """Delete the record, and delete or mask what was found elsewhere, in the caller's transaction.

    Raises:
        ConcurrentChange: a row has changed since it was found; search again.
    """
    lines = {table.name: _erase_rows(conn, table, person.document) for table in schema.distributed_by_patient()[::-1]}
    gone = _erase_hits(conn, schema, found.hits_with(Verdict.ERASE))
    changed = found.hits_with(Verdict.MASK)
    for hit in changed:
        _mask(conn, schema, person, hit)
    _delete_notes(conn, person)
    return ErasureChanges(
        record=hash_by_table(lines),
        elsewhere=hash_by_table(gone),
        masked=count_by_table(changed),
        corrections=conn.execute("DELETE FROM hce.asignacion WHERE documento_id = %s", (person.document,)).rowcount,
    )


def _delete_notes(conn: Connection[TupleRow], person: Person) -> None:
    """Delete the notes about the patient's resources: disputed documents and confirmed pairs."""
    for source, key in sorted(person.identities):
        values = {"source": source, "key": key}
        conn.execute("DELETE FROM hce.documento_en_disputa WHERE fuente = %(source)s AND paciente_id = %(key)s", values)
        conn.execute(
            "DELETE FROM hce.misma_persona WHERE (fuente = %(source)s AND paciente_id = %(key)s)"
            " OR (otra_fuente = %(source)s AND otro_paciente_id = %(key)s)",
            values,
        )


def preview_changes(conn: Connection[TupleRow], schema: Schema, person: Person, found: SearchResult) -> ErasureChanges:
    """Return what `apply_changes` would change, without changing it."""
    lines = {table.name: _read(conn, table, person.document) for table in schema.distributed_by_patient()}
    gone: dict[str, list[str]] = defaultdict(list)
    for hit in found.hits_with(Verdict.ERASE):
        with suppress(ConcurrentChange):  # another writer has deleted it
            gone[hit.table.name].append(_read_hit(conn, hit)[0])
    row = conn.execute("SELECT count(*) FROM hce.asignacion WHERE documento_id = %s", (person.document,)).fetchone()
    return ErasureChanges(
        hash_by_table(lines), hash_by_table(gone), count_by_table(found.hits_with(Verdict.MASK)), row[0] if row else 0
    )


def hash_line(table: Table) -> sql.Composable:
    """Return the SQL of a row's line in its table's hash: never with the document, and empty without a resource."""
    if not table.has_stored_column("recurso"):
        return sql.SQL("''::text")
    return sql.SQL("concat_ws('|', {}, fuente, id, {}, " + _CONTENT + ")").format(
        type_expression(table), _version(table)
    )


def _read(conn: Connection[TupleRow], table: Table, document: str, *, lock: bool = False) -> list[str]:
    """Return the lines of a table's rows under a document; `lock` keeps other writers from changing the rows."""
    query = sql.SQL("SELECT {} FROM {} WHERE documento_id = %s{}").format(
        hash_line(table), table_name(table), sql.SQL(" FOR UPDATE" if lock else "")
    )
    return [row[0] for row in conn.execute(query, (document,))]


def _erase_rows(conn: Connection[TupleRow], table: Table, document: str) -> list[str]:
    """Delete a table's rows under a document; return their lines."""
    lines = _read(conn, table, document, lock=True)
    if lines:
        query = sql.SQL("DELETE FROM {} WHERE documento_id = %s").format(table_name(table))
        if conn.execute(query, (document,)).rowcount != len(lines):
            raise ConcurrentChange
    return lines


def _read_hit(conn: Connection[TupleRow], hit: Hit) -> tuple[str, int]:
    """Return a row's line and its version."""
    query = sql.SQL("SELECT {}, {} FROM {} WHERE {}").format(
        hash_line(hit.table), _version(hit.table), table_name(hit.table), _key_is(hit.table)
    )
    row = conn.execute(query, hit.key).fetchone()
    if row is None:
        raise ConcurrentChange
    return row[0], row[1]


def hash_by_table(lines: dict[str, list[str]]) -> tuple[Erased, ...]:
    """Return the rows and the hash of each table, as the receipt has them."""
    return tuple(
        Erased(table=name, rows=len(some), sha256=digest(some) if any(some) else None)
        for name, some in sorted(lines.items())
        if some
    )


def count_by_table(hits: Sequence[Hit]) -> tuple[Counted, ...]:
    """Count hits by table and type."""
    counts = Counter((hit.table.name, hit.type) for hit in hits)
    return tuple(Counted(table=table, type=kind, rows=rows) for (table, kind), rows in sorted(counts.items()))


def _version(table: Table) -> sql.Identifier:
    return sql.Identifier("version" if table.has_stored_column("version") else "orden")


def _key_is(table: Table) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in table.key)


def _erase_hits(conn: Connection[TupleRow], schema: Schema, hits: Sequence[Hit]) -> dict[str, list[str]]:
    """Delete rows about the patient outside of the record, and provisional records that are empty then."""
    lines: dict[str, list[str]] = defaultdict(list)
    for hit in hits:
        text, version = _read_hit(conn, hit)
        query = sql.SQL("DELETE FROM {} WHERE {} AND {} = %s").format(
            table_name(hit.table), _key_is(hit.table), _version(hit.table)
        )
        if conn.execute(query, [*hit.key, version]).rowcount != 1:
            raise ConcurrentChange
        lines[hit.table.name].append(text)
    anchors = {str(hit.key[0]) for hit in hits if hit.table.home is Home.PATIENT}
    for anchor in sorted(anchor for anchor in anchors if anchor.startswith(PROVISIONAL)):
        if not _has_rows(conn, schema, anchor):
            conn.execute("DELETE FROM expediente WHERE documento_id = %s", (anchor,))
            lines["expediente"].append("")
    return lines


def _has_rows(conn: Connection[TupleRow], schema: Schema, document: str) -> bool:
    """Whether a record has rows besides its anchor."""
    parts = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT 1 FROM {} WHERE documento_id = %(d)s LIMIT 1)").format(table_name(table))
        for table in schema.distributed_by_patient()
        if table.parent
    )
    return conn.execute(parts, {"d": document}).fetchone() is not None


def _mask(conn: Connection[TupleRow], schema: Schema, person: Person, hit: Hit) -> None:
    """Mask the patient in one row. A current row gets a new version; a former version keeps its number.

    The fingerprint of the loaded text is deleted, because the row no longer holds that text.
    """
    table = hit.table
    query = sql.SQL("SELECT {}, fuente, {}, recurso::text, original, {} FROM {} WHERE {}").format(
        type_expression(table), patient_of(table), _version(table), table_name(table), _key_is(table)
    )
    row = conn.execute(query, hit.key).fetchone()
    if row is None:
        raise ConcurrentChange
    kind, fuente, patient_key, recurso, original, version = row
    candidate = CandidateRow(kind, fuente, patient_key, recurso, original, shared=table.home is not Home.PATIENT)
    if verdict_on(schema, person, candidate) is not Verdict.MASK:
        raise ConcurrentChange
    values: list[Any] = [*mask_patient(person, fuente, recurso, original)]
    more = sql.SQL("")
    if table.holds_resources:
        more = sql.SQL(", version = version + 1, actualizado_en = %s, entrada = NULL")
        values.append(datetime.now(UTC))
    update = sql.SQL("UPDATE {} SET recurso = %s::jsonb, original = %s{} WHERE {} AND {} = %s").format(
        table_name(table), more, _key_is(table), _version(table)
    )
    if conn.execute(update, [*values, *hit.key, version]).rowcount != 1:
        raise ConcurrentChange
