"""How many locks the coordinator's lock table holds, and how many writers need.

Writers lock each identity of a batch (`pyhce/records/writing/locks.py`), so a table that is too small ends a load in
"out of shared memory". PostgreSQL's default, 64 for each of 100 connections, takes one batch.
"""

from __future__ import annotations

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import scalar

LARGEST_BATCH = 4000
"""Resources of a load in one transaction, each with its lock; fewer where the lock table is small."""
SMALLEST_BATCH = 100
CONCURRENT_WRITERS = 6
"""Writers at once that there is to be room for: the two of a load, the four connections of an application."""


def lock_slots(conn: Connection[TupleRow]) -> int:
    """The size of the lock table: https://www.postgresql.org/docs/current/runtime-config-locks.html."""
    return int(
        scalar(
            conn,
            "SELECT current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int"
            " + current_setting('max_prepared_transactions')::int)",
        )
    )


def slots_needed(writers: int = CONCURRENT_WRITERS) -> int:
    """Slots for so many writers of whole batches, and as many again for everything else."""
    return LARGEST_BATCH * writers * 2


def batch_size(conn: Connection[TupleRow], writers: int) -> int:
    """Resources that each of so many writers may lock in one transaction."""
    return max(SMALLEST_BATCH, min(LARGEST_BATCH, lock_slots(conn) // (writers * 2)))
