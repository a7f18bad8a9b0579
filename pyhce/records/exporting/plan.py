"""What an export reads: all there is, cut into units of a fit size for several connections."""

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
"""Bytes of a unit: not worth a file of its own below, too much to do again above."""
ALL_PAGES = (0, 2**32 - 1)
_BLOCK = 8192
_GUESS = 1500
"""Bytes of a resource, where PostgreSQL has not counted."""
_RARE = 0.001
"""The share of a source that is not among the most common ones."""


class _PlacementContent(NamedTuple):
    """What a place holds: a type of a source."""

    place: ShardPlacement
    source: str
    type: str
    size: int
    rows: int
    alone: bool


def selected_tables(snapshot: Snapshot, selection: ExportSelection) -> list[Table]:
    """The tables to look at."""
    home = Home.PATIENT if selection.document else None
    found = [*snapshot.schema.resource_tables(home), *(snapshot.schema.histories(home) if selection.history else ())]
    return [t for t in found if not (selection.types and t.fhir_type and t.fhir_type not in selection.types)]


def plan_parts(
    snapshot: Snapshot, selection: ExportSelection, kept: Iterable[PlannedPart], *, jobs: int
) -> list[PlannedPart]:
    """The units to read, the largest first: all there is, without what the units kept cover."""
    covered: dict[tuple[str, str, str, int], list[tuple[int, int]]] = {}
    for planned in kept:
        for shard, _, _ in planned.places:  # wherever it is now: a part that is kept holds the shard's rows
            covered.setdefault((planned.table, planned.type, planned.source, shard), []).append(
                planned.pages or ALL_PAGES
            )
    tables = selected_tables(snapshot, selection)
    held = _holdings(snapshot, tables, selection)
    each = min(MAX_PART_BYTES, max(MIN_PART_BYTES, sum(h.size for hs in held.values() for h in hs) // (jobs * 8)))
    planned_parts: list[PlannedPart] = []
    for table in tables:
        groups: dict[tuple[str, str, int], list[_PlacementContent]] = {}
        for h in held[table.name]:
            had = covered.get((table.name, h.type, h.source, h.place.shard), [])
            if not snapshot.distributed:
                planned_parts += _parts_by_pages(snapshot, table, h, each, had)
            elif not had:
                groups.setdefault((h.type, h.source, h.place.node if snapshot.direct else COORDINATOR), []).append(h)
        for holdings in groups.values():
            planned_parts += _parts_of_shards(snapshot, table, holdings, each)
    return sorted(planned_parts, key=lambda planned: -planned.size)


def _planned_part(snapshot: Snapshot, table: Table, h: _PlacementContent) -> PlannedPart:
    return PlannedPart(
        table=table.name, type=h.type, source=h.source, places=(h.place[:3],), alone=h.alone,
        direct=snapshot.direct, size=h.size, rows=h.rows,
    )  # fmt: skip


def _parts_of_shards(
    snapshot: Snapshot, table: Table, holdings: Sequence[_PlacementContent], each: int
) -> Iterator[PlannedPart]:
    """One type of one source at one node: several small shards make a unit."""
    made = None
    for h in holdings:
        one = _planned_part(snapshot, table, h)
        if made is None:
            made = one
        elif made.size + one.size > each and snapshot.direct:
            yield made
            made = one
        else:
            sums = {"size": made.size + one.size, "rows": made.rows + one.rows, "alone": made.alone and one.alone}
            made = made.model_copy(update={"places": (*made.places, *one.places), **sums})
    if made is not None:
        yield made


def _parts_by_pages(
    snapshot: Snapshot, table: Table, h: _PlacementContent, each: int, had: Sequence[tuple[int, int]]
) -> Iterator[PlannedPart]:
    """One type of one source: the pages of a large table are several units."""
    made = _planned_part(snapshot, table, h)
    parts = max(1, h.size // each)
    if parts == 1 and not had:
        yield made
        return
    pages = _pages(snapshot, table)
    step = max(1, -(-pages // parts))
    for first, end in _gaps(had):
        for start in range(first, max(first + 1, min(end, pages)), step):
            until = start + step if start + step < min(end, pages) else end
            yield made.model_copy(update={"pages": (start, until), "size": h.size // parts, "rows": h.rows // parts})


def _gaps(had: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The ranges of pages between those that were read."""
    start, last = ALL_PAGES
    for first, end in sorted(had):
        if start < first:
            yield start, first
        start = max(start, end)
    if start < last:
        yield start, last


def _pages(snapshot: Snapshot, table: Table) -> int:
    query = sql.SQL("SELECT pg_relation_size({}) / {} AS pages").format(sql.Literal(table.qualified), _BLOCK)
    return int(snapshot.query(COORDINATOR, query)[0]["pages"])


def _holdings(
    snapshot: Snapshot, tables: Sequence[Table], selection: ExportSelection
) -> dict[str, list[_PlacementContent]]:
    """What every place of these tables holds."""
    there = {table.name: list(snapshot.placements.get(table.name, ())) for table in tables}
    sizes: dict[tuple[int, str], tuple[int, int]] = {}
    shares: dict[tuple[int, str], dict[str, float]] = {}
    for node in snapshot.nodes:
        relations = [p.relation for places in there.values() for p in places if p.node == node]
        for row in snapshot.query(node, _SIZES.format(sql.Literal(relations))):
            rows = row["rows"] if row["rows"] > 0 else row["size"] // _GUESS
            sizes[node, row["relation"]] = row["size"], rows
            shares[node, row["relation"]] = row["shares"] or {}
    filled = {name: [p for p in places if sizes.get((p.node, p.relation), (0, 0))[0]] for name, places in there.items()}
    found: dict[str, list[_PlacementContent]] = {table.name: [] for table in tables}
    kinds = _kinds_by_place if snapshot.direct else _kinds_by_table
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
    """The part that each (source, type) has of a place, as PostgreSQL's statistics say; all the same without any."""
    found = [(shares.get(source, _RARE) if shares else 1) / sources.count(source) for source in sources]
    return [weight / sum(found) for weight in found]


_Kinds = Iterator[tuple[Table, ShardPlacement, list[tuple[str, str]]]]


def _kinds_by_place(snapshot: Snapshot, tables: Sequence[Table], filled: dict[str, list[ShardPlacement]]) -> _Kinds:
    """The sources and types of each place: the index is jumped along, not read. It locks what is read later."""
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
    """The same by way of the coordinator: every place as if it held what the table holds."""
    for table in tables:
        if filled[table.name]:
            query = sql.SQL("SELECT DISTINCT fuente, {} AS tipo FROM {}").format(
                type_expression(table), table_name(table)
            )
            several = [(row["fuente"], row["tipo"]) for row in snapshot.query(COORDINATOR, query)]
            for place in snapshot.placements[table.name] if several else ():
                yield table, place, several


def _distinct(table: Table, relation: sql.Composable, number: int) -> sql.Composed:
    first = "tipo" if table.key[0] == "tipo" else "fuente"  # as the index has them
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
