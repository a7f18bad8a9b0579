"""The transactions of a load: write a batch of resources, delete the resources that deletion entries name.

Each transaction is repeated after a conflict with another writer (`pyhce.records.writing.retry`). If the database
refuses a batch because of one value, the batch is halved until that resource is alone; only it is rejected.

After a lost node the transaction is repeated too (`pyhce.citus.failover`), whether it was committed or not: what it
stored is found, and is counted as unchanged; what it deleted is counted as not there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.failover import SteadyConnection
from pyhce.citus.lock_table import SMALLEST_BATCH
from pyhce.citus.server_errors import refuse_migrated
from pyhce.records.loading.identity_counts import count_identities
from pyhce.records.loading.state import RERUN_REMEDY, LoadState
from pyhce.records.reading.conditions import SEVERAL
from pyhce.records.reading.incoming import Deletion, Rejected
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.writing.assign import AssignedBatch, assign_batch
from pyhce.records.writing.deduplication import resolve_conflict
from pyhce.records.writing.locks import close_gate
from pyhce.records.writing.remove import Removable, Removed, remove
from pyhce.records.writing.retry import (
    REFUSED_VALUES,
    ConcurrentChange,
    lock_table_full,
    retry_transaction,
)
from pyhce.records.writing.upsert import WriteCounts, write_batch

logger = logging.getLogger(__name__)


def load_batch(state: LoadState, lane: SteadyConnection, batch: list[PreparedResource]) -> None:
    """Write a batch in one transaction and count the result.

    A batch is halved and written in two transactions if the server's lock table is full, or if the database refuses a
    value. A single resource that the database refuses is rejected with the reason `database`.

    Args:
        batch: resources of one source; no identity occurs twice.

    Raises:
        HceError: the lock table has no room even for the smallest batch, or every retry met a conflict.
    """

    def write(conn: Connection[TupleRow]) -> tuple[WriteCounts, AssignedBatch]:
        return retry_transaction(
            conn,
            lambda attempt: _write(state, conn, batch, attempt),
            remedy=RERUN_REMEDY,
            resolve=lambda error: _resolve(state, conn, error),
        )

    try:
        written, assigned = lane.run(write)
    except psycopg.errors.OutOfMemory as error:  # PostgreSQL's code for a full lock table
        if len(batch) <= SMALLEST_BATCH:
            raise lock_table_full(error) from error
        logger.warning("lock table full: writing a batch of %d resources in halves", len(batch))
        _load_halves(state, lane, batch)
        return
    except REFUSED_VALUES as error:
        refuse_migrated(error)
        if len(batch) > 1:
            logger.debug("a value was refused: writing a batch of %d resources in halves", len(batch))
            _load_halves(state, lane, batch)
            return
        only = batch[0]
        detail = str(error.diag.message_primary or type(error).__name__)
        state.reject(Rejected(only.where, "database", detail, only.exact.decode()))
        return
    logger.debug("wrote a batch of %d resources: %d new, %d changed", len(batch), written.new, written.changed)
    state.note_batch(batch, written, assigned, count_identities(state.schema, state.rules, batch, assigned))


def delete_resources(
    state: LoadState,
    lane: SteadyConnection,
    deletions: Mapping[Removable, Deletion],
    fuente: str | None = None,
) -> None:
    """Delete resources in one transaction and count the result.

    A condition that several resources fit is rejected with the reason `delete-not-done`.

    Args:
        fuente: the source of the resources; None for the source that is loaded.

    Raises:
        HceError: every retry met a conflict.
    """
    source = state.fuente if fuente is None else fuente
    versions = {removable: one.version for removable, one in deletions.items() if one.version is not None}

    def delete(conn: Connection[TupleRow]) -> Removed:
        def work(_: int) -> Removed:
            return remove(conn, state.schema, source, list(deletions), versions=versions)

        return retry_transaction(conn, work, remedy=RERUN_REMEDY)

    removed = lane.run(delete)
    logger.debug("deleted %d of %d resources", removed.deleted, len(deletions))
    state.note_deletions(removed)
    for removable in removed.not_done:
        text = "?".join(removable).replace("\n", "&")
        state.reject(Rejected(deletions[removable].where, "delete-not-done", SEVERAL, text))


def _load_halves(state: LoadState, lane: SteadyConnection, batch: list[PreparedResource]) -> None:
    load_batch(state, lane, batch[: len(batch) // 2])
    load_batch(state, lane, batch[len(batch) // 2 :])


def _write(
    state: LoadState, conn: Connection[TupleRow], batch: list[PreparedResource], attempt: int
) -> tuple[WriteCounts, AssignedBatch]:
    fuente = state.fuente if batch[0].fuente is None else batch[0].fuente
    assigned = assign_batch(conn, state.schema, batch, fuente=fuente, rules=state.rules, memory=state.memories[fuente])
    written = write_batch(conn, state.schema, assigned, fuente=fuente, by_copy=attempt == 1)
    if assigned.moved:
        close_gate(conn)
    return written, assigned


def _resolve(state: LoadState, conn: Connection[TupleRow], error: ConcurrentChange) -> None:
    """Merge the rows of resources that are stored twice. Those that need a person's decision stay as they are."""
    state.undecided.update(resolve_conflict(conn, state.schema, error).waiting())
