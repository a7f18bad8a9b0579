"""The row location of each resource of a batch; patients whose document changed are re-keyed, resources are moved.

Locks, in the order of `pyhce.records.writing.locks`: first the identities of the batch, then the patients that it
names. A patient is locked exclusively where its document may change (a Patient that is new or changed, a provisional
record), otherwise shared. With the locks held, everything is looked up, the documents of the patients a second time.
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
    """A resource that was stored before, with its location.

    Args:
        location: where it is to be written. If it had to move, its row and its history are there by now.
        has_row: False if the resource was deleted, so that only its history is stored.
    """

    location: RowLocation
    has_row: bool
    prepared: PreparedResource


class AssignedBatch(NamedTuple):
    """A batch, sorted by what has to be done with each resource.

    Args:
        unchanged: resources whose row was loaded from the very same text, by location.
        new: resources that were never stored, by location.
        to_merge: resources whose row may differ, and deleted ones that come again.
        moved: number of resources that moved to another location.
        apart: Patients that are kept apart from the record whose document they state.
        joined: Patients that share their document with others.
        ambiguous: number of resources that name their patient by an identifier that fits several records.
    """

    unchanged: dict[RowLocation, list[PreparedResource]]
    new: dict[RowLocation, list[PreparedResource]]
    to_merge: list[LocatedResource]
    moved: int
    apart: frozenset[PatientKey] = frozenset()
    joined: frozenset[PatientKey] = frozenset()
    ambiguous: int = 0

    def located(self) -> Iterator[tuple[RowLocation, PreparedResource]]:
        """Every resource with its location, in no particular order."""
        for location, rows in (*self.unchanged.items(), *self.new.items()):
            yield from ((location, prepared) for prepared in rows)
        yield from ((row.location, row.prepared) for row in self.to_merge)


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
    """Find the location of each resource of a batch, inside the caller's transaction.

    Afterwards every record exists, and resources that were stored elsewhere have moved. If any moved, `close_gate` must
    be the last statement of the transaction.

    Args:
        batch: resources of one source; no identity is in it twice.
        memory: what earlier batches of the same source found out; updated.
        by_content: whether a resource whose content is a former version of its row stays where that row is.

    Raises:
        ConcurrentChange: another writer changed what was looked up.
        DuplicateResources: resources are stored in several places. They must be joined first.
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
    targets = {kind: _target(schema, *kind, documents.by_key) for kind in kinds}
    ids: dict[str, list[str]] = defaultdict(list)
    for (fhir_type, _), rows in kinds.items():
        ids[fhir_type] += [prepared.identity[1] for prepared in rows]
    expected = {(targets[kind].table, kind[0]) for kind in kinds}
    existing = look_up_existing(conn, schema, fuente, ids, expected, remembered)
    if duplicates := {i for i in existing.duplicates if (fuente, *i) not in remembered.undecided}:
        raise DuplicateResources(fuente, duplicates)
    assigned, moves = _sorted_by_action(schema, kinds, targets, existing)
    leaving = [(move.prepared, move.old) for move in moves if move.has_row]
    stay = superseded_resources(conn, schema, fuente, leaving, by_content=by_content)
    assigned.to_merge.extend(
        LocatedResource(move.old, True, move.prepared) for move in moves if move.prepared.identity in stay
    )
    moves = [move for move in moves if move.prepared.identity not in stay]
    move_resources(conn, schema, fuente, moves)
    delete_empty_anchors(conn, schema, {move.old.document for move in moves if move.old.document is not None})
    assigned.to_merge.extend(LocatedResource(move.new, move.has_row, move.prepared) for move in moves)
    return assigned._replace(
        moved=documents.moved + sum(move.has_row for move in moves),
        apart=documents.apart,
        joined=documents.joined,
        ambiguous=sum(len(rows) for (_, key), rows in kinds.items() if key in documents.ambiguous),
    )


def _sorted_by_action(
    schema: Schema,
    kinds: Mapping[tuple[str, str | None], Sequence[PreparedResource]],
    targets: Mapping[tuple[str, str | None], RowLocation],
    existing: ExistingResources,
) -> tuple[AssignedBatch, list[ResourceMove]]:
    """The batch sorted by what has to be done with each resource, and the moves that it needs."""
    unchanged = defaultdict[RowLocation, list[PreparedResource]](list)
    new = defaultdict[RowLocation, list[PreparedResource]](list)
    to_merge: list[LocatedResource] = []
    moves: list[ResourceMove] = []
    for kind, rows in kinds.items():
        target = targets[kind]
        if not existing.rows and not existing.former:
            new[target] += rows
            continue
        history = history_location(schema, target)
        for prepared in rows:
            row = existing.rows.get(prepared.identity)
            former = existing.former.get(prepared.identity)
            if row is not None and target in existing.duplicates.get(prepared.identity, ()):
                to_merge.append(LocatedResource(target, True, prepared))
            elif row is not None and row.location == target:
                if row.fingerprint == prepared.fingerprint:
                    unchanged[target].append(prepared)
                else:
                    to_merge.append(LocatedResource(target, True, prepared))
            elif row is not None:
                moves.append(ResourceMove(prepared, row.location, target))
            elif former is None:
                new[target].append(prepared)
            elif former == history:
                to_merge.append(LocatedResource(target, False, prepared))
            else:
                moves.append(ResourceMove(prepared, former, target, has_row=False))
    return AssignedBatch(unchanged, new, to_merge, 0), moves


def _target(schema: Schema, fhir_type: str, key: str | None, documents: Mapping[str, str]) -> RowLocation:
    """Where a resource of a type that names this patient is to be stored."""
    table = schema.table_for(fhir_type, names_patient=key is not None)
    return RowLocation(table.name, documents[key] if key is not None and schema.can_name_patient(fhir_type) else None)
