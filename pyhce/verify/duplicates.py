"""Find resources that are stored more than once, or in a table of another type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.schema.model import Home, Schema, Table

CHUNK = 1000
"""How many rows are read and compared at a time."""


class ResourceIdentity(NamedTuple):
    """A resource: source, FHIR type and id. As text: source/type/id, or type/id for the source ''."""

    source: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.source}/{self.type}/{self.id}" if self.source else f"{self.type}/{self.id}"


def table_identifier(table: Table) -> sql.Identifier:
    """The name of a table with its schema, for a query."""
    return sql.Identifier(table.sql_schema, table.name)


def under_several_documents(conn: Connection[TupleRow], schema: Schema) -> Iterator[tuple[str, list[ResourceIdentity]]]:
    """For each table of patients, its name and the resources that it has under more than one document.

    No unique key can forbid it: in Citus every unique key contains the distribution column, the document.
    """
    for table in schema.resource_tables(Home.PATIENT):
        kind = sql.SQL("tipo") if table.is_generic else sql.SQL("{}::text").format(sql.Literal(table.fhir_type))
        query = sql.SQL("SELECT fuente, {}, id FROM {} GROUP BY 1, 2, 3 HAVING count(*) > 1 ORDER BY 1, 2, 3")
        found = [ResourceIdentity(*row) for row in conn.execute(query.format(kind, table_identifier(table)))]
        if found:
            yield table.name, found


def in_several_homes(
    conn: Connection[TupleRow], schema: Schema
) -> Iterator[tuple[tuple[str, str], list[ResourceIdentity]]]:
    """For each problem, its words for one resource and for many, and the resources that have it.

    They are in two tables, or in a table of another type.
    """
    for table in (t for t in schema.resource_tables() if t.is_generic):
        kinds = conn.execute(
            sql.SQL("SELECT DISTINCT tipo FROM {} ORDER BY 1").format(table_identifier(table))
        ).fetchall()
        for (kind,) in kinds:
            homes = schema.tables_for(kind)
            keys = sql.SQL("SELECT fuente, id FROM {} WHERE tipo = {}").format(
                table_identifier(table), sql.Literal(kind)
            )
            if table not in homes:
                rows = conn.execute(keys + sql.SQL(" ORDER BY 1, 2"))
                yield (
                    _one_and_many(f"{kind} is in {table.name}, not in {homes[0].name}"),
                    [ResourceIdentity(s, kind, i) for s, i in rows],
                )
                continue
            if table.home is Home.PATIENT:
                continue
            for home in (h for h in homes if h.home is Home.PATIENT):
                both = [
                    ResourceIdentity(s, kind, i)
                    for chunk in fetched_in_chunks(conn, keys)
                    for s, i in _in(conn, home, kind, chunk)
                ]
                if both:
                    yield _one_and_many(f"{kind} is both in {home.name} and in {table.name}"), sorted(set(both))


def _one_and_many(phrase: str) -> tuple[str, str]:
    """A phrase about one resource, and the same about several."""
    return phrase, phrase.replace(" is ", " are ", 1)


def _in(conn: Connection[TupleRow], table: Table, kind: str, chunk: list[Any]) -> list[Any]:
    """The (source, id) pairs of a chunk that a table has. They are sent as values: the table may be on other shards."""
    only = sql.SQL(" AND tipo = {}").format(sql.Literal(kind)) if table.is_generic else sql.SQL("")
    query = sql.SQL(
        "SELECT fuente, id FROM {} WHERE (fuente, id) IN (SELECT * FROM unnest(%s::text[], %s::text[])){}"
    ).format(table_identifier(table), only)
    return conn.execute(query, as_arrays(chunk)).fetchall()


def fetched_in_chunks(conn: Connection[TupleRow], query: sql.Composed) -> Iterator[list[Any]]:
    """The rows of a query, at most `CHUNK` at a time, so that memory stays bounded."""
    with conn.transaction(), conn.cursor(name="verify") as cursor:
        cursor.execute(query)
        while chunk := cursor.fetchmany(CHUNK):
            yield chunk


def as_arrays(chunk: list[Any]) -> list[list[Any]]:
    """Rows of two columns as two arrays, for `unnest`."""
    return [[row[0] for row in chunk], [row[1] for row in chunk]]
