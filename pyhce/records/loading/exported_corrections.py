"""The corrections in an export: what persons decided about documents.

They are rows of `hce.asignacion`, of `hce.misma_persona` and of the disputes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import HceError
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name
from pyhce.schema.model import Schema

CorrectionRow = Sequence[str | None]
"""A table of the schema `hce`, then the values of a row."""


@dataclass(frozen=True)
class CorrectionCounts:
    """Corrections that were inserted, and those that were left out because the database knows their subject."""

    inserted: int = 0
    left_out: int = 0

    def __add__(self, other: CorrectionCounts) -> CorrectionCounts:
        """The sum of both."""
        return CorrectionCounts(self.inserted + other.inserted, self.left_out + other.left_out)


def insert_all(conn: Connection[TupleRow], schema: Schema, decisions: Iterable[CorrectionRow]) -> CorrectionCounts:
    """Insert every correction, into an empty database."""
    return CorrectionCounts(sum(_insert(conn, schema, *one) for one in decisions), 0)


def insert_unknown(conn: Connection[TupleRow], schema: Schema, decisions: Iterable[CorrectionRow]) -> CorrectionCounts:
    """Insert the corrections whose records and Patients the database does not know.

    So no decision in this database is overridden. Disputes are not inserted: which Patients are kept apart from a
    document is decided anew when the Patients are loaded.

    Raises:
        HceError: the export was made by a release with other tables.
    """
    inserted = left_out = 0
    unknown: list[tuple[str, tuple[str | None, ...]]] = []
    for name, *values in decisions:
        if name == "asignacion":
            known = _knows_document(conn, values[0], values[3])
            same = _is_there(conn, "documento_calculado, fuente, paciente_id, documento_id", "asignacion", values[:4])
        elif name == "misma_persona":
            known = _knows_patient(conn, values[0], values[1]) or _knows_patient(conn, values[2], values[3])
            columns = "fuente, paciente_id, otra_fuente, otro_paciente_id"
            same = _is_there(conn, columns, "misma_persona", values)
        else:
            continue
        if same:
            continue
        if known:
            left_out += 1
        else:
            unknown.append((str(name), tuple(values)))
    for name, row in unknown:  # inserted last: a correction must not make another one's subject known
        inserted += _insert(conn, schema, name, *row)
    return CorrectionCounts(inserted, left_out)


def _insert(conn: Connection[TupleRow], schema: Schema, name: str | None, *values: str | None) -> int:
    table = schema.by_name.get(str(name))
    if table is None or len(values) != len(table.stored) or table.sql_schema != "hce":
        raise HceError(
            "the corrections of the export were written by a release with another schema",
            remedy="Use the release of pyhce that made the export, or a newer one.",
        )
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
        table_name(table), column_list(stored_columns(table)), sql.SQL(", ").join([sql.Placeholder()] * len(values))
    )
    return conn.execute(query, values).rowcount


def _knows_document(conn: Connection[TupleRow], *documents: str | None) -> bool:
    query = (
        "SELECT 1 FROM expediente WHERE documento_id = ANY(%(d)s) UNION ALL SELECT 1 FROM hce.asignacion"
        " WHERE documento_calculado = ANY(%(d)s) OR documento_id = ANY(%(d)s) LIMIT 1"
    )
    return conn.execute(query, {"d": list(documents)}).fetchone() is not None


def _knows_patient(conn: Connection[TupleRow], fuente: str | None, key: str | None) -> bool:
    query = "SELECT 1 FROM paciente WHERE fuente = %s AND id = %s LIMIT 1"
    return conn.execute(query, (fuente, key)).fetchone() is not None


def _is_there(conn: Connection[TupleRow], columns: str, table: str, values: Sequence[str | None]) -> bool:
    query = sql.SQL("SELECT 1 FROM hce.{} WHERE ({}) = ({})").format(
        sql.Identifier(table), column_list(columns.split(", ")), sql.SQL(", ").join([sql.Placeholder()] * len(values))
    )
    return conn.execute(query, values).fetchone() is not None
