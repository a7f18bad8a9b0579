"""One patient's record: everything under one document; and the corrections that a person makes to documents."""

from __future__ import annotations

from typing import Any

import orjson
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import HceError, UsageError
from pyhce.records.identity import PROVISIONAL, check_document
from pyhce.records.line import line_of
from pyhce.records.reading.reference import owner_of
from pyhce.records.writing.homes import ensure_records, move_record, table_name, type_of
from pyhce.records.writing.patient_locks import lock
from pyhce.records.writing.races import retried
from pyhce.schema.model import FAMILIES, Frozen, Home, Schema, Table

_REMEDY = "Run the same command again when they are done: nothing was moved."


class Entry(Frozen):
    """A resource of a record. `date` is the day it is about, in the installation's zone, None if it has none."""

    type: str
    table: str
    fuente: str
    id: str
    version: int
    date: str | None
    code: str | None
    status: str | None
    value: str | None
    resource: dict[str, Any]
    text: str


class PatientRecord(Frozen):
    """A patient's record, newest first."""

    document: str
    provisional: bool
    name: str
    birth: str
    sex: str
    entries: tuple[Entry, ...]
    former_versions: int

    @property
    def counts(self) -> dict[str, int]:
        """Resources by type."""
        found: dict[str, int] = {}
        for entry in self.entries:
            found[entry.type] = found.get(entry.type, 0) + 1
        return dict(sorted(found.items()))


class CorrectionReport(Frozen):
    """What a re-key or a merge moved."""

    moved: int
    patients: int


def patient(conn: Connection[TupleRow], document: str, *, schema: Schema) -> PatientRecord:
    """Everything under one document: one query, on one shard of one node.

    Raises:
        UsageError: the document is not written as one.
        HceError: there is no such record.
    """
    key = check_document(document, "DOCUMENTO")
    anchor = conn.execute("SELECT provisional FROM expediente WHERE documento_id = %s", (key,)).fetchone()
    if anchor is None:
        raise HceError(
            "there is no record under the document given",
            remedy="Check the type and the number; a patient without a document has a provisional one (PROV-…).",
        )
    parts = sql.SQL(" UNION ALL ").join(_select(table) for table in schema.resource_tables(Home.PATIENT))
    rows = conn.execute(
        sql.SQL("SELECT * FROM ({}) AS todo ORDER BY fecha DESC NULLS LAST, tabla, id").format(parts),
        {"documento": key},
    ).fetchall()
    entries = tuple(_entry(row) for row in rows)
    former = conn.execute("SELECT count(*) FROM historia WHERE documento_id = %s", (key,)).fetchone()
    person = next((e.resource for e in entries if e.type == "Patient"), {})
    return PatientRecord(
        document=key,
        provisional=anchor[0],
        name=_name(person),
        birth=str(person.get("birthDate", "")),
        sex=str(person.get("gender", "")),
        entries=entries,
        former_versions=former[0] if former else 0,
    )


def _select(table: Table) -> sql.Composed:
    """A table's rows in the shape that all of them share."""
    there = {column.name for column in table.columns}

    def column(name: str, kind: str) -> sql.Composable:
        return sql.SQL(name if name in there else f"NULL::{kind}")

    value = sql.SQL("concat_ws(' ', coalesce(valor::text, valor_texto, valor_codigo), unidad)")
    return sql.SQL(
        "SELECT {} AS tipo, {} AS tabla, fuente, id, version,"
        " (timezone(hce.zona_horaria(), lower({})))::date::text AS fecha,"
        " {}, {}, {}, recurso ? 'id' AS con_id, coalesce(original, recurso::text), recurso::text"
        " FROM {} WHERE documento_id = %(documento)s"
    ).format(
        type_of(table),
        sql.Literal(table.name),
        column("fecha", "tstzrange"),
        column("codigo", "text"),
        column("estado", "text"),
        value if table.name == "observacion" else sql.SQL("NULL::text"),
        table_name(table),
    )


def _entry(row: TupleRow) -> Entry:
    kind, table, fuente, key, version, date, code, status, value, has_id, text, held = row
    line = line_of(key, text, has_id=has_id).decode()
    return Entry(
        type=kind,
        table=table,
        fuente=fuente,
        id=key,
        version=version,
        date=date,
        code=code,
        status=status,
        value=value or None,
        resource=orjson.loads(line_of(key, held, has_id=has_id)),
        text=line,
    )


def _name(person: dict[str, Any]) -> str:
    names = person.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    given = first.get("given")
    parts = [*(g for g in (given if isinstance(given, list) else []) if isinstance(g, str)), first.get("family")]
    return " ".join(part for part in parts if isinstance(part, str)) or str(first.get("text", ""))


def rekey(conn: Connection[TupleRow], old: str, new: str, *, schema: Schema) -> CorrectionReport:
    """Give a whole record another document, and remember it: the source may go on saying the old one.

    It is remembered for the Patient resources of this record only: another person may rightly carry the old document.

    Raises:
        UsageError: a document is not written as one, both are the same, or NEW is a provisional one.
        HceError: there is no record OLD, or there is one NEW already.
    """
    source, target = check_document(old, "OLD"), check_document(new, "NEW")
    _refuse(source, target)

    def work(_: int) -> CorrectionReport:
        people = _lock_people(conn, source, schema)
        _require(conn, source, "OLD")
        if _there(conn, target):
            raise HceError(
                "there is a record under the document given as NEW already",
                remedy="If both are one person: pyhce patient merge OLD NEW.",
            )
        ensure_records(conn, [target])
        moved = move_record(conn, schema, old=source, new=target)
        for fuente, key in people:
            _remember(conn, source, fuente, key, target)
        return CorrectionReport(moved=moved, patients=len(people))

    return retried(conn, work, remedy=_REMEDY)


def merge(conn: Connection[TupleRow], source: str, into: str, *, schema: Schema) -> CorrectionReport:
    """Bring two records of one person together under the document INTO, and remember it for all sources.

    Raises:
        UsageError: a document is not written as one, or both are the same.
        HceError: one of the records is not there.
    """
    old, new = check_document(source, "FROM"), check_document(into, "INTO")
    _refuse(old, new, provisional_ok=True)

    def work(_: int) -> CorrectionReport:
        people = _lock_people(conn, old, schema)
        _require(conn, old, "FROM")
        _require(conn, new, "INTO")
        moved = move_record(conn, schema, old=old, new=new)
        if not old.startswith(PROVISIONAL):
            _remember(conn, old, "", "", new)
        for fuente, key in people:
            _remember(conn, old, fuente, key, new)
        return CorrectionReport(moved=moved, patients=len(people))

    return retried(conn, work, remedy=_REMEDY)


def _refuse(old: str, new: str, *, provisional_ok: bool = False) -> None:
    if old == new:
        raise UsageError("both documents are the same", remedy="Give two different ones.")
    if new.startswith(PROVISIONAL) and not provisional_ok:
        raise UsageError("the new document is a provisional one", remedy="Give an identity document.")


def _there(conn: Connection[TupleRow], document: str) -> bool:
    return bool(conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (document,)).fetchone())


def _require(conn: Connection[TupleRow], document: str, what: str) -> None:
    if not _there(conn, document):
        raise HceError(
            f"there is no record under the document given as {what}", remedy="Check the type and the number."
        )


def _lock_people(conn: Connection[TupleRow], document: str, schema: Schema) -> list[tuple[str, str]]:
    """Every key under which a record's resources name their patient, held against loaders meanwhile."""
    lock(conn, people_of(conn, document, schema))
    return people_of(conn, document, schema)


def people_of(conn: Connection[TupleRow], document: str, schema: Schema) -> list[tuple[str, str]]:
    """Every source and key under which a record's resources name their patient.

    Also of a patient that has not arrived: its resources say the key.
    """
    tables = [*schema.resource_tables(Home.PATIENT), schema.by_name[FAMILIES[Home.PATIENT].history]]
    query = sql.SQL(
        "SELECT DISTINCT fuente, paciente_id FROM ({}) AS k WHERE paciente_id IS NOT NULL ORDER BY 1, 2"
    ).format(
        sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT fuente, paciente_id FROM {} WHERE documento_id = %(documento)s").format(table_name(table))
            for table in tables
        )
    )
    return sorted({owner_of(fuente, key) for fuente, key in conn.execute(query, {"documento": document})})


def _remember(conn: Connection[TupleRow], computed: str, fuente: str, key: str, holds: str) -> None:
    """Note what holds instead of a computed document; what led to that document leads on to the new one."""
    conn.execute("UPDATE hce.asignacion SET documento_id = %s WHERE documento_id = %s", (holds, computed))
    conn.execute("DELETE FROM hce.asignacion WHERE documento_calculado = documento_id")
    if computed != holds:
        conn.execute(
            "INSERT INTO hce.asignacion (documento_calculado, fuente, paciente_id, documento_id)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (documento_calculado, fuente, paciente_id)"
            " DO UPDATE SET documento_id = excluded.documento_id",
            (computed, fuente, key, holds),
        )
