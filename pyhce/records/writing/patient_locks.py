"""Locks on patients: by source and key of a patient, in one order for all writers, until the end of the transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.reading.reference import source_and_key

PATIENT_LOCK_CLASS = 0x4944
"""The class of our advisory locks on identities ("ID")."""
PATIENT_LOCK_COUNT = 1024

Identity = tuple[str, str]
"""A source and a key of a patient in it."""


def lock_patients(conn: Connection[TupleRow], alone: Iterable[Identity], *, shared: Iterable[Identity] = ()) -> None:
    """Hold the identities of these patients until the end of the transaction, in one order for everybody.

    Args:
        alone: held alone, as their document may change.
        shared: held with others who only write under the document that is known.
    """
    modes = {patient_lock_number(*source_and_key(*identity)): True for identity in shared}
    modes |= {patient_lock_number(*source_and_key(*identity)): False for identity in alone}
    numbers = sorted(modes)
    conn.execute(
        "SELECT CASE WHEN s THEN pg_advisory_xact_lock_shared(%s, n) ELSE pg_advisory_xact_lock(%s, n) END FROM"
        " (SELECT n, s FROM unnest(%s::integer[], %s::boolean[]) AS u (n, s) ORDER BY n) AS ordered",
        (PATIENT_LOCK_CLASS, PATIENT_LOCK_CLASS, numbers, [modes[number] for number in numbers]),
    )


def patient_lock_number(fuente: str, key: str) -> int:
    """One of a fixed number of locks: a batch of a thousand new patients would else fill the server's lock table."""
    digest = hashlib.sha256(f"{fuente}\n{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % PATIENT_LOCK_COUNT
