"""Data step: moves rows and history of a FHIR type from the generic tables to the table that a migration added for it.

The migration has added a constraint to the generic tables (`CHECK (tipo <> …) NOT VALID`): from then on no writer, of
whatever release, adds or changes a row of the type there. So the step needs no locks. If another session deletes or
moves a row at the same time, fewer rows are deleted than were inserted, and the transaction is retried.

Each statement runs on the nodes that store the rows. A transaction moves one slice of about 20,000 rows, chosen by a
hash of the distribution column. A slice moves completely or not at all. A second run finds the moved slices empty.
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
_REMEDY = "Run `pyhce register` again: it continues where it stopped."


def move_type(conn: Connection[TupleRow], schema: Schema, step: DataStep, progress: Progress) -> DataStepProgress:
    """Move the rows of a type and their history, and return the counts, also of interrupted runs."""
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
    """Move one slice, and store the counts."""
    counts = data_step_progress(conn, step).counts
    done = _move(conn, schema, generic, schema.table(str(step.table)), part)
    save_data_step_progress(
        conn, step, counts | {name: counts.get(name, 0) + count for name, count in done.items()}, until=""
    )


def _move(
    conn: Connection[TupleRow], schema: Schema, source: Table, target: Table, condition: sql.Composed
) -> dict[str, int]:
    """Move rows from one table to another, and their history if it moves to another table too."""
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
