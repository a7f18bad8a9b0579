"""Finds every key of a record's patient, then every row of the database that names the patient, reading all tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, no_progress
from pyhce.errors import HceError
from pyhce.records.erasing.retention import NO_RECORD_REMEDY
from pyhce.records.erasing.trace import (
    MIN_ID,
    MIN_WORD,
    NO_MATCH,
    CandidateRow,
    Person,
    Verdict,
    carries_system,
    verdict_on,
)
from pyhce.records.identity import DEFAULT_RULES, RuleSet, parse_document
from pyhce.records.patient import patient_keys
from pyhce.records.reading.reference import keys_in_other_sources, value_of_key
from pyhce.records.reading.stored_references import keys_of
from pyhce.records.writing.table_sql import column_list, table_name, type_expression
from pyhce.schema.later_helpers import shortened_for_index
from pyhce.schema.model import FAMILIES, Home, Schema, Table

ROWS_AT_ONCE = 20
PROGRESS_INTERVAL = 1.0
"""Seconds between two lines of progress."""
_ATTACHED = ("Binary", "Bundle")
_LEADS = "(Binary|Bundle)/([A-Za-z0-9.-]{1,64})"


class Hit(NamedTuple):
    """A row outside of the record that concerns the patient; `key` is its primary key, in the table's order."""

    table: Table
    key: tuple[Any, ...]
    type: str
    verdict: Verdict


class SearchResult(NamedTuple):
    """What a search found.

    Args:
        kept: attached resources that other records use too.
        tables: tables that were read.
    """

    hits: list[Hit]
    kept: int
    tables: int

    def hits_with(self, *verdicts: Verdict) -> list[Hit]:
        """Return the hits with one of these verdicts."""
        return [hit for hit in self.hits if hit.verdict in verdicts]


def hit_identities(hits: Iterable[Hit]) -> set[tuple[str, str, str]]:
    """Return the source, type and id of each row, current or former."""
    named = [(dict(zip(hit.table.key, hit.key, strict=True)), hit.type) for hit in hits]
    return {(str(key["fuente"]), fhir_type, str(key["id"])) for key, fhir_type in named if "fuente" in key}


def find_person(conn: Connection[TupleRow], schema: Schema, document: str, rules: RuleSet = DEFAULT_RULES) -> Person:
    """Return what a record's patient is known by: every key, former ones too.

    Args:
        rules: the identity rules of the loads.

    Raises:
        HceError: there is no such record.
    """
    if not conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (document,)).fetchone():
        raise HceError(
            "there is no record under the document given",
            remedy=NO_RECORD_REMEDY,
        )
    identities = set(patient_keys(conn, document, schema))
    for fuente, patient_id, content in conn.execute(
        "SELECT fuente, id, recurso FROM paciente WHERE documento_id = %(d)s UNION ALL"
        " SELECT fuente, id, recurso FROM historia WHERE documento_id = %(d)s AND tipo = 'Patient'",
        {"d": document},
    ):
        identities |= {(fuente, key) for key in keys_of(content or {}, patient_id, rules)}
    identified = {shortened_for_index(key): key for _, key in identities if key.startswith("identifier=")}
    others = conn.execute(
        "SELECT fuente, claves FROM paciente WHERE claves && %s::text[] AND documento_id <> %s",
        (sorted(identified), document),
    ).fetchall()
    carried = {(fuente, identified.get(key, key)) for fuente, keys in others for key in keys}
    ambiguous = frozenset(key for fuente, key in carried if (fuente, key) in identities or carries_system(key))
    former = conn.execute("SELECT documento_calculado FROM hce.asignacion WHERE documento_id = %s", (document,))
    numbers = {parse_document(other).value for other in (document, *(row[0] for row in former))}
    values = {value_of_key(key) for key in identified.values()}
    return Person(
        document=document,
        identities=frozenset(identities),
        ambiguous=ambiguous & frozenset(identified.values()),
        words=frozenset(word for word in numbers | values if len(word) >= MIN_WORD)
        | {key for _, key in identities if "=" not in key and len(key) >= MIN_ID}
        | {url for fuente, key in identities for url in keys_in_other_sources(fuente, [key])},
        attached=frozenset(_attached(conn, schema, document)),
        rules=rules,
    )


def _attached(conn: Connection[TupleRow], schema: Schema, document: str) -> Iterator[tuple[str, str, str]]:
    """Yield the Binary and Bundle resources that the record's resources refer to, such as the scan of a document."""
    for table in schema.record_tables():
        yield from conn.execute(
            sql.SQL(
                "SELECT DISTINCT fuente, m[1], m[2] FROM {}, regexp_matches(recurso::text, %s, 'g') AS m"
                " WHERE documento_id = %s"
            ).format(table_name(table)),
            (_LEADS, document),
        )


def search(
    conn: Connection[TupleRow], schema: Schema, person: Person, progress: Progress = no_progress
) -> SearchResult:
    """Search every table for rows that name the patient and are not under their document.

    Former versions and staged rows are searched too. Attached resources that other records use are kept.
    """
    tables = [table for table in schema.tables if table.has_stored_column("recurso")]
    found: dict[tuple[str, tuple[Any, ...]], Hit] = {}
    reported_at = 0.0
    for number, table in enumerate(tables, 1):
        if time.monotonic() - reported_at >= PROGRESS_INTERVAL:
            progress(f"reading {table.name}, table {number} of {len(tables)}")
            reported_at = time.monotonic()
        for hit in _hits(conn, schema, table, person):
            found[hit.table.name, hit.key] = hit
    gone = {(hit.table.name, hit.key) for hit in found.values() if hit.verdict is Verdict.ERASE}
    kept = _used_by_others(conn, schema, person, gone, progress) if person.attached else set()
    for hit in _attached_rows(conn, schema, person.attached - kept):
        found[hit.table.name, hit.key] = hit
    return SearchResult(list(found.values()), len(kept), len(tables))


def _outside(table: Table) -> sql.SQL:
    return sql.SQL("documento_id <> %(document)s" if table.home is Home.PATIENT else "true")


def patient_of(table: Table) -> sql.SQL:
    """Return the SQL of the patient's key in a table's rows."""
    return sql.SQL("paciente_id" if table.home is Home.PATIENT else "NULL::text")


def _hits(conn: Connection[TupleRow], schema: Schema, table: Table, person: Person) -> Iterator[Hit]:
    query = sql.SQL(
        "SELECT {type}, fuente, {patient}, recurso::text, original, {key} FROM {table} WHERE {outside} AND"
        " CASE WHEN fuente = ANY(%(sources)s::text[]) THEN recurso::text ~ %(here)s OR original ~ %(here)s"
        " ELSE recurso::text ~ %(anywhere)s OR original ~ %(anywhere)s END"
    ).format(
        type=type_expression(table),
        patient=patient_of(table),
        key=column_list(table.key),
        table=table_name(table),
        outside=_outside(table),
    )
    anywhere = [pattern for pattern in (person.text_pattern, person.short_value_pattern) if pattern != NO_MATCH]
    here = [*anywhere, *([person.reference_pattern] if person.reference_pattern != NO_MATCH else [])]
    values = {
        "document": person.document,
        "sources": person.sources,
        "anywhere": "|".join(anywhere) or NO_MATCH,
        "here": "|".join(here) or NO_MATCH,
    }
    with conn.transaction(), conn.cursor(name="pyhce_search") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(query, values)
        for fhir_type, fuente, patient_key, recurso, original, *key in cursor:
            row = CandidateRow(fhir_type, fuente, patient_key, recurso, original, table.home is not Home.PATIENT)
            verdict = verdict_on(schema, person, row)
            if verdict:
                yield Hit(table, tuple(key), fhir_type, verdict)


def _used_by_others(
    conn: Connection[TupleRow],
    schema: Schema,
    person: Person,
    gone: set[tuple[str, tuple[Any, ...]]],
    progress: Progress,
) -> set[tuple[str, str, str]]:
    """Return the attached resources that a row which stays refers to."""
    progress("reading which other records use the attachments")
    kept: set[tuple[str, str, str]] = set()
    ids = sorted({key for _, _, key in person.attached})
    for table in schema.resource_tables():
        query = sql.SQL(
            "SELECT fuente, m[1], m[2], {key} FROM {table}, regexp_matches(recurso::text, %(leads)s, 'g') AS m"
            " WHERE {outside} AND m[2] = ANY(%(ids)s)"
        ).format(key=column_list(table.key), table=table_name(table), outside=_outside(table))
        for fuente, kind, resource_id, *key in conn.execute(
            query, {"document": person.document, "ids": ids, "leads": _LEADS}
        ):
            if (table.name, tuple(key)) not in gone:
                kept.add((fuente, kind, resource_id))
    return kept & person.attached


def _attached_rows(
    conn: Connection[TupleRow], schema: Schema, attached: frozenset[tuple[str, str, str]]
) -> Iterator[Hit]:
    """Yield the rows of attached resources, former versions too."""
    for kind in _ATTACHED:
        wanted = {(fuente, key) for fuente, resource_id, key in attached if resource_id == kind}
        if not wanted:
            continue
        home = schema.table_for(kind, names_patient=False)
        for table in (home, schema.by_name[FAMILIES[home.home].history]):
            query = sql.SQL("SELECT fuente, id, {} FROM {} WHERE tipo = %s AND id = ANY(%s)").format(
                column_list(table.key), table_name(table)
            )
            for fuente, resource_id, *key in conn.execute(query, (kind, sorted({key for _, key in wanted}))):
                if (fuente, resource_id) in wanted:
                    yield Hit(table, tuple(key), kind, Verdict.ERASE)
