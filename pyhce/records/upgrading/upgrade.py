"""Runs every data step that is due, one after the other. An interrupted step continues where it stopped."""

from __future__ import annotations

import logging
import time

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import REGISTRAR_LOCK, Progress, advisory_lock, explained_errors, no_progress
from pyhce.citus.data_steps import DataStepReport, pending_data_steps
from pyhce.citus.migrate import refuse_unmigrated
from pyhce.citus.older_sessions import end_older_sessions
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.upgrading.document_step import move_documents
from pyhce.records.upgrading.table_step import move_type
from pyhce.schema.model import DataStep, Schema

logger = logging.getLogger(__name__)

REWRITES = {"documents": move_documents}
"""The data steps that do more than move rows to a new table, by their name in `Schema.extra_data_steps`."""


def upgrade(
    conn: Connection[TupleRow],
    *,
    schema: Schema,
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    timeout: float = 120.0,
    progress: Progress = no_progress,
) -> tuple[DataStepReport, ...]:
    """Run the data steps of the applied migrations, and report each of them.

    Safe to repeat and to interrupt. No other registrar can run at the same time, and writers wait until the end.

    Args:
        rules: which identifiers are identity documents, as for the loads.
        timeout: seconds to wait for a registrar that is running.
        progress: called with a line of text for each page or slice.

    Raises:
        SchemaMismatch: the schema is not at the version of this release.
        HceError: another registrar was running all the time, or the database refused a statement.
    """
    with explained_errors(), advisory_lock(conn, REGISTRAR_LOCK, timeout=timeout, progress=progress):
        refuse_unmigrated(conn, schema)
        due = pending_data_steps(conn, schema)
        if any(step.table is None for step in due):
            end_older_sessions(conn, progress)
        return tuple(_run_step(conn, schema, step, rules, progress) for step in due)


def _run_step(
    conn: Connection[TupleRow], schema: Schema, step: DataStep, rules: tuple[DocumentRule, ...], progress: Progress
) -> DataStepReport:
    start = time.monotonic()
    logger.info("data step %s of migration %d begun", step.name, step.number)
    if step.table is not None:
        end = move_type(conn, schema, step, progress)
    else:
        end = REWRITES[step.name](conn, schema, step, rules, progress)
    report = DataStepReport(
        migration=step.number,
        name=step.name,
        counts=end.counts,
        notes=end.notes,
        seconds=round(time.monotonic() - start, 2),
    )
    logger.info("data step %s ended after %.2f s: %s", step.name, report.seconds, dict(report.counts))
    return report
