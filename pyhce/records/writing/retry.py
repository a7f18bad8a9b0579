"""Races with other writers: how they are told, and a transaction that is done again."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.errors import HceError, SchemaMismatch
from pyhce.records.writing.locks import release_gate

ATTEMPTS = 12

Done = TypeVar("Done")


class ConcurrentChange(Exception):
    """Another writer got in the way of our batch: it is to be done again."""


class DuplicateResources(ConcurrentChange):
    """Resources are in several places at once; see `pyhce.records.writing.deduplication`."""

    def __init__(self, fuente: str, identities: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self.fuente, self.identities = fuente, frozenset(identities)


class RecordCollision(ConcurrentChange):
    """Rows that move from one record to another are there already; see `pyhce.records.writing.deduplication`."""

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
"""Errors after which a transaction is done again: another writer was there first."""
REFUSED_VALUES = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.CheckViolation)
"""Errors that are about one resource: a value that PostgreSQL cannot take, or that a constraint of the site refuses."""
_MIGRATED = re.compile(r"\bsin_(\w+?)_check(_\d+)?\b")
"""The constraint that a migration puts on a generic table, with the shard's number on Citus, which tells it by the
message alone; see `pyhce.records.upgrading.table_step`."""


def refuse_migrated(error: psycopg.Error) -> None:
    """End a run whose tables a migration has changed meanwhile: what it writes has another table now.

    Raises:
        SchemaMismatch: the error is of the constraint that a migration puts on the table that was left.
    """
    if found := _MIGRATED.search(error.diag.message_primary or ""):
        raise SchemaMismatch(
            f"the schema was migrated during this run: the table {found[1]} takes these resources now",
            remedy="Wait until `pyhce register` has ended, then start this again with the same release.",
        ) from error


def gave_up(error: Exception, attempts: int, *, remedy: str) -> HceError:
    """What to say when every one of these attempts was in vain."""
    return HceError(
        f"gave up after {attempts} attempts, each undone by a conflict ({type(error).__name__})",
        remedy=f"{remedy} If nothing else writes: `pyhce verify` finds what is in the way, and"
        " `pyhce repair identities` brings together what is stored twice.",
    )


def lock_table_full(error: Exception) -> HceError:
    """What to say when the server has no room for the locks of a transaction."""
    return HceError(
        "the server has no room for the locks of this transaction (out of shared memory)",
        remedy="Write fewer resources at once (`load --jobs 1`), or give the coordinator more: ALTER SYSTEM SET "
        "max_locks_per_transaction = 1024, then restart it. `pyhce verify` checks it. Nothing of the unfinished "
        "transaction stays.",
    )


def retry_transaction(
    conn: Connection[TupleRow],
    work: Callable[[int], Done],
    *,
    remedy: str,
    mend: Callable[[ConcurrentChange], object] | None = None,
) -> Done:
    """Do something in one transaction, again when another writer got in the way; it is told which attempt it is.

    Args:
        mend: does what is needed before the next attempt, outside of the transaction.

    Raises:
        HceError: every attempt met a conflict.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with conn.transaction():
                return work(attempt)
        except psycopg.errors.InternalError_:
            if attempt > 1:
                raise
        except CONFLICTS as error:
            if attempt == ATTEMPTS:
                raise gave_up(error, ATTEMPTS, remedy=remedy) from error
            release_gate(conn)
            if mend is not None and isinstance(error, DuplicateResources | RecordCollision):
                mend(error)
                continue
            time.sleep(min(0.05 * 2**attempt, 2.0) * random.uniform(0.5, 1))  # noqa: S311 - only to spread them
        finally:
            release_gate(conn)
    raise AssertionError
