"""What an erasure writes: the record and what is about the patient elsewhere deleted, the rest without the patient."""

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
    """What one transaction did."""

    record: tuple[Erased, ...]
    elsewhere: tuple[Erased, ...]
    masked: tuple[Counted, ...]
    corrections: int


def apply_changes(conn: Connection[TupleRow], schema: Schema, person: Person, found: SearchResult) -> ErasureChanges:
    """Erase the record and what was found elsewhere, inside the caller's transaction.

    Raises:
        ConcurrentChange: a row is no longer as it was found: search again.
    """
    lines = {table.name: _erase_rows(conn, table, person.document) for table in schema.distributed_by_patient()[::-1]}
    gone = _erase_hits(conn, schema, found.hits_with(Verdict.ERASE))
    changed = found.hits_with(Verdict.MASK)
    for hit in changed:
        _mask(conn, schema, person, hit)
    _forget(conn, person)
    return ErasureChanges(
        record=hash_by_table(lines),
        elsewhere=hash_by_table(gone),
        masked=count_by_table(changed),
        corrections=conn.execute("DELETE FROM hce.asignacion WHERE documento_id = %s", (person.document,)).rowcount,
    )


def _forget(conn: Connection[TupleRow], person: Person) -> None:
    """Delete what is noted of the patient's resources: which were kept apart, which were confirmed to be one person."""
    for source, key in sorted(person.identities):
        values = {"source": source, "key": key}
        conn.execute("DELETE FROM hce.documento_en_disputa WHERE fuente = %(source)s AND paciente_id = %(key)s", values)
        conn.execute(
            "DELETE FROM hce.misma_persona WHERE (fuente = %(source)s AND paciente_id = %(key)s)"
            " OR (otra_fuente = %(source)s AND otro_paciente_id = %(key)s)",
            values,
        )


def preview_changes(conn: Connection[TupleRow], schema: Schema, person: Person, found: SearchResult) -> ErasureChanges:
    """What `clear` would do."""
    lines = {table.name: _read(conn, table, person.document) for table in schema.distributed_by_patient()}
    gone: dict[str, list[str]] = defaultdict(list)
    for hit in found.hits_with(Verdict.ERASE):
        with suppress(ConcurrentChange):  # somebody else deleted it since
            gone[hit.table.name].append(_read_hit(conn, hit)[0])
    row = conn.execute("SELECT count(*) FROM hce.asignacion WHERE documento_id = %s", (person.document,)).fetchone()
    return ErasureChanges(
        hash_by_table(lines), hash_by_table(gone), count_by_table(found.hits_with(Verdict.MASK)), row[0] if row else 0
    )


def hash_line(table: Table) -> sql.Composable:
    """A row's line in the hash of its table; never with the document, and nothing where there is no resource."""
    if not table.has_stored_column("recurso"):
        return sql.SQL("''::text")
    return sql.SQL("concat_ws('|', {}, fuente, id, {}, " + _CONTENT + ")").format(
        type_expression(table), _version(table)
    )


def _read(conn: Connection[TupleRow], table: Table, document: str, *, lock: bool = False) -> list[str]:
    """The lines of a table's rows under a document; nobody changes them meanwhile if they are locked."""
    query = sql.SQL("SELECT {} FROM {} WHERE documento_id = %s{}").format(
        hash_line(table), table_name(table), sql.SQL(" FOR UPDATE" if lock else "")
    )
    return [row[0] for row in conn.execute(query, (document,))]


def _erase_rows(conn: Connection[TupleRow], table: Table, document: str) -> list[str]:
    """Delete a table's rows under a document."""
    lines = _read(conn, table, document, lock=True)
    if lines:
        query = sql.SQL("DELETE FROM {} WHERE documento_id = %s").format(table_name(table))
        if conn.execute(query, (document,)).rowcount != len(lines):
            raise ConcurrentChange
    return lines


def _read_hit(conn: Connection[TupleRow], hit: Hit) -> tuple[str, int]:
    """A row's line, and its version."""
    query = sql.SQL("SELECT {}, {} FROM {} WHERE {}").format(
        hash_line(hit.table), _version(hit.table), table_name(hit.table), _key_is(hit.table)
    )
    row = conn.execute(query, hit.key).fetchone()
    if row is None:
        raise ConcurrentChange
    return row[0], row[1]


def hash_by_table(lines: dict[str, list[str]]) -> tuple[Erased, ...]:
    """Lines by table, as a receipt has them."""
    return tuple(
        Erased(table=name, rows=len(held), sha256=digest(held) if any(held) else None)
        for name, held in sorted(lines.items())
        if held
    )


def count_by_table(hits: Sequence[Hit]) -> tuple[Counted, ...]:
    """Hits by table and type."""
    counts = Counter((hit.table.name, hit.type) for hit in hits)
    return tuple(Counted(table=table, type=kind, rows=rows) for (table, kind), rows in sorted(counts.items()))


def _version(table: Table) -> sql.Identifier:
    return sql.Identifier("version" if table.has_stored_column("version") else "orden")


def _key_is(table: Table) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in table.key)


def _erase_hits(conn: Connection[TupleRow], schema: Schema, hits: Sequence[Hit]) -> dict[str, list[str]]:
    """Delete what is about the patient elsewhere; a provisional record under which nothing is left goes with it."""
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
        if not _holds(conn, schema, anchor):
            conn.execute("DELETE FROM expediente WHERE documento_id = %s", (anchor,))
            lines["expediente"].append("")
    return lines


def _holds(conn: Connection[TupleRow], schema: Schema, document: str) -> bool:
    """Whether anything is under a document."""
    parts = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT 1 FROM {} WHERE documento_id = %(d)s LIMIT 1)").format(table_name(table))
        for table in schema.distributed_by_patient()
        if table.parent
    )
    return conn.execute(parts, {"d": document}).fetchone() is not None


def _mask(conn: Connection[TupleRow], schema: Schema, person: Person, hit: Hit) -> None:
    """Take the patient out of one row: a new version of what is current, a former one as it is.

    The row no longer has the text that it was loaded from, so the fingerprint of that goes.
    """
    table = hit.table
    query = sql.SQL("SELECT {}, fuente, {}, recurso::text, original, {} FROM {} WHERE {}").format(
        type_expression(table), patient_of(table), _version(table), table_name(table), _key_is(table)
    )
    row = conn.execute(query, hit.key).fetchone()
    if row is None:
        raise ConcurrentChange
    kind, fuente, patient_key, recurso, original, version = row
    held = CandidateRow(kind, fuente, patient_key, recurso, original, shared=table.home is not Home.PATIENT)
    if verdict_on(schema, person, held) is not Verdict.MASK:
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
