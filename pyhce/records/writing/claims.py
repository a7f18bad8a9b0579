"""Which of several Patients that state one document get its record.

The rule: all Patients that state a document are taken in order of (source, id), those that a person assigned to the
document first. Each of them joins the record unless it contradicts a Patient that has joined before
(`pyhce.verify.patient_comparison`). The others stay in provisional records of their own and are listed in
`hce.documento_en_disputa`. Two Patients that a person confirmed to be the same (`pyhce patient merge`,
`hce.misma_persona`) never contradict each other. A deleted Patient counts with its last content, because its clinical
resources are still stored.

Example: the sources `hosp` and `lab` both bring a Patient with the document CC-1, Ana born in 1990 and Luis born in
1954. `hosp` sorts first, so Ana gets the record CC-1, and Luis stays in a provisional record. If `lab` is loaded first,
Luis has CC-1 until Ana arrives; then Luis moves to his provisional record. The result is the same in both orders.

So the result depends on what the Patients say now and on the decisions of persons, not on the order of arrival. It is
decided anew whenever a Patient that states the document is written. A Patient that comes again unchanged, and is stored
under the document that it states, changes nothing. A lock on the document (`document_lock_key`), taken together with
those on patient keys, lets only one writer at a time decide about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule, patient_document, provisional_document
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.reading.stored_references import keys_of
from pyhce.records.writing.manual_decisions import (
    Correction,
    PatientKey,
    confirmed_pairs,
    corrections_for,
    patients_assigned_to,
)
from pyhce.records.writing.resource_moves import superseded_resources
from pyhce.records.writing.row_location import RowLocation
from pyhce.schema.model import Schema
from pyhce.verify.patient_comparison import TRAIT_COLUMNS, Traits, kept_apart, traits_from_columns, traits_of


class Claim(NamedTuple):
    """A Patient that states a document.

    Args:
        document: the document that it states, or that a person assigned it to.
        computed: the document that the rules make of its identifiers.
        place: the document of the record that it is in now, None if it is new.
        keys: every key that names it.
        confirmed: whether a person assigned it to this document; set before `patients_kept_apart` decides.
    """

    patient: PatientKey
    document: str
    computed: str
    place: str | None
    keys: tuple[str, ...]
    traits: Traits
    confirmed: bool = False


class PatientStatement(NamedTuple):
    """What a Patient of a batch says about itself, read once.

    Args:
        document: the document that the rules make of its identifiers, a provisional one if they make none.
        keys: every key that names it.
        traits: what it is compared by.
    """

    document: str
    keys: tuple[str, ...]
    traits: Traits


def statement_of(patient: dict[str, Any], fuente: str, key: str, rules: tuple[DocumentRule, ...]) -> PatientStatement:
    """What a Patient says about its document, the keys that name it, and the person."""
    document = patient_document(patient, rules) or provisional_document(fuente, key)
    return PatientStatement(document, tuple(keys_of(patient, key, rules)), traits_of(patient))


class ClaimDecisions(NamedTuple):
    """Which Patients get the documents that they state.

    Args:
        claims: the Patients of the batch, and stored Patients of any source that state the same documents.
        apart: the Patients that are kept apart from the record of their document.
        contested: the documents that several Patients state.
        noted: the rows of `hce.documento_en_disputa` about these: (document computed, source, id).
    """

    claims: dict[PatientKey, Claim]
    apart: frozenset[PatientKey]
    contested: frozenset[str]
    noted: frozenset[tuple[str, str, str]]

    def target(self, patient: PatientKey) -> str | None:
        """The document of the record that a Patient belongs to, None if it is not among the claims."""
        claim = self.claims.get(patient)
        if claim is None:
            return None
        return provisional_document(*patient) if patient in self.apart else claim.document

    def moving(self) -> list[Claim]:
        """The stored Patients that belong to another record than the one that they are in."""
        return [c for c in self.claims.values() if c.place is not None and c.place != self.target(c.patient)]


def document_lock_key(document: str) -> PatientKey:
    """The key to lock, among patient keys, while a document is decided about. No patient has such a key."""
    return "", f"document {document}"


def patients_kept_apart(claims: Iterable[Claim], same: Collection[frozenset[PatientKey]] = ()) -> set[PatientKey]:
    """The Patients that are kept apart, of those that state one document.

    Args:
        claims: all Patients that state the document.
        same: pairs of Patients that a person confirmed to be the same person.
    """
    joined: list[Claim] = []
    apart: set[PatientKey] = set()
    for claim in sorted(claims, key=lambda c: (not c.confirmed, c.patient)):
        if not claim.confirmed and any(
            kept_apart(claim.traits, other.traits) and frozenset((claim.patient, other.patient)) not in same
            for other in joined
        ):
            apart.add(claim.patient)
        else:
            joined.append(claim)
    return apart


def decide_claims(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    patients: Mapping[str, PreparedResource],
    statements: Mapping[str, PatientStatement],
    places: Mapping[str, str],
    rules: tuple[DocumentRule, ...],
    *,
    by_content: bool,
) -> ClaimDecisions:
    """Decide about the Patients of a batch and about all others that state the same documents.

    Args:
        patients: the Patients of the batch to decide about, by id.
        statements: what each Patient of the batch says about itself, by id.
        places: the documents of the records that stored Patients of the batch are in, by id.
        by_content: whether a Patient whose content is a former version of its row changes nothing.
    """
    if not patients:
        return ClaimDecisions({}, frozenset(), frozenset(), frozenset())
    claims = _of_batch(conn, schema, fuente, patients, statements, places, by_content)
    left = {places[key] for (_, key), claim in claims.items() if places.get(key, claim.document) != claim.document}
    documents = {claim.document for claim in claims.values()} | left
    noted = _noted(conn, documents, fuente, claims)
    for claim in _others(conn, documents, noted, rules, without=(fuente, [key for _, key in claims])):
        claims.setdefault(claim.patient, claim)
    by_document: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims.values():
        by_document[claim.document].append(claim)
    contested = {document: claims_found for document, claims_found in by_document.items() if len(claims_found) > 1}
    apart: set[PatientKey] = set()
    if contested:
        current = claims | _unchanged(conn, schema, fuente, patients, contested, by_content)
        assigned = patients_assigned_to(conn, contested)
        same = confirmed_pairs(conn, {claim.patient for claims_found in contested.values() for claim in claims_found})
        for document, claims_found in contested.items():
            claims_of_document = (current[claim.patient] for claim in claims_found)
            apart |= patients_kept_apart(
                (c._replace(confirmed=(document, *c.patient) in assigned) for c in claims_of_document), same
            )
    return ClaimDecisions(claims, frozenset(apart), frozenset(contested), frozenset(noted))


def _of_batch(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    patients: Mapping[str, PreparedResource],
    statements: Mapping[str, PatientStatement],
    places: Mapping[str, str],
    by_content: bool,
) -> dict[PatientKey, Claim]:
    """The claims of a batch, without those Patients whose content is a former version: these change nothing."""
    holds = corrections_for(conn, {(statements[key].document, fuente, key) for key in patients})
    documents = {
        key: holds.get(
            (statements[key].document, fuente, key), Correction(statements[key].document, by_patient=False)
        ).document
        for key in patients
    }
    changed = [  # one in a provisional record may be kept apart from a document that a former version did not state
        key
        for key, place in places.items()
        if key in patients and (place != documents[key] or place == provisional_document(fuente, key))
    ]
    former = _former(conn, schema, fuente, {key: (patients[key], places[key]) for key in changed}, by_content)
    return {
        (fuente, key): Claim(
            (fuente, key),
            documents[key],
            statements[key].document,
            places.get(key),
            statements[key].keys,
            statements[key].traits,
        )
        for key in patients
        if key not in former
    }


def _former(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    patients: Mapping[str, tuple[PreparedResource, str]],
    by_content: bool,
) -> set[str]:
    """The ids of those Patients whose content is a former version of the row under the given document."""
    table = schema.by_type["Patient"].name
    candidates = [(prepared, RowLocation(table, place)) for prepared, place in patients.values()]
    return {key for _, key in superseded_resources(conn, schema, fuente, candidates, by_content=by_content)}


def _unchanged(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str,
    patients: Mapping[str, PreparedResource],
    contested: Mapping[str, Sequence[Claim]],
    by_content: bool,
) -> dict[PatientKey, Claim]:
    """The claims, as stored, of Patients of the batch whose row stays because the batch brings a former version."""
    mine = {
        claim.patient[1]: claim
        for claims_found in contested.values()
        for claim in claims_found
        if claim.patient[0] == fuente and claim.patient[1] in patients and claim.place == claim.document
    }
    if not mine:
        return {}
    stored = {
        key: mine[key]._replace(traits=traits_from_columns(*columns))
        for key, *columns in conn.execute(
            f"SELECT id, {TRAIT_COLUMNS} FROM paciente"  # noqa: S608 - our own text
            " WHERE documento_id = ANY(%s) AND fuente = %s AND id = ANY(%s)",
            (sorted(contested), fuente, sorted(mine)),
        )
    }
    differing = {
        key: (patients[key], claim.document) for key, claim in stored.items() if claim.traits != mine[key].traits
    }
    former = _former(conn, schema, fuente, differing, by_content)
    return {stored[key].patient: stored[key] for key in former}


def _noted(
    conn: Connection[TupleRow], documents: Collection[str], fuente: str, claims: Iterable[PatientKey]
) -> set[tuple[str, str, str]]:
    """The Patients that are kept apart from these documents, and those of the batch kept apart from any document."""
    rows = conn.execute(
        "SELECT documento_calculado, fuente, paciente_id FROM hce.documento_en_disputa"
        " WHERE documento_calculado = ANY(%(documents)s) OR documento_calculado IN"
        " (SELECT documento_calculado FROM hce.asignacion WHERE documento_id = ANY(%(documents)s))"
        " OR (fuente = %(fuente)s AND paciente_id = ANY(%(ids)s))",
        {"documents": sorted(documents), "fuente": fuente, "ids": [key for _, key in claims]},
    )
    return {(computed, source, key) for computed, source, key in rows}


def _others(
    conn: Connection[TupleRow],
    documents: Collection[str],
    noted: Collection[tuple[str, str, str]],
    rules: tuple[DocumentRule, ...],
    *,
    without: tuple[str, list[str]],
) -> list[Claim]:
    """The claims of the Patients in these records, deleted ones too, and of those that are kept apart from them."""
    holds = corrections_for(conn, noted)
    apart = {
        (source, key): Correction(computed, by_patient=False) if correction is None else correction
        for computed, source, key in noted
        for correction in (holds.get((computed, source, key)),)
    }
    claims_found = []
    looked = {*documents, *(provisional_document(*patient) for patient in apart)}
    for place, source, key, patient in patients_in(conn, looked, without=without):
        stated = apart.get((source, key)) if place == provisional_document(source, key) else None
        if stated is None and place not in documents:
            continue
        document = stated.document if stated else place
        computed = patient_document(patient, rules) or provisional_document(source, key)
        keys = tuple(keys_of(patient, key, rules))
        claims_found.append(Claim((source, key), document, computed, place, keys, traits_of(patient)))
    return claims_found


def patients_in(
    conn: Connection[TupleRow], documents: Collection[str], *, without: tuple[str, list[str]] = ("", [])
) -> list[tuple[str, str, str, dict[str, Any]]]:
    """The Patients in these records as (document, source, id, content); of a deleted Patient its last content.

    Args:
        without: a source, and ids of its Patients that are left out.
    """
    query = (
        "SELECT documento_id, fuente, id, recurso FROM paciente WHERE documento_id = ANY(%(documents)s)"
        " AND NOT (fuente = %(fuente)s AND id = ANY(%(ids)s::text[])) UNION ALL"
        " SELECT h.documento_id, h.fuente, h.id, v.recurso FROM historia AS h INNER JOIN historia AS v ON"
        " v.documento_id = h.documento_id AND v.tipo = h.tipo AND v.fuente = h.fuente AND v.id = h.id"
        " AND v.version = h.version - 1"
        " WHERE h.documento_id = ANY(%(documents)s) AND h.tipo = 'Patient' AND h.borrado AND NOT EXISTS (SELECT 1"
        " FROM paciente AS p WHERE p.documento_id = h.documento_id AND p.fuente = h.fuente AND p.id = h.id)"
        " AND NOT EXISTS (SELECT 1 FROM historia AS n WHERE n.documento_id = h.documento_id AND n.tipo = h.tipo"
        " AND n.fuente = h.fuente AND n.id = h.id AND n.version > h.version)"
    )
    values = {"documents": sorted(documents), "fuente": without[0], "ids": without[1]}
    return conn.execute(query, values).fetchall()


def record_disputes(conn: Connection[TupleRow], judged: ClaimDecisions) -> None:
    """Update `hce.documento_en_disputa`: add the Patients that are kept apart, delete those that no longer are."""
    now = {(judged.claims[patient].computed, *patient) for patient in judged.apart}
    gone = sorted(note for note in judged.noted - now if note[1:] in judged.claims)
    _write_notes(conn, "DELETE FROM hce.documento_en_disputa WHERE documento_calculado = %s AND fuente = %s"
                 " AND paciente_id = %s", gone)  # fmt: skip
    _write_notes(conn, "INSERT INTO hce.documento_en_disputa (documento_calculado, fuente, paciente_id)"
                 " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", sorted(now - judged.noted))  # fmt: skip


def _write_notes(conn: Connection[TupleRow], statement: str, notes: Sequence[tuple[str, str, str]]) -> None:
    for note in notes:
        conn.execute(statement, note)
