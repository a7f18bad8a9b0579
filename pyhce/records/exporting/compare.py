"""Whether what an export has read is still as it was.

A unit is as it was read if its place is the same, it has as many rows, and none was written since: what is there now
was there then, and nothing went. So parts of an interrupted export are kept or read again, never trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psycopg import sql

from pyhce.records.exporting.parts import ExportSelection, WrittenPart, condition_of_part
from pyhce.records.exporting.snapshot import Snapshot


class ComparedParts(NamedTuple):
    """What became of the units that were read.

    Args:
        changed: rows were written or went, or the shard is at another node.
        gone: a shard is not there any longer, as after a split, or what was read lies otherwise.
    """

    unchanged: list[WrittenPart]
    changed: list[WrittenPart]
    gone: list[WrittenPart]


def compare_parts(snapshot: Snapshot, done: Iterable[WrittenPart], selection: ExportSelection) -> ComparedParts:
    """Tell the units that are as they were from the others."""
    found = ComparedParts([], [], [])
    to_count: list[WrittenPart] = []
    for one in done:
        there = {place[:3] for place in snapshot.placements.get(one.planned.table, ())}
        shards, read = {place[0] for place in there}, {place[0] for place in one.planned.places}
        whole = read <= shards if snapshot.direct else read == shards
        if one.planned.direct != snapshot.direct or not whole:
            found.gone.append(one)
        elif not all(place in there for place in one.planned.places):
            (found.changed if snapshot.distributed else found.gone).append(one)
        elif all(snapshot.node_snapshots.get(n) == then for n, then in one.snapshots.items()):
            found.unchanged.append(one)
        else:
            to_count.append(one)
    counted = _counted(snapshot, to_count, selection)
    for number, one in enumerate(to_count):
        (found.unchanged if counted[number] == (one.count, 0) else found.changed).append(one)
    return found


def _counted(snapshot: Snapshot, done: Sequence[WrittenPart], selection: ExportSelection) -> list[tuple[int, int]]:
    """How many rows the units have now, and how many of them were written since."""
    counts = [(0, 0) for _ in done]
    # By way of the coordinator the whole statement is a bound parameter, of a function that runs it on a worker.
    document = None if snapshot.direct or selection.document is None else sql.Literal(selection.document)
    for node in snapshot.nodes:
        there: list[sql.Composed] = []
        for number, one in enumerate(done):
            names = {p[:3]: p.relation for p in snapshot.placements[one.planned.table]}
            condition = condition_of_part(snapshot, one.planned, selection, document=document)
            there += [
                _count(number, sql.SQL(names[place]), condition, one.snapshots[node])
                for place in one.planned.places
                if place[1] == node
            ]
        for row in snapshot.query_all(node, there):
            total, new = counts[row["n"]]
            counts[row["n"]] = total + row["total"], new + row["new"]
    return counts


def _count(number: int, relation: sql.Composable, condition: sql.Composed, snapshot: str) -> sql.Composed:
    """Rows of a relation, and those of transactions that were not over when a snapshot was taken."""
    oldest = int(snapshot.split(":")[0]) % 2**32
    return sql.SQL(
        "SELECT {} AS n, count(*) AS total, count(*) FILTER (WHERE age(xmin) <= age({}::text::xid)) AS new"
        " FROM {} WHERE {}"
    ).format(number, sql.Literal(str(oldest)), relation, condition)
