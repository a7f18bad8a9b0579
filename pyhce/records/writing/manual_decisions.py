"""Decisions about documents that a person made with `pyhce patient`: `hce.asignacion` and `hce.misma_persona`.

`hce.asignacion` says which document holds instead of a computed one. A row without a Patient, as a merge writes it,
holds for every Patient that states the computed document.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

PatientKey = tuple[str, str]
"""A source, and a key that names a patient in it: an id, or `identifier=system|value`."""


class Correction(NamedTuple):
    """The document that holds instead of a computed one.

    Args:
        by_patient: whether the decision is about this Patient alone, not about all that state the computed document.
    """

    document: str
    by_patient: bool


def corrections_for(
    conn: Connection[TupleRow], stated: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], Correction]:
    """The corrections of computed documents, by (document, source, patient key); only where there is one."""
    if not stated:
        return {}
    assigned = {
        (document, source, key): holds
        for document, source, key, holds in conn.execute(
            "SELECT documento_calculado, fuente, paciente_id, documento_id FROM hce.asignacion"
            " WHERE documento_calculado = ANY(%s)",
            (sorted({document for document, _, _ in stated}),),
        )
    }
    found = {}
    for document, source, key in stated:
        if holds := assigned.get((document, source, key)):
            found[document, source, key] = Correction(holds, by_patient=True)
        elif holds := assigned.get((document, "", "")):
            found[document, source, key] = Correction(holds, by_patient=False)
    return found


def patients_assigned_to(conn: Connection[TupleRow], documents: Collection[str]) -> set[tuple[str, str, str]]:
    """The Patients that a person assigned to one of these documents: (document, source, id)."""
    rows = conn.execute(
        "SELECT documento_id, fuente, paciente_id FROM hce.asignacion"
        " WHERE documento_id = ANY(%s) AND paciente_id <> ''",
        (sorted(documents),),
    )
    return {(document, source, key) for document, source, key in rows}


def confirmed_pairs(conn: Connection[TupleRow], patients: Collection[PatientKey]) -> set[frozenset[PatientKey]]:
    """The pairs of these Patients that a person confirmed to be the same person."""
    ids = sorted({key for _, key in patients})
    rows = conn.execute(
        "SELECT fuente, paciente_id, otra_fuente, otro_paciente_id FROM hce.misma_persona"
        " WHERE paciente_id = ANY(%(ids)s) AND otro_paciente_id = ANY(%(ids)s)",
        {"ids": ids},
    )
    return {frozenset(((source, key), (other, other_key))) for source, key, other, other_key in rows}
