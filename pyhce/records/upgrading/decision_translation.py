"""What persons decided about documents (`hce.asignacion`), said anew in the documents of the present grammar.

A row says: a Patient whose identifiers give the document C is under the document T. Both are documents of the former
grammar. What C is now follows from the Patient itself. What T is now follows from the Patients that are under T by
their own identifiers; if there is none, T was typed by a person and is read as one types it today.

The former grammar gave persons of two issuers one document. Where C or T is such a document, it cannot be told which of
the two persons the decision was about: it is dropped and reported, and each Patient gets a record of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.errors import UsageError
from pyhce.records.identity import PROVISIONAL, DocumentRule, check_document, patient_document, provisional_document
from pyhce.records.patient.patients import format_patient
from pyhce.records.writing.claims import patients_in
from pyhce.records.writing.manual_decisions import PatientKey

ANY_PATIENT: PatientKey = ("", "")
"""Stands for every Patient that states the document."""


class StoredDecision(NamedTuple):
    """A row of `hce.asignacion`."""

    stated: str
    patient: PatientKey
    holds: str
    created: datetime | None


class TranslatedDecisions(NamedTuple):
    """The decisions as they are now, and those that could not be kept, as notes for the report."""

    kept: list[StoredDecision]
    dropped: list[str]


def translate_decisions(conn: Connection[TupleRow], rules: tuple[DocumentRule, ...]) -> list[str]:
    """Say every decision anew, inside the caller's transaction; a note for each that could not be kept."""
    rows = conn.execute(
        "SELECT documento_calculado, fuente, paciente_id, documento_id, expediente_creado_en FROM hce.asignacion"
        " ORDER BY documento_calculado, fuente, paciente_id"
    ).fetchall()
    decisions = [StoredDecision(stated, (source, key), holds, created) for stated, source, key, holds, created in rows]
    if not decisions:
        return []
    under: dict[str, dict[PatientKey, str]] = defaultdict(dict)
    for place, source, key, content in patients_in(conn, {decision.holds for decision in decisions}):
        under[place][source, key] = stated_document(content, (source, key), rules)
    kept, dropped = translated_decisions(decisions, under)
    if kept != decisions:
        conn.execute("DELETE FROM hce.asignacion")
        for stated, patient, holds, created in kept:
            conn.execute(
                "INSERT INTO hce.asignacion"
                " (documento_calculado, fuente, paciente_id, documento_id, expediente_creado_en)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (stated, *patient, holds, created),
            )
    return dropped


def stated_document(patient: Mapping[str, Any], key: PatientKey, rules: tuple[DocumentRule, ...]) -> str:
    """The document that a Patient states, its provisional one if it states none."""
    return patient_document(dict(patient), rules) or provisional_document(*key)


def translated_decisions(
    decisions: Iterable[StoredDecision], under: Mapping[str, Mapping[PatientKey, str]]
) -> TranslatedDecisions:
    """Decisions in the documents of the present grammar.

    Args:
        under: what the Patients under each document that holds state now.
    """
    held = list(decisions)
    rows_of = Counter(decision.patient for decision in held)
    told: dict[str, set[str]] = defaultdict(set)  # by Patients of one decision: its document is what they stated
    perhaps: dict[str, set[str]] = defaultdict(set)  # by those that were merged several times
    assigned: dict[str, set[PatientKey]] = defaultdict(set)
    for decision in held:
        said = under.get(decision.holds, {}).get(decision.patient)
        if decision.patient != ANY_PATIENT:
            assigned[decision.holds].add(decision.patient)
        if said is not None:
            (told if rows_of[decision.patient] == 1 else perhaps)[decision.stated].add(said)
    kept: dict[tuple[str, PatientKey], StoredDecision] = {}
    dropped: list[str] = []
    for decision in held:
        stated = _only(told[decision.stated] or perhaps[decision.stated], decision.stated)
        arrived = {d for c in held if c.holds == decision.holds and c.patient == ANY_PATIENT for d in told[c.stated]}
        there = under.get(decision.holds, {}).items()
        own = {said for patient, said in there if patient not in assigned[decision.holds]}
        holds = _only(own - arrived, decision.holds)
        if holds is None or stated is None:
            if decision.patient != ANY_PATIENT:
                dropped.append(
                    f"{format_patient(decision.patient)} was merged or re-keyed with a record of several persons"
                )
        elif decision.patient != ANY_PATIENT or stated != holds:
            kept.setdefault((stated, decision.patient), decision._replace(stated=stated, holds=holds))
    return TranslatedDecisions(list(kept.values()), list(dict.fromkeys(dropped)))


def _only(stated: set[str], former: str) -> str | None:
    """What a document of the former grammar is now: what its Patients state, if that is one document.

    Without any Patient that tells, as a person types it today. None if it cannot be told.
    """
    if len(stated) == 1:
        return next(iter(stated))
    if stated:
        return None
    if former.startswith(PROVISIONAL):
        return former
    try:
        return check_document(former, "documento_id")
    except UsageError:
        return None
