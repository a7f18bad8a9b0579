"""What persons decided about documents: `hce.asignacion` and `hce.misma_persona`, written by `pyhce patient`."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

PatientKey = tuple[str, str]
"""A source and a key of a patient in it."""


class Correction(NamedTuple):
    """What holds instead of a computed document; `by_patient`: said of this Patient, not of all that state it."""

    document: str
    by_patient: bool


def corrections_for(
    conn: Connection[TupleRow], stated: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], Correction]:
    """What holds instead of computed documents, by (document, source, patient key), where a person said so."""
    if not stated:
        return {}
    said = {
        (document, source, key): holds
        for document, source, key, holds in conn.execute(
            "SELECT documento_calculado, fuente, paciente_id, documento_id FROM hce.asignacion"
            " WHERE documento_calculado = ANY(%s)",
            (sorted({document for document, _, _ in stated}),),
        )
    }
    found = {}
    for document, source, key in stated:
        if holds := said.get((document, source, key)):
            found[document, source, key] = Correction(holds, by_patient=True)
        elif holds := said.get((document, "", "")):
            found[document, source, key] = Correction(holds, by_patient=False)
    return found


def patients_assigned_to(conn: Connection[TupleRow], documents: Collection[str]) -> set[tuple[str, str, str]]:
    """The Patients that a person assigned to these documents: document, source, id."""
    rows = conn.execute(
        "SELECT documento_id, fuente, paciente_id FROM hce.asignacion"
        " WHERE documento_id = ANY(%s) AND paciente_id <> ''",
        (sorted(documents),),
    )
    return {(document, source, key) for document, source, key in rows}


def confirmed_pairs(conn: Connection[TupleRow], patients: Collection[PatientKey]) -> set[frozenset[PatientKey]]:
    """The pairs of these Patients that a person confirmed to be one."""
    ids = sorted({key for _, key in patients})
    rows = conn.execute(
        "SELECT fuente, paciente_id, otra_fuente, otro_paciente_id FROM hce.misma_persona"
        " WHERE paciente_id = ANY(%(ids)s) AND otro_paciente_id = ANY(%(ids)s)",
        {"ids": ids},
    )
    return {frozenset(((source, key), (other, other_key))) for source, key, other, other_key in rows}
