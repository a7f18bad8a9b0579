"""What an export reads: all there is, cut into units of a fit size for several connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from psycopg import sql

from pyhce.records.exporting.moments import HERE, Moment, Place
from pyhce.records.exporting.units import Unit, Wanted
from pyhce.records.writing.table_sql import table_name, type_expression
from pyhce.schema.model import Home, Table

LEAST, MOST = 16 * 1024**2, 1024**3
"""Bytes of a unit: not worth a file of its own below, too much to do again above."""
ALL_PAGES = (0, 2**32 - 1)
_BLOCK = 8192
_GUESS = 1500
"""Bytes of a resource, where PostgreSQL has not counted."""
_RARE = 0.001
"""The share of a source that is not among the most common ones."""


class _Holding(NamedTuple):
    """What a place holds: a type of a source."""

    place: Place
    source: str
    type: str
    size: int
    rows: int
    alone: bool


def tables_of(moment: Moment, wanted: Wanted) -> list[Table]:
    """The tables to look at."""
    home = Home.PATIENT if wanted.document else None
    found = [*moment.schema.resource_tables(home), *(moment.schema.histories(home) if wanted.history else ())]
    return [t for t in found if not (wanted.types and t.fhir_type and t.fhir_type not in wanted.types)]


def plan(moment: Moment, wanted: Wanted, kept: Iterable[Unit], *, jobs: int) -> list[Unit]:
    """The units to read, the largest first: all there is, without what the units kept cover."""
    covered: dict[tuple[str, str, str, int], list[tuple[int, int]]] = {}
    for unit in kept:
        for shard, _, _ in unit.places:  # wherever it is now: a part that is kept holds the shard's rows
            covered.setdefault((unit.table, unit.type, unit.source, shard), []).append(unit.pages or ALL_PAGES)
    tables = tables_of(moment, wanted)
    held = _holdings(moment, tables, wanted)
    each = min(MOST, max(LEAST, sum(h.size for hs in held.values() for h in hs) // (jobs * 8)))
    units: list[Unit] = []
    for table in tables:
        groups: dict[tuple[str, str, int], list[_Holding]] = {}
        for h in held[table.name]:
            had = covered.get((table.name, h.type, h.source, h.place.shard), [])
            if not moment.distributed:
                units += _units_by_page(moment, table, h, each, had)
            elif not had:
                groups.setdefault((h.type, h.source, h.place.node if moment.direct else HERE), []).append(h)
        for holdings in groups.values():
            units += _units(moment, table, holdings, each)
    return sorted(units, key=lambda unit: -unit.size)


def _unit(moment: Moment, table: Table, h: _Holding) -> Unit:
    return Unit(
        table=table.name, type=h.type, source=h.source, places=(h.place[:3],), alone=h.alone,
        direct=moment.direct, size=h.size, rows=h.rows,
    )  # fmt: skip


def _units(moment: Moment, table: Table, holdings: Sequence[_Holding], each: int) -> Iterator[Unit]:
    """One type of one source at one node: several small shards make a unit."""
    made = None
    for h in holdings:
        one = _unit(moment, table, h)
        if made is None:
            made = one
        elif made.size + one.size > each and moment.direct:
            yield made
            made = one
        else:
            sums = {"size": made.size + one.size, "rows": made.rows + one.rows, "alone": made.alone and one.alone}
            made = made.model_copy(update={"places": (*made.places, *one.places), **sums})
    if made is not None:
        yield made


def _units_by_page(
    moment: Moment, table: Table, h: _Holding, each: int, had: Sequence[tuple[int, int]]
) -> Iterator[Unit]:
    """One type of one source: the pages of a large table are several units."""
    made = _unit(moment, table, h)
    parts = max(1, h.size // each)
    if parts == 1 and not had:
        yield made
        return
    pages = _pages(moment, table)
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


def _pages(moment: Moment, table: Table) -> int:
    query = sql.SQL("SELECT pg_relation_size({}) / {} AS pages").format(sql.Literal(table.qualified), _BLOCK)
    return int(moment.ask(HERE, query)[0]["pages"])


def _holdings(moment: Moment, tables: Sequence[Table], wanted: Wanted) -> dict[str, list[_Holding]]:
    """What every place of these tables holds."""
    there = {table.name: list(moment.places.get(table.name, ())) for table in tables}
    sizes: dict[tuple[int, str], tuple[int, int]] = {}
    shares: dict[tuple[int, str], dict[str, float]] = {}
    for node in moment.nodes:
        relations = [p.relation for places in there.values() for p in places if p.node == node]
        for row in moment.ask(node, _SIZES.format(sql.Literal(relations))):
            rows = row["rows"] if row["rows"] > 0 else row["size"] // _GUESS
            sizes[node, row["relation"]] = row["size"], rows
            shares[node, row["relation"]] = row["shares"] or {}
    filled = {name: [p for p in places if sizes.get((p.node, p.relation), (0, 0))[0]] for name, places in there.items()}
    found: dict[str, list[_Holding]] = {table.name: [] for table in tables}
    kinds = _kinds_by_place if moment.direct else _kinds_by_table
    for table, place, several in kinds(moment, tables, filled):
        size, rows = sizes.get((place.node, place.relation), (0, 0))
        alone = len(several) == 1 and moment.direct
        weights = _weights([source for source, _ in several], shares.get((place.node, place.relation), {}))
        for (source, kind), weight in zip(several, weights, strict=True):
            if (wanted.source is None or source == wanted.source) and (not wanted.types or kind in wanted.types):
                found[table.name].append(_Holding(place, source, kind, int(size * weight), int(rows * weight), alone))
    return found


def _weights(sources: Sequence[str], shares: dict[str, float]) -> list[float]:
    """The part that each (source, type) has of a place, as PostgreSQL's statistics say; all the same without any."""
    found = [(shares.get(source, _RARE) if shares else 1) / sources.count(source) for source in sources]
    return [weight / sum(found) for weight in found]


_Kinds = Iterator[tuple[Table, Place, list[tuple[str, str]]]]


def _kinds_by_place(moment: Moment, tables: Sequence[Table], filled: dict[str, list[Place]]) -> _Kinds:
    """The sources and types of each place: the index is jumped along, not read. It locks what is read later."""
    by_name = {table.name: table for table in tables}

    def at(node: int) -> list[tuple[Table, Place, list[tuple[str, str]]]]:
        there = [(by_name[name], p) for name, places in filled.items() for p in places if p.node == node]
        kinds: dict[int, list[tuple[str, str]]] = {}
        queries = [_distinct(table, sql.SQL(p.relation), number) for number, (table, p) in enumerate(there)]
        for row in moment.ask_all(node, queries):
            kinds.setdefault(row["n"], []).append((row["fuente"], row["tipo"]))
        return [(*there[number], several) for number, several in kinds.items()]

    with ThreadPoolExecutor(len(moment.nodes)) as pool:  # each node by its own connection
        for found in pool.map(at, moment.nodes):
            yield from found


def _kinds_by_table(moment: Moment, tables: Sequence[Table], filled: dict[str, list[Place]]) -> _Kinds:
    """The same by way of the coordinator: every place as if it held what the table holds."""
    for table in tables:
        if filled[table.name]:
            query = sql.SQL("SELECT DISTINCT fuente, {} AS tipo FROM {}").format(
                type_expression(table), table_name(table)
            )
            several = [(row["fuente"], row["tipo"]) for row in moment.ask(HERE, query)]
            for place in moment.places[table.name] if several else ():
                yield table, place, several


def _distinct(table: Table, relation: sql.Composable, number: int) -> sql.Composed:
    first = "tipo" if table.key[0] == "tipo" else "fuente"  # as the index has them
    columns = sorted(("fuente", "tipo") if table.stores("tipo") else ("fuente",), key=lambda name: name != first)
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
