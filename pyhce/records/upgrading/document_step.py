"""Stored records to the present grammar of documents (docs/identity.md), a page of records at a time.

The former grammar merged what it should not have: the same number of two issuers was one record. So the document of
each Patient is computed anew from what the Patient says, deleted ones from their last content. Where it differs, the
Patient moves to its own record with everything that names it, by source and key, with history and tombstones; where
several Patients state one document, the same rule decides as when they are loaded (`pyhce.records.writing.claims`).
A record without any Patient, whose resources name one by an identifier, goes to the document that the identifier is.

Records that only get another document move together (`whole`); for the others it is the writers' own way
(`documents_for`). Both take the writers' locks, in a transaction for each page and source. How far the step has come is
noted in the same transaction, so that an interrupted run goes on behind the last page, and counts once. Writers of this
release wait meanwhile (`refuse_incomplete_schema`),
since they look for a patient under its new document, which would not be
there: they would make a second record of it.
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
"""Records looked at in one go."""
_REMEDY = "Run `pyhce register` again: it goes on where it was."

Patients = dict[PatientKey, dict[str, Any]]


class _Page(NamedTuple):
    """Records, with the Patients in each, the records that hold none, and what to note when the page is done."""

    documents: list[str]
    patients: dict[str, Patients]
    waiting: list[str]
    end: str


def move_documents(
    conn: Connection[TupleRow], schema: Schema, step: DataStep, rules: tuple[DocumentRule, ...], progress: Progress
) -> DataStepProgress:
    """Bring every record under the document of the present grammar; the counts, of interrupted runs too."""
    if data_step_progress(conn, step).until is None:
        retry_transaction(conn, partial(_translate, conn, step, rules), remedy=_REMEDY)
    total = int(scalar(conn, "SELECT count(*) FROM expediente"))
    while page := _page(conn, data_step_progress(conn, step)):
        due = _due(conn, page, rules)
        retry_transaction(conn, partial(_whole, conn, schema, step, page, due), remedy=_REMEDY)
        for fuente, patients in _left(conn, due).items():
            retry_transaction(
                conn,
                partial(_decide, conn, schema, step, page, fuente, patients, rules),
                remedy=_REMEDY,
                resolve=partial(resolve_conflict, conn, schema),
            )
        retry_transaction(conn, partial(_waiting, conn, schema, step, page, rules), remedy=_REMEDY)
        done = data_step_progress(conn, step).counts
        progress(f"{done['records']} of {total} records have the document of the present grammar, {_told(done)}")
    end = data_step_progress(conn, step)
    save_data_step_progress(conn, step, end.counts, notes=end.notes, until=None)
    return end


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts.get(name, 0)} {name}" for name in ("patients moved", "records split", "unchanged"))


def _translate(conn: Connection[TupleRow], step: DataStep, rules: tuple[DocumentRule, ...], _: int) -> None:
    dropped = translate_decisions(conn, rules)
    notes = [f"{line}; merge again what is one person: `pyhce patient merge`" for line in dropped]
    start = str(scalar(conn, "SELECT transaction_timestamp()::text"))
    save_data_step_progress(
        conn, step, {"records": 0, "decisions dropped": len(dropped)}, notes=notes, until=_mark(start, "")
    )


def _mark(start: str, document: str) -> str:
    """How far the step has come: when it began, and the last record that it looked at."""
    return f"{start}|{document}"


def _page(conn: Connection[TupleRow], done: DataStepProgress) -> _Page | None:
    """The next records by document, without those that the step itself made; None if there is none."""
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
    return _Page(documents, patients, waiting, _mark(start, documents[-1])) if documents else None


def _due(conn: Connection[TupleRow], page: _Page, rules: tuple[DocumentRule, ...]) -> list[tuple[str, DocumentChange]]:
    """The Patients whose document may change, each with its record: it is another one, or they share a record."""
    stated = {
        (place, patient): stated_document(content, patient, rules)
        for place, held in page.patients.items()
        for patient, content in held.items()
    }
    holds = corrections_for(conn, {(document, *patient) for (_, patient), document in stated.items()})
    found = []
    for place, held in page.patients.items():
        for patient, content in held.items():
            document = stated[place, patient]
            correction = holds.get((document, *patient))
            target = correction.document if correction else document
            if len(held) > 1 or target != place:
                found.append((place, DocumentChange(patient, content, target)))
    return found


def _whole(
    conn: Connection[TupleRow],
    schema: Schema,
    step: DataStep,
    page: _Page,
    due: Sequence[tuple[str, DocumentChange]],
    _: int,
) -> None:
    """Move the records that only get another document, and note it."""
    alone = {place: one for place, one in due if len(page.patients[place]) == 1}
    if not alone:
        return
    lock_identities_across_sources(
        conn, [(source, "Patient", key) for source, key in (one.patient for one in alone.values())]
    )
    keys = {(one.patient[0], key) for one in alone.values() for key in own_keys(one.content, one.patient[1])}
    lock_patients(conn, keys | {document_lock_key(one.target) for one in alone.values()})
    whole = find_whole_records(conn, schema, alone)
    moved = move_whole_records(conn, whole)
    _count(conn, step, {
        "patients moved": len(whole.moves),
        "to a provisional record": sum(one.target.startswith(PROVISIONAL) for one in whole.moves.values()),
        "resources moved": moved,
    })  # fmt: skip
    close_gate(conn)


def _left(
    conn: Connection[TupleRow], due: Sequence[tuple[str, DocumentChange]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """The Patients that did not move with a whole record, by source and id."""
    asked = sorted({place for place, _ in due})
    there = {d for (d,) in rows(conn, "SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)", asked)}
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for place, one in due:
        if place in there:
            found[one.patient[0]][one.patient[1]] = one.content
    return found


def _decide(
    conn: Connection[TupleRow],
    schema: Schema,
    step: DataStep,
    page: _Page,
    fuente: str,
    patients: Mapping[str, dict[str, Any]],
    rules: tuple[DocumentRule, ...],
    _: int,
) -> None:
    """Give Patients of one source their documents, and note it."""
    lock_identities(conn, fuente, [("Patient", key) for key in patients])
    prepared = {key: _stored(key, content) for key, content in patients.items()}
    found = assign_documents(conn, schema, prepared, set(patients), fuente, rules, {}, by_content=False, anew=True)
    counts = Counter({"resources moved": found.moved})
    for place, held in page.patients.items():
        targets = {key: found.by_key[key] for source, key in held if source == fuente and key in found.by_key}
        moved = [target for target in targets.values() if target != place]
        counts["patients moved"] += len(moved)
        counts["to a provisional record"] += sum(target.startswith(PROVISIONAL) for target in moved)
    counts["kept apart"] += sum((fuente, key) in found.apart for key in patients)
    _count(conn, step, counts)
    close_gate(conn)


def _stored(key: str, content: dict[str, Any]) -> PreparedResource:
    """A stored Patient, as if it came again."""
    text = orjson.dumps(content)
    return PreparedResource(("Patient", key), key, text, None, "", content, Line(text, 0, ""))


def _count(conn: Connection[TupleRow], step: DataStep, counts: Mapping[str, int], *, until: str | None = None) -> None:
    """Add to the counts, in the transaction of what is counted."""
    so_far = data_step_progress(conn, step)
    total = Counter(so_far.counts)
    total.update(counts)
    save_data_step_progress(conn, step, total, notes=so_far.notes, until=str(so_far.until) if until is None else until)


def _waiting(
    conn: Connection[TupleRow], schema: Schema, step: DataStep, page: _Page, rules: tuple[DocumentRule, ...], _: int
) -> None:
    """Records without a Patient to the document that their resources name, and the page is done."""
    moves = _named_by_identifier(conn, schema, page.waiting, rules) if page.waiting else {}
    lock_patients(conn, [*((source, key) for _, source, key in moves), *map(document_lock_key, moves.values())])
    moved = 0
    for (old, source, key), new in sorted(moves.items()):
        moved += move_patient(conn, schema, old=old, new=new, fuente=source, keys=[key])
    now = _places(conn, page)
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
    """The document that an identifier is by its system alone, by (record, source, key), where it is another one.

    Only of provisional records of that very key: others were decided by a person.
    """
    tables = schema.record_tables()
    query = sql.SQL(" UNION ").join(
        sql.SQL(
            "SELECT documento_id, fuente, paciente_id FROM {} WHERE documento_id = ANY(%(documents)s)"
            " AND starts_with(paciente_id, 'identifier=')"
        ).format(table_name(table))
        for table in tables
    )
    found = {}
    for document, fuente, key in conn.execute(query, {"documents": list(documents)}).fetchall():
        new = document_of_key(key, rules)
        if (
            new
            and document == provisional_document(*source_and_key(fuente, key))
            and not look_up_holders(conn, fuente, [key], rules)
        ):
            found[document, fuente, key] = new
    holds = corrections_for(conn, {(new, source, key) for (_, source, key), new in found.items()})
    return {
        (document, source, key): said.document if (said := holds.get((new, source, key))) else new
        for (document, source, key), new in found.items()
    }


def _places(conn: Connection[TupleRow], page: _Page) -> dict[str, set[str]]:
    """The records where the Patients of each record are now."""
    ids: dict[str, set[str]] = defaultdict(set)
    for held in page.patients.values():
        for source, key in held:
            ids[source].add(key)
    at: dict[PatientKey, str] = {}
    for source, keys in ids.items():
        query = (
            "SELECT id, documento_id FROM paciente WHERE fuente = %(fuente)s AND id = ANY(%(ids)s)"
            " UNION ALL SELECT id, documento_id FROM historia"
            " WHERE fuente = %(fuente)s AND tipo = 'Patient' AND id = ANY(%(ids)s) AND borrado"
        )
        at.update({(source, key): place for key, place in conn.execute(query, {"fuente": source, "ids": sorted(keys)})})
    return {document: {at[p] for p in held if p in at} for document, held in page.patients.items()}
