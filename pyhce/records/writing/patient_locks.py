"""Locks on patients, by source and patient key, held until the transaction ends; every writer takes them sorted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.reading.reference import source_and_key
from pyhce.records.writing.locks import logged_wait
from pyhce.records.writing.manual_decisions import PatientKey

PATIENT_LOCK_CLASS = 0x4944
"""The class of the advisory locks on patients ("ID")."""
PATIENT_LOCK_COUNT = 1024


def lock_patients(
    conn: Connection[TupleRow], exclusive: Iterable[PatientKey], *, shared: Iterable[PatientKey] = ()
) -> None:
    """Lock patients until the transaction ends.

    Args:
        exclusive: patients whose document may change.
        shared: patients under whose known document something is stored. Several writers may hold these at once.
    """
    modes = {patient_lock_number(*source_and_key(*patient)): True for patient in shared}
    modes |= {patient_lock_number(*source_and_key(*patient)): False for patient in exclusive}
    numbers = sorted(modes)
    with logged_wait("%d patients", len(numbers)):
        conn.execute(
            "SELECT CASE WHEN s THEN pg_advisory_xact_lock_shared(%s, n) ELSE pg_advisory_xact_lock(%s, n) END FROM"
            " (SELECT n, s FROM unnest(%s::integer[], %s::boolean[]) AS u (n, s) ORDER BY n) AS ordered",
            (PATIENT_LOCK_CLASS, PATIENT_LOCK_CLASS, numbers, [modes[number] for number in numbers]),
        )


def patient_lock_number(fuente: str, key: str) -> int:
    """The lock of a patient, one of 1024: a lock for each patient of a large batch would fill the lock table."""
    digest = hashlib.sha256(f"{fuente}\n{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % PATIENT_LOCK_COUNT
