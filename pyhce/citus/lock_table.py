"""The size of the coordinator's lock table, and the number of locks that writers need.

Writers lock each resource of a batch (`pyhce/records/writing/locks.py`). If the lock table is too small, a load fails
with "out of shared memory". PostgreSQL's default, 64 locks for each of 100 connections, has room for one batch.
"""

from __future__ import annotations

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import scalar

LARGEST_BATCH = 4000
"""Resources that a load writes in one transaction, with a lock each; fewer if the lock table is small."""
SMALLEST_BATCH = 100
"""Resources of a batch if the lock table is very small."""
CONCURRENT_WRITERS = 6
"""Writers for which the lock table should have room: two of a load and four connections of an application."""


def lock_slots(conn: Connection[TupleRow]) -> int:
    """Locks for which the lock table has room: https://www.postgresql.org/docs/current/runtime-config-locks.html."""
    return int(
        scalar(
            conn,
            "SELECT current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int"
            " + current_setting('max_prepared_transactions')::int)",
        )
    )


def slots_needed(writers: int = CONCURRENT_WRITERS) -> int:
    """Locks that this number of writers needs for full batches, doubled to leave room for other sessions."""
    return LARGEST_BATCH * writers * 2


def batch_size(conn: Connection[TupleRow], writers: int) -> int:
    """Resources that each of this number of concurrent writers may lock in one transaction."""
    return max(SMALLEST_BATCH, min(LARGEST_BATCH, lock_slots(conn) // (writers * 2)))
