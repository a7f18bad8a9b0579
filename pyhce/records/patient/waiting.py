"""What waits under an identifier goes home when a person settled to whom the identifier leads; a split sends it back.

A resource that names its patient by an identifier waits in a provisional record while the identifier fits several
records, or while the document that it states is in dispute (`pyhce.records.writing.patient_keys`).
A merge, a
re-key or a settled dispute may leave one record. `hce.asignacion` notes where what waited under an identifier went, and
when its provisional record was made, so that a split restores it.
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
    """Under which document `hce.asignacion` notes that what waited under an identifier went home.

    No Patient and no reference ever states it, so the note leads nothing anywhere: when the identifier fits no record
    later, what names its patient so waits again.
    """
    return provisional_document(source, f"waited {key}")


def identifiers_of_records(
    conn: Connection[TupleRow], schema: Schema, documents: Collection[str], rules: tuple[DocumentRule, ...]
) -> set[PatientKey]:
    """The identifiers of these records' Patients, each in its source and in every source whose resources wait by it."""
    found = patients_in(conn, documents)
    own = {(source, key) for _, source, name, said in found for key in keys_of(said, name, rules) if "=" in key}
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
    """The records whose document these Patients state without having it."""
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
    """Move what waits under these identifiers to the records that they lead to by now; the number of resources.

    Inside the caller's transaction, which holds the keys.
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
    """What is in a record only as its identifier states a document: no Patient of its source carries the identifier.

    While that document is in dispute it belongs to no record for certain.
    """
    found = {
        (source, key)
        for source, key in identifiers_in(conn, schema, record)
        if document_of_key(key, rules) == stated and not look_up_holders(conn, source, [key], rules)
    }
    assigned = corrections_for(conn, {(stated, *key) for key in found})
    return {key for key in found if (stated, *key) not in assigned}


def move_to_waiting(conn: Connection[TupleRow], schema: Schema, document: str, keys: Iterable[PatientKey]) -> int:
    """Move what names its patient by these identifiers to their provisional records; the number of resources."""
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
