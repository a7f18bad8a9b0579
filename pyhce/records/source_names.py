"""The names of source systems: which a load may give, and whether there is anything of one."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import UsageError
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Schema, Table

LONGEST = 200
"""Characters of a source's name: it is in every index and in the names of exported folders."""
SHOWN = 20
"""Names that are listed in an error."""


def check_source(fuente: str) -> str:
    """The name of a source, as it was given; `''` is the source without a name.

    Raises:
        UsageError: it cannot be one.
    """
    wrong = None
    if len(fuente) > LONGEST:
        wrong = f"has {len(fuente)} characters, more than {LONGEST}"
    elif fuente != fuente.strip():
        wrong = "begins or ends with white space"
    elif not fuente.isprintable():
        wrong = "contains a character that cannot be printed, or bytes that are not UTF-8"
    if wrong:
        raise UsageError(
            f"the name of the source, {fuente[:40]!r}, {wrong}",
            remedy="Give a short name such as hospital-norte, or the server's base URL.",
        )
    return fuente


def refuse_unknown_source(conn: Connection[TupleRow], schema: Schema, fuente: str) -> None:
    """Refuse the name of a source of which the database has nothing, not even in its history.

    Raises:
        UsageError: there is nothing; the remedy lists the sources that are there.
    """
    tables = [*schema.resource_tables(), *schema.histories()]
    if any(_has(conn, table, fuente) for table in tables):
        return
    there = sorted(_sources(conn, schema))
    named = ", ".join(repr(name) for name in there[:SHOWN]) + (", …" if len(there) > SHOWN else "")
    raise UsageError(
        f"there is nothing of a source {fuente!r} in the database",
        remedy=f"Give a source that is there: {named}. Without --source all are exported."
        if there
        else "Load something first: the database has no resources at all.",
    )


def _has(conn: Connection[TupleRow], table: Table, fuente: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE fuente = %s LIMIT 1").format(table_name(table))
    return conn.execute(query, (fuente,)).fetchone() is not None


def _sources(conn: Connection[TupleRow], schema: Schema) -> set[str]:
    """The sources of which there are resources; one more than are shown at most."""
    found: set[str] = set()
    for table in schema.resource_tables():
        for fuente in _sources_in(conn, table):
            found.add(fuente)
            if len(found) > SHOWN:
                return found
    return found


def _sources_in(conn: Connection[TupleRow], table: Table) -> Iterator[str]:
    """The sources of a table, in order: by its index, however many rows each has."""
    query = sql.SQL("SELECT min(fuente) FROM {}").format(table_name(table))
    row = conn.execute(query).fetchone()
    while row is not None and row[0] is not None:
        yield row[0]
        row = conn.execute(sql.SQL("{} WHERE fuente > %s").format(query), (row[0],)).fetchone()
