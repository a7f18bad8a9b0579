"""Plans an export: everything that is selected, divided into parts of a good size for several connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from psycopg import sql

from pyhce.records.exporting.parts import ExportSelection, PlannedPart
from pyhce.records.exporting.snapshot import COORDINATOR, ShardPlacement, Snapshot
from pyhce.records.writing.table_sql import table_name, type_expression
from pyhce.schema.model import Home, Table

MIN_PART_BYTES, MAX_PART_BYTES = 16 * 1024**2, 1024**3
"""Bytes of a part: a smaller one is not worth a file, a larger one takes too long to read again."""
ALL_PAGES = (0, 2**32 - 1)
_PAGE_BYTES = 8192
_BYTES_PER_RESOURCE = 1500
"""Assumed where PostgreSQL has no statistics."""
_RARE_SHARE = 0.001
"""The assumed share of a source that is not among the most common values."""


class _PlacementContent(NamedTuple):
    """What a placement holds of one type and one source; size in bytes and rows are estimates."""

    place: ShardPlacement
    source: str
    type: str
    size: int
    rows: int
    alone: bool


def selected_tables(snapshot: Snapshot, selection: ExportSelection) -> list[Table]:
    """Return the tables that may hold what is selected."""
    home = Home.PATIENT if selection.document else None
    found = [*snapshot.schema.resource_tables(home), *(snapshot.schema.histories(home) if selection.history else ())]
    return [t for t in found if not (selection.types and t.fhir_type and t.fhir_type not in selection.types)]


def plan_parts(
    snapshot: Snapshot, selection: ExportSelection, kept: Iterable[PlannedPart], *, jobs: int
) -> list[PlannedPart]:
    """Plan the parts that are still to be read, the largest first.

    Args:
        kept: parts that were written already; what they cover is left out.
        jobs: connections; the parts are sized so that each connection gets several.
    """
    covered: dict[tuple[str, str, str, int], list[tuple[int, int]]] = {}
    for planned in kept:
        for shard, _, _ in planned.places:  # wherever the shard is now: a kept part holds its rows
            covered.setdefault((planned.table, planned.type, planned.source, shard), []).append(
                planned.pages or ALL_PAGES
            )
    tables = selected_tables(snapshot, selection)
    contents = _contents(snapshot, tables, selection)
    part_bytes = min(
        MAX_PART_BYTES, max(MIN_PART_BYTES, sum(h.size for several in contents.values() for h in several) // (jobs * 8))
    )
    planned_parts: list[PlannedPart] = []
    for table in tables:
        groups: dict[tuple[str, str, int], list[_PlacementContent]] = {}
        for h in contents[table.name]:
            read = covered.get((table.name, h.type, h.source, h.place.shard), [])
            if not snapshot.distributed:
                planned_parts += _parts_by_pages(snapshot, table, h, part_bytes, read)
            elif not read:
                groups.setdefault((h.type, h.source, h.place.node if snapshot.direct else COORDINATOR), []).append(h)
        for group in groups.values():
            planned_parts += _parts_of_shards(snapshot, table, group, part_bytes)
    return sorted(planned_parts, key=lambda planned: -planned.size)


def _planned_part(snapshot: Snapshot, table: Table, h: _PlacementContent) -> PlannedPart:
    return PlannedPart(
        table=table.name, type=h.type, source=h.source, places=(h.place[:3],), alone=h.alone,
        direct=snapshot.direct, size=h.size, rows=h.rows,
    )  # fmt: skip


def _parts_of_shards(
    snapshot: Snapshot, table: Table, group: Sequence[_PlacementContent], part_bytes: int
) -> Iterator[PlannedPart]:
    """Yield parts of one type of one source on one node: several small shards make a part."""
    part = None
    for h in group:
        next_part = _planned_part(snapshot, table, h)
        if part is None:
            part = next_part
        elif part.size + next_part.size > part_bytes and snapshot.direct:
            yield part
            part = next_part
        else:
            sums = {
                "size": part.size + next_part.size,
                "rows": part.rows + next_part.rows,
                "alone": part.alone and next_part.alone,
            }
            part = part.model_copy(update={"places": (*part.places, *next_part.places), **sums})
    if part is not None:
        yield part


def _parts_by_pages(
    snapshot: Snapshot, table: Table, h: _PlacementContent, part_bytes: int, read: Sequence[tuple[int, int]]
) -> Iterator[PlannedPart]:
    """Yield parts of one type of one source: a large table is divided by pages."""
    part = _planned_part(snapshot, table, h)
    parts = max(1, h.size // part_bytes)
    if parts == 1 and not read:
        yield part
        return
    pages = _pages(snapshot, table)
    step = max(1, -(-pages // parts))
    for first, end in _gaps(read):
        for start in range(first, max(first + 1, min(end, pages)), step):
            until = start + step if start + step < min(end, pages) else end
            yield part.model_copy(update={"pages": (start, until), "size": h.size // parts, "rows": h.rows // parts})


def _gaps(read: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of pages between those that were read."""
    start, last = ALL_PAGES
    for first, end in sorted(read):
        if start < first:
            yield start, first
        start = max(start, end)
    if start < last:
        yield start, last


def _pages(snapshot: Snapshot, table: Table) -> int:
    query = sql.SQL("SELECT pg_relation_size({}) / {} AS pages").format(sql.Literal(table.qualified), _PAGE_BYTES)
    return int(snapshot.query(COORDINATOR, query)[0]["pages"])


def _contents(
    snapshot: Snapshot, tables: Sequence[Table], selection: ExportSelection
) -> dict[str, list[_PlacementContent]]:
    """Return what each placement of these tables holds, by table."""
    there = {table.name: list(snapshot.placements.get(table.name, ())) for table in tables}
    sizes: dict[tuple[int, str], tuple[int, int]] = {}
    shares: dict[tuple[int, str], dict[str, float]] = {}
    for node in snapshot.nodes:
        relations = [p.relation for places in there.values() for p in places if p.node == node]
        for row in snapshot.query(node, _SIZES.format(sql.Literal(relations))):
            rows = row["rows"] if row["rows"] > 0 else row["size"] // _BYTES_PER_RESOURCE
            sizes[node, row["relation"]] = row["size"], rows
            shares[node, row["relation"]] = row["shares"] or {}
    filled = {name: [p for p in places if sizes.get((p.node, p.relation), (0, 0))[0]] for name, places in there.items()}
    found: dict[str, list[_PlacementContent]] = {table.name: [] for table in tables}
    kinds = _kinds_by_placement if snapshot.direct else _kinds_by_table
    for table, place, several in kinds(snapshot, tables, filled):
        size, rows = sizes.get((place.node, place.relation), (0, 0))
        alone = len(several) == 1 and snapshot.direct
        weights = _weights([source for source, _ in several], shares.get((place.node, place.relation), {}))
        for (source, kind), weight in zip(several, weights, strict=True):
            if (selection.source is None or source == selection.source) and (
                not selection.types or kind in selection.types
            ):
                found[table.name].append(
                    _PlacementContent(place, source, kind, int(size * weight), int(rows * weight), alone)
                )
    return found


def _weights(sources: Sequence[str], shares: dict[str, float]) -> list[float]:
    """Return the share of each source and type in a placement by PostgreSQL's statistics, or equal shares."""
    found = [(shares.get(source, _RARE_SHARE) if shares else 1) / sources.count(source) for source in sources]
    return [weight / sum(found) for weight in found]


_Kinds = Iterator[tuple[Table, ShardPlacement, list[tuple[str, str]]]]


def _kinds_by_placement(snapshot: Snapshot, tables: Sequence[Table], filled: dict[str, list[ShardPlacement]]) -> _Kinds:
    """Yield each placement with its sources and types, found by a loose index scan.

    The queries also lock the shards, so that they stay until they are read.
    """
    by_name = {table.name: table for table in tables}

    def at(node: int) -> list[tuple[Table, ShardPlacement, list[tuple[str, str]]]]:
        there = [(by_name[name], p) for name, places in filled.items() for p in places if p.node == node]
        kinds: dict[int, list[tuple[str, str]]] = {}
        queries = [_distinct(table, sql.SQL(p.relation), number) for number, (table, p) in enumerate(there)]
        for row in snapshot.query_all(node, queries):
            kinds.setdefault(row["n"], []).append((row["fuente"], row["tipo"]))
        return [(*there[number], several) for number, several in kinds.items()]

    with ThreadPoolExecutor(len(snapshot.nodes)) as pool:  # each node by its own connection
        for found in pool.map(at, snapshot.nodes):
            yield from found


def _kinds_by_table(snapshot: Snapshot, tables: Sequence[Table], filled: dict[str, list[ShardPlacement]]) -> _Kinds:
    """As `_kinds_by_placement`, through the coordinator: every placement counts as holding what the table holds."""
    for table in tables:
        if filled[table.name]:
            query = sql.SQL("SELECT DISTINCT fuente, {} AS tipo FROM {}").format(
                type_expression(table), table_name(table)
            )
            several = [(row["fuente"], row["tipo"]) for row in snapshot.query(COORDINATOR, query)]
            for place in snapshot.placements[table.name] if several else ():
                yield table, place, several


def _distinct(table: Table, relation: sql.Composable, number: int) -> sql.Composed:
    first = "tipo" if table.key[0] == "tipo" else "fuente"  # in the order of the index
    columns = sorted(
        ("fuente", "tipo") if table.has_stored_column("tipo") else ("fuente",), key=lambda name: name != first
    )
    key = sql.SQL(", ".join(columns))
    return sql.SQL(
        "SELECT {n} AS n, fuente, {tipo} AS tipo FROM (WITH RECURSIVE k AS ("
        "(SELECT {key} FROM {t} ORDER BY {key} LIMIT 1) UNION ALL SELECT m.* FROM k CROSS JOIN LATERAL"
        " (SELECT {key} FROM {t} AS t WHERE ({key}) > ({k}) ORDER BY {key} LIMIT 1) AS m) SELECT * FROM k) AS q{q}"
    ).format(
        n=number,
        tipo=type_expression(table),
        key=key,
        k=sql.SQL(", ".join(f"k.{name}" for name in columns)),
        t=relation,
        q=number,
    )


_SIZES = sql.SQL(
    "SELECT r AS relation, pg_table_size(r::regclass) AS size,"
    " c.reltuples::bigint AS rows, (SELECT json_object_agg(u.source, u.share) FROM pg_stats AS s CROSS JOIN LATERAL"
    " unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS u (source, share)"
    " WHERE s.schemaname = c.relnamespace::regnamespace::text AND s.tablename = c.relname AND s.attname = 'fuente')"
    " AS shares FROM unnest({}::text[]) AS r INNER JOIN pg_class AS c ON c.oid = r::regclass"
    " WHERE pg_relation_size(c.oid) > 0"
)
