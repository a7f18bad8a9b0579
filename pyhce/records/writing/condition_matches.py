"""Which resources match a FHIR condition, and the locks that let one load at a time act on the answer.

A conditional create is correct only if nothing else creates a matching resource between its look-up and its commit.
Other connections of the load write the resources, in batches, so these locks are session locks: a load takes them
before it looks up the conditions of a bundle, and releases them when the whole bundle is committed. They are the first
locks of `pyhce.records.writing.locks`. A load takes them while it holds no other lock and writes nothing, so that two
loads cannot wait for each other in a circle.

There is a lock for each term of a condition, and for each key of a resource that may be created. They are drawn from
1024 numbers, so a bundle of any size leaves room in the server's lock table.

A conditional delete is one transaction and takes none of these locks: it looks up what matches, locks the identities,
and looks up again.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow
from xxhash import xxh3_64_intdigest

from pyhce.records.writing.locks import logged_wait, shared_gate
from pyhce.records.writing.table_sql import table_name, type_condition
from pyhce.schema.later_helpers import shortened_for_index
from pyhce.schema.model import ColumnKind, Schema, Table

CONDITION_LOCK_CLASS = 0x434F
"""The class of the advisory locks on conditions ("CO")."""
CONDITION_LOCK_COUNT = 1024
_KEYS_PER_QUERY = 1000

Terms = frozenset[str]
"""The keys that a matching resource carries, all of them: its id, `identifier=system|value`."""


def condition_lock_numbers(fuente: str, fhir_type: str, terms: Iterable[str]) -> set[int]:
    """The lock numbers of terms of a source and FHIR type."""
    return {xxh3_64_intdigest(f"{fuente}\n{fhir_type}\n{term}".encode()) % CONDITION_LOCK_COUNT for term in terms}


def lock_conditions(conn: Connection[TupleRow], numbers: Collection[int]) -> None:
    """Take locks until they are released or the session ends; outside of a transaction, before every other lock."""
    values = (CONDITION_LOCK_CLASS, sorted(numbers))
    query = "SELECT count(pg_advisory_lock(%s, n)) FROM (SELECT n FROM unnest(%s::integer[]) AS u (n) ORDER BY n) AS o"
    try:
        with logged_wait("%d conditions", len(numbers)):
            conn.execute(query, values)
    except psycopg.Error:
        with contextlib.suppress(psycopg.Error):
            release_conditions(conn, numbers)  # session locks outlive the statement that failed
        raise


def release_conditions(conn: Connection[TupleRow], numbers: Collection[int]) -> None:
    """Release those of these locks that the session holds."""
    conn.execute(
        "SELECT count(pg_advisory_unlock(classid::integer, objid::integer)) FROM pg_locks"
        " WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid = %s AND objid = ANY(%s::oid[])"
        " AND objsubid = 2 AND granted",
        (CONDITION_LOCK_CLASS, sorted(numbers)),
    )


def matching_ids(
    conn: Connection[TupleRow], schema: Schema, fuente: str, fhir_type: str, conditions: Iterable[Terms]
) -> dict[Terms, set[str]]:
    """The ids of the resources of a source and type that match each condition, in any record."""
    found: dict[Terms, set[str]] = {terms: set() for terms in conditions}
    by_id = {term for terms in found for term in terms if "=" not in term}
    by_key: dict[str, list[Terms]] = defaultdict(list)
    for terms in found:
        ids = sorted(term for term in terms if "=" not in term)
        by_key[ids[0] if ids else min(terms)].append(terms)
    wanted = sorted(by_key)
    with shared_gate(conn):
        for table in schema.tables_for(fhir_type):
            for first in range(0, len(wanted), _KEYS_PER_QUERY):
                some = wanted[first : first + _KEYS_PER_QUERY]
                for key, own in _carrying(conn, table, fhir_type, fuente, some, by_id):
                    for terms in (terms for term in own for terms in by_key.get(term, ())):
                        if terms.issubset(own):
                            found[terms].add(key)
    return found


def _carrying(
    conn: Connection[TupleRow], table: Table, fhir_type: str, fuente: str, keys: list[str], by_id: set[str]
) -> list[tuple[str, set[str]]]:
    """The rows that carry any of these keys, as id and all keys of the row.

    Ids are found by an index, and so are identifiers in a table with a column of keys. That column holds a long key in
    its short form.
    """
    column = next((column.name for column in table.columns if column.kind is ColumnKind.KEYS), None)
    own = sql.SQL("hce.claves_propias(id, recurso -> 'identifier')")
    indexed = sql.Identifier(column) if column else own
    ids = [key for key in keys if key in by_id]
    identifiers = [shortened_for_index(key) if column else key for key in keys if key not in by_id]
    rows: list[tuple[str, set[str]]] = []
    for values, condition in (
        (ids, sql.SQL("id = ANY(%s::text[])")),
        (identifiers, sql.SQL("{} && %s::text[]").format(indexed)),
    ):
        if values:
            query = sql.SQL("SELECT id, {} FROM {} WHERE fuente = %s{} AND {}").format(
                own, table_name(table), type_condition(table, fhir_type), condition
            )
            rows += [(key, set(carried)) for key, carried in conn.execute(query, (fuente, values))]
    return rows
