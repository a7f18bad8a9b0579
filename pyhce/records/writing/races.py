"""Races with other writers: how they are told, and a transaction that is done again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.errors import HceError

ATTEMPTS = 12

Done = TypeVar("Done")


class LostRace(Exception):
    """Another writer got in the way of our batch: it is to be done again."""


AGAIN = (
    LostRace,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.ForeignKeyViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.LockNotAvailable,
)
"""Errors after which a transaction is done again: another writer was there first."""


def kept_losing(error: Exception, attempts: int, *, remedy: str) -> HceError:
    """What to say when every one of these attempts was in vain."""
    return HceError(f"other writers got in the way {attempts} times ({type(error).__name__})", remedy=remedy)


def retried(conn: Connection[TupleRow], work: Callable[[int], Done], *, remedy: str) -> Done:
    """Do something in one transaction, again when another writer got in the way; it is told which attempt it is.

    Raises:
        HceError: writers got in the way every time.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with conn.transaction():
                return work(attempt)
        except psycopg.errors.InternalError_:
            if attempt > 1:
                raise
        except AGAIN as error:
            if attempt == ATTEMPTS:
                raise kept_losing(error, ATTEMPTS, remedy=remedy) from error
            time.sleep(min(0.05 * 2**attempt, 2.0) * random.uniform(0.5, 1))  # noqa: S311 - only to spread them
    raise AssertionError
