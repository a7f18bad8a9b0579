"""The data steps of migrations: which are done, which are due; noted in `hce.paso_datos`.

A data step changes stored rows: rows move to a new table, documents to a new form. The new schema version is
noted before the step begins, so that older releases refuse to write; writers of this release wait until it is done
(`pyhce.citus.migrate.refuse_incomplete_schema`). The steps themselves are in `pyhce/records/upgrading/`.
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
    """What a data step did.

    Args:
        counts: rows, records or patients, by what was done with them.
        notes: one sentence for each thing that a person should look at; never a document.
    """

    migration: int
    name: str
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    seconds: float


def pending_data_steps(conn: Connection[TupleRow], schema: Schema) -> tuple[DataStep, ...]:
    """The data steps that this database still needs, in their order."""
    if not schema.data_steps:
        return ()
    if scalar(conn, "SELECT to_regclass('hce.paso_datos')") is None:
        return schema.data_steps
    done = set(rows(conn, "SELECT numero, paso FROM hce.paso_datos WHERE terminado_en IS NOT NULL"))
    return tuple(step for step in schema.data_steps if (step.number, step.name) not in done)


class DataStepProgress(Frozen):
    """How far a step has come.

    Args:
        until: where to go on; None if it has not begun, or is done.
    """

    until: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


def data_step_progress(conn: Connection[TupleRow], step: DataStep) -> DataStepProgress:
    """How far an interrupted step has come."""
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
    """Note how far a step has come; in the transaction that came so far.

    Args:
        until: where to go on; None if the step is done.
    """
    report = json.dumps({"counts": dict(counts), "notes": list(notes)})
    conn.execute(
        "INSERT INTO hce.paso_datos (numero, paso, informe, hasta, terminado_en) VALUES (%s, %s, %s::jsonb, %s, %s)"
        " ON CONFLICT (numero, paso) DO UPDATE"
        " SET informe = excluded.informe, hasta = excluded.hasta, terminado_en = excluded.terminado_en",
        (*_key(step), report, until, None if until is not None else datetime.now(UTC)),
    )


def has_older_rows(conn: Connection[TupleRow]) -> bool:
    """Whether a data step met rows: some may still be as an older release wrote them."""
    return bool(scalar(conn, "SELECT EXISTS (SELECT 1 FROM hce.paso_datos WHERE informe -> 'counts' <> '{}')"))


def complete_empty_data_steps(conn: Connection[TupleRow], schema: Schema) -> None:
    """Note as done what has nothing to do, since this database holds no row that it would change."""
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
