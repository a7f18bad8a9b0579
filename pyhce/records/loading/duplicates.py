"""Which of many resources are stored in more than one place, so that their lines are not passed over.

On a single node the look-up by id finds them. On Citus such a look-up would query every shard for each small batch.
So the sieve looks only where a row is expected, and calls this module for many rows at once: each shard only counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.reading.prepared import ResourceKey
from pyhce.records.writing.lookup import array_literal
from pyhce.records.writing.table_sql import table_name, type_condition
from pyhce.schema.model import Schema, Table


class DuplicateFinder:
    """Looks for resources of a source in other places than the one where they are expected.

    Args:
        tables: where resources of each type that name a patient are.
    """

    def __init__(self, conn: Connection[TupleRow], schema: Schema, fuente: str, tables: Mapping[str, Table]) -> None:
        self._conn, self._schema, self._fuente, self._tables = conn, schema, fuente, tables
        self._others: dict[str, list[Table]] = {}

    def duplicated(self, identities: Iterable[ResourceKey]) -> set[ResourceKey]:
        """Those, of resources that are where they are expected, that are in another place too: one query for all."""
        ids: dict[str, set[str]] = defaultdict(set)
        for fhir_type, key in identities:
            ids[fhir_type].add(key)
        if not ids:
            return set()
        counts = self._counts(ids)
        found: set[ResourceKey] = set()
        for fhir_type, keys in ids.items():
            several = self.in_other_tables(fhir_type, array_literal(keys))
            if counts.get(fhir_type, 0) != len(keys):
                several |= self._twice(fhir_type, keys)
            found |= {(fhir_type, key) for key in several}
        return found

    def in_other_tables(self, fhir_type: str, ids: str) -> set[str]:
        """The ids that are in another table of their type, if it held any when the load began: no writer adds one."""
        found: set[str] = set()
        if fhir_type not in self._others:
            self._others[fhir_type] = self._filled(fhir_type)
        for table in self._others[fhir_type]:
            query = sql.SQL("SELECT id FROM {} WHERE fuente = %s AND id = ANY(%s::text[]){}")
            rows = self._conn.execute(
                query.format(table_name(table), type_condition(table, fhir_type)), (self._fuente, ids)
            )
            found.update(key for (key,) in rows)
        return found

    def _counts(self, ids: Mapping[str, Set[str]]) -> dict[str, int]:
        """How many rows have one of these ids, by type; grouped by record, so that each worker counts by itself."""
        branches = [
            sql.SQL(
                "SELECT {} AS tipo, documento_id, count(*) AS n FROM {}"
                " WHERE fuente = {} AND id = ANY({}::text[]){} GROUP BY documento_id"
            ).format(
                sql.Literal(kind),
                table_name(self._tables[kind]),
                sql.Placeholder("fuente"),
                sql.Placeholder(kind),
                type_condition(self._tables[kind], kind),
            )
            for kind in ids
        ]
        query = sql.SQL("SELECT tipo, sum(n)::bigint FROM ({}) AS todo GROUP BY tipo").format(
            sql.SQL(" UNION ALL ").join(branches)
        )
        values = {"fuente": self._fuente} | {kind: array_literal(keys) for kind, keys in ids.items()}
        return dict(self._conn.execute(query, values).fetchall())

    def _twice(self, fhir_type: str, keys: Collection[str]) -> set[str]:
        table = self._tables[fhir_type]
        query = sql.SQL(
            "SELECT id FROM {} WHERE fuente = %s AND id = ANY(%s::text[]){} GROUP BY id HAVING count(*) > 1"
        )
        rows = self._conn.execute(
            query.format(table_name(table), type_condition(table, fhir_type)), (self._fuente, array_literal(keys))
        )
        return {key for (key,) in rows}

    def _filled(self, fhir_type: str) -> list[Table]:
        others = [table for table in self._schema.tables_for(fhir_type) if table is not self._tables[fhir_type]]
        query = "SELECT 1 FROM {} WHERE fuente = %s{} LIMIT 1"
        return [
            table
            for table in others
            if self._conn.execute(
                sql.SQL(query).format(table_name(table), type_condition(table, fhir_type)), (self._fuente,)
            ).fetchone()
        ]
