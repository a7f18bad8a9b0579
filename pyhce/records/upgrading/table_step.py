"""Rows and history of a type to the table that a migration declared for it.

The migration has put a constraint on the generic tables (`CHECK (tipo <> …) NOT VALID`): from then on no writer, of
whatever release, adds or changes a row of the type there. So no lock is needed: what another session still deletes or
moves is noticed, as fewer rows are deleted than were inserted, and the transaction is done again.

Set by set: each statement runs on the nodes of the rows. A slice of the documents at a time, so that a transaction
stays small; a slice is moved as a whole or not at all, and a second run finds the moved ones empty.
"""

from __future__ import annotations

from functools import partial

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, rows
from pyhce.citus.data_steps import DataStepProgress, data_step_progress, save_data_step_progress
from pyhce.records.writing.retry import ConcurrentChange, retry_transaction
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name
from pyhce.schema.model import FAMILIES, DataStep, Schema, Table

ROWS_AT_ONCE = 20_000
_REMEDY = "Run `pyhce register` again: it goes on where it was."


def move_type(conn: Connection[TupleRow], schema: Schema, step: DataStep, progress: Progress) -> DataStepProgress:
    """Move the rows of a type and their history; the counts of what was moved, of interrupted runs too."""
    table = schema.table(str(step.table))
    for generic in schema.generic_tables_emptied_by(table):
        ((found,),) = rows(conn, f"SELECT count(*) FROM {generic.qualified} WHERE tipo = %s", table.fhir_type)  # noqa: S608
        slices = 1 << max(0, (found - 1) // ROWS_AT_ONCE).bit_length()
        for number in range(slices):
            progress(f"{found} {table.fhir_type} from {generic.name} to {table.name}: {number + 1} of {slices}")
            part = sql.SQL("tipo = {} AND hashtext({}) & {} = {}").format(
                sql.Literal(table.fhir_type),
                sql.Identifier(str(generic.distribution_column)),
                sql.Literal(slices - 1),
                sql.Literal(number),
            )
            retry_transaction(conn, partial(_slice, conn, schema, step, generic, part), remedy=_REMEDY)
    end = data_step_progress(conn, step)
    save_data_step_progress(conn, step, end.counts, until=None)
    return end


def _slice(
    conn: Connection[TupleRow], schema: Schema, step: DataStep, generic: Table, part: sql.Composed, _: int
) -> None:
    """One slice, and the counts with it."""
    counts = data_step_progress(conn, step).counts
    done = _move(conn, schema, generic, schema.table(str(step.table)), part)
    save_data_step_progress(
        conn, step, counts | {name: counts.get(name, 0) + count for name, count in done.items()}, until=""
    )


def _move(
    conn: Connection[TupleRow], schema: Schema, source: Table, target: Table, condition: sql.Composed
) -> dict[str, int]:
    """Rows of one table to another, with their history if that has another place too."""
    done = {"rows": _rows(conn, source, target, condition)}
    if target.home is not source.home:
        history, new = (schema.by_name[FAMILIES[home].history] for home in (source.home, target.home))
        done["former versions"] = _rows(conn, history, new, condition)
    return done


def _rows(conn: Connection[TupleRow], source: Table, target: Table, condition: sql.Composed) -> int:
    columns = column_list(stored_columns(target))
    inserted = conn.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE {}").format(
            table_name(target), columns, columns, table_name(source), condition
        )
    ).rowcount
    deleted = conn.execute(sql.SQL("DELETE FROM {} WHERE {}").format(table_name(source), condition)).rowcount
    if inserted != deleted:
        raise ConcurrentChange
    return deleted
