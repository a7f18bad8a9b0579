"""Compare whole databases, table by table: every column of every row, typed columns included."""

from __future__ import annotations

from collections import Counter

from psycopg import sql

from pyhce.records.writing.table_sql import table_name
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Home, Table
from tests.shared.database import TestDatabase

OF_THE_INSTALLATION = {"instalacion", "archivo_cargado", "paso_datos", "migracion"}
"""Tables about the database itself, such as its identity and the loaded files; not compared."""
Contents = dict[str, Counter[str]]
"""For each table, the digests of its rows and how often each occurs."""


def compared_tables() -> list[Table]:
    return [table for table in SCHEMA.tables if table.name not in OF_THE_INSTALLATION]


def contents(db: TestDatabase, *, without: frozenset[str] = frozenset()) -> Contents:
    """The contents of a database.

    Args:
        without: columns that may differ.
    """
    found = {}
    for table in compared_tables():
        names = [column.name for column in table.all_columns if column.name not in without]
        query = sql.SQL("SELECT md5(concat_ws(E'\\x01', {})), count(*) FROM {} GROUP BY 1").format(
            sql.SQL(", ").join(sql.SQL("coalesce({}::text, E'\\x02')").format(sql.Identifier(name)) for name in names),
            table_name(table),
        )
        found[table.name] = Counter(dict(db.conn.execute(query).fetchall()))
    return found


def differences(before: Contents, after: Contents) -> dict[str, tuple[int, int]]:
    """The tables that differ, with the number of rows that only the one and only the other has."""
    assert before.keys() == after.keys()
    found = {name: ((before[name] - after[name]).total(), (after[name] - before[name]).total()) for name in before}
    return {name: counts for name, counts in found.items() if counts != (0, 0)}


def rows_of(found: Contents) -> int:
    return sum(rows.total() for rows in found.values())


def emptied(db: TestDatabase) -> None:
    """Empty a test's own database, the list of loaded files included."""
    for table in (*SCHEMA.tables,):
        if table.name in {"instalacion", "paso_datos", "migracion"} or (
            table.home is Home.PATIENT and table.parent is not None
        ):
            continue
        if db.value(f"SELECT EXISTS (SELECT 1 FROM {table.qualified})"):
            db.conn.execute(f"DELETE FROM {table.qualified}")
    assert not any(rows.total() for rows in contents(db).values())
