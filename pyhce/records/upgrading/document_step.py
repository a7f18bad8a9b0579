"""Data step: moves stored records to the documents of the current grammar (docs/identity.md), a page at a time.

The previous grammar gave the same number of two issuers one document, so two persons could share one record. The step
computes the document of each Patient anew from what the Patient says; of a deleted Patient, from its last content. If
the document differs, the Patient moves to its own record with everything that names it, by source and key, with history
and tombstones. Where several Patients state one document, the rule of `pyhce.records.writing.claims` decides, as in a
load. A record without a Patient, whose resources name their patient by an identifier, moves to the document of that
identifier.

Each page of 500 records takes three kinds of transactions, all with the locks of the writers:

1. Records that only get another document move together (`whole_records`).
2. The other Patients get their documents as in a load (`assign_documents`), one transaction for each source.
3. Records without a Patient move, and the page is marked as done.

The counts and the end of the last finished page are stored in the same transactions, so an interrupted run continues
after that page and counts nothing twice. Writers of this release wait until the step is done
(`refuse_incomplete_schema`): they look patients up under the new documents, would not find those that have not moved
yet, and would create a second record for each of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, rows, scalar
from pyhce.citus.data_steps import DataStepProgress, data_step_progress, save_data_step_progress
from pyhce.counted import counted
from pyhce.records.identity import PROVISIONAL, DocumentRule, document_of_key, provisional_document
from pyhce.records.reading.incoming import Line
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.reading.reference import own_keys, source_and_key
from pyhce.records.upgrading.decision_translation import stated_document, translate_decisions
from pyhce.records.upgrading.whole_records import DocumentChange, find_whole_records, move_whole_records
from pyhce.records.writing.claims import document_lock_key, patients_in
from pyhce.records.writing.deduplication import resolve_conflict
from pyhce.records.writing.locks import close_gate, lock_identities, lock_identities_across_sources
from pyhce.records.writing.manual_decisions import PatientKey, corrections_for
from pyhce.records.writing.patient_documents import assign_documents
from pyhce.records.writing.patient_keys import look_up_holders
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.record_moves import move_patient
from pyhce.records.writing.retry import retry_transaction
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import DataStep, Schema

PAGE = 500
"""Records of one page."""
_REMEDY = "Run `pyhce register` again: it continues where it stopped."

Patients = dict[PatientKey, dict[str, Any]]


class _Page(NamedTuple):
    """Records to move.

    Args:
        documents: their documents, sorted.
        patients: the Patients of each record that has any.
        waiting: the records without a Patient.
        end: what to store as the progress when the page is done.
    """

    documents: list[str]
    patients: dict[str, Patients]
    waiting: list[str]
    end: str


def move_documents(
    conn: Connection[TupleRow], schema: Schema, step: DataStep, rules: tuple[DocumentRule, ...], progress: Progress
) -> DataStepProgress:
    """Move every record to the document of the current grammar, and return the counts, also of interrupted runs."""
    if data_step_progress(conn, step).until is None:
        retry_transaction(conn, partial(_translate, conn, step, rules), remedy=_REMEDY)
    total = int(scalar(conn, "SELECT count(*) FROM expediente"))
    while page := _page(conn, data_step_progress(conn, step)):
        changes = _changes(conn, page, rules)
        retry_transaction(conn, partial(_move_whole, conn, schema, step, page, changes), remedy=_REMEDY)
        for fuente, patients in _patients_to_decide(conn, changes).items():
            retry_transaction(
                conn,
                partial(_assign, conn, schema, step, page, fuente, patients, rules),
                remedy=_REMEDY,
                resolve=partial(resolve_conflict, conn, schema),
            )
        retry_transaction(conn, partial(_move_waiting_records, conn, schema, step, page, rules), remedy=_REMEDY)
        done = data_step_progress(conn, step).counts
        progress(f"{done['records']} of {counted(total, 'record')} done: {_progress_text(done)}")
    end = data_step_progress(conn, step)
    save_data_step_progress(conn, step, end.counts, notes=end.notes, until=None)
    return end


def _progress_text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts.get(name, 0)} {name}" for name in ("patients moved", "records split", "unchanged"))


def _translate(conn: Connection[TupleRow], step: DataStep, rules: tuple[DocumentRule, ...], _: int) -> None:
    dropped = translate_decisions(conn, rules)
    notes = [f"{line}; merge again what is one person: `pyhce patient merge`" for line in dropped]
    start = str(scalar(conn, "SELECT transaction_timestamp()::text"))
    save_data_step_progress(
        conn, step, {"records": 0, "decisions dropped": len(dropped)}, notes=notes, until=_progress_mark(start, "")
    )


def _progress_mark(start: str, document: str) -> str:
    """The progress of the step: when it began, and the last record that is done."""
    return f"{start}|{document}"


def _page(conn: Connection[TupleRow], done: DataStepProgress) -> _Page | None:
    """The next records in the order of their documents, without those that the step created. None if none is left."""
    start, _, after = str(done.until).partition("|")
    query = (
        "SELECT documento_id FROM expediente WHERE documento_id > %s AND creado_en < %s::timestamptz"
        " ORDER BY documento_id LIMIT %s"
    )
    documents = [document for (document,) in rows(conn, query, after, start, PAGE)]
    patients: dict[str, Patients] = defaultdict(dict)
    for place, source, key, patient in patients_in(conn, documents):
        patients[place][source, key] = patient
    waiting = [document for document in documents if document not in patients]
    return _Page(documents, patients, waiting, _progress_mark(start, documents[-1])) if documents else None


def _changes(
    conn: Connection[TupleRow], page: _Page, rules: tuple[DocumentRule, ...]
) -> list[tuple[str, DocumentChange]]:
    """The Patients that may have to move, each with its record: their document changed, or they share a record."""
    stated = {
        (place, patient): stated_document(content, patient, rules)
        for place, in_record in page.patients.items()
        for patient, content in in_record.items()
    }
    holds = corrections_for(conn, {(document, *patient) for (_, patient), document in stated.items()})
    result = []
    for place, in_record in page.patients.items():
        for patient, content in in_record.items():
            document = stated[place, patient]
            correction = holds.get((document, *patient))
            target = correction.document if correction else document
            if len(in_record) > 1 or target != place:
                result.append((place, DocumentChange(patient, content, target)))
    return result


def _move_whole(
    conn: Connection[TupleRow],
    schema: Schema,
    step: DataStep,
    page: _Page,
    changes: Sequence[tuple[str, DocumentChange]],
    _: int,
) -> None:
    """Move the records that only get another document, and count them."""
    candidates = {place: one for place, one in changes if len(page.patients[place]) == 1}
    if not candidates:
        return
    lock_identities_across_sources(
        conn, [(source, "Patient", key) for source, key in (one.patient for one in candidates.values())]
    )
    keys = {(one.patient[0], key) for one in candidates.values() for key in own_keys(one.content, one.patient[1])}
    lock_patients(conn, keys | {document_lock_key(one.target) for one in candidates.values()})
    whole = find_whole_records(conn, schema, candidates)
    moved = move_whole_records(conn, whole)
    _count(conn, step, {
        "patients moved": len(whole.moves),
        "to a provisional record": sum(one.target.startswith(PROVISIONAL) for one in whole.moves.values()),
        "resources moved": moved,
    })  # fmt: skip
    close_gate(conn)


def _patients_to_decide(
    conn: Connection[TupleRow], changes: Sequence[tuple[str, DocumentChange]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """The Patients that did not move with a whole record, by source and id."""
    asked = sorted({place for place, _ in changes})
    there = {d for (d,) in rows(conn, "SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)", asked)}
    result: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for place, one in changes:
        if place in there:
            result[one.patient[0]][one.patient[1]] = one.content
    return result


def _assign(
    conn: Connection[TupleRow],
    schema: Schema,
    step: DataStep,
    page: _Page,
    fuente: str,
    patients: Mapping[str, dict[str, Any]],
    rules: tuple[DocumentRule, ...],
    _: int,
) -> None:
    """Give Patients of one source their documents as a load does, and count them."""
    lock_identities(conn, fuente, [("Patient", key) for key in patients])
    prepared = {key: _prepared(key, content) for key, content in patients.items()}
    result = assign_documents(conn, schema, prepared, set(patients), fuente, rules, {}, by_content=False, anew=True)
    counts = Counter({"resources moved": result.moved})
    for place, in_record in page.patients.items():
        targets = {key: result.by_key[key] for source, key in in_record if source == fuente and key in result.by_key}
        moved = [target for target in targets.values() if target != place]
        counts["patients moved"] += len(moved)
        counts["to a provisional record"] += sum(target.startswith(PROVISIONAL) for target in moved)
    counts["kept apart"] += sum((fuente, key) in result.apart for key in patients)
    _count(conn, step, counts)
    close_gate(conn)


def _prepared(key: str, content: dict[str, Any]) -> PreparedResource:
    """A stored Patient, prepared as if it had come again."""
    text = orjson.dumps(content)
    return PreparedResource(("Patient", key), key, text, None, "", content, Line(text, 0, ""))


def _count(conn: Connection[TupleRow], step: DataStep, counts: Mapping[str, int], *, until: str | None = None) -> None:
    """Add to the stored counts, in the transaction of what is counted."""
    so_far = data_step_progress(conn, step)
    total = Counter(so_far.counts)
    total.update(counts)
    save_data_step_progress(conn, step, total, notes=so_far.notes, until=str(so_far.until) if until is None else until)


def _move_waiting_records(
    conn: Connection[TupleRow], schema: Schema, step: DataStep, page: _Page, rules: tuple[DocumentRule, ...], _: int
) -> None:
    """Move records without a Patient to the document that their resources name, and mark the page as done."""
    moves = _named_by_identifier(conn, schema, page.waiting, rules) if page.waiting else {}
    lock_patients(conn, [*((source, key) for _, source, key in moves), *map(document_lock_key, moves.values())])
    moved = 0
    for (old, source, key), new in sorted(moves.items()):
        moved += move_patient(conn, schema, old=old, new=new, fuente=source, keys=[key])
    now = _documents_now(conn, page)
    counts = {
        "records": len(page.documents),
        "resources moved": moved,
        "records split": sum(len(places) > 1 for places in now.values()),
        "unchanged": sum(places == {document} for document, places in now.items()) + len(page.waiting) - len(moves),
    }
    _count(conn, step, counts, until=page.end)
    close_gate(conn)


def _named_by_identifier(
    conn: Connection[TupleRow], schema: Schema, documents: Collection[str], rules: tuple[DocumentRule, ...]
) -> dict[tuple[str, str, str], str]:
    """The document of the identifiers by which resources name their patient, by (record, source, key), if it changed.

    Only for provisional records of that very key: a person decided about all others.
    """
    tables = schema.record_tables()
    query = sql.SQL(" UNION ").join(
        sql.SQL(
            "SELECT documento_id, fuente, paciente_id FROM {} WHERE documento_id = ANY(%(documents)s)"
            " AND starts_with(paciente_id, 'identifier=')"
        ).format(table_name(table))
        for table in tables
    )
    result = {}
    for document, fuente, key in conn.execute(query, {"documents": list(documents)}).fetchall():
        new = document_of_key(key, rules)
        if (
            new
            and document == provisional_document(*source_and_key(fuente, key))
            and not look_up_holders(conn, fuente, [key], rules)
        ):
            result[document, fuente, key] = new
    holds = corrections_for(conn, {(new, source, key) for (_, source, key), new in result.items()})
    return {
        (document, source, key): correction.document if (correction := holds.get((new, source, key))) else new
        for (document, source, key), new in result.items()
    }


def _documents_now(conn: Connection[TupleRow], page: _Page) -> dict[str, set[str]]:
    """The documents under which the Patients of each record are now."""
    ids: dict[str, set[str]] = defaultdict(set)
    for in_record in page.patients.values():
        for source, key in in_record:
            ids[source].add(key)
    at: dict[PatientKey, str] = {}
    for source, keys in ids.items():
        query = (
            "SELECT id, documento_id FROM paciente WHERE fuente = %(fuente)s AND id = ANY(%(ids)s)"
            " UNION ALL SELECT id, documento_id FROM historia"
            " WHERE fuente = %(fuente)s AND tipo = 'Patient' AND id = ANY(%(ids)s) AND borrado"
        )
        at.update({(source, key): place for key, place in conn.execute(query, {"fuente": source, "ids": sorted(keys)})})
    return {document: {at[p] for p in in_record if p in at} for document, in_record in page.patients.items()}
