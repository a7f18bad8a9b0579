"""The data steps of migrations: which ones are finished, and how far the others are. Recorded in `hce.paso_datos`.

A data step changes stored rows: it moves rows to a new table, or gives documents a new form. The schema has its new
version before the step begins, so an older release refuses to write; writers of this release refuse until the step is
finished (`pyhce.citus.migrate.refuse_incomplete_schema`). The steps themselves are in `pyhce/records/upgrading/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from psycopg import Connection, sql
from psycopg.rows import TupleRow
from pydantic import Field

from pyhce.citus.connection import rows, scalar
from pyhce.schema.model import DataStep, Frozen, Schema


class DataStepReport(Frozen):
    """The result of a data step.

    Args:
        migration: the number of the migration that needs the step.
        name: the name of the step.
        counts: numbers of rows, records or patients, by what was done with them.
        notes: one sentence for each case that a person should check; never with a document.
        seconds: duration of the step.
    """

    migration: int
    name: str
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    seconds: float


def pending_data_steps(conn: Connection[TupleRow], schema: Schema) -> tuple[DataStep, ...]:
    """The data steps that are not finished in this database, in the order in which they run."""
    if not schema.data_steps:
        return ()
    if scalar(conn, "SELECT to_regclass('hce.paso_datos')") is None:
        return schema.data_steps
    finished = set(rows(conn, "SELECT numero, paso FROM hce.paso_datos WHERE terminado_en IS NOT NULL"))
    return tuple(step for step in schema.data_steps if (step.number, step.name) not in finished)


class DataStepProgress(Frozen):
    """How far a data step has come.

    Args:
        until: where to continue, in the step's own format; None if it has not begun or is finished.
        counts: the counts so far, as in `DataStepReport`.
        notes: the notes so far, as in `DataStepReport`.
    """

    until: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


def data_step_progress(conn: Connection[TupleRow], step: DataStep) -> DataStepProgress:
    """How far a data step has come; the default values if it has not begun."""
    found = rows(conn, "SELECT hasta, informe FROM hce.paso_datos WHERE numero = %s AND paso = %s", *_key(step))
    return DataStepProgress(until=found[0][0], **found[0][1]) if found else DataStepProgress()


def save_data_step_progress(
    conn: Connection[TupleRow],
    step: DataStep,
    counts: Mapping[str, int],
    *,
    notes: Sequence[str] = (),
    until: str | None,
) -> None:
    """Record how far a data step has come, in the same transaction as the changed rows.

    Args:
        counts: the counts so far.
        notes: the notes so far.
        until: where to continue; None if the step is finished.
    """
    report = json.dumps({"counts": dict(counts), "notes": list(notes)})
    conn.execute(
        "INSERT INTO hce.paso_datos (numero, paso, informe, hasta, terminado_en) VALUES (%s, %s, %s::jsonb, %s, %s)"
        " ON CONFLICT (numero, paso) DO UPDATE"
        " SET informe = excluded.informe, hasta = excluded.hasta, terminado_en = excluded.terminado_en",
        (*_key(step), report, until, None if until is not None else datetime.now(UTC)),
    )


def has_older_rows(conn: Connection[TupleRow]) -> bool:
    """Whether a data step changed rows: other rows may still have the form that an older release wrote."""
    return bool(scalar(conn, "SELECT EXISTS (SELECT 1 FROM hce.paso_datos WHERE informe -> 'counts' <> '{}')"))


def complete_empty_data_steps(conn: Connection[TupleRow], schema: Schema) -> None:
    """Record as finished each data step for which this database has no rows."""
    for step in pending_data_steps(conn, schema):
        if not _has_rows(conn, schema, step):
            save_data_step_progress(conn, step, {}, until=None)


def _has_rows(conn: Connection[TupleRow], schema: Schema, step: DataStep) -> bool:
    if step.table is None:
        return scalar(conn, "SELECT 1 FROM public.expediente LIMIT 1") is not None
    table = schema.table(step.table)
    for generic in schema.generic_tables_emptied_by(table):
        query = sql.SQL("SELECT 1 FROM {} WHERE tipo = %s LIMIT 1").format(sql.Identifier("public", generic.name))
        if conn.execute(query, (table.fhir_type,)).fetchone():
            return True
    return False


def _key(step: DataStep) -> tuple[int, str]:
    return step.number, step.name
