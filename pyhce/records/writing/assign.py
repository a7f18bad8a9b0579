"""Which record each resource of a batch belongs to: documents looked up, provisional ones made, patients re-keyed.

Races are settled by locks, in the order of `pyhce.records.writing.locks`: the identities of the batch, then the keys of
the patients that it names, alone where a document may change (a Patient that is new or changed, a provisional record),
else shared. Then everything is looked up, the patients' documents again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule
from pyhce.records.reading.ready import Ready
from pyhce.records.writing.decisions import PatientKey
from pyhce.records.writing.documents import documents_for
from pyhce.records.writing.homes import Place, drop_emptied
from pyhce.records.writing.locks import lock_identities
from pyhce.records.writing.lookup import Found, Memory, history_of, look_up
from pyhce.records.writing.moves import Move, move_resources, superseded
from pyhce.records.writing.races import Scattered
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
    by_content: bool = True,
) -> Assigned:
    """Find the place of each resource of a batch, in which no identity is twice.

    Inside the caller's transaction: afterwards every record is there, and what was elsewhere has moved. If anything
    moved, `close_gate` is to be the transaction's last statement.

    Args:
        memory: what earlier batches of the same source found out; it is kept up.
        by_content: whether a resource whose content is a former version of what is there stays where that is.

    Raises:
        LostRace: another writer changed what was looked up.
        Scattered: resources are in several places, and are to be brought together first.
    """
    remembered = memory or Memory()
    lock_identities(conn, fuente, [ready.identity for ready in batch])
    kinds: dict[tuple[str, str | None], list[Ready]] = defaultdict(list)
    for ready in batch:
        kinds[ready.identity[0], ready.key].append(ready)
    patients = {ready.identity[1]: ready for (kind, _), rows in kinds.items() if kind == "Patient" for ready in rows}
    keys = {key for _, key in kinds if key is not None}
    documents = documents_for(conn, schema, patients, keys, fuente, rules, remembered.documents, by_content=by_content)
    seats = {kind: _seat(schema, *kind, documents.of) for kind in kinds}
    ids: dict[str, list[str]] = defaultdict(list)
    for (fhir_type, _), rows in kinds.items():
        ids[fhir_type] += [ready.identity[1] for ready in rows]
    seated = {(seats[kind].table, kind[0]) for kind in kinds}
    found = look_up(conn, schema, fuente, ids, seated, remembered)
    if scattered := {i for i in found.several if (fuente, *i) not in remembered.undecided}:
        raise Scattered(fuente, scattered)
    assigned, moves = _by_place(schema, kinds, seats, found)
    leaving = [(move.ready, move.old) for move in moves if move.there]
    stay = superseded(conn, schema, fuente, leaving, by_content=by_content)
    assigned.other.extend(Located(move.old, True, move.ready) for move in moves if move.ready.identity in stay)
    moves = [move for move in moves if move.ready.identity not in stay]
    move_resources(conn, schema, fuente, moves)
    drop_emptied(conn, schema, {move.old.document for move in moves if move.old.document is not None})
    assigned.other.extend(Located(move.new, move.there, move.ready) for move in moves)
    return assigned._replace(
        moved=documents.moved + sum(move.there for move in moves),
        apart=documents.apart,
        joined=documents.joined,
        ambiguous=sum(len(rows) for (_, key), rows in kinds.items() if key in documents.several),
    )


def _by_place(
    schema: Schema,
    kinds: Mapping[tuple[str, str | None], Sequence[Ready]],
    seats: Mapping[tuple[str, str | None], Place],
    found: Found,
) -> tuple[Assigned, list[Move]]:
    """What is where it is to be or was never there, and what would have to move."""
    same, new = defaultdict[Place, list[Ready]](list), defaultdict[Place, list[Ready]](list)
    other: list[Located] = []
    moves: list[Move] = []
    for kind, rows in kinds.items():
        seat = seats[kind]
        if not found.rows and not found.former:
            new[seat] += rows
            continue
        history = history_of(schema, seat)
        for ready in rows:
            row = found.rows.get(ready.identity)
            former = found.former.get(ready.identity)
            if row is not None and seat in found.several.get(ready.identity, ()):
                other.append(Located(seat, True, ready))
            elif row is not None and row.place == seat:
                if row.fingerprint == ready.fingerprint:
                    same[seat].append(ready)
                else:
                    other.append(Located(seat, True, ready))
            elif row is not None:
                moves.append(Move(ready, row.place, seat))
            elif former is None:
                new[seat].append(ready)
            elif former == history:
                other.append(Located(seat, False, ready))
            else:
                moves.append(Move(ready, former, seat, there=False))
    return Assigned(same, new, other, 0), moves


def _seat(schema: Schema, fhir_type: str, key: str | None, documents: Mapping[str, str]) -> Place:
    """Where a resource of a type that names this patient belongs."""
    table = schema.home_of(fhir_type, names_patient=key is not None)
    return Place(table.name, documents[key] if key is not None and schema.may_name_patient(fhir_type) else None)
