"""Find resources that are stored in more than one place.

The sieve must not pass over their lines: a writer has to see them, because it merges the rows. On a single node the
look-up by id finds every row. On Citus that look-up would query all shards for each small batch, so the sieve looks
only in the record where it expects the row, and asks this module about tens of thousands of rows at once. Each shard
then only counts its rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set

from psycopg import sql

from pyhce.citus.failover import SteadyConnection
from pyhce.records.reading.prepared import ResourceKey
from pyhce.records.writing.lookup import array_literal
from pyhce.records.writing.table_sql import table_name, type_condition
from pyhce.schema.model import Schema, Table


class DuplicateFinder:
    """Looks for further rows of resources whose row was found where it was expected.

    Args:
        conn: only read from. The caller repeats a look-up whose connection was lost.
        fuente: the source of the resources.
        tables: the table of each type for resources that name a patient.
    """

    def __init__(self, conn: SteadyConnection, schema: Schema, fuente: str, tables: Mapping[str, Table]) -> None:
        self._conn, self._schema, self._fuente, self._tables = conn, schema, fuente, tables
        self._others: dict[str, list[Table]] = {}

    def duplicated(self, identities: Iterable[ResourceKey]) -> set[ResourceKey]:
        """Those of some resources that have a second row: one query for all types and ids.

        Args:
            identities: resources that have a row in the table of their type.
        """
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
                several |= self._ids_with_two_rows(fhir_type, keys)
            found |= {(fhir_type, key) for key in several}
        return found

    def in_other_tables(self, fhir_type: str, ids: str) -> set[str]:
        """Those of some ids that have a row in another table of their type.

        Tables that held no such resource at the first call are not asked again: no writer adds one.

        Args:
            ids: a PostgreSQL array literal.
        """
        found: set[str] = set()
        if fhir_type not in self._others:
            self._others[fhir_type] = self._tables_with_rows(fhir_type)
        for table in self._others[fhir_type]:
            query = sql.SQL("SELECT id FROM {} WHERE fuente = %s AND id = ANY(%s::text[]){}")
            rows = self._conn.conn.execute(
                query.format(table_name(table), type_condition(table, fhir_type)), (self._fuente, ids)
            )
            found.update(key for (key,) in rows)
        return found

    def _counts(self, ids: Mapping[str, Set[str]]) -> dict[str, int]:
        """How many rows have one of these ids, by type. Grouping by record lets each worker count its own rows."""
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
        return dict(self._conn.conn.execute(query, values).fetchall())

    def _ids_with_two_rows(self, fhir_type: str, keys: Collection[str]) -> set[str]:
        table = self._tables[fhir_type]
        query = sql.SQL(
            "SELECT id FROM {} WHERE fuente = %s AND id = ANY(%s::text[]){} GROUP BY id HAVING count(*) > 1"
        )
        rows = self._conn.conn.execute(
            query.format(table_name(table), type_condition(table, fhir_type)), (self._fuente, array_literal(keys))
        )
        return {key for (key,) in rows}

    def _tables_with_rows(self, fhir_type: str) -> list[Table]:
        others = [table for table in self._schema.tables_for(fhir_type) if table is not self._tables[fhir_type]]
        query = "SELECT 1 FROM {} WHERE fuente = %s{} LIMIT 1"
        return [
            table
            for table in others
            if self._conn.conn.execute(
                sql.SQL(query).format(table_name(table), type_condition(table, fhir_type)), (self._fuente,)
            ).fetchone()
        ]
