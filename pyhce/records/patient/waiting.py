"""Resources that wait for their patient: a correction moves them to the patient's record, and a split moves them back.

A resource that names its patient by an identifier waits in a provisional record in two cases: the identifier names
several records, or the document that it states is disputed (`pyhce.records.writing.patient_keys`). After a merge, a
re-key or a settled dispute it may name one record only. When the resources are moved there, `hce.asignacion` notes
where they went and when their provisional record was made, so that a split restores both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule, document_of_key, provisional_document
from pyhce.records.reading.stored_references import keys_of
from pyhce.records.writing.claims import patients_in
from pyhce.records.writing.locks import lock_anchors
from pyhce.records.writing.manual_decisions import PatientKey, corrections_for
from pyhce.records.writing.patient_documents import documents_of_absent_patients
from pyhce.records.writing.patient_keys import KeyLookup, identifiers_in, look_up_holders
from pyhce.records.writing.record_moves import delete_anchor_if_empty, move_patient
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Home, Schema


def _noted_as(source: str, key: str) -> str:
    """Return the document under which `hce.asignacion` notes a move of resources that waited under an identifier.

    No Patient and no reference can state this document, so the note redirects nothing. If the identifier names no
    record later, resources that use it wait again.
    """
    return provisional_document(source, f"waited {key}")


def identifiers_of_records(
    conn: Connection[TupleRow], schema: Schema, documents: Collection[str], rules: tuple[DocumentRule, ...]
) -> set[PatientKey]:
    """Return the identifiers of these records' Patients, in their own source and in every source that uses them."""
    found = patients_in(conn, documents)
    own = {(source, key) for _, source, name, content in found for key in keys_of(content, name, rules) if "=" in key}
    query = sql.SQL("SELECT DISTINCT fuente, paciente_id FROM ({}) AS k").format(
        sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT t.fuente, t.paciente_id FROM expediente AS e INNER JOIN {} AS t"
                " ON t.documento_id = e.documento_id WHERE e.provisional AND t.paciente_id = ANY(%(keys)s)"
            ).format(table_name(table))
            for table in schema.resource_tables(Home.PATIENT)
            if table.fhir_type != "Patient"
        )
    )
    return own | set(conn.execute(query, {"keys": sorted({key for _, key in own})}).fetchall())


def disputed_records(conn: Connection[TupleRow], people: Iterable[PatientKey]) -> set[str]:
    """Return the records whose document these Patients state without being in the record."""
    patients = set(people)
    noted = {
        (stated, source, key)
        for stated, source, key in conn.execute(
            "SELECT documento_calculado, fuente, paciente_id FROM hce.documento_en_disputa WHERE paciente_id = ANY(%s)",
            (sorted({key for _, key in patients}),),
        )
        if (source, key) in patients
    }
    holds = corrections_for(conn, noted)
    return {holds[note].document if note in holds else note[0] for note in noted}


def move_waiting_to_records(
    conn: Connection[TupleRow], schema: Schema, keys: Iterable[PatientKey], rules: tuple[DocumentRule, ...]
) -> int:
    """Move resources that wait under these identifiers to the records that the identifiers name now.

    In the caller's transaction, which has locked the keys.

    Returns:
        The number of resources that were moved.
    """
    waiting = {provisional_document(*key): key for key in keys}
    there = conn.execute("SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)", (sorted(waiting),))
    by_source: dict[str, set[str]] = defaultdict(set)
    for (document,) in there.fetchall():
        source, key = waiting[document]
        by_source[source].add(key)
    moved = 0
    for source, names in sorted(by_source.items()):
        leads = KeyLookup(source, {}, look_up_holders(conn, source, names, rules)).documents()
        goals = {**documents_of_absent_patients(conn, source, names - leads.keys(), rules)[0], **leads}
        for key, goal in sorted(goals.items()):
            old = provisional_document(source, key)
            if goal != old:
                conn.execute(
                    "INSERT INTO hce.asignacion"
                    " (documento_calculado, fuente, paciente_id, documento_id, expediente_creado_en)"
                    " SELECT %(noted)s, %(source)s, %(key)s, %(goal)s, creado_en FROM expediente"
                    " WHERE documento_id = %(old)s ON CONFLICT (documento_calculado, fuente, paciente_id)"
                    " DO UPDATE SET documento_id = excluded.documento_id",
                    {"noted": _noted_as(source, key), "old": old, "source": source, "key": key, "goal": goal},
                )
                moved += move_patient(conn, schema, old=old, new=goal, fuente=source, keys=[key])
    return moved


def identifiers_without_patient(
    conn: Connection[TupleRow], schema: Schema, record: str, stated: str, rules: tuple[DocumentRule, ...]
) -> set[PatientKey]:
    """Return identifiers of a record that state a document and that no Patient of their source carries.

    Resources are in the record only because of what the identifier states. While that document is disputed, it is not
    known which record they belong to.
    """
    found = {
        (source, key)
        for source, key in identifiers_in(conn, schema, record)
        if document_of_key(key, rules) == stated and not look_up_holders(conn, source, [key], rules)
    }
    assigned = corrections_for(conn, {(stated, *key) for key in found})
    return {key for key in found if (stated, *key) not in assigned}


def move_to_waiting(conn: Connection[TupleRow], schema: Schema, document: str, keys: Iterable[PatientKey]) -> int:
    """Move resources that name their patient by these identifiers to provisional records; return how many."""
    moved = 0
    for source, key in sorted(keys):
        waits = provisional_document(source, key)
        noted = _noted_as(source, key)
        created = conn.execute(
            "SELECT expediente_creado_en FROM hce.asignacion WHERE documento_calculado = %s", (noted,)
        ).fetchone()
        conn.execute("DELETE FROM hce.asignacion WHERE documento_calculado = %s", (noted,))
        conn.execute(
            "INSERT INTO expediente (documento_id, provisional, creado_en)"
            " VALUES (%s, true, coalesce(%s::timestamptz, now())) ON CONFLICT DO NOTHING",
            (waits, created[0] if created else None),
        )
        moved += move_patient(conn, schema, old=document, new=waits, fuente=source, keys=[key])
        lock_anchors(conn, [waits])
        delete_anchor_if_empty(conn, schema, waits)
    return moved
