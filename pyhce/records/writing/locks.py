"""The locks that keep one identity (source, type, id) in one place, whatever writers run at once.

The tables' keys begin with `documento_id`, so no unique constraint can say that an identity is there once. Writers say
it by locks, all of them on the coordinator, where every write begins (`refuse_worker` in `pyhce/citus/connection.py`).
One order:

0. **Conditions** (`pyhce.records.writing.condition_matches`). Session locks of a load on what the conditional entries
   of a bundle look for, taken while it holds nothing else, released when all of that bundle is committed.
1. **Identities** (`lock_identities`). One lock for each identity that a transaction may add, move or delete, held to
   its end: the 64-bit xxh3 of (source, type, id) in PostgreSQL's single-bigint advisory space, sorted, a batch in one
   statement. Load, `save` of what is new or elsewhere, `save_many`, delete, repair and the rows that an erasure
   changes in other records take them before they look where an identity is. A lock is released after COMMIT PREPARED
   was answered (PostgreSQL calls Citus' commit callback before it releases locks), so who gets it next sees the row.
   Two kinds take none. The sieve of a load only reads: a line that it passes over is as if it came just before
   whatever changes the row. A save of a row that is where it is expected (`hce.guardar_…` without a version) changes
   one row and can neither add nor move an identity: it finds the row, or reports that it is not there.
2. **Patient keys**, and the documents that several Patients state (`patient_locks`, `claims`), in the two-integer
   space: alone by a writer that may change a patient's document, shared by a writer under a document that is known.
3. **Anchors** (`lock_anchors`): `expediente … FOR UPDATE`, sorted, by what moves or erases a whole record and by
   repair. Every other writer holds its anchors FOR KEY SHARE by the foreign key of the rows that it writes.
4. **Rows.** A single resource that moves is locked by an UPDATE of its row. A whole record's rows are not: `INSERT …
   SELECT` and DELETE must count the same, else the transaction is done again.
5. **The gate** (`close_gate`), the last statement before COMMIT.

A transaction that is done again takes every lock again: nothing is kept from the attempt before.

**The gate, on Citus only.** A query over many shards is not one snapshot: each node takes its own, and a transaction
that moves a row between workers is committed on one a moment before the other. A look-up in that moment sees the row
nowhere or twice. Moves of single resources are no danger, as they hold the identity's lock; a record that moves
(re-key, merge, split, a patient who arrives) holds none for its rows. So each look-up holds the gate shared, as a
session lock that is released right after, and what moved a record closes it for its COMMIT. A session lock survives
ROLLBACK: where the look-up failed, the lock is released after the rollback (`release_gate`), or the connection closed.
On a single node one statement is one snapshot, and a record that moves stays in its tables, so that each identity is
looked for in one statement: there is no gate.
"""

from __future__ import annotations

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

GATE = (0x4741, 0)
"""The gate's advisory lock ("GA")."""


def lock_identities(conn: Connection[TupleRow], fuente: str, identities: Iterable[ResourceKey]) -> None:
    """Hold identities of a source, by type and id, until the end of the transaction.

    Before they are looked up, and before any other lock of this module.
    """
    lock_identities_across_sources(conn, [(fuente, *identity) for identity in identities])


def lock_identities_across_sources(conn: Connection[TupleRow], identities: Iterable[tuple[str, str, str]]) -> None:
    """As `lock_identities`, of several sources: (source, type, id)."""
    numbers = sorted({identity_number(*identity) for identity in identities})
    if numbers:
        conn.execute(
            "SELECT count(pg_advisory_xact_lock(n)) FROM unnest(%s::bigint[]) AS u (n)",
            ("{" + ",".join(map(str, numbers)) + "}",),
        )


def identity_number(fuente: str, fhir_type: str, key: str) -> int:
    """The number of an identity's lock, a signed 64-bit integer."""
    number = xxh3_64_intdigest(f"{fuente}\n{fhir_type}\n{key}".encode())
    return number - (1 << 64) if number >> 63 else number


def lock_anchors(conn: Connection[TupleRow], documents: Iterable[str]) -> None:
    """Hold the anchors of records until the end of the transaction, so that no row is written under them.

    One statement each: Citus refuses FOR UPDATE over several shards.
    """
    for document in sorted(set(documents)):
        conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s FOR UPDATE", (document,))


_distributed: WeakKeyDictionary[Connection[TupleRow], bool] = WeakKeyDictionary()
_in_doubt: WeakSet[Connection[TupleRow]] = WeakSet()


def _has_gate(conn: Connection[TupleRow]) -> bool:
    if conn not in _distributed:
        _distributed[conn] = has_citus(conn)
    return _distributed[conn]


@contextmanager
def shared_gate(conn: Connection[TupleRow]) -> Iterator[None]:
    """Look up identities meanwhile: no record that moves commits before this ends."""
    if not _has_gate(conn):
        yield
        return
    _in_doubt.add(conn)
    conn.execute("SELECT pg_advisory_lock_shared(%s, %s)", GATE)
    try:
        yield
    finally:
        release_gate(conn)


def release_gate(conn: Connection[TupleRow]) -> None:
    """Release the gate if a look-up left it locked; in a transaction that failed, only after its rollback.

    Whatever calls `gate_open` in a transaction calls this after it, whether it ended well or not.
    """
    if conn not in _in_doubt or conn.info.transaction_status is TransactionStatus.INERROR:
        return
    try:
        conn.execute("SELECT pg_advisory_unlock_shared(%s, %s)", GATE)
    except psycopg.Error:
        conn.close()  # the server releases a session's locks when it ends
    _in_doubt.discard(conn)


def close_gate(conn: Connection[TupleRow]) -> None:
    """Wait until no look-up is under way, and let none begin before the transaction ends: its last statement."""
    if _has_gate(conn):
        conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", GATE)
