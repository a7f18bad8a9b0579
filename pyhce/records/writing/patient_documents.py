"""The document of every patient key of a batch. A Patient whose document changes moves, with what names it.

`claims` decides which Patients get a document that several of them state. `patient_keys` decides what an identifier
that several Patients carry leads to. Both are looked up twice: before the locks, to know which locks to take, and again
with the locks held. If the second look-up needs locks that were not taken, the transaction is retried.

Example: a batch brings Patient p1, whose identifier makes the document CC-1, and an Observation that names p1. The
Observations of an earlier batch named p1 too and wait in the provisional record PROV-… of that key.

1. Look up p1: it is not stored. So p1 changes its document (from PROV-… to CC-1), and its lock is taken exclusively.
2. Look up p1 again: nothing changed in the meantime.
3. Move everything that p1's keys lead to from PROV-… to CC-1, and delete the empty anchor of PROV-….
4. The key p1 leads to CC-1; the batch's Observation goes there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule, document_of_key, provisional_document
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.reading.reference import source_and_key
from pyhce.records.writing.claims import (
    Claim,
    ClaimDecisions,
    decide_claims,
    document_lock_key,
    record_disputes,
    statement_of,
)
from pyhce.records.writing.locks import lock_anchors
from pyhce.records.writing.manual_decisions import PatientKey, corrections_for
from pyhce.records.writing.patient_keys import KeyLookup, KeyReader, identifiers_in, look_up_holders, look_up_keys
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.record_moves import ensure_anchors, move_patient
from pyhce.records.writing.retry import ConcurrentChange
from pyhce.schema.model import Schema

REMEMBERED_DOCUMENTS = 100_000
"""Documents of patients that a load or a writer keeps in memory at most."""


class PatientDocuments(NamedTuple):
    """What the patient keys of a batch lead to.

    Args:
        by_key: the document of each key.
        moved: number of resources that moved because their patient's document changed.
        apart: Patients that are kept apart from the record whose document they state.
        joined: Patients that share their document with others.
        ambiguous: keys that fit several records and therefore lead to a provisional one.
    """

    by_key: dict[str, str]
    moved: int = 0
    apart: frozenset[PatientKey] = frozenset()
    joined: frozenset[PatientKey] = frozenset()
    ambiguous: frozenset[str] = frozenset()


class _LookedUp(NamedTuple):
    """What was looked up.

    Args:
        keys: what the keys lead to now.
        judged: which Patients get which document.
        settled: what the keys lead to once the batch is written.
        strays: identifiers that led to a document by their number alone and no longer may, because several Patients
            state that document from now on: (document, source, identifier).
    """

    keys: KeyLookup
    judged: ClaimDecisions
    settled: KeyLookup
    strays: frozenset[tuple[str, str, str]]

    def changing(self, wanted: Iterable[str]) -> set[PatientKey]:
        """The patients and documents of which something changes: these need exclusive locks."""
        before, after = self.keys.documents(), self.settled.documents()
        fuente = self.keys.fuente
        found = {(fuente, key) for key in wanted if key not in before or after.get(key) != before[key]}
        for claim in self.judged.moving():
            found |= {(claim.patient[0], key) for key in claim.keys}
        found |= {(source, key) for _, source, key in self.strays}
        documents = {c.document for c in self.judged.claims.values() if c.place != self.judged.target(c.patient)}
        return found | {document_lock_key(document) for document in documents | self.judged.contested}


def assign_documents(
    conn: Connection[TupleRow],
    schema: Schema,
    patients: Mapping[str, PreparedResource],
    keys: set[str],
    fuente: str,
    rules: tuple[DocumentRule, ...],
    seen: dict[str, str],
    *,
    by_content: bool = True,
    anew: bool = False,
) -> PatientDocuments:
    """Find the document of every patient key of a batch, and create the records that do not exist yet.

    Runs inside the caller's transaction.

    Args:
        patients: the Patients of the batch, by id.
        keys: the keys by which resources of the batch name their patients.
        fuente: the source of the batch.
        rules: which identifiers are documents.
        seen: documents by key that earlier batches found out; updated.
        by_content: whether a Patient whose content is a former version of its row changes nothing.
        anew: whether to decide also about Patients that are stored as they came, under the document that they state.

    Raises:
        ConcurrentChange: another writer changed what was looked up.
    """
    statements = {key: statement_of(prepared.resource or {}, fuente, key, rules) for key, prepared in patients.items()}
    own = {key: list(statement.keys) for key, statement in statements.items()}
    reader = KeyReader(rules)
    wanted = keys.union(*own.values())
    if not wanted:
        return PatientDocuments({})

    def look_up() -> _LookedUp:
        found = look_up_keys(conn, fuente, wanted, rules, carried=bool(own), reader=reader)
        dropped = {clave for key in own for clave in found.carried.get(key, ()) if clave not in own[key]}
        wanted.update(dropped)
        found.holders.update(look_up_holders(conn, fuente, dropped - found.holders.keys(), rules, reader))
        deciding = {
            key: prepared
            for key, prepared in patients.items()
            if anew
            or found.ids.get(key) != statements[key].document
            or found.fingerprints.get(key) != prepared.fingerprint
        }
        judged = decide_claims(conn, schema, fuente, deciding, statements, found.ids, rules, by_content=by_content)
        settled = _settled(found, own, judged)
        return _LookedUp(found, judged, settled, _strays(conn, schema, judged, settled, rules))

    first = look_up() if patients or not wanted <= seen.keys() else None
    expected = first.changing(wanted) if first else set()
    shared = {(fuente, key) for key in wanted}
    taken = (document_of_key(key, rules) for key in keys if "=" in key)
    shared |= {document_lock_key(document) for document in taken if document}
    if first:
        shared |= {document_lock_key(claim.document) for claim in first.judged.claims.values()}
    lock_patients(conn, expected, shared=shared - expected)
    view = look_up()
    changing = view.changing(wanted)
    if changing - expected:
        seen.clear()
        raise ConcurrentChange  # needs an exclusive lock where it holds a shared one: retry, to keep the lock order
    known, settled, ambiguous = view.keys.documents(), view.settled.documents(), view.settled.ambiguous()
    if len(seen) > REMEMBERED_DOCUMENTS:
        seen.clear()
    seen.update({key: document for key, document in known.items() if key not in ambiguous})
    moved = 0
    if changing:
        moved = _move(conn, schema, view, own, {key for source, key in changing if source == fuente}, rules)
        record_disputes(conn, view.judged)
    likely, doubtful = documents_of_absent_patients(conn, fuente, keys - settled.keys(), rules)
    documents = likely | {key: settled[key] for key in keys & settled.keys()}
    ensure_anchors(conn, {d for key, d in documents.items() if known.get(key) != d or key in ambiguous})
    judged = view.judged
    joined = frozenset(c.patient for c in judged.claims.values() if c.document in judged.contested) - judged.apart
    return PatientDocuments(documents, moved, judged.apart, joined, frozenset((ambiguous | doubtful) & keys))


def _strays(
    conn: Connection[TupleRow],
    schema: Schema,
    judged: ClaimDecisions,
    settled: KeyLookup,
    rules: tuple[DocumentRule, ...],
) -> frozenset[tuple[str, str, str]]:
    """Identifiers that led to a document by their number alone, before a second Patient stated that document.

    They fit several records now, so the resources that they name move to provisional records. Resources that come later
    are kept out by `documents_of_absent_patients`. An identifier that a Patient of the batch carries is settled
    already.
    """
    apart = (judged.claims[patient] for patient in judged.apart)
    contested = {claim.document for claim in apart if (claim.computed, *claim.patient) not in judged.noted}
    found = set()
    for document in contested:
        for source, key in identifiers_in(conn, schema, document):
            carried = source == settled.fuente and key in settled.holders
            if carried or document_of_key(key, rules) != document:
                continue
            if not look_up_holders(conn, source, [key], rules):
                found.add((document, source, key))
    assigned = corrections_for(conn, found)
    return frozenset(stray for stray in found if stray not in assigned)


def _settled(found: KeyLookup, own: Mapping[str, list[str]], judged: ClaimDecisions) -> KeyLookup:
    """What keys lead to once the Patients of the batch are written and all of them are in their records."""
    fuente = found.fuente

    def place(key: str, now: str) -> str:
        return judged.target(source_and_key(fuente, key)) or now

    ids = {key: place(key, document) for key, document in found.ids.items()}
    for key in own:
        ids[key] = place(key, ids.get(key, ""))
    holders: dict[str, dict[str, str]] = defaultdict(dict)
    for identifier, carriers in found.holders.items():
        for key, document in carriers.items():
            if (fuente, key) not in judged.claims or key not in own or identifier in own[key]:
                holders[identifier][key] = place(key, document)
    for key, identifiers in own.items():
        if (fuente, key) in judged.claims:
            for identifier in identifiers:
                if identifier != key:
                    holders[identifier][key] = ids[key]
    return KeyLookup(fuente, ids, dict(holders))


def documents_of_absent_patients(
    conn: Connection[TupleRow],
    fuente: str,
    unknown: set[str],
    rules: tuple[DocumentRule, ...],
) -> tuple[dict[str, str], set[str]]:
    """The documents of keys whose Patients have not arrived, and the keys whose document is in dispute.

    A key that states a document leads there; any other key, and a key whose document is in dispute, to a provisional
    record of its own.
    """
    owners = {key: source_and_key(fuente, key) for key in unknown}
    waiting = {key: provisional_document(*owner) for key, owner in owners.items()}
    likely = {key: document_of_key(key, rules) or waiting[key] for key in unknown}
    holds = corrections_for(conn, {(document, *owners[key]) for key, document in likely.items()})
    found = {}
    for key, document in likely.items():
        correction = holds.get((document, *owners[key]))
        found[key] = correction.document if correction else document
    disputed = {
        computed
        for (computed,) in conn.execute(
            "SELECT documento_calculado FROM hce.documento_en_disputa WHERE documento_calculado = ANY(%s)",
            (sorted({d for key, d in likely.items() if d != waiting[key]}),),
        )
    }
    doubtful = {key for key in unknown if likely[key] in disputed}
    return found | {key: waiting[key] for key in doubtful}, doubtful


class _Move(NamedTuple):
    old: str
    new: str
    fuente: str


class _Settled(NamedTuple):
    """The `KeyLookup` of one source, computed once for all Patients of a batch."""

    holders: dict[str, dict[str, str]]
    documents: dict[str, str]
    ambiguous: set[str]


def _move(
    conn: Connection[TupleRow],
    schema: Schema,
    view: _LookedUp,
    own: Mapping[str, list[str]],
    changing: set[str],
    rules: tuple[DocumentRule, ...],
) -> int:
    """Move the resources of each Patient to the record of its document, and return the number of resources moved.

    They come from the Patient's former record (also under keys that it no longer carries), from provisional records of
    its keys, and from the document that one of its keys stated. Resources that name the Patient by an identifier that
    fits several records move to a provisional record.
    """
    fuente = view.keys.fuente
    moves: dict[_Move, set[str]] = defaultdict(set)
    moving = view.judged.moving()
    patients = {claim.patient for claim in moving}
    settled = {
        source: _Settled(keys.holders, keys.documents(), keys.ambiguous())
        for source, keys in _settled_elsewhere(conn, view, moving, rules).items()
    }
    for claim in view.judged.claims.values():
        source, key = claim.patient
        in_batch = source == fuente and key in own
        patient_keys = {*claim.keys, *(view.keys.carried.get(key, ()) if in_batch else ())}
        if claim.patient in patients or (in_batch and not changing.isdisjoint(patient_keys)):
            _collect(moves, view, claim, patient_keys, settled[source], rules)
    for document, stray_source, key in view.strays:
        moves[_Move(document, provisional_document(stray_source, key), stray_source)].add(key)
    olds = sorted({move.old for move in moves})
    existing = {d for (d,) in conn.execute("SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)", (olds,))}
    lock_anchors(conn, existing)
    moved = 0
    for move in sorted(moves):
        if move.old in existing:
            keys = sorted(moves[move])
            moved += move_patient(conn, schema, old=move.old, new=move.new, fuente=move.fuente, keys=keys)
    return moved


def _collect(
    moves: dict[_Move, set[str]],
    view: _LookedUp,
    claim: Claim,
    patient_keys: Iterable[str],
    settled: _Settled,
    rules: tuple[DocumentRule, ...],
) -> None:
    """Add the moves of the resources that name a Patient by each of its keys."""
    source, own_id = claim.patient
    target = view.judged.target(claim.patient) or claim.document
    for key in patient_keys:
        goal = target if key == own_id else settled.documents.get(key, target)
        olds = {provisional_document(source, key)}
        if claim.place is not None:
            olds.add(claim.place)
        if key in claim.keys:
            olds.add(document_of_key(key, rules) or provisional_document(source, key))
        if key in settled.ambiguous:
            olds |= {*settled.holders[key].values(), *view.keys.holders.get(key, {}).values()}
        for old in olds - {goal}:
            moves[_Move(old, goal, source)].add(key)


def _settled_elsewhere(
    conn: Connection[TupleRow], view: _LookedUp, moving: Iterable[Claim], rules: tuple[DocumentRule, ...]
) -> dict[str, KeyLookup]:
    """What keys are to lead to, by source, also the keys of Patients outside the batch that have to move."""
    found = {view.keys.fuente: view.settled}
    wanted: dict[str, set[str]] = defaultdict(set)
    for claim in moving:
        wanted[claim.patient[0]] |= {key for key in claim.keys if "=" in key}
    for source, keys in wanted.items():
        known = found.get(source, KeyLookup(source, {}, {}))
        more = KeyLookup(source, {}, look_up_holders(conn, source, keys - known.holders.keys(), rules))
        found[source] = KeyLookup(source, known.ids, {**_settled(more, {}, view.judged).holders, **known.holders})
    return found
