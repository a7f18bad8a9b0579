"""Corrections of documents that a person makes: re-key and merge. `split` undoes a merge.

A correction is stored, so that later loads keep it:

| table | a row says | for example |
|---|---|---|
| `hce.asignacion` | which document applies instead of the one that a source states | CC-100 of Patient s/p is CC-200 |
| `hce.misma_persona` | that two Patients are one person although they contradict each other | s/p and t/q |

Locks are taken in the order of all writers (`pyhce.records.writing.locks`): the patient keys of the record that moves,
both documents, the anchors, and the gate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from datetime import datetime

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.counted import counted
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

logger = logging.getLogger(__name__)
_REMEDY = "Run the same command again when the other writers are done: nothing was moved."


class CorrectionReport(Frozen):
    """What a correction did, or would do.

    Args:
        moved: resources that were moved.
        patients: patient keys that were moved.
        confirmed: pairs of contradicting Patients that are confirmed to be one person.
        returned: resources that waited under an identifier, and were moved to the one record that it names now.
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
    """Give a record another document, also for later loads in which the source still states the old document.

    The correction applies to the Patient resources of this record only, because the old document may belong to another
    person.

    Args:
        old: the document of the record.
        new: the document that it gets.
        rules: the identity rules of the loads.
        dry_run: change nothing; report what would be moved.

    Raises:
        UsageError: a document is not valid, both are the same, or `new` is provisional.
        HceError: there is no record under `old`, there is already one under `new`, or every attempt met a conflict.
    """
    source, target = check_document(old, "OLD"), check_document(new, "NEW")
    if source == target:
        raise UsageError("OLD and NEW are the same document", remedy="Give two different documents.")
    if target.startswith(PROVISIONAL):
        raise UsageError("the document given as NEW is provisional", remedy="Give an identity document.")

    def work() -> CorrectionReport:
        people, identifiers = lock_patients_of_record(conn, source, schema, [source, target], rules)
        require_record(conn, source, "OLD")
        if record_exists(conn, target):
            raise HceError(
                "there is already a record under the document given as NEW",
                remedy="If both records are of one person: pyhce patient merge OLD NEW",
            )
        created = created_at(conn, source)
        ensure_anchors(conn, [target])
        moved = move_record(conn, schema, old=source, new=target)
        _redirect_corrections(conn, source, target)
        _assign(conn, source, people, target, created)
        _settle_disputes(conn, people, target)
        returned = move_waiting_to_records(conn, schema, identifiers, rules)
        return CorrectionReport(moved=moved, patients=len(people), returned=returned, dry_run=dry_run)

    return run_correction(conn, "re-key", work, schema=schema, dry_run=dry_run)


def merge(
    conn: Connection[TupleRow],
    source: str,
    into: str,
    *,
    schema: Schema,
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    dry_run: bool = False,
) -> CorrectionReport:
    """Merge two records of one person under the document of the second, also for later loads of all sources.

    A record is named by its document, or by a Patient in it as SOURCE/Patient/ID. Naming two Patients of one record
    confirms that they are one person, and moves nothing. Resources that waited because an identifier named both records
    are moved to the merged record.

    Args:
        source: the record that is merged and then no longer exists.
        into: the record that stays.
        rules: the identity rules of the loads.
        dry_run: change nothing; report what would be moved.

    Raises:
        UsageError: a document is not valid, both are the same, or a Patient does not exist.
        HceError: a record does not exist, or every attempt met a conflict.
    """
    one, other = _record_name(source, "FROM"), _record_name(into, "INTO")
    if one == other:
        what = "document" if one.document else "Patient"
        raise UsageError(f"FROM and INTO are the same {what}", remedy=f"Give two different {what}s.")

    def work() -> CorrectionReport:
        old, new = (_document(conn, named, what) for named, what in ((one, "FROM"), (other, "INTO")))
        if old == new and not (one.patient and other.patient):
            raise UsageError(
                "FROM and INTO are already in one record",
                remedy="To confirm that two Patients of a record are one person, name both Patients: "
                "pyhce patient merge SOURCE/Patient/ID SOURCE/Patient/ID",
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
        _redirect_corrections(conn, old, new)
        if not old.startswith(PROVISIONAL):
            _assign(conn, old, [("", "")], new, created)
        _assign(conn, old, people, new, created)
        _settle_disputes(conn, people, new)
        returned = move_waiting_to_records(conn, schema, identifiers, rules)
        return CorrectionReport(
            moved=moved, patients=len(people), confirmed=confirmed, returned=returned, dry_run=dry_run
        )

    return run_correction(conn, "merge", work, schema=schema, dry_run=dry_run)


def run_correction(
    conn: Connection[TupleRow], name: str, work: Callable[[], CorrectionReport], *, schema: Schema, dry_run: bool
) -> CorrectionReport:
    """Run a correction in one transaction, again after a conflict; a dry run is rolled back.

    If both records hold the same resource, the copies are joined before the next attempt.

    Args:
        name: of the correction, for the log.
        work: does it, in the transaction.
    """
    results: list[CorrectionReport] = []
    logger.info("%s begins%s", name, " (dry run)" if dry_run else "")

    def attempt(_: int) -> None:
        with conn.transaction() as inner:
            results[:] = [work()]
            if dry_run:
                raise psycopg.Rollback(inner)
            close_gate(conn)

    retry_transaction(
        conn, attempt, remedy=_REMEDY, resolve=None if dry_run else lambda error: resolve_conflict(conn, schema, error)
    )
    done = results[0]
    logger.info("%s ends: %s moved, %d returned", name, counted(done.moved, "resource"), done.returned)
    return done


def _record_name(text: str, what: str) -> RecordName:
    patient = parse_patient(text)
    return RecordName(normalize_document(text) if patient else check_document(text, what), patient)


def _document(conn: Connection[TupleRow], named: RecordName, what: str) -> str:
    """Return the document of the record that a person named; an error never shows what may be a document."""
    if named.patient is None:
        return named.document or ""
    found = document_of_patient(conn, named.patient)
    if named.document is None:
        if found is None:
            raise UsageError(
                f"there is no such Patient, given as {what}: {format_patient_for_error(named.patient)}",
                remedy="Check the source and the id: a FHIR id is unique only within its source.",
            )
        return found
    if found and found != named.document and record_exists(conn, named.document):
        raise UsageError(
            f"the text given as {what} is both a document and a Patient of another record",
            remedy="Name the record by another Patient in it. List its Patients: pyhce patient DOCUMENTO -o json",
        )
    return found or named.document


def record_exists(conn: Connection[TupleRow], document: str) -> bool:
    """Whether there is a record under a document."""
    return bool(conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (document,)).fetchone())


def require_record(conn: Connection[TupleRow], document: str, what: str) -> None:
    """Check that there is a record under a document.

    Args:
        what: the name of the argument, for the error.

    Raises:
        HceError: there is none.
    """
    if not record_exists(conn, document):
        raise HceError(
            f"there is no record under the document given as {what}", remedy="Check the document's type and number."
        )


def created_at(conn: Connection[TupleRow], document: str) -> datetime | None:
    """Return when a record was created, None if there is no record."""
    row = conn.execute("SELECT creado_en FROM expediente WHERE documento_id = %s", (document,)).fetchone()
    return row[0] if row else None


def lock_patients_of_record(
    conn: Connection[TupleRow],
    document: str,
    schema: Schema,
    documents: Collection[str],
    rules: tuple[DocumentRule, ...],
) -> tuple[list[PatientKey], set[PatientKey]]:
    """Lock a record's patient keys and these documents against other writers, until the transaction ends.

    Returns:
        The keys by which the record's resources name their patient. Then the identifiers of the Patients of these
        documents, and of the documents that the record's Patients state without having them: resources may wait under
        these. They are locked too.

    Raises:
        ConcurrentChange: the keys changed before they were locked.
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
    """Store that each of these pairs is one person; return how many pairs are new."""
    return sum(
        conn.execute(
            "INSERT INTO hce.misma_persona (fuente, paciente_id, otra_fuente, otro_paciente_id)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (*one, *other),
        ).rowcount
        for one, other in pairs
    )


def _redirect_corrections(conn: Connection[TupleRow], old: str, new: str) -> None:
    """Make the corrections that lead to the old document lead to the new one.

    A Patient that is now assigned to the document it states keeps its row, because a split needs it.
    """
    conn.execute("UPDATE hce.asignacion SET documento_id = %s WHERE documento_id = %s", (new, old))
    conn.execute("DELETE FROM hce.asignacion WHERE documento_calculado = documento_id AND paciente_id = ''")


def _assign(
    conn: Connection[TupleRow], stated: str, people: Iterable[PatientKey], document: str, created: datetime | None
) -> None:
    """Store for each of these Patients which document applies instead of the stated one; ('', '') is every Patient."""
    for patient in people:
        conn.execute(
            "INSERT INTO hce.asignacion (documento_calculado, fuente, paciente_id, documento_id, expediente_creado_en)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (documento_calculado, fuente, paciente_id)"
            " DO UPDATE SET documento_id = excluded.documento_id, expediente_creado_en = excluded.expediente_creado_en",
            (stated, *patient, document, created),
        )


def _settle_disputes(conn: Connection[TupleRow], people: Iterable[PatientKey], new: str) -> None:
    """End the disputes about these Patients, which a person has decided: they belong under the new document."""
    for source, key in people:
        stated = {
            d
            for (d,) in conn.execute(
                "DELETE FROM hce.documento_en_disputa WHERE fuente = %s AND paciente_id = %s"
                " RETURNING documento_calculado",
                (source, key),
            )
        }
        applying = corrections_for(conn, {(document, source, key) for document in stated})
        for document in stated:
            applies = applying.get((document, source, key))
            if (applies.document if applies else document) != new:
                _assign(conn, document, [(source, key)], new, None)
