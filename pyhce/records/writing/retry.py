"""Retries: a transaction that met a conflict with another writer is run again, at most 12 times.

Every retry loop of the program goes through `call_with_retries`: loads, deletes, merges, repairs and data steps by way
of `retry_transaction`, applications by way of `pyhce.records.saving.writer`, and `pyhce.records.erasing.erase`. So all
of them have the same limit, the same back-off, the same warning in the log and the same message when they give up.

Between two attempts, in this order:

1. The transaction is rolled back. That releases its locks.
2. The gate is released, if a failed look-up left it locked (`pyhce.records.writing.locks`). No other session waits for
   it during the pause.
3. If the error says what is in the way (duplicates, or rows that the target record already holds), `resolve` removes
   that, and the next attempt starts at once. Otherwise there is a pause.
4. The next attempt starts from the beginning: it takes all locks again and looks everything up again.

The pause is random, between 0 and 0.05 s after the first attempt; the upper limit doubles each time, up to 3 s. Two
writers that met each other therefore do not meet again at the same moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_random_exponential

from pyhce.errors import HceError
from pyhce.records.writing.locks import release_gate

logger = logging.getLogger(__name__)

ATTEMPTS = 12
"""Attempts of one call, the first one included."""
_BACKOFF = wait_random_exponential(multiplier=0.05, max=3.0)

Result = TypeVar("Result")


class ConcurrentChange(Exception):
    """Another writer changed rows between our look-up and our write. The transaction must be retried."""


class DuplicateResources(ConcurrentChange):
    """Resources are stored in several places. Join them first: `pyhce.records.writing.deduplication`.

    Args:
        identities: FHIR type and id of each.
    """

    def __init__(self, fuente: str, identities: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self.fuente, self.identities = fuente, frozenset(identities)


class RecordCollision(ConcurrentChange):
    """The record `new` already holds rows that were to move there from the record `old`. Join them first."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self.old, self.new = old, new


CONFLICTS = (
    ConcurrentChange,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.ForeignKeyViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.LockNotAvailable,
)
"""Errors caused by another writer: the transaction is retried."""
REFUSED_VALUES = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.CheckViolation)
"""Errors caused by one resource: PostgreSQL cannot store a value, or a constraint that the site added refuses it."""

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (DuplicateResources, "resources are stored in several places"),
    (RecordCollision, "the target record already holds some of the rows"),
    (ConcurrentChange, "rows changed after they were read"),
    (psycopg.errors.DeadlockDetected, "deadlock"),
    (psycopg.errors.SerializationFailure, "serialization failure"),
    (psycopg.errors.ForeignKeyViolation, "the patient's record was moved or deleted"),
    (psycopg.errors.UniqueViolation, "another transaction inserted the same key"),
    (psycopg.errors.LockNotAvailable, "lock timeout"),
    (psycopg.OperationalError, "connection lost"),
)


def reason_of(error: BaseException) -> str:
    """Why an attempt failed, in words that name no row: PostgreSQL's own message may quote the key of a patient."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    sqlstate = getattr(error, "sqlstate", None)
    return f"{type(error).__name__}, SQLSTATE {sqlstate}" if sqlstate else type(error).__name__


def gave_up(error: BaseException, *, remedy: str) -> HceError:
    """The error to raise after the last attempt."""
    return HceError(
        f"gave up after {ATTEMPTS} attempts: concurrent changes to the same rows (last conflict: {reason_of(error)})",
        remedy=f"{remedy} If nothing else writes to the database: `pyhce verify` finds the cause, and"
        " `pyhce repair identities` merges copies of the same resource.",
    )


def lock_table_full(error: Exception) -> HceError:
    """The error to raise when the server's lock table has no room for the locks of a transaction."""
    return HceError(
        "the server has no room for the locks of this transaction (out of shared memory)",
        remedy="Write fewer resources at once (`pyhce load --jobs 1`), or enlarge the lock table of the coordinator: "
        "ALTER SYSTEM SET max_locks_per_transaction = 1024, then restart it. `pyhce verify` checks the setting. "
        "The unfinished transaction was rolled back.",
    )


def _no_other_error(error: BaseException, attempt: int) -> bool:
    return False


def _after_a_pause(error: BaseException) -> bool:
    return False


def _do_nothing(error: BaseException) -> None:
    pass


def call_with_retries(
    call: Callable[[int], Result],
    *,
    remedy: str,
    retries_also: Callable[[BaseException, int], bool] = _no_other_error,
    retries_at_once: Callable[[BaseException], bool] = _after_a_pause,
    before_retry: Callable[[BaseException], object] = _do_nothing,
) -> Result:
    """Call a function until it ends without a conflict, at most `ATTEMPTS` times, with a growing pause in between.

    Args:
        call: gets the number of the attempt, from 1. It rolls back what it did before it raises.
        remedy: what to do after the last attempt, for the message.
        retries_also: whether to retry an error that is not in `CONFLICTS`, given the number of the failed attempt.
        retries_at_once: whether to retry after this error without a pause.
        before_retry: called with the error before the pause.

    Raises:
        HceError: the last attempt met a conflict too.
        Exception: any other error, also one of `retries_also` in the last attempt, unchanged.
    """

    def error_of(state: RetryCallState) -> BaseException | None:
        return None if state.outcome is None else state.outcome.exception()

    def is_retried(state: RetryCallState) -> bool:
        error = error_of(state)
        return error is not None and (isinstance(error, CONFLICTS) or retries_also(error, state.attempt_number))

    def pause(state: RetryCallState) -> float:
        error = error_of(state)
        return 0.0 if error is not None and retries_at_once(error) else _BACKOFF(state)

    def between(state: RetryCallState) -> None:
        if error := error_of(state):
            seconds = state.upcoming_sleep
            logger.warning(
                "attempt %d of %d failed: %s; retrying in %.2f s",
                state.attempt_number, ATTEMPTS, reason_of(error), seconds,
            )  # fmt: skip
            before_retry(error)

    def give_up(state: RetryCallState) -> None:
        if error := error_of(state):
            if isinstance(error, CONFLICTS):
                logger.warning("attempt %d of %d failed: %s; giving up", ATTEMPTS, ATTEMPTS, reason_of(error))
                raise gave_up(error, remedy=remedy) from error
            raise error

    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=pause,
        retry=is_retried,
        before_sleep=between,
        retry_error_callback=give_up,
    )
    for attempt in retrying:
        with attempt:
            return call(attempt.retry_state.attempt_number)
    raise AssertionError  # give_up always raises


def retry_transaction(
    conn: Connection[TupleRow],
    work: Callable[[int], Result],
    *,
    remedy: str,
    resolve: Callable[[ConcurrentChange], object] | None = None,
) -> Result:
    """Do work in one transaction, and again after a conflict; see the order of steps at the top of this module.

    An `InternalError_` of the first attempt is retried once, at once: Citus reports every error of a COPY as one
    (ReportCopyError in its multi_copy.c), so the second attempt, without COPY, gets the true error.

    Args:
        work: gets the number of the attempt, from 1.
        remedy: what to do after the last attempt, for the message.
        resolve: removes what is in the way of a `DuplicateResources` or `RecordCollision`, after the rollback and
            before the next attempt, in transactions of its own.

    Raises:
        HceError: every attempt met a conflict.
    """

    def run(attempt: int) -> Result:
        try:
            with conn.transaction():
                return work(attempt)
        finally:
            release_gate(conn)

    def is_error_of_copy(error: BaseException, attempt: int) -> bool:
        return attempt == 1 and isinstance(error, psycopg.errors.InternalError_)

    resolvable = (DuplicateResources, RecordCollision) if resolve is not None else ()

    def before_retry(error: BaseException) -> None:
        if resolve is not None and isinstance(error, DuplicateResources | RecordCollision):
            resolve(error)

    return call_with_retries(
        run,
        remedy=remedy,
        retries_also=is_error_of_copy,
        retries_at_once=lambda error: isinstance(error, (*resolvable, psycopg.errors.InternalError_)),
        before_retry=before_retry,
    )
