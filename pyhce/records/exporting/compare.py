"""Compares written parts with a new snapshot: which of them still hold what the database holds.

A part is unchanged if its shards are where they were, it has as many rows, and no row was written since it was read. A
changed row is a new row version, and a deleted row makes the count smaller, so count and age are enough. An interrupted
export and a next round both decide by this which parts they keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psycopg import sql

from pyhce.records.exporting.parts import ExportSelection, WrittenPart, condition_of_part
from pyhce.records.exporting.snapshot import Snapshot


class ComparedParts(NamedTuple):
    """Written parts by what became of them.

    Args:
        unchanged: they hold what the new snapshot holds.
        changed: rows were written or deleted, or a shard moved to another node.
        gone: a shard no longer exists, as after a shard split, or the part was read in another way.
    """

    unchanged: list[WrittenPart]
    changed: list[WrittenPart]
    gone: list[WrittenPart]


def compare_parts(snapshot: Snapshot, written: Iterable[WrittenPart], selection: ExportSelection) -> ComparedParts:
    """Sort written parts into unchanged, changed and gone."""
    found = ComparedParts([], [], [])
    uncertain: list[WrittenPart] = []
    for part in written:
        there = {place[:3] for place in snapshot.placements.get(part.planned.table, ())}
        shards, read = {place[0] for place in there}, {place[0] for place in part.planned.places}
        whole = read <= shards if snapshot.direct else read == shards
        if part.planned.direct != snapshot.direct or not whole:
            found.gone.append(part)
        elif not all(place in there for place in part.planned.places):
            (found.changed if snapshot.distributed else found.gone).append(part)
        elif all(snapshot.node_snapshots.get(n) == then for n, then in part.snapshots.items()):
            found.unchanged.append(part)
        else:
            uncertain.append(part)
    counted = _counted(snapshot, uncertain, selection)
    for number, part in enumerate(uncertain):
        (found.unchanged if counted[number] == (part.count, 0) else found.changed).append(part)
    return found


def _counted(snapshot: Snapshot, written: Sequence[WrittenPart], selection: ExportSelection) -> list[tuple[int, int]]:
    """Count the rows that each part would have now, and those of them that were written since it was read."""
    counts = [(0, 0) for _ in written]
    # Through the coordinator the statement is itself a bound parameter, of a function that runs it on the worker.
    document = None if snapshot.direct or selection.document is None else sql.Literal(selection.document)
    for node in snapshot.nodes:
        there: list[sql.Composed] = []
        for number, part in enumerate(written):
            names = {p[:3]: p.relation for p in snapshot.placements[part.planned.table]}
            condition = condition_of_part(snapshot, part.planned, selection, document=document)
            there += [
                _count(number, sql.SQL(names[place]), condition, part.snapshots[node])
                for place in part.planned.places
                if place[1] == node
            ]
        for row in snapshot.query_all(node, there):
            total, new = counts[row["n"]]
            counts[row["n"]] = total + row["total"], new + row["new"]
    return counts


def _count(number: int, relation: sql.Composable, condition: sql.Composed, snapshot: str) -> sql.Composed:
    """Return the count of a relation's rows, and of those by transactions that had not ended at a snapshot."""
    oldest = int(snapshot.split(":")[0]) % 2**32
    return sql.SQL(
        "SELECT {} AS n, count(*) AS total, count(*) FILTER (WHERE age(xmin) <= age({}::text::xid)) AS new"
        " FROM {} WHERE {}"
    ).format(number, sql.Literal(str(oldest)), relation, condition)
