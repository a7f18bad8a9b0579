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
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.writing.locks import lock_identities
from pyhce.records.writing.lookup import ExistingResources, LookupMemory, look_up_existing
from pyhce.records.writing.manual_decisions import PatientKey
from pyhce.records.writing.patient_documents import assign_documents
from pyhce.records.writing.record_moves import delete_empty_anchors
from pyhce.records.writing.resource_moves import ResourceMove, move_resources, superseded_resources
from pyhce.records.writing.retry import DuplicateResources
from pyhce.records.writing.row_location import RowLocation, history_location
from pyhce.schema.model import Schema


class LocatedResource(NamedTuple):
    """A resource that is there, or was once, with the place where it is now."""

    place: RowLocation
    there: bool
    prepared: PreparedResource


class AssignedBatch(NamedTuple):
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

    same: dict[RowLocation, list[PreparedResource]]
    new: dict[RowLocation, list[PreparedResource]]
    other: list[LocatedResource]
    moved: int
    apart: frozenset[PatientKey] = frozenset()
    joined: frozenset[PatientKey] = frozenset()
    ambiguous: int = 0

    def places(self) -> Iterator[tuple[RowLocation, PreparedResource]]:
        """Every resource with its place, in no order."""
        for place, rows in (*self.same.items(), *self.new.items()):
            yield from ((place, prepared) for prepared in rows)
        yield from ((row.place, row.prepared) for row in self.other)


def assign_batch(
    conn: Connection[TupleRow],
    schema: Schema,
    batch: Sequence[PreparedResource],
    *,
    fuente: str,
    rules: tuple[DocumentRule, ...],
    memory: LookupMemory | None = None,
    by_content: bool = True,
) -> AssignedBatch:
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
    remembered = memory or LookupMemory()
    lock_identities(conn, fuente, [prepared.identity for prepared in batch])
    kinds: dict[tuple[str, str | None], list[PreparedResource]] = defaultdict(list)
    for prepared in batch:
        kinds[prepared.identity[0], prepared.patient_key].append(prepared)
    patients = {
        prepared.identity[1]: prepared for (kind, _), rows in kinds.items() if kind == "Patient" for prepared in rows
    }
    keys = {key for _, key in kinds if key is not None}
    documents = assign_documents(
        conn, schema, patients, keys, fuente, rules, remembered.documents, by_content=by_content
    )
    seats = {kind: _seat(schema, *kind, documents.of) for kind in kinds}
    ids: dict[str, list[str]] = defaultdict(list)
    for (fhir_type, _), rows in kinds.items():
        ids[fhir_type] += [prepared.identity[1] for prepared in rows]
    seated = {(seats[kind].table, kind[0]) for kind in kinds}
    found = look_up_existing(conn, schema, fuente, ids, seated, remembered)
    if scattered := {i for i in found.several if (fuente, *i) not in remembered.undecided}:
        raise DuplicateResources(fuente, scattered)
    assigned, moves = _by_place(schema, kinds, seats, found)
    leaving = [(move.prepared, move.old) for move in moves if move.there]
    stay = superseded_resources(conn, schema, fuente, leaving, by_content=by_content)
    assigned.other.extend(
        LocatedResource(move.old, True, move.prepared) for move in moves if move.prepared.identity in stay
    )
    moves = [move for move in moves if move.prepared.identity not in stay]
    move_resources(conn, schema, fuente, moves)
    delete_empty_anchors(conn, schema, {move.old.document for move in moves if move.old.document is not None})
    assigned.other.extend(LocatedResource(move.new, move.there, move.prepared) for move in moves)
    return assigned._replace(
        moved=documents.moved + sum(move.there for move in moves),
        apart=documents.apart,
        joined=documents.joined,
        ambiguous=sum(len(rows) for (_, key), rows in kinds.items() if key in documents.several),
    )


def _by_place(
    schema: Schema,
    kinds: Mapping[tuple[str, str | None], Sequence[PreparedResource]],
    seats: Mapping[tuple[str, str | None], RowLocation],
    found: ExistingResources,
) -> tuple[AssignedBatch, list[ResourceMove]]:
    """What is where it is to be or was never there, and what would have to move."""
    same, new = (
        defaultdict[RowLocation, list[PreparedResource]](list),
        defaultdict[RowLocation, list[PreparedResource]](list),
    )
    other: list[LocatedResource] = []
    moves: list[ResourceMove] = []
    for kind, rows in kinds.items():
        seat = seats[kind]
        if not found.rows and not found.former:
            new[seat] += rows
            continue
        history = history_location(schema, seat)
        for prepared in rows:
            row = found.rows.get(prepared.identity)
            former = found.former.get(prepared.identity)
            if row is not None and seat in found.several.get(prepared.identity, ()):
                other.append(LocatedResource(seat, True, prepared))
            elif row is not None and row.place == seat:
                if row.fingerprint == prepared.fingerprint:
                    same[seat].append(prepared)
                else:
                    other.append(LocatedResource(seat, True, prepared))
            elif row is not None:
                moves.append(ResourceMove(prepared, row.place, seat))
            elif former is None:
                new[seat].append(prepared)
            elif former == history:
                other.append(LocatedResource(seat, False, prepared))
            else:
                moves.append(ResourceMove(prepared, former, seat, there=False))
    return AssignedBatch(same, new, other, 0), moves


def _seat(schema: Schema, fhir_type: str, key: str | None, documents: Mapping[str, str]) -> RowLocation:
    """Where a resource of a type that names this patient belongs."""
    table = schema.table_for(fhir_type, names_patient=key is not None)
    return RowLocation(table.name, documents[key] if key is not None and schema.can_name_patient(fhir_type) else None)
