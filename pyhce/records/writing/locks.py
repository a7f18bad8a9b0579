"""Locks that keep each identity (source, type, id) in one row location, whatever writers run at the same time.

The primary keys begin with `documento_id`, so no unique constraint can keep one identity from being stored under two
documents. The writers prevent that with locks. All locks are taken on the coordinator, where every write begins
(`refuse_worker` in `pyhce/citus/connection.py`), and always in this order, so that writers wait for each other and
rarely deadlock:

0. **Conditions** (`pyhce.records.writing.condition_matches`). Session locks of a load, on what the conditional entries
   of a bundle look for. The load takes them while it holds no other lock, and releases them when the whole bundle is
   committed.
1. **Identities** (`lock_identities`). One lock for each identity that the transaction may add, move or delete, held
   until the transaction ends. Its number is the 64-bit xxh3 of source, type and id, among PostgreSQL's advisory locks
   with one bigint. The locks of a batch are taken sorted, in one statement. Loads, `save` of a resource that is new or
   elsewhere, `save_many`, deletes, `pyhce repair identities` and the changes that an erasure makes in other records
   take them before they look up where an identity is stored.
2. **Patient keys** (`patient_locks`), and documents that several Patients state (`claims.document_lock_key`), among
   the advisory locks with two integers: exclusive for a writer that may change a patient's document, shared for a
   writer that stores rows under the known document.
3. **Anchors** (`lock_anchors`): `SELECT … FROM expediente … FOR UPDATE`, sorted, by whatever moves or erases a whole
   record, and by repair. Every other writer holds its anchors FOR KEY SHARE, through the foreign key of its rows.
4. **Rows**. A resource that moves alone is locked by an UPDATE of its row. The rows of a whole record that moves are
   not locked: `INSERT … SELECT` and DELETE must count the same number of rows, otherwise the transaction is retried.
5. **The gate** (`close_gate`), on Citus only: the last statement before COMMIT. See the second example.

A retried transaction takes every lock again: no lock is kept from the attempt before (`pyhce.records.writing.retry`).

Two writers take no identity lock. The sieve of a load only reads: skipping an unchanged line is as correct as if the
line had come just before any change to its row. A save of a row where it is expected (`hce.guardar_…` without a
version) can neither add nor move an identity: it changes that row, or reports that the row is not there.

**Example 1: two writers bring the same new id under two patients.** Load A brings `Observation/o` of patient p1, whose
document is CC-1. At the same time application B saves `Observation/o` of patient p2, whose document is CC-2. Without
locks both would look, both would find nothing, and both would insert: two rows, one under CC-1 and one under CC-2.

    A                                             B
    BEGIN
    lock identity (lab, Observation, o)
                                                  BEGIN
                                                  lock identity (lab, Observation, o): waits for A
    lock patient p1, shared
    look up Observation/o: not stored
    INSERT Observation/o under CC-1
    COMMIT: the workers commit, then
      the locks are released
                                                  has the lock of the identity now
                                                  lock patient p2, shared
                                                  look up Observation/o: stored under CC-1
                                                  move its row and its history to CC-2
                                                  UPDATE it to what B brought: version 2
                                                  close the gate, COMMIT

One row is left, with one history. B cannot miss the row of A: PostgreSQL releases the locks of a transaction only
after Citus has committed it on the workers (COMMIT PREPARED is sent in Citus' commit callback, before that).

**Example 2: a look-up while a whole record moves.** On Citus a query over many shards is not one snapshot: each node
takes its own. A merge M moves a record from worker 1 to worker 2, and holds no identity locks for its rows. A load L
looks up `Observation/o`, which is one of them:

    M                                             L
    INSERT … SELECT on worker 2, DELETE on 1
                                                  lock identity (lab, Observation, o)
                                                  take the gate, shared
                                                  look up: worker 1 has Observation/o, worker 2 does not
    close the gate: waits for L
                                                  release the gate
    has the gate, alone; COMMIT on both workers
    the gate is released with the other locks

Without the gate, M could commit in the middle of the look-up, and L could read worker 1 after that and worker 2 before
it: it would find `Observation/o` nowhere, or twice. If M has the gate first, L waits for its COMMIT and finds the row
on worker 2. What L found before M's COMMIT is noticed as out of date when L writes: the anchor is gone (a foreign key
error) or the counts of rows differ, and L's transaction is retried.

The shared gate is a session lock, because it is released right after the look-up and not at COMMIT. A session lock
survives ROLLBACK: after a look-up that failed it is released after the rollback (`release_gate`), or the connection is
closed. PostgreSQL without Citus needs no gate: one statement is one snapshot, a record that moves stays in its tables,
and each identity is looked up in one statement.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from xxhash import xxh3_64_intdigest

from pyhce.citus.connection import has_citus
from pyhce.records.reading.prepared import ResourceKey

logger = logging.getLogger(__name__)

GATE = (0x4741, 0)
"""The gate's advisory lock ("GA")."""


def lock_identities(conn: Connection[TupleRow], fuente: str, identities: Iterable[ResourceKey]) -> None:
    """Lock identities of one source, by FHIR type and id, until the transaction ends.

    To be called before the identities are looked up, and before any other lock of this module.
    """
    lock_identities_across_sources(conn, [(fuente, *identity) for identity in identities])


def lock_identities_across_sources(conn: Connection[TupleRow], identities: Iterable[tuple[str, str, str]]) -> None:
    """The same for identities of several sources: (source, type, id)."""
    numbers = sorted({identity_lock_number(*identity) for identity in identities})
    if numbers:
        with logged_wait("%d identities", len(numbers)):
            conn.execute(
                "SELECT count(pg_advisory_xact_lock(n)) FROM unnest(%s::bigint[]) AS u (n)",
                ("{" + ",".join(map(str, numbers)) + "}",),
            )


def identity_lock_number(fuente: str, fhir_type: str, key: str) -> int:
    """The number of an identity's advisory lock, a signed 64-bit integer."""
    number = xxh3_64_intdigest(f"{fuente}\n{fhir_type}\n{key}".encode())
    return number - (1 << 64) if number >> 63 else number


def lock_anchors(conn: Connection[TupleRow], documents: Iterable[str]) -> None:
    """Lock the anchors of records until the transaction ends, so that no other writer stores rows under them.

    One statement for each anchor: Citus refuses FOR UPDATE over several shards.
    """
    wanted = sorted(set(documents))
    with logged_wait("%d anchors", len(wanted)):
        for document in wanted:
            conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s FOR UPDATE", (document,))


@contextmanager
def logged_wait(locks: str, *values: object) -> Iterator[None]:
    """Log at level debug how long it took to get locks.

    Args:
        locks: which locks, as a format for `values`: numbers of locks, never what they stand for.
    """
    start = time.monotonic()
    yield
    logger.debug(f"locked {locks} after %.3f s", *values, time.monotonic() - start)


_distributed: WeakKeyDictionary[Connection[TupleRow], bool] = WeakKeyDictionary()
_may_hold_gate: WeakSet[Connection[TupleRow]] = WeakSet()


def _has_gate(conn: Connection[TupleRow]) -> bool:
    if conn not in _distributed:
        _distributed[conn] = has_citus(conn)
    return _distributed[conn]


@contextmanager
def shared_gate(conn: Connection[TupleRow]) -> Iterator[None]:
    """Hold the gate shared during a look-up: no record that moves is committed until the look-up ends."""
    if not _has_gate(conn):
        yield
        return
    _may_hold_gate.add(conn)
    with logged_wait("the gate, shared,"):
        conn.execute("SELECT pg_advisory_lock_shared(%s, %s)", GATE)
    try:
        yield
    finally:
        release_gate(conn)


def release_gate(conn: Connection[TupleRow]) -> None:
    """Release the shared gate if a look-up left it locked; does nothing in a failed transaction before its rollback.

    A caller that uses `shared_gate` in a transaction calls this after the transaction, whether it ended well or not.
    """
    if conn not in _may_hold_gate or conn.info.transaction_status is TransactionStatus.INERROR:
        return
    try:
        conn.execute("SELECT pg_advisory_unlock_shared(%s, %s)", GATE)
    except psycopg.Error:
        conn.close()  # the server releases a session's locks when the session ends
    _may_hold_gate.discard(conn)


def close_gate(conn: Connection[TupleRow]) -> None:
    """Wait for running look-ups to end and keep new ones waiting until COMMIT; the last statement of a transaction."""
    if _has_gate(conn):
        with logged_wait("the gate, alone,"):
            conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", GATE)
