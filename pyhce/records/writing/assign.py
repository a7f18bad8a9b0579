"""Which record each resource of a batch belongs to: documents looked up, provisional ones made, patients re-keyed.

Races are settled by advisory locks on (source, patient key), taken in order before anything is written and held to
the end of the transaction: alone by whoever changes an identity (loads a Patient that is new or changed, makes a
provisional record), shared by whoever writes under a document that is known. Then everything is looked up again. All
identity changes go through the coordinator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule
from pyhce.records.reading.ready import Ready
from pyhce.records.writing.claims import PatientKey
from pyhce.records.writing.documents import documents_for
from pyhce.records.writing.homes import Place, is_superseded, move_resource
from pyhce.records.writing.lookup import Memory, held
from pyhce.schema.model import Schema


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
        apart: Patients that are kept apart from the record whose document they state.
        joined: those that share their document with others.
        ambiguous: resources that name their patient by an identifier that fits several records.
    """

    same: dict[Place, list[Ready]]
    new: dict[Place, list[Ready]]
    other: list[Located]
    moved: int
    apart: frozenset[PatientKey] = frozenset()
    joined: frozenset[PatientKey] = frozenset()
    ambiguous: int = 0

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
    persons: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for ready in batch:
        kinds[ready.identity[0], ready.key].append(ready)
        if ready.resource is not None and ready.key is not None and ready.identity[0] != "Patient":
            persons[ready.key].append(ready.resource)
    patients = {ready.identity[1]: ready for (kind, _), rows in kinds.items() if kind == "Patient" for ready in rows}
    keys = {key for _, key in kinds if key is not None}
    documents = documents_for(conn, schema, patients, keys, persons, fuente, rules, remembered.documents)
    moved = documents.moved
    seats = {kind: _seat(schema, *kind, documents.of) for kind in kinds}
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
    ambiguous = sum(len(rows) for (_, key), rows in kinds.items() if key in documents.several)
    return Assigned(same, new, other, moved, documents.apart, documents.joined, ambiguous)


def _seat(schema: Schema, fhir_type: str, key: str | None, documents: Mapping[str, str]) -> Place:
    """Where a resource of a type that names this patient belongs."""
    table = schema.home_of(fhir_type, names_patient=key is not None)
    return Place(table.name, documents[key] if key is not None and schema.may_name_patient(fhir_type) else None)
