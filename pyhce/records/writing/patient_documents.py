"""The document of every patient key of a batch; Patients whose document changes are moved, with what names them.

Who has a document that several Patients state is decided by `claims`; what an identifier leads to that several Patients
carry, by `keys`. Both are looked up before the locks, to know which to take, and again once they are held: if it came
out otherwise meanwhile, everything is done again.
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
"""Documents of patients that a load keeps in mind."""


class PatientDocuments(NamedTuple):
    """What a batch's patient keys lead to.

    Args:
        of: the document of each key.
        moved: how many resources moved, as their patient's document changed.
        apart: Patients that are kept apart from the record whose document they state.
        joined: those that share their document with others.
        several: keys of the batch that fit several records, and so lead to a provisional one.
    """

    of: dict[str, str]
    moved: int = 0
    apart: frozenset[PatientKey] = frozenset()
    joined: frozenset[PatientKey] = frozenset()
    several: frozenset[str] = frozenset()


class _View(NamedTuple):
    """What was looked up: where keys lead now, who has which document, where the batch's keys are to lead.

    Args:
        strays: what leads to a document that is contested from now on, by an identifier that no Patient of its source
            carries: document, source, identifier.
    """

    keys: KeyLookup
    judged: ClaimDecisions
    settled: KeyLookup
    strays: frozenset[tuple[str, str, str]]

    def changing(self, wanted: Iterable[str]) -> set[PatientKey]:
        """The patient keys, and the documents, of which something changes."""
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
    """The document of every patient key of a batch, inside the caller's transaction; afterwards every record is there.

    Args:
        patients: the batch's Patients by their id.
        keys: by which its resources name their patients.
        seen: what earlier batches found out; it is kept up.
        by_content: whether a Patient whose content is a former version of what is there changes nothing.
        anew: decide also about Patients that are there as they came, under the document that they state.
    """
    said = {key: statement_of(prepared.resource or {}, fuente, key, rules) for key, prepared in patients.items()}
    own = {key: list(words.keys) for key, words in said.items()}
    reader = KeyReader(rules)
    wanted = keys.union(*own.values())
    if not wanted:
        return PatientDocuments({})

    def look() -> _View:
        found = look_up_keys(conn, fuente, wanted, rules, carried=bool(own), reader=reader)
        dropped = {clave for key in own for clave in found.carried.get(key, ()) if clave not in own[key]}
        wanted.update(dropped)
        found.holders.update(look_up_holders(conn, fuente, dropped - found.holders.keys(), rules, reader))
        deciding = {
            key: prepared
            for key, prepared in patients.items()
            if anew or found.ids.get(key) != said[key].document or found.fingerprints.get(key) != prepared.fingerprint
        }
        judged = decide_claims(conn, schema, fuente, deciding, said, found.ids, rules, by_content=by_content)
        settled = _settled(found, own, judged)
        return _View(found, judged, settled, _strays(conn, schema, judged, settled, rules))

    first = look() if patients or not wanted <= seen.keys() else None
    expected = first.changing(wanted) if first else set()
    shared = {(fuente, key) for key in wanted}
    taken = (document_of_key(key, rules) for key in keys if "=" in key)
    shared |= {document_lock_key(said) for said in taken if said}
    if first:
        shared |= {document_lock_key(claim.document) for claim in first.judged.claims.values()}
    lock_patients(conn, expected, shared=shared - expected)
    view = look()
    changing = view.changing(wanted)
    if changing - expected:
        seen.clear()
        raise ConcurrentChange  # what was only shared would have to be held alone: from the start, in order
    known, settled, several = view.keys.documents(), view.settled.documents(), view.settled.several()
    if len(seen) > REMEMBERED_DOCUMENTS:
        seen.clear()
    seen.update({key: document for key, document in known.items() if key not in several})
    moved = 0
    if changing:
        moved = _move(conn, schema, view, own, {key for source, key in changing if source == fuente}, rules)
        record_disputes(conn, view.judged)
    likely, doubtful = documents_of_absent_patients(conn, fuente, keys - settled.keys(), rules)
    documents = likely | {key: settled[key] for key in keys & settled.keys()}
    ensure_anchors(conn, {d for key, d in documents.items() if known.get(key) != d or key in several})
    judged = view.judged
    joined = frozenset(c.patient for c in judged.claims.values() if c.document in judged.contested) - judged.apart
    return PatientDocuments(documents, moved, judged.apart, joined, frozenset((several | doubtful) & keys))


def _strays(
    conn: Connection[TupleRow],
    schema: Schema,
    judged: ClaimDecisions,
    settled: KeyLookup,
    rules: tuple[DocumentRule, ...],
) -> frozenset[tuple[str, str, str]]:
    """What was taken for the person of a document by an identifier alone, before another Patient stated that document.

    It fits several records now; what comes later is kept out by `guessed`. An identifier that a Patient of the batch
    carries is settled already.
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
    """Where keys lead once the batch's Patients are written and all of them are where they are to be."""
    fuente = found.fuente

    def place(key: str, now: str) -> str:
        return judged.target(source_and_key(fuente, key)) or now

    ids = {key: place(key, document) for key, document in found.ids.items()}
    for key in own:
        ids[key] = place(key, ids.get(key, ""))
    holders: dict[str, dict[str, str]] = defaultdict(dict)
    for identifier, held in found.holders.items():
        for key, document in held.items():
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
    """Documents for keys of Patients that have not arrived; those keys whose document several Patients state."""
    owners = {key: source_and_key(fuente, key) for key in unknown}
    waiting = {key: provisional_document(*owner) for key, owner in owners.items()}
    likely = {key: document_of_key(key, rules) or waiting[key] for key in unknown}
    holds = corrections_for(conn, {(document, *owners[key]) for key, document in likely.items()})
    found = {}
    for key, document in likely.items():
        said = holds.get((document, *owners[key]))
        found[key] = said.document if said else document
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
    """The `Keys` of one source, computed once for all Patients of a batch."""

    holders: dict[str, dict[str, str]]
    documents: dict[str, str]
    several: set[str]


def _move(
    conn: Connection[TupleRow],
    schema: Schema,
    view: _View,
    own: Mapping[str, list[str]],
    changing: set[str],
    rules: tuple[DocumentRule, ...],
) -> int:
    """Bring what belongs to each Patient together under its document; the number of resources moved.

    From its former record, also under keys that it no longer has; from provisional ones; from the document that a key
    of it was taken for; and what names it by an identifier that fits several records into a provisional one.
    """
    fuente = view.keys.fuente
    moves: dict[_Move, set[str]] = defaultdict(set)
    moving = view.judged.moving()
    patients = {claim.patient for claim in moving}
    settled = {
        source: _Settled(keys.holders, keys.documents(), keys.several())
        for source, keys in _settled_elsewhere(conn, view, moving, rules).items()
    }
    for claim in view.judged.claims.values():
        source, key = claim.patient
        mine = source == fuente and key in own
        every = {*claim.keys, *(view.keys.carried.get(key, ()) if mine else ())}
        if claim.patient in patients or (mine and not changing.isdisjoint(every)):
            _collect(moves, view, claim, every, settled[source], rules)
    for document, stray_source, key in view.strays:
        moves[_Move(document, provisional_document(stray_source, key), stray_source)].add(key)
    asked = sorted({move.old for move in moves})
    there = {d for (d,) in conn.execute("SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)", (asked,))}
    lock_anchors(conn, there)
    moved = 0
    for move in sorted(moves):
        if move.old in there:
            keys = sorted(moves[move])
            moved += move_patient(conn, schema, old=move.old, new=move.new, fuente=move.fuente, keys=keys)
    return moved


def _collect(
    moves: dict[_Move, set[str]],
    view: _View,
    claim: Claim,
    every: Iterable[str],
    settled: _Settled,
    rules: tuple[DocumentRule, ...],
) -> None:
    """Add where from and where to what names a Patient by each of its keys is to move."""
    source, own_id = claim.patient
    target = view.judged.target(claim.patient) or claim.document
    for key in every:
        goal = target if key == own_id else settled.documents.get(key, target)
        olds = {provisional_document(source, key)}
        if claim.place is not None:
            olds.add(claim.place)
        if key in claim.keys:
            olds.add(document_of_key(key, rules) or provisional_document(source, key))
        if key in settled.several:
            olds |= {*settled.holders[key].values(), *view.keys.holders.get(key, {}).values()}
        for old in olds - {goal}:
            moves[_Move(old, goal, source)].add(key)


def _settled_elsewhere(
    conn: Connection[TupleRow], view: _View, moving: Iterable[Claim], rules: tuple[DocumentRule, ...]
) -> dict[str, KeyLookup]:
    """Where keys are to lead, by source: also those of Patients that are not of the batch and have to move."""
    found = {view.keys.fuente: view.settled}
    wanted: dict[str, set[str]] = defaultdict(set)
    for claim in moving:
        wanted[claim.patient[0]] |= {key for key in claim.keys if "=" in key}
    for source, keys in wanted.items():
        known = found.get(source, KeyLookup(source, {}, {}))
        more = KeyLookup(source, {}, look_up_holders(conn, source, keys - known.holders.keys(), rules))
        found[source] = KeyLookup(source, known.ids, {**_settled(more, {}, view.judged).holders, **known.holders})
    return found
