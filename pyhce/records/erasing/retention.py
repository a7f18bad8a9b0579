"""How long a record must be kept, by the date of the last care in it; shown before an erasure, which it does not stop.

Colombia: a clinical record is kept for at least 15 years from the date of the last care (Resolución 839 of 2017 of the
Ministry of Health, article 3). Other countries' years are given.
"""

from __future__ import annotations

from datetime import date

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import HceError, UsageError
from pyhce.records.identity import check_document
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Area, Frozen, Home, Schema, Table

YEARS = 15
COLOMBIA = "Colombia, Resolución 839 of 2017: 15 years from the last care"
_NO_CARE = {Area.FINANCE, Area.SECURITY, Area.RECORD}
_NO_CARE_TABLES = {"paciente", "persona_relacionada"}
_LONGEST = 200


class Retention(Frozen):
    """How long a record must be kept.

    Args:
        last_care: the day of the last care, in the installation's zone: what was planned for later does not count; None
            if no resource tells a day.
        years: how many years from that day.
        rule: where the years come from.
        until: the first day on which the record need not be kept any more.
        over: whether that day has come; None if the day of the last care is not known.
    """

    last_care: date | None
    years: int
    rule: str
    until: date | None
    over: bool | None

    @property
    def words(self) -> str:
        """One sentence for a person who decides."""
        if self.last_care is None:
            return f"no resource tells the date of the last care; retention: {self.rule}"
        state = "it is over" if self.over else "IT IS NOT OVER"
        return f"last care on {self.last_care}; retention until {self.until} ({self.rule}): {state}"


def retention(conn: Connection[TupleRow], document: str, *, schema: Schema, years: int | None = None) -> Retention:
    """The date of the last care in a record, and how long it must be kept.

    Args:
        years: from the last care, by the law that applies; Colombia's if None.

    Raises:
        UsageError: the document is not written as one, or the years are not a number of 0 to 200.
        HceError: there is no such record.
    """
    key = check_document(document, "DOCUMENTO")
    held = YEARS if years is None else years
    if not 0 <= held <= _LONGEST:
        raise UsageError(
            f"a retention of {held} years is not one of 0 to {_LONGEST}", remedy="Give the years that the law says."
        )
    if not conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (key,)).fetchone():
        raise HceError(
            "there is no record under the document given",
            remedy="Check the type and the number; a patient without a document has a provisional one (PROV-…). One "
            "that was merged is under the other document: hce.asignacion tells.",
        )
    parts = sql.SQL(" UNION ALL ").join(map(_last, _tables(schema)))
    row = conn.execute(
        sql.SQL(
            "SELECT u.d, (u.d + make_interval(years => %(years)s))::date,"
            " (u.d + make_interval(years => %(years)s))::date <= (timezone(hce.zona_horaria(), now()))::date"
            " FROM (SELECT (timezone(hce.zona_horaria(), max(d)))::date AS d FROM ({}) AS todo) AS u"
        ).format(parts),
        {"document": key, "years": held},
    ).fetchone()
    last, until, over = row or (None, None, None)
    rule = COLOMBIA if years is None else f"{held} years from the last care"
    return Retention(last_care=last, years=held, rule=rule, until=until, over=over)


def _tables(schema: Schema) -> list[Table]:
    """The tables of what is done to a patient or noted of one."""
    return [
        table
        for table in schema.resource_tables(Home.PATIENT)
        if table.area not in _NO_CARE
        and table.name not in _NO_CARE_TABLES
        and (table.is_generic or any(column.name == "fecha" for column in table.columns))
    ]


def _last(table: Table) -> sql.Composed:
    """The last moment that a table's rows are about, that is not to come: the end of a period that has ended."""
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
