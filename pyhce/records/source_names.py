"""Names of source systems: which are valid, and which the database knows."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import UsageError
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Schema, Table

LONGEST = 200
"""Characters of a source's name, at most: it is in every index and in the names of exported folders."""
SHOWN = 20
"""Names that an error lists, at most."""


def check_source(fuente: str) -> str:
    """Check the name of a source and return it. `''` is the source without a name.

    Raises:
        UsageError: the name is too long, has white space at its ends, or contains unprintable characters.
    """
    wrong = None
    if len(fuente) > LONGEST:
        wrong = f"it has {len(fuente)} characters, the maximum is {LONGEST}"
    elif fuente != fuente.strip():
        wrong = "it begins or ends with white space"
    elif not fuente.isprintable():
        wrong = "it contains an unprintable character, or bytes that are not UTF-8"
    if wrong:
        raise UsageError(
            f"invalid source name {fuente[:40]!r}: {wrong}",
            remedy="Give a short name such as hospital-norte, or the server's base URL.",
        )
    return fuente


def refuse_unknown_source(conn: Connection[TupleRow], schema: Schema, fuente: str) -> None:
    """Refuse the name of a source that the database has no rows of, not even in its history.

    Raises:
        UsageError: there are none; the remedy lists the sources that exist.
    """
    tables = [*schema.resource_tables(), *schema.histories()]
    if any(_has(conn, table, fuente) for table in tables):
        return
    there = sorted(_sources(conn, schema))
    named = ", ".join(repr(name) for name in there[:SHOWN]) + (", …" if len(there) > SHOWN else "")
    raise UsageError(
        f"the database has no resources of the source {fuente!r}",
        remedy=f"Existing sources: {named}. Without --source all are exported."
        if there
        else "Load resources first: the database has none.",
    )


def _has(conn: Connection[TupleRow], table: Table, fuente: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE fuente = %s LIMIT 1").format(table_name(table))
    return conn.execute(query, (fuente,)).fetchone() is not None


def _sources(conn: Connection[TupleRow], schema: Schema) -> set[str]:
    """The sources that have resources; at most one more than an error lists."""
    found: set[str] = set()
    for table in schema.resource_tables():
        for fuente in _sources_in(conn, table):
            found.add(fuente)
            if len(found) > SHOWN:
                return found
    return found


def _sources_in(conn: Connection[TupleRow], table: Table) -> Iterator[str]:
    """The sources in a table, in order. Each step uses the index, however many rows a source has."""
    query = sql.SQL("SELECT min(fuente) FROM {}").format(table_name(table))
    row = conn.execute(query).fetchone()
    while row is not None and row[0] is not None:
        yield row[0]
        row = conn.execute(sql.SQL("{} WHERE fuente > %s").format(query), (row[0],)).fetchone()
