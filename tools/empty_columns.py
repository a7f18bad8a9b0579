"""List the typed columns of a database that are empty although resources have the element, each with the reason.

    python tools/empty_columns.py --dsn DSN [--partly]

A column is listed if rows of its table have a value at its FHIR path and the column is NULL in every row. The reason is
found in the resources: no coding has a code, or no reference refers to the column's type. `--partly` also lists columns
that have a value in fewer rows than have the element. The exit status is 1 if a column is empty without a reason.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from pyhce.schema.declaration import SCHEMA
from pyhce.schema.expression import presence_conditions
from pyhce.schema.model import Column, ColumnKind, Table

CODED = (ColumnKind.CODE, ColumnKind.CODES)
REFERENCES = (ColumnKind.REFERENCE, ColumnKind.REFERENCES)


class Filled(NamedTuple):
    """In how many rows a column has a value.

    Args:
        rows: all rows of the table.
        there: rows whose resource has a value at the column's path.
        usable: for a column of codes or references, those of them with a code, or with a reference to the column's
            type; else the same as `there`.
        filled: rows in which the column is not NULL.
    """

    table: Table
    column: Column
    rows: int
    there: int
    usable: int
    filled: int

    @property
    def reason(self) -> str | None:
        """The reason why the column is empty in every row; None if there is none."""
        if self.usable:
            return None
        if self.column.kind in CODED:
            return "no coding has a code; the text is in another column (…_texto)"
        return f"no reference refers to {self.column.target}: they are contained, have only a name, or another type"

    def __str__(self) -> str:
        return f"{self.table.name}.{self.column.name}: {self.filled} of {self.there} ({self.rows} rows)"


def filled(conn: psycopg.Connection[TupleRow], source: str | None = None) -> Iterator[Filled]:
    """Every typed column of the tables that have rows; only rows of one source system if it is given."""
    for table in SCHEMA.tables:
        if table.fhir_type:
            yield from _table(conn, table, source)


def _table(conn: psycopg.Connection[TupleRow], table: Table, source: str | None) -> Iterator[Filled]:
    counts = [sql.SQL("count(*)")]
    for column in table.columns:
        there = " OR ".join(presence_conditions(table, column))
        usable = " OR ".join(presence_conditions(table, column, _needed(column)))
        counts += [sql.SQL(f"count(*) FILTER (WHERE {condition})") for condition in (there, usable)]
        counts.append(sql.SQL("count({})").format(sql.Identifier(column.name)))
    where = sql.SQL("") if source is None else sql.SQL(" WHERE fuente = {}").format(sql.Literal(source))
    query = sql.SQL("SELECT {} FROM {}{}").format(sql.SQL(", ").join(counts), sql.Identifier(table.name), where)
    total, *numbers = conn.execute(query).fetchone() or (0,)
    if total:
        for n, column in enumerate(table.columns):
            yield Filled(table, column, total, *numbers[3 * n : 3 * n + 3])


def _needed(column: Column) -> str:
    """The jsonpath filter for an element that a column can use: one with a code, or a reference to its type."""
    if column.kind in CODED:
        return '? (@.type() == "string" || exists(@.code) || exists(@.coding.code))'
    if column.kind in REFERENCES and column.path != "id":
        refers = f'@.reference like_regex "(^|/){column.target}[/?]" || @.type == "{column.target}"'
        return f"? ({refers})"
    return ""


def main(arguments: list[str]) -> int:
    """Print the list; return 1 if a column is empty without a reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", required=True, help="the DSN of a database with data")
    parser.add_argument(
        "--partly", action="store_true", help="also list columns that have a value in fewer rows than have the element"
    )
    options = parser.parse_args(arguments)
    with psycopg.connect(options.dsn) as conn:
        every = list(filled(conn))
    empty = [one for one in every if one.there and not one.filled]
    print(f"{len(every)} columns of tables with rows: {sum(bool(one.filled) for one in every)} have values")
    print(f"{len(empty)} are empty although resources have the element:")
    for one in empty:
        print(f"  {one}: {one.reason or 'NO REASON'}")
    if options.partly:
        print("have values in fewer rows than have the element:")
        for one in every:
            if 0 < one.filled < one.there:
                print(f"  {one}; usable in {one.usable}")
    return int(any(one.reason is None for one in empty))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
