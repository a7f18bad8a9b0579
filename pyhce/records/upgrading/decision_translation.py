"""Translates the decisions of persons about documents (`hce.asignacion`) to the documents of the current grammar.

A row says: a Patient whose identifiers make the document C belongs to the document T. Both are documents of the former
grammar. What C is now follows from the Patient itself. What T is now follows from the Patients that are under T by
their own identifiers. If there is none, a person typed T, and it is read as a person types it today.

The previous grammar gave persons of two issuers one document. If C or T is such a document, the decision could be about
either person: it is dropped and reported, and each Patient gets a record of its own.

Example: `MR-1` was the document of Ana (number 1 of hospital A) and of Luis (number 1 of hospital B). A person had
merged PROV-x into `MR-1`. Nothing says whether PROV-x is Ana or Luis, so the decision is dropped and listed in the
report.
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
    """The translated decisions, and notes for the report about those that were dropped."""

    kept: list[StoredDecision]
    dropped: list[str]


def translate_decisions(conn: Connection[TupleRow], rules: tuple[DocumentRule, ...]) -> list[str]:
    """Translate every decision, inside the caller's transaction. Returns a note for each that was dropped."""
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
    """The document that a Patient states, or its provisional document if it states none."""
    return patient_document(dict(patient), rules) or provisional_document(*key)


def translated_decisions(
    decisions: Iterable[StoredDecision], under: Mapping[str, Mapping[PatientKey, str]]
) -> TranslatedDecisions:
    """Translate decisions to the documents of the current grammar.

    Args:
        decisions: all decisions, in the previous grammar.
        under: the documents that Patients state now, by the former document T that they are under.
    """
    all_decisions = list(decisions)
    rows_of = Counter(decision.patient for decision in all_decisions)
    # A Patient with one decision tells for certain what its document C is now. Of several, each may be about it.
    certain: dict[str, set[str]] = defaultdict(set)
    possible: dict[str, set[str]] = defaultdict(set)
    assigned: dict[str, set[PatientKey]] = defaultdict(set)
    for decision in all_decisions:
        document = under.get(decision.holds, {}).get(decision.patient)
        if decision.patient != ANY_PATIENT:
            assigned[decision.holds].add(decision.patient)
        if document is not None:
            (certain if rows_of[decision.patient] == 1 else possible)[decision.stated].add(document)
    kept: dict[tuple[str, PatientKey], StoredDecision] = {}
    dropped: list[str] = []
    for decision in all_decisions:
        stated = _only(certain[decision.stated] or possible[decision.stated], decision.stated)
        arrived = {
            d
            for c in all_decisions
            if c.holds == decision.holds and c.patient == ANY_PATIENT
            for d in certain[c.stated]
        }
        there = under.get(decision.holds, {}).items()
        own_documents = {document for patient, document in there if patient not in assigned[decision.holds]}
        holds = _only(own_documents - arrived, decision.holds)
        if holds is None or stated is None:
            if decision.patient != ANY_PATIENT:
                dropped.append(
                    f"{format_patient(decision.patient)} was merged or re-keyed with a record of several persons"
                )
        elif decision.patient != ANY_PATIENT or stated != holds:
            kept.setdefault((stated, decision.patient), decision._replace(stated=stated, holds=holds))
    return TranslatedDecisions(list(kept.values()), list(dict.fromkeys(dropped)))


def _only(stated: set[str], former: str) -> str | None:
    """What a document of the previous grammar is now: the one document that its Patients state.

    Without such a Patient it is read as a person types it today. None if the Patients state several documents.
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
