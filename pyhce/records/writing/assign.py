"""Which record each resource of a batch belongs to: documents looked up, provisional ones made, patients re-keyed.

Races are settled by advisory locks on (source, patient key), taken in order before anything is written and held to
the end of the transaction: alone by whoever changes an identity (loads a Patient that is new or changed, makes a
provisional record), shared by whoever writes under a document that is known. Then everything is looked up again. All
identity changes go through the coordinator.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule, document_of_key, documents_of, provisional
from pyhce.records.reading.ready import Ready
from pyhce.records.reading.reference import own_keys
from pyhce.records.writing.homes import Place, ensure_records, is_superseded, move_patient, move_resource
from pyhce.records.writing.lookup import Memory, held
from pyhce.records.writing.races import LostRace
from pyhce.schema.model import Schema

IDENTITY_LOCKS = 0x4944
"""The class of our advisory locks on identities ("ID")."""
LOCKS = 1024
REMEMBERED = 100_000
"""Documents of patients that a load keeps in mind."""


class Located(NamedTuple):
    """A resource that is there, or was once, with the place where it is now."""

    place: Place
    there: bool
    ready: Ready


class Assigned(NamedTuple):
    """A batch by what is to be done with it.

    Args:
        same: what is there as it came, loaded from the very same text, by its place.
        new: what was never there, by its place.
        other: what is there and may differ, or was deleted.
        moved: how many resources had to move to another place.
    """

    same: dict[Place, list[Ready]]
    new: dict[Place, list[Ready]]
    other: list[Located]
    moved: int

    def places(self) -> Iterator[tuple[Place, Ready]]:
        """Every resource with its place, in no order."""
        for place, rows in (*self.same.items(), *self.new.items()):
            yield from ((place, ready) for ready in rows)
        yield from ((row.place, row.ready) for row in self.other)


def assign(
    conn: Connection[TupleRow],
    schema: Schema,
    batch: Sequence[Ready],
    *,
    fuente: str,
    rules: tuple[DocumentRule, ...],
    memory: Memory | None = None,
) -> Assigned:
    """Find the place of each resource of a batch, in which no identity is twice.

    Inside the caller's transaction: afterwards every record is there, and what was elsewhere has moved.

    Args:
        memory: what earlier batches of the same source found out; it is kept up.
    """
    remembered = memory or Memory()
    kinds: dict[tuple[str, str | None], list[Ready]] = defaultdict(list)
    for ready in batch:
        kinds[ready.identity[0], ready.key].append(ready)
    patients = {ready.identity[1]: ready for (kind, _), rows in kinds.items() if kind == "Patient" for ready in rows}
    keys = {key for _, key in kinds if key is not None}
    documents, moved = _documents(conn, schema, patients, keys, fuente, rules, remembered.documents)
    seats = {kind: _seat(schema, *kind, documents) for kind in kinds}
    ids: dict[str, list[str]] = defaultdict(list)
    for (fhir_type, _), rows in kinds.items():
        ids[fhir_type] += [ready.identity[1] for ready in rows]
    seated = {(seats[kind].table, kind[0]) for kind in kinds}
    there, former = held(conn, schema, fuente, ids, seated, remembered)
    same, new = defaultdict[Place, list[Ready]](list), defaultdict[Place, list[Ready]](list)
    other: list[Located] = []
    for kind, rows in kinds.items():
        seat = seats[kind]
        if not there and not former:
            new[seat] += rows
            continue
        for ready in rows:
            found = there.get(ready.identity)
            if found is None:
                if ready.identity in former:
                    other.append(Located(seat, False, ready))
                else:
                    new[seat].append(ready)
            elif found.place == seat and found.fingerprint == ready.fingerprint:
                same[seat].append(ready)
            elif found.place == seat or is_superseded(conn, schema, found.place, fuente, ready):
                other.append(Located(found.place, True, ready))
            else:
                move_resource(conn, schema, fuente=fuente, ready=ready, old=found.place, new=seat)
                other.append(Located(seat, True, ready))
                moved += 1
    return Assigned(same, new, other, moved)


def _seat(schema: Schema, fhir_type: str, key: str | None, documents: Mapping[str, str]) -> Place:
    """Where a resource of a type that names this patient belongs."""
    table = schema.home_of(fhir_type, names_patient=key is not None)
    return Place(table.name, documents[key] if key is not None and schema.paths_of(fhir_type) else None)


def _documents(
    conn: Connection[TupleRow],
    schema: Schema,
    patients: Mapping[str, Ready],
    keys: set[str],
    fuente: str,
    rules: tuple[DocumentRule, ...],
    seen: dict[str, str],
) -> tuple[dict[str, str], int]:
    """The document of every patient key of the batch; patients whose document changed are moved there."""
    own = {key: ready for ready in patients.values() for key in own_keys(ready.resource or {}, ready.identity[1])}
    wanted = keys | set(own)
    if not wanted:
        return {}, 0

    def look() -> tuple[dict[str, str], dict[str, str], dict[str, str], set[str]]:
        """What is known, what each Patient is to have, the same by every key of theirs, and which keys change."""
        known = known_documents(conn, fuente, wanted)
        target = _targets(conn, schema, patients, known, fuente, rules)
        due = {key: target[ready.identity[1]] for key, ready in own.items()}
        changing = {key for key in wanted if key not in known or due.get(key, known[key]) != known[key]}
        return known, target, due, changing

    expected = set() if not patients and wanted <= seen.keys() else look()[3]
    lock(conn, [(fuente, key) for key in expected], shared=[(fuente, key) for key in wanted - expected])
    known, target, due, changing = look()
    if changing - expected:
        seen.clear()
        raise LostRace  # what was only shared would have to be held alone: from the start, in order
    if len(seen) > REMEMBERED:
        seen.clear()
    seen.update(known)
    settled = {**known, **due}
    if not changing:
        return {key: settled[key] for key in keys}, 0
    moved = sum(
        _settle(conn, schema, ready, fuente, known.get(key), target[key], rules) for key, ready in patients.items()
    )
    unknown = keys - settled.keys()
    guessed = {key: document_of_key(key, rules) or provisional(fuente, key) for key in unknown}
    corrected = _corrected(conn, fuente, {(document, key) for key, document in guessed.items()})
    documents = {key: corrected.get((document, key), document) for key, document in guessed.items()}
    documents |= {key: settled[key] for key in keys - unknown}
    ensure_records(conn, {document for key, document in documents.items() if known.get(key) != document})
    return documents, moved


def known_documents(conn: Connection[TupleRow], fuente: str, keys: Iterable[str]) -> dict[str, str]:
    """The documents of the patients that are there, or were deleted, by each key that names them.

    One fan-out query for ids; of a Patient that was deleted the record stays, and what comes for it belongs there.
    """
    wanted = set(keys)
    found: dict[str, str] = {}
    conditional = [key for key in wanted if "=" in key]
    if conditional:
        for claves, document in conn.execute(
            "SELECT claves, documento_id FROM paciente WHERE fuente = %s AND claves && %s ORDER BY id DESC",
            (fuente, conditional),
        ):
            found.update({key: document for key in claves if key in wanted})
    plain = [key for key in wanted if "=" not in key]
    if plain:
        found.update(
            conn.execute("SELECT id, documento_id FROM paciente WHERE fuente = %s AND id = ANY(%s)", (fuente, plain))
        )
    if gone := [key for key in plain if key not in found]:
        found.update(
            conn.execute(
                "SELECT id, documento_id FROM historia"
                " WHERE fuente = %s AND tipo = 'Patient' AND id = ANY(%s) AND borrado ORDER BY version",
                (fuente, gone),
            )
        )
    return found


def _targets(
    conn: Connection[TupleRow],
    schema: Schema,
    patients: Mapping[str, Ready],
    known: Mapping[str, str],
    fuente: str,
    rules: tuple[DocumentRule, ...],
) -> dict[str, str]:
    """The document that each Patient of the batch is to have: its own, unless corrected or merged by hand.

    A former version of a Patient that is there changes nothing, its document neither.
    """
    computed = {
        key: documents_of(ready.resource or {}, rules) or provisional(fuente, key) for key, ready in patients.items()
    }
    corrected = _corrected(conn, fuente, {(document, key) for key, document in computed.items()})
    found = {key: corrected.get((document, key), document) for key, document in computed.items()}
    for key, ready in patients.items():
        if key in known and known[key] != found[key]:
            here = Place(schema.by_type["Patient"].name, known[key])
            if is_superseded(conn, schema, here, fuente, ready):
                found[key] = known[key]
    return found


def _corrected(conn: Connection[TupleRow], fuente: str, computed: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What holds instead of a computed document, by (document, patient key), where a person said so."""
    if not computed:
        return {}
    said = {
        (document, source, key): holds
        for document, source, key, holds in conn.execute(
            "SELECT documento_calculado, fuente, paciente_id, documento_id FROM hce.asignacion"
            " WHERE documento_calculado = ANY(%s)",
            (sorted({document for document, _ in computed}),),
        )
    }
    found = {}
    for document, key in computed:
        holds = said.get((document, fuente, key)) or said.get((document, "", ""))
        if holds:
            found[document, key] = holds
    return found


def _settle(
    conn: Connection[TupleRow],
    schema: Schema,
    ready: Ready,
    fuente: str,
    known: str | None,
    target: str,
    rules: tuple[DocumentRule, ...],
) -> int:
    """Bring together under one document what belongs to a Patient.

    From its former record, also under keys that it no longer has; from provisional ones; from the document that a key
    of it was taken for.
    """
    keys = own_keys(ready.resource or {}, ready.identity[1])
    moved = 0
    if known is not None and known != target:
        former = conn.execute(
            "SELECT claves FROM paciente WHERE documento_id = %s AND fuente = %s AND id = %s",
            (known, fuente, ready.identity[1]),
        ).fetchone()
        every = sorted({*keys, *(former[0] if former else ())})
        moved += move_patient(conn, schema, old=known, new=target, fuente=fuente, keys=every)
    guessed = {document_of_key(key, rules) or provisional(fuente, key) for key in keys}
    waiting = sorted({*guessed, *(provisional(fuente, key) for key in keys)} - {target})
    rows = conn.execute("SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)", (waiting,)).fetchall()
    for (document,) in sorted(rows):
        moved += move_patient(conn, schema, old=document, new=target, fuente=fuente, keys=keys)
    return moved


Identity = tuple[str, str]
"""A source and a key of a patient in it."""


def lock(conn: Connection[TupleRow], alone: Iterable[Identity], *, shared: Iterable[Identity] = ()) -> None:
    """Hold the identities of these patients until the end of the transaction, in one order for everybody.

    Args:
        alone: held alone, as their document may change.
        shared: held with others who only write under the document that is known.
    """
    modes = {lock_number(*identity): True for identity in shared}
    modes |= {lock_number(*identity): False for identity in alone}
    numbers = sorted(modes)
    conn.execute(
        "SELECT CASE WHEN s THEN pg_advisory_xact_lock_shared(%s, n) ELSE pg_advisory_xact_lock(%s, n) END FROM"
        " (SELECT n, s FROM unnest(%s::integer[], %s::boolean[]) AS u (n, s) ORDER BY n) AS ordered",
        (IDENTITY_LOCKS, IDENTITY_LOCKS, numbers, [modes[number] for number in numbers]),
    )


def lock_number(fuente: str, key: str) -> int:
    """One of a fixed number of locks: a batch of a thousand new patients would else fill the server's lock table."""
    digest = hashlib.sha256(f"{fuente}\n{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % LOCKS
