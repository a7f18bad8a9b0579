"""The sieve: drops lines that the database already holds, without parsing or writing them.

A repeated load, or one that continues after it was killed, reads mostly lines that are already stored. Each stored
row has the fingerprint of the line that it came from (`entrada`). So it is enough to read a line's head, hash the line,
and compare. For example, a load reads

    {"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/7"},"status":"final"}

1. The head is decoded: type Observation, id o1, patient 7. The line's fingerprint is, say, 5f3a….
2. Patient 7 has the document CC-1032. The sieve asks for the fingerprint of Observation o1 in the record CC-1032, in
   one query for all lines of a group (`AT_ONCE`).
3. The row has 5f3a…: the line is counted as unchanged and dropped. If there is no row, another fingerprint or another
   record, the line is passed on to be parsed and written.

A line is passed on whenever its head does not settle the matter: it names its patient by something else than
`Patient/id`, an earlier version of the resource is not committed yet, or a reference in it may be stored differently
now (other bases, an older release).

New data pays little for this. After a group of which less than half was found, the sieve lets `PAUSE` lines pass
unseen; after the next such group twice as many, up to `LONGEST_PAUSE`.

A resource that is stored twice must reach a writer, which merges its rows. On a single node the look-up by id sees both
rows. On Citus it would have to query every shard for each group; there the found lines wait until there are `UNSURE` of
them, and `duplicates` asks all shards once. Lines of duplicated resources are then passed on, out of order.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from psycopg import sql
from psycopg.rows import TupleRow
from xxhash import xxh3_128_digest

from pyhce.citus.connection import has_citus
from pyhce.citus.data_steps import has_older_rows
from pyhce.citus.failover import SteadyConnection
from pyhce.counted import counted
from pyhce.records.loading.duplicates import DuplicateFinder
from pyhce.records.reading.ids import is_id
from pyhce.records.reading.incoming import Line, ReadItem
from pyhce.records.reading.prepared import ResourceKey, patient_member
from pyhce.records.reading.stored_references import may_differ_in_line, may_have_a_base
from pyhce.records.writing.lookup import array_literal
from pyhce.records.writing.patient_documents import REMEMBERED_DOCUMENTS
from pyhce.records.writing.patient_keys import known_documents
from pyhce.records.writing.table_sql import table_name, type_condition
from pyhce.schema.model import Schema, Table
from pyhce.schema.r4 import RESOURCE_TYPES

logger = logging.getLogger(__name__)

SAMPLE = 200
"""Lines of a group while it is not known whether sieving pays."""
AT_ONCE = 2000
"""Lines of a group while at least half of the lines are found."""
BYTES = 4_000_000
"""Bytes of lines at which a group is full, whatever their number."""
UNSURE, UNSURE_BYTES = 32_000, 16_000_000
"""Found lines, and their bytes, that wait on Citus until all shards are asked for duplicates."""
PAUSE, LONGEST_PAUSE = 1000, 64_000
"""Lines that pass unseen after a group of which little was found: after the first one, and at most."""

_PATIENT = "Patient/"
_UNKNOWN = "'\\x00000000000000000000000000000000'::bytea"


class _Reference(msgspec.Struct, gc=False):
    reference: str = ""


class _Head(NamedTuple):
    """What a line says of itself.

    Args:
        key: the id of its patient; None if the line is passed on in any case.
        fingerprint: of the line.
    """

    line: Line
    identity: ResourceKey
    key: str | None
    fingerprint: bytes


class _Group(NamedTuple):
    """Lines that are compared with the database by one look-up.

    Args:
        heads: all lines, in input order.
        first: the first line of each resource that may be dropped.
        stored: the fingerprints of those resources in the database; None if none may be dropped.
    """

    heads: list[_Head]
    first: dict[ResourceKey, _Head]
    stored: Future[dict[ResourceKey, bytes]] | None


class Sieve:
    """Passes on the lines that the database does not hold as they came. For one thread.

    Args:
        conn: only read from.
        fuente: the source that is loaded.
        pending: whether an earlier version of a resource may not be committed yet.
        unchanged: is called with the number of dropped lines, by FHIR type.

    Attributes:
        paused: while set, every line is passed on.
    """

    paused = False

    def __init__(
        self,
        conn: SteadyConnection,
        schema: Schema,
        fuente: str,
        *,
        pending: Callable[[ResourceKey], bool],
        unchanged: Callable[[Counter[str]], None],
    ) -> None:
        self._conn, self._fuente = conn, fuente
        self._pending, self._unchanged = pending, unchanged
        self._tables: dict[str, tuple[Table, str]] = {
            kind: (schema.table_for(kind, names_patient=True), member)
            for kind in RESOURCE_TYPES - {"Patient", "Bundle"}  # a Patient's record depends on more than its line
            if (member := patient_member(schema, kind))
        }
        members = sorted({member for _, member in self._tables.values()})
        head = msgspec.defstruct(
            "Head",
            [("resourceType", str), ("id", str), *((name, _Reference | None, None) for name in members)],
            gc=False,
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(head).decode
        self._documents: dict[str, str | None] = {}
        self._duplicates = DuplicateFinder(
            conn, schema, fuente, {kind: table for kind, (table, _) in self._tables.items()}
        )
        self._distributed = conn.run(has_citus)
        self._differs = may_differ_in_line if conn.run(has_older_rows) else may_have_a_base
        self._unsure: list[_Head] = []
        self._unsure_size = 0
        self._size, self._pause, self._left = SAMPLE, PAUSE, 0

    def sift(self, found: Iterable[Line | ReadItem]) -> Iterator[Line | ReadItem]:
        """Drop the lines that the database holds, and pass on the other items in their order.

        The caller must have committed an item, or report it as `pending`, before it takes the next one. While it
        cannot, for deletions that it collects, it sets `paused`. Lines of duplicated resources may come later than in
        the input.
        """
        heads: list[_Head] = []
        group: _Group | None = None
        size = 0
        items = iter(found)
        with ThreadPoolExecutor(1) as pool:  # heads of the next group are read during the look-up
            for item in items:
                if self._left or self.paused:
                    yield item
                    yield from islice(items, self._left)
                    self._left = 0
                    continue
                head = self._head(item) if type(item) is Line else None
                if head is not None:
                    heads.append(head)
                    size += len(head.line.data)
                    if len(heads) < self._size and size < BYTES:
                        continue
                if group:
                    yield from self._not_held(group)
                group = self._look_up(pool, heads)
                heads, size = [], 0
                if head is None or self._left or self._size < AT_ONCE:
                    yield from self._not_held(group)
                    group = None
                if head is None:
                    yield item
            if group:
                yield from self._not_held(group)
            yield from self._not_held(self._look_up(pool, heads))
        yield from self._duplicated()

    def _head(self, line: Line) -> _Head | None:
        """A line's head; None if it cannot be decoded, or is a Bundle."""
        data = line.data.strip()
        try:
            head = self._decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        kind = head.resourceType
        if kind == "Bundle":
            return None
        _, member = self._tables.get(kind, (None, None))
        named = getattr(head, member) if member else None
        key = named.reference[len(_PATIENT) :] if named and named.reference.startswith(_PATIENT) else ""
        if not (is_id(key) and is_id(head.id)):
            return _Head(line, (kind, head.id), None, b"")
        return _Head(line, (kind, head.id), key, xxh3_128_digest(data))

    def _look_up(self, pool: ThreadPoolExecutor, heads: list[_Head]) -> _Group:
        """Start the look-up of a group in the pool's thread. All earlier groups are passed on or dropped by now."""
        seen: set[ResourceKey] = set()
        first: dict[ResourceKey, _Head] = {}
        for head in heads:
            if head.key is not None and head.identity not in seen and not self._pending(head.identity):
                first[head.identity] = head
            seen.add(head.identity)
        stored = pool.submit(self._conn.run, lambda _: self._stored(first)) if first else None
        return _Group(heads, first, stored)

    def _not_held(self, group: _Group) -> Iterator[Line]:
        """The lines of a group that the database does not hold in the record of the patient that they name.

        A line is passed on too if a reference in it may be stored differently now: an older release, or a load with
        other bases, stored it another way.
        """
        same: set[int] = set()
        if group.stored:
            stored = group.stored.result()
            same = {
                id(head)
                for key, head in group.first.items()
                if stored.get(key) == head.fingerprint and not self._differs(head.line.data)
            }
            self._adapt(len(same), len(group.first))
        if same:
            passed = [head for head in group.heads if id(head) in same]
            if self._distributed:
                self._unsure += passed
                self._unsure_size += sum(len(head.line.data) for head in passed)
            else:
                self._count(passed)
        for head in group.heads:
            if id(head) not in same:
                yield head.line
        if len(self._unsure) >= UNSURE or self._unsure_size >= UNSURE_BYTES:
            yield from self._duplicated()

    def _duplicated(self) -> Iterator[Line]:
        """Of the waiting lines, those whose resource is stored twice; the others are dropped."""
        heads, self._unsure, self._unsure_size = self._unsure, [], 0
        identities = [head.identity for head in heads]
        several = self._conn.run(lambda _: self._duplicates.duplicated(identities))
        if several:
            found = counted(len(several), "resource is", "resources are")
            logger.warning("%s stored twice: a writer will merge the rows", found)
        self._count([head for head in heads if head.identity not in several])
        for head in heads:
            if head.identity in several:
                yield head.line

    def _count(self, heads: list[_Head]) -> None:
        if heads:
            logger.debug("unchanged lines: %d", len(heads))
            self._unchanged(Counter([head.identity[0] for head in heads]))

    def _adapt(self, same: int, tried: int) -> None:
        """Choose the size of the next group, or how many lines pass unseen before it."""
        if 2 * same >= tried:
            self._size, self._pause = AT_ONCE, PAUSE
        else:
            self._size, self._left = SAMPLE, self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _stored(self, heads: dict[ResourceKey, _Head]) -> dict[ResourceKey, bytes]:
        """The fingerprints of resources that are stored in the record of the patient that they name.

        One query for each type. On a single node, resources that are stored twice are left out.
        """
        self._look_up_documents({head.key for head in heads.values() if head.key})
        kinds: dict[str, dict[str, str]] = {}
        for (fhir_type, key), head in heads.items():
            document = self._documents.get(head.key or "")
            if document:
                kinds.setdefault(fhir_type, {})[key] = document
        found: dict[ResourceKey, bytes] = {}
        for fhir_type, documents in kinds.items():
            ids = array_literal(documents)
            several = set() if self._distributed else self._duplicates.in_other_tables(fhir_type, ids)
            rows: list[str] = []
            for document, keys, prints in self._rows(fhir_type, ids, documents):
                here = keys.split(" ")
                rows += here
                for number, key in enumerate(here):
                    if documents[key] == document:
                        found[fhir_type, key] = prints[16 * number : 16 * number + 16]
            if len(set(rows)) != len(rows):
                several |= {key for key, count in Counter(rows).items() if count > 1}
            for key in several:
                found.pop((fhir_type, key), None)
        return found

    def _rows(self, fhir_type: str, ids: str, documents: dict[str, str]) -> list[TupleRow]:
        """For each record: its document, the ids, their fingerprints. Each worker answers for its own records."""
        table = self._tables[fhir_type][0]
        query = sql.SQL(
            "SELECT documento_id, string_agg(id, ' '), string_agg(coalesce(uuid_send(entrada), {}), '') FROM {}"
            " WHERE fuente = %(fuente)s AND id = ANY(%(ids)s::text[]){}{} GROUP BY documento_id"
        ).format(
            sql.SQL(_UNKNOWN),
            table_name(table),
            type_condition(table, fhir_type),
            sql.SQL(" AND documento_id = ANY(%(documents)s)" if self._distributed else ""),
        )
        values = {"fuente": self._fuente, "ids": ids, "documents": sorted(set(documents.values()))}
        return self._conn.conn.execute(query, values, binary=True).fetchall()

    def _look_up_documents(self, keys: set[str]) -> None:
        """Look up the documents of patients, and remember them."""
        unknown = keys - self._documents.keys()
        if len(self._documents) + len(unknown) > REMEMBERED_DOCUMENTS:
            self._documents.clear()
            unknown = keys
        if unknown:
            self._documents |= dict.fromkeys(unknown) | known_documents(
                self._conn.conn, self._fuente, unknown, ()
            )  # of ids alone
