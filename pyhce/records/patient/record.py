"""One patient's record: every resource under one document."""

from __future__ import annotations

from typing import Any

import orjson
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import HceError
from pyhce.records.identity import check_document
from pyhce.records.line import line_of
from pyhce.records.patient.observation_value import observation_value
from pyhce.records.writing.table_sql import table_name, type_expression
from pyhce.schema.model import Frozen, Home, Schema, Table


class Entry(Frozen):
    """A resource of a record.

    Args:
        type: the FHIR type.
        table: the table that it is stored in.
        fuente: the source.
        date: its day in the installation's time zone, None if it has no date.
        code: its code, or its text if it has no code.
        status: its status.
        value: an Observation's value with comparator and unit, or the values of its components.
        resource: the resource as parsed JSON.
        text: the resource as it came in.
    """

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
    """A patient's record.

    Args:
        name, birth, sex: of the newest Patient resource, empty if there is none.
        entries: the newest first.
        former_versions: how many former versions and tombstones the record has.
    """

    document: str
    provisional: bool
    name: str
    birth: str
    sex: str
    entries: tuple[Entry, ...]
    former_versions: int

    @property
    def counts(self) -> dict[str, int]:
        """The number of resources of each type."""
        found: dict[str, int] = {}
        for entry in self.entries:
            found[entry.type] = found.get(entry.type, 0) + 1
        return dict(sorted(found.items()))


def patient(conn: Connection[TupleRow], document: str, *, schema: Schema) -> PatientRecord:
    """Return every resource under one document, by one query to one shard of one node.

    Raises:
        UsageError: the document is not valid.
        HceError: there is no such record.
    """
    key = check_document(document, "DOCUMENTO")
    anchor = conn.execute("SELECT provisional FROM expediente WHERE documento_id = %s", (key,)).fetchone()
    if anchor is None:
        raise HceError(
            "there is no record under the document given",
            remedy="Check the document's type and number. A patient without a document has a provisional one (PROV-…).",
        )
    parts = sql.SQL(" UNION ALL ").join(_select(table) for table in schema.resource_tables(Home.PATIENT))
    rows = conn.execute(
        sql.SQL("SELECT * FROM ({}) AS todo ORDER BY fecha DESC NULLS LAST, tabla, id").format(parts),
        {"documento": key},
    ).fetchall()
    entries = tuple(_entry(row) for row in rows)
    names = next((row[8] for row in rows if row[0] == "Patient"), None)
    former = conn.execute("SELECT count(*) FROM historia WHERE documento_id = %s", (key,)).fetchone()
    person = next((e.resource for e in entries if e.type == "Patient"), {})
    return PatientRecord(
        document=key,
        provisional=anchor[0],
        name=_name(names),
        birth=str(person.get("birthDate", "")),
        sex=str(person.get("gender", "")),
        entries=entries,
        former_versions=former[0] if former else 0,
    )


def _select(table: Table) -> sql.Composed:
    """Return a query of a table's rows, with the same columns for every table."""
    present = {column.name for column in table.columns}
    codes = [name for name in ("codigo", "codigo_texto") if name in present]

    def column(name: str, kind: str) -> sql.Composable:
        return sql.SQL(name if name in present else f"NULL::{kind}")

    in_use = sql.SQL("hce.nombre_vigente(recurso -> 'name')" if table.fhir_type == "Patient" else "NULL::jsonb")
    return sql.SQL(
        "SELECT {} AS tipo, {} AS tabla, fuente, id, version,"
        " (timezone(hce.zona_horaria(), lower({})))::date::text AS fecha,"
        " {}, {}, {} AS nombre, recurso ? 'id' AS con_id, coalesce(original, recurso::text), recurso::text"
        " FROM {} WHERE documento_id = %(documento)s"
    ).format(
        type_expression(table),
        sql.Literal(table.name),
        column("fecha", "tstzrange"),
        sql.SQL("coalesce({})").format(sql.SQL(", ").join(map(sql.SQL, (*codes, "NULL::text")))),
        column("estado", "text"),
        in_use,
        table_name(table),
    )


def _entry(row: TupleRow) -> Entry:
    kind, table, fuente, key, version, date, code, status, _, has_id, text, recurso = row
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
        value=observation_value(line) if kind == "Observation" else None,
        resource=orjson.loads(line_of(key, recurso, has_id=has_id)),
        text=line,
    )


def _name(name: dict[str, Any] | None) -> str:
    """Format the name in use as one text."""
    if name is None:
        return ""
    given = name.get("given")
    parts = [*(given if isinstance(given, list) else []), name.get("family")]
    return " ".join(part for part in parts if isinstance(part, str)) or str(name.get("text", ""))
