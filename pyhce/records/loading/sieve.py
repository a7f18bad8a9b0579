"""Lines that are in the database just as they are, told by id and fingerprint: neither parsed nor written.

A load that is repeated, or that goes on after it was killed, brings mostly what is there. Such a line needs no more
than its head: type, id and the patient that it names, which tells the shard. What the head does not settle for certain
goes the way of every other line. How much is sifted follows from what it brought so far, so that new data pays for a
small sample now and then.

A resource that is stored twice is not passed over, so that the writers bring its rows together. On a single node the
look-up by id finds both. On Citus it would query every shard for each batch, so the sieve looks in the record where a
row is expected, and `several` queries all shards for tens of thousands of rows at once; their lines are kept till then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection, sql
from psycopg.rows import TupleRow
from xxhash import xxh3_128_digest

from pyhce.citus.connection import has_citus
from pyhce.citus.data_steps import has_older_rows
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

SAMPLE = 200
"""Lines that tell whether it is worth while."""
AT_ONCE = 2000
BYTES = 4_000_000
UNSURE, UNSURE_BYTES = 32_000, 16_000_000
"""Lines, and bytes of them, that wait on Citus until all shards are asked."""
PAUSE, LONGEST_PAUSE = 1000, 64_000
"""Lines that are not sifted after a sample that brought little, and at most after several of them."""

_PATIENT = "Patient/"
_UNKNOWN = "'\\x00000000000000000000000000000000'::bytea"


class _Reference(msgspec.Struct, gc=False):
    reference: str = ""


class _Head(NamedTuple):
    """What a line says of itself; without a key, that of its patient, it is not judged but keeps its place."""

    line: Line
    identity: ResourceKey
    key: str | None
    fingerprint: bytes


class _Asked(NamedTuple):
    """Heads, the first of each identity that may be judged, and what the database is going to say of those."""

    heads: list[_Head]
    first: dict[ResourceKey, _Head]
    there: Future[dict[ResourceKey, bytes]] | None


class Sieve:
    """Passes on what is not there yet as it came; for one thread.

    Args:
        conn: not in a transaction; read from only.
        pending: whether an earlier version of a resource is still on its way to the database.
        unchanged: is told how many resources of each type are there as they came.

    Attributes:
        waits: while set, everything is passed on.
    """

    paused = False

    def __init__(
        self,
        conn: Connection[TupleRow],
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
            for kind in RESOURCE_TYPES - {"Patient", "Bundle"}  # a Patient's document depends on more than its text
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
        self._distributed = has_citus(conn)
        self._differs = may_differ_in_line if has_older_rows(conn) else may_have_a_base
        self._unsure: list[_Head] = []
        self._unsure_size = 0
        self._size, self._pause, self._left = SAMPLE, PAUSE, 0

    def sift(self, found: Iterable[Line | ReadItem]) -> Iterator[Line | ReadItem]:
        """What is to be looked at and written, in its order.

        What was given before must be `pending` or written when more is asked for; `waits` is for what is neither.
        Only lines of what is stored twice come later.
        """
        held: list[_Head] = []
        asked: _Asked | None = None
        size = 0
        items = iter(found)
        with ThreadPoolExecutor(1) as pool:  # the next heads are read while the database looks
            for item in items:
                if self._left or self.paused:
                    yield item
                    yield from islice(items, self._left)
                    self._left = 0
                    continue
                head = self._head(item) if type(item) is Line else None
                if head is not None:
                    held.append(head)
                    size += len(head.line.data)
                    if len(held) < self._size and size < BYTES:
                        continue
                if asked:
                    yield from self._judged(asked)
                asked = self._ask(pool, held)
                held, size = [], 0
                if head is None or self._left or self._size < AT_ONCE:
                    yield from self._judged(asked)
                    asked = None
                if head is None:
                    yield item
            if asked:
                yield from self._judged(asked)
            yield from self._judged(self._ask(pool, held))
        yield from self._surely()

    def _head(self, line: Line) -> _Head | None:
        """A line's head, None if it is no resource of its own."""
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

    def _ask(self, pool: ThreadPoolExecutor, heads: list[_Head]) -> _Asked:
        """Begin to look; all that came before must be given away by now."""
        seen: set[ResourceKey] = set()
        first: dict[ResourceKey, _Head] = {}
        for head in heads:
            if head.key is not None and head.identity not in seen and not self._pending(head.identity):
                first[head.identity] = head
            seen.add(head.identity)
        return _Asked(heads, first, pool.submit(self._there, first) if first else None)

    def _judged(self, asked: _Asked) -> Iterator[Line]:
        """Those of which the database does not hold the very text under the patient that they name.

        A text whose references are stored in another form was written so by an older release, or by a load with other
        bases: it is to be read again.
        """
        same: set[int] = set()
        if asked.there:
            there = asked.there.result()
            same = {
                id(head)
                for place, head in asked.first.items()
                if there.get(place) == head.fingerprint and not self._differs(head.line.data)
            }
            self._settle(len(same), len(asked.first))
        if same:
            passed = [head for head in asked.heads if id(head) in same]
            if self._distributed:
                self._unsure += passed
                self._unsure_size += sum(len(head.line.data) for head in passed)
            else:
                self._count(passed)
        for head in asked.heads:
            if id(head) not in same:
                yield head.line
        if len(self._unsure) >= UNSURE or self._unsure_size >= UNSURE_BYTES:
            yield from self._surely()

    def _surely(self) -> Iterator[Line]:
        """Those of the lines that wait that are stored in several places; the others are passed over."""
        heads, self._unsure, self._unsure_size = self._unsure, [], 0
        several = self._duplicates.duplicated(head.identity for head in heads)
        self._count([head for head in heads if head.identity not in several])
        for head in heads:
            if head.identity in several:
                yield head.line

    def _count(self, heads: list[_Head]) -> None:
        if heads:
            self._unchanged(Counter([head.identity[0] for head in heads]))

    def _settle(self, same: int, tried: int) -> None:
        """How many lines are sifted next, or passed on before the next sample."""
        if 2 * same >= tried:
            self._size, self._pause = AT_ONCE, PAUSE
        else:
            self._size, self._left = SAMPLE, self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _there(self, heads: dict[ResourceKey, _Head]) -> dict[ResourceKey, bytes]:
        """The fingerprints of those that are under the patient that they name: one query a type.

        On a single node without those that are anywhere else.
        """
        self._know({head.key for head in heads.values() if head.key})
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
        """Document, ids and fingerprints, a line a record, so that each worker answers by itself."""
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
        return self._conn.execute(query, values, binary=True).fetchall()

    def _know(self, keys: set[str]) -> None:
        """Look up the documents of patients."""
        unknown = keys - self._documents.keys()
        if len(self._documents) + len(unknown) > REMEMBERED_DOCUMENTS:
            self._documents.clear()
            unknown = keys
        if unknown:
            self._documents |= dict.fromkeys(unknown) | known_documents(
                self._conn, self._fuente, unknown, ()
            )  # of ids alone
