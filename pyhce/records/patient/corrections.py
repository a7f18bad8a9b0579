"""Corrections that a person makes to documents: re-key and merge; `split` undoes a merge.

What was decided is remembered, so that later loads keep it. `hce.asignacion` says which document holds instead of the
one that a source states, `hce.misma_persona` which Patients are one person although they contradict each other.

Locks, in the order of all writers: the patient keys of the record that moves and both documents, then the anchors, the
gate last (`pyhce.records.writing.locks`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.errors import HceError, UsageError
from pyhce.records.identity import DEFAULT_RULES, PROVISIONAL, DocumentRule, check_document, normalize_document
from pyhce.records.patient.patients import (
    RecordName,
    contradicting_pairs,
    document_of_patient,
    format_patient_for_error,
    parse_patient,
    patient_keys,
    patient_traits,
)
from pyhce.records.patient.waiting import disputed_records, identifiers_of_records, move_waiting_to_records
from pyhce.records.writing.claims import document_lock_key
from pyhce.records.writing.deduplication import resolve_conflict
from pyhce.records.writing.locks import close_gate
from pyhce.records.writing.manual_decisions import PatientKey, corrections_for
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.record_moves import ensure_anchors, move_record
from pyhce.records.writing.retry import ConcurrentChange, retry_transaction
from pyhce.schema.model import Frozen, Schema

Done = TypeVar("Done")
_REMEDY = "Run the same command again when they are done: nothing was moved."


class CorrectionReport(Frozen):
    """What a correction did, or would do.

    Args:
        moved: resources moved.
        returned: resources that waited under an identifier that fits one record by now, and went there.
        patients: the patient keys that they name.
        confirmed: pairs of Patients that contradict each other and are one person from now on.
        dry_run: whether nothing was changed.
    """

    moved: int
    patients: int
    confirmed: int = 0
    returned: int = 0
    dry_run: bool = False


def rekey(
    conn: Connection[TupleRow],
    old: str,
    new: str,
    *,
    schema: Schema,
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    dry_run: bool = False,
) -> CorrectionReport:
    """Give a whole record another document, and remember it: the source may go on saying the old one.

    It is remembered for the Patient resources of this record only: another person may rightly carry the old document.

    Args:
        rules: which identifiers are documents, as for the loads.

    Raises:
        UsageError: a document is not written as one, both are the same, or NEW is a provisional one.
        HceError: there is no record OLD, or there is one NEW already.
    """
    source, target = check_document(old, "OLD"), check_document(new, "NEW")
    if source == target:
        raise UsageError("both documents are the same", remedy="Give two different ones.")
    if target.startswith(PROVISIONAL):
        raise UsageError("the new document is a provisional one", remedy="Give an identity document.")

    def work() -> CorrectionReport:
        people, identifiers = lock_patients_of_record(conn, source, schema, [source, target], rules)
        require_record(conn, source, "OLD")
        if record_exists(conn, target):
            raise HceError(
                "there is a record under the document given as NEW already",
                remedy="If both are one person: pyhce patient merge OLD NEW.",
            )
        created = created_at(conn, source)
        ensure_anchors(conn, [target])
        moved = move_record(conn, schema, old=source, new=target)
        _lead_on(conn, source, target)
        _assign(conn, source, people, target, created)
        _settle_disputes(conn, people, target)
        returned = move_waiting_to_records(conn, schema, identifiers, rules)
        return CorrectionReport(moved=moved, patients=len(people), returned=returned, dry_run=dry_run)

    return run_correction(conn, work, schema=schema, dry_run=dry_run)


def merge(
    conn: Connection[TupleRow],
    source: str,
    into: str,
    *,
    schema: Schema,
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    dry_run: bool = False,
) -> CorrectionReport:
    """Bring two records of one person together under the document INTO, and remember it for all sources.

    A record is named by its document, or by a Patient in it, as SOURCE/Patient/ID. Two Patients of one record are
    confirmed to be one person: nothing moves. What waited under an identifier of both goes to the one record.

    Args:
        rules: which identifiers are documents, as for the loads.

    Raises:
        UsageError: a document is not written as one, both are the same, or a Patient is not there.
        HceError: one of the records is not there.
    """
    one, other = _named(source, "FROM"), _named(into, "INTO")
    if one == other:
        what = "documents" if one.document else "Patients"
        raise UsageError(f"both {what} are the same", remedy="Give two different ones.")

    def work() -> CorrectionReport:
        old, new = (_document(conn, named, what) for named, what in ((one, "FROM"), (other, "INTO")))
        if old == new and not (one.patient and other.patient):
            raise UsageError(
                "FROM and INTO are in one record already",
                remedy="Nothing is to be merged. To confirm that two Patients of a record are one person, name both of "
                "them: pyhce patient merge SOURCE/Patient/ID SOURCE/Patient/ID.",
            )
        people, identifiers = lock_patients_of_record(conn, old, schema, [old, new], rules)
        if (old, new) != tuple(_document(conn, named, what) for named, what in ((one, "FROM"), (other, "INTO"))):
            raise ConcurrentChange
        require_record(conn, old, "FROM")
        require_record(conn, new, "INTO")
        if old == new:
            traits = patient_traits(conn, old)
            sides = [{patient: traits[patient]} for patient in (one.patient, other.patient) if patient in traits]
            return CorrectionReport(
                moved=0, patients=0, confirmed=_confirm(conn, contradicting_pairs(*sides)), dry_run=dry_run
            )
        confirmed = _confirm(conn, contradicting_pairs(patient_traits(conn, old), patient_traits(conn, new)))
        created = created_at(conn, old)
        moved = move_record(conn, schema, old=old, new=new)
        _lead_on(conn, old, new)
        if not old.startswith(PROVISIONAL):
            _assign(conn, old, [("", "")], new, created)
        _assign(conn, old, people, new, created)
        _settle_disputes(conn, people, new)
        returned = move_waiting_to_records(conn, schema, identifiers, rules)
        return CorrectionReport(
            moved=moved, patients=len(people), confirmed=confirmed, returned=returned, dry_run=dry_run
        )

    return run_correction(conn, work, schema=schema, dry_run=dry_run)


def run_correction(conn: Connection[TupleRow], work: Callable[[], Done], *, schema: Schema, dry_run: bool) -> Done:
    """Do a correction in one transaction, again if another writer got in the way; if it is only tried, undo it.

    Resources that are in both records are brought together first.
    """
    found: list[Done] = []

    def attempt(_: int) -> None:
        with conn.transaction() as inner:
            found[:] = [work()]
            if dry_run:
                raise psycopg.Rollback(inner)
            close_gate(conn)

    retry_transaction(
        conn, attempt, remedy=_REMEDY, resolve=None if dry_run else lambda error: resolve_conflict(conn, schema, error)
    )
    return found[0]


def _named(text: str, what: str) -> RecordName:
    patient = parse_patient(text)
    return RecordName(normalize_document(text) if patient else check_document(text, what), patient)


def _document(conn: Connection[TupleRow], named: RecordName, what: str) -> str:
    """The document of a record that a person named; an error never shows what may be a document."""
    if named.patient is None:
        return named.document or ""
    found = document_of_patient(conn, named.patient)
    if named.document is None:
        if found is None:
            raise UsageError(
                f"there is no such Patient, given as {what}: {format_patient_for_error(named.patient)}",
                remedy="Check the source and the id: FHIR ids are unique in one source only.",
            )
        return found
    if found and found != named.document and record_exists(conn, named.document):
        raise UsageError(
            f"what is given as {what} is a document and a Patient of another record",
            remedy="Name the record by another Patient in it: `pyhce patient DOCUMENTO -o json` lists them.",
        )
    return found or named.document


def record_exists(conn: Connection[TupleRow], document: str) -> bool:
    """Whether there is a record under a document."""
    return bool(conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (document,)).fetchone())


def require_record(conn: Connection[TupleRow], document: str, what: str) -> None:
    """See that there is a record.

    Raises:
        HceError: there is none.
    """
    if not record_exists(conn, document):
        raise HceError(
            f"there is no record under the document given as {what}", remedy="Check the type and the number."
        )


def created_at(conn: Connection[TupleRow], document: str) -> datetime | None:
    """When a record was created."""
    row = conn.execute("SELECT creado_en FROM expediente WHERE documento_id = %s", (document,)).fetchone()
    return row[0] if row else None


def lock_patients_of_record(
    conn: Connection[TupleRow],
    document: str,
    schema: Schema,
    documents: Collection[str],
    rules: tuple[DocumentRule, ...],
) -> tuple[list[PatientKey], set[PatientKey]]:
    """Every key under which a record's resources name their patient, locked against writers, with these documents.

    Returns:
        The keys; and the identifiers of the Patients of these documents and of those that the record's Patients state
        in vain, under which resources may wait: locked as well.
    """

    def look() -> tuple[list[PatientKey], set[PatientKey]]:
        people = patient_keys(conn, document, schema)
        disputed = disputed_records(conn, people)
        return people, identifiers_of_records(conn, schema, {*documents, *disputed}, rules)

    people, identifiers = look()
    lock_patients(conn, [*people, *identifiers, *(document_lock_key(d) for d in documents)])
    again, needed = look()
    if people != again or not needed <= identifiers:
        raise ConcurrentChange
    return people, identifiers


def _confirm(conn: Connection[TupleRow], pairs: list[tuple[PatientKey, PatientKey]]) -> int:
    """Remember that these pairs are one person each; how many were not known to be."""
    return sum(
        conn.execute(
            "INSERT INTO hce.misma_persona (fuente, paciente_id, otra_fuente, otro_paciente_id)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (*one, *other),
        ).rowcount
        for one, other in pairs
    )


def _lead_on(conn: Connection[TupleRow], old: str, new: str) -> None:
    """What led to the old document leads on to the new one.

    A Patient assigned to the document that it states anyway stays so noted: a split leads it back.
    """
    conn.execute("UPDATE hce.asignacion SET documento_id = %s WHERE documento_id = %s", (new, old))
    conn.execute("DELETE FROM hce.asignacion WHERE documento_calculado = documento_id AND paciente_id = ''")


def _assign(
    conn: Connection[TupleRow], stated: str, people: Iterable[PatientKey], holds: str, created: datetime | None
) -> None:
    """Remember which document holds instead of the one stated, for each of these; ('', '') is everybody."""
    for patient in people:
        conn.execute(
            "INSERT INTO hce.asignacion (documento_calculado, fuente, paciente_id, documento_id, expediente_creado_en)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (documento_calculado, fuente, paciente_id)"
            " DO UPDATE SET documento_id = excluded.documento_id, expediente_creado_en = excluded.expediente_creado_en",
            (stated, *patient, holds, created),
        )


def _settle_disputes(conn: Connection[TupleRow], people: Iterable[PatientKey], new: str) -> None:
    """A person settled the dispute about a Patient that was kept apart: it belongs under the new document."""
    for source, key in people:
        stated = {
            d
            for (d,) in conn.execute(
                "DELETE FROM hce.documento_en_disputa WHERE fuente = %s AND paciente_id = %s"
                " RETURNING documento_calculado",
                (source, key),
            )
        }
        holds = corrections_for(conn, {(document, source, key) for document in stated})
        for document in stated:
            said = holds.get((document, source, key))
            if (said.document if said else document) != new:
                _assign(conn, document, [(source, key)], new, None)
