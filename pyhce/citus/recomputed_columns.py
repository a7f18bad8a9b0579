"""Typed columns whose expression a migration changes, on an existing table with rows.

PostgreSQL can change the expression of a generated column from release 17 on, and we support 15. So one statement drops
the columns and adds them again, which rewrites the table once:

    ALTER TABLE public.alerta
        DROP COLUMN IF EXISTS fecha,
        ADD COLUMN fecha tstzrange GENERATED ALWAYS AS (hce.lapso_periodo(recurso -> 'period')) STORED;

The statement can run twice, but would rewrite the table twice; `is_recomputed` tells whether it already ran. A view of
the site on such a column would make the statement fail, and an index of the site would be dropped with the column;
`refuse_dependents` reports both before anything is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import rows
from pyhce.errors import HceError

_RECOMPUTES = re.compile(r"ALTER TABLE ([a-z0-9_.]+)\s+DROP COLUMN IF EXISTS")
_DROPPED = re.compile(r"DROP COLUMN IF EXISTS ([a-z0-9_]+)")
_INDEX = re.compile(r"CREATE INDEX IF NOT EXISTS ([a-z0-9_]+)")
_EXPRESSIONS = (
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid)"
    " FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE a.attrelid = to_regclass(%s) AND a.attgenerated = 's' AND NOT a.attisdropped"
)
_DEPENDENTS = """
    SELECT pg_describe_object(coalesce(r.classid, d.classid), coalesce(r.objid, d.objid), 0), a.attname
    FROM pg_attribute a
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    LEFT JOIN pg_class i ON d.classid = 'pg_class'::regclass AND i.oid = d.objid
    LEFT JOIN LATERAL (
        SELECT 'pg_class'::regclass AS classid, w.ev_class AS objid
        FROM pg_rewrite w WHERE d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    ) r ON true
    WHERE a.attrelid = to_regclass(%s) AND a.attname = ANY(%s) AND NOT a.attisdropped
        AND d.classid <> 'pg_attrdef'::regclass AND NOT coalesce(i.relname = ANY(%s), false)
    UNION
    SELECT 'a privilege on the column', a.attname
    FROM pg_attribute a
    WHERE a.attrelid = to_regclass(%s) AND a.attname = ANY(%s) AND NOT a.attisdropped AND a.attacl IS NOT NULL
    ORDER BY 1, 2
"""


def recomputed_table(statement: str) -> str | None:
    """The table, with schema, whose typed columns a statement recomputes; None if it is another kind of statement."""
    found = _RECOMPUTES.match(statement)
    return found[1] if found else None


def is_recomputed(conn: Connection[TupleRow], statement: str) -> bool:
    """Whether a table's typed columns are already as a statement would create them.

    The statement is run on an empty temporary copy of the table, and PostgreSQL's own text of both expressions is
    compared.
    """
    table = recomputed_table(statement)
    if table is None:
        return False
    copy = "pg_temp.hce_comparada"
    try:
        with conn.transaction():
            conn.execute("SET LOCAL client_min_messages TO warning")
            conn.execute(f"CREATE TEMP TABLE hce_comparada (LIKE {table} INCLUDING GENERATED) ON COMMIT DROP".encode())
            conn.execute(statement.replace(table, copy, 1).encode())
            return set(rows(conn, _EXPRESSIONS, table)) == set(rows(conn, _EXPRESSIONS, copy))
    except psycopg.errors.UndefinedFunction:
        return False  # the helpers of this migration do not exist yet


def refuse_dependents(conn: Connection[TupleRow], statements: Iterable[str]) -> None:
    """Refuse a migration that recomputes columns on which objects of the site depend.

    Args:
        statements: all statements of the migration; the indexes that they create are not the site's.

    Raises:
        HceError: with every view, index, privilege or other object that depends on such a column.
    """
    every = tuple(statements)
    own_indexes = [index[1] for statement in every if (index := _INDEX.match(statement))]
    problems = []
    for statement in every:
        table = recomputed_table(statement)
        if table is None or is_recomputed(conn, statement):
            continue
        columns = _DROPPED.findall(statement)
        found = rows(conn, _DEPENDENTS, table, columns, own_indexes, table, columns)
        problems += [f"{what} uses {table}.{column}" for what, column in found]
    if problems:
        raise HceError(
            f"the migration recomputes columns on which objects of this site depend: {'; '.join(problems)}. "
            "Nothing was changed",
            remedy="Save their definitions (pg_get_viewdef, pg_get_indexdef), drop them, run `pyhce register` again, "
            "then create them again.",
        )
