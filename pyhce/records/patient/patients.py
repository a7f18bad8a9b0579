"""The Patients of a record: the keys by which resources name them, what they state, and how a person names them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.errors import UsageError
from pyhce.records.identity import check_document
from pyhce.records.reading.reference import source_and_key
from pyhce.records.writing.claims import patients_in
from pyhce.records.writing.manual_decisions import PatientKey
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.model import Schema
from pyhce.verify.patient_comparison import Traits, contradictions, traits_of

_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}\Z")
_NAMED = re.compile(r"(?:(?P<source>.*)/)?Patient/(?P<id>[A-Za-z0-9.\-]{1,64})\Z", re.DOTALL)


def patient_keys(conn: Connection[TupleRow], document: str, schema: Schema) -> list[PatientKey]:
    """Return every source and key by which a record's resources name their patient.

    A patient that was not loaded has keys too: its resources name it.
    """
    tables = schema.record_tables()
    query = sql.SQL(
        "SELECT DISTINCT fuente, paciente_id FROM ({}) AS k WHERE paciente_id IS NOT NULL ORDER BY 1, 2"
    ).format(
        sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT fuente, paciente_id FROM {} WHERE documento_id = %(documento)s").format(table_name(table))
            for table in tables
        )
    )
    return sorted({source_and_key(fuente, key) for fuente, key in conn.execute(query, {"documento": document})})


def patient_traits(conn: Connection[TupleRow], document: str) -> dict[PatientKey, Traits]:
    """Return what each Patient of a record states about the person, deleted Patients included."""
    return {(source, key): traits_of(content) for _, source, key, content in patients_in(conn, [document])}


def contradicting_pairs(
    one: dict[PatientKey, Traits], other: dict[PatientKey, Traits]
) -> list[tuple[PatientKey, PatientKey]]:
    """Return the pairs, one Patient of each side, that contradict each other in any element; each pair is sorted."""
    return sorted(
        (min(a, b), max(a, b)) for a, left in one.items() for b, right in other.items() if contradictions(left, right)
    )


class RecordName(NamedTuple):
    """A record as a person named it: by its document, or by a Patient in it.

    Both are set if the text can mean both: the issuer of a document may end in `/Patient/1`.
    """

    document: str | None
    patient: PatientKey | None


def parse_patient(text: str) -> PatientKey | None:
    """Parse `SOURCE/Patient/ID`, or `Patient/ID` for the source ''; None if the text has another form."""
    found = _NAMED.match(text.strip())
    return (found["source"] or "", found["id"]) if found else None


def check_patient(text: str) -> PatientKey:
    """Parse `SOURCE/ID` or `SOURCE/Patient/ID`, or `ID` for the source ''.

    Raises:
        UsageError: the text has another form.
    """
    if found := parse_patient(text):
        return found
    source, _, key = text.strip().rpartition("/")
    if not _ID.match(key):
        raise UsageError(
            "the Patient given with --patient is not SOURCE/ID: an id is 1 to 64 letters, digits, hyphens or dots",
            remedy="Give the source and the id of the Patient resource, for example --patient hospital-norte/4711.",
        )
    return source, key


def format_patient(patient: PatientKey) -> str:
    """Format a Patient so that `parse_patient` reads it."""
    source, key = patient
    return f"{source}/Patient/{key}" if source else f"Patient/{key}"


def format_patient_for_error(patient: PatientKey) -> str:
    """Format a Patient for an error: an id that may be a document, typed by mistake, is not repeated."""
    source, key = patient
    try:
        is_document = not source and bool(check_document(key, "--patient"))
    except UsageError:
        is_document = False
    return "the Patient given (its id is written like a document)" if is_document else format_patient(patient)


def document_of_patient(conn: Connection[TupleRow], patient: PatientKey) -> str | None:
    """Return the document of the record that a Patient is in, None if there is no such Patient."""
    row: Any = conn.execute("SELECT documento_id FROM paciente WHERE fuente = %s AND id = %s", patient).fetchone()
    return row[0] if row else None
