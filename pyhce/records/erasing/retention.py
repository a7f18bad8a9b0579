"""How long a record must be kept after the last care in it. An erasure shows it, and does not refuse because of it.

Colombia: a clinical record is kept for at least 15 years from the date of the last care (Resolución 839 of 2017 of the
Ministry of Health, article 3). For other countries the caller gives the years.
"""

from __future__ import annotations

from datetime import date

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.counted import counted
from pyhce.errors import HceError, UsageError
from pyhce.records.identity import check_document
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Area, Frozen, Home, Schema, Table

YEARS = 15
COLOMBIA = "Colombia, Resolución 839 of 2017: 15 years from the last care"
_NO_CARE = {Area.FINANCE, Area.SECURITY, Area.RECORD}
_NO_CARE_TABLES = {"paciente", "persona_relacionada"}
_LONGEST = 200
NO_RECORD_REMEDY = (
    "Check the document's type and number. A patient without a document has a provisional one (PROV-…). A merged "
    "record is under the other document: the table hce.asignacion says which."
)


class Retention(Frozen):
    """How long a record must be kept.

    Args:
        last_care: the day of the last care in the installation's time zone, without planned care; None if no resource
            has a date.
        years: the years from that day.
        rule: the source of the years.
        until: the first day on which the record need not be kept.
        over: whether that day has come; None if there is no date of the last care.
    """

    last_care: date | None
    years: int
    rule: str
    until: date | None
    over: bool | None

    @property
    def words(self) -> str:
        """One line for the person who decides."""
        if self.last_care is None:
            return f"no resource has the date of the last care; retention: {self.rule}"
        state = "it is over" if self.over else "IT IS NOT OVER"
        return f"last care on {self.last_care}; retention until {self.until} ({self.rule}): {state}"


def retention(conn: Connection[TupleRow], document: str, *, schema: Schema, years: int | None = None) -> Retention:
    """Return the date of the last care in a record, and until when the record must be kept.

    Args:
        document: the document of the record.
        years: the years from the last care; None for Colombia's 15.

    Raises:
        UsageError: the document is not valid, or the years are not between 0 and 200.
        HceError: there is no such record.
    """
    key = check_document(document, "DOCUMENTO")
    kept_for = YEARS if years is None else years
    if not 0 <= kept_for <= _LONGEST:
        raise UsageError(
            f"a retention of {counted(kept_for, 'year')} is not between 0 and {_LONGEST}",
            remedy="Give the years that the law requires.",
        )
    if not conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (key,)).fetchone():
        raise HceError(
            "there is no record under the document given",
            remedy=NO_RECORD_REMEDY,
        )
    parts = sql.SQL(" UNION ALL ").join(map(_last, _tables(schema)))
    row = conn.execute(
        sql.SQL(
            "SELECT u.d, (u.d + make_interval(years => %(years)s))::date,"
            " (u.d + make_interval(years => %(years)s))::date <= (timezone(hce.zona_horaria(), now()))::date"
            " FROM (SELECT (timezone(hce.zona_horaria(), max(d)))::date AS d FROM ({}) AS todo) AS u"
        ).format(parts),
        {"document": key, "years": kept_for},
    ).fetchone()
    last, until, over = row or (None, None, None)
    rule = COLOMBIA if years is None else f"{counted(kept_for, 'year')} from the last care"
    return Retention(last_care=last, years=kept_for, rule=rule, until=until, over=over)


def _tables(schema: Schema) -> list[Table]:
    """Return the tables whose resources are care."""
    return [
        table
        for table in schema.resource_tables(Home.PATIENT)
        if table.area not in _NO_CARE
        and table.name not in _NO_CARE_TABLES
        and (table.is_generic or any(column.name == "fecha" for column in table.columns))
    ]


def _last(table: Table) -> sql.Composed:
    """Return a query for the last past date in a table's rows; of a period that has ended it is the end."""
    moments = sql.SQL(
        "hce.lapso(coalesce(recurso ->> 'date', recurso ->> 'timestamp', recurso ->> 'recorded'))"
        if table.is_generic
        else "fecha"
    )
    return sql.SQL(
        "SELECT max(CASE WHEN upper(f) <= now() AND NOT upper_inc(f) THEN upper(f) - interval '1 second'"
        " WHEN upper(f) <= now() THEN upper(f) ELSE lower(f) END) AS d"
        " FROM (SELECT {} AS f FROM {} WHERE documento_id = %(document)s) AS t"
        " WHERE coalesce(lower(f), upper(f)) <= now()"
    ).format(moments, table_name(table))
