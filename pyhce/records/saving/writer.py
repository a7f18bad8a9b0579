"""What an application holds on to: saves and deletes on connections of its own, again where another was in the way."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

import psycopg

from pyhce.citus.connection import Database, connect, explained
from pyhce.citus.migrate import refuse_unready
from pyhce.errors import HceError
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.saving.given import Resource, given, given_one
from pyhce.records.saving.save import Records, delete, save, save_many
from pyhce.records.saving.saved import Deleted, Saved, SavedMany
from pyhce.records.writing.races import AGAIN, ATTEMPTS, kept_losing
from pyhce.schema.model import Schema

RECONNECTIONS = 3
_LOST = frozenset({"57P01", "57P02", "57P03"})
"""The server, or a node behind it, is going down or coming up."""

T = TypeVar("T")


class Writer:
    """Writes for one source system. Threads may share it: each call takes a connection of its own.

    A connection that broke is replaced and the call done again: a save of the same content changes nothing.

    Args:
        dsn: the coordinator.
        fuente: the source system; ids are unique within one.
        rules: which identifiers are identity documents.
        connections: calls at once at most; further ones wait.

    Raises:
        ConnectionFailed: nobody answers there.
        SchemaMismatch: the database has not the schema of this release.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: Schema,
        fuente: str = "",
        rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
        connections: int = 4,
    ) -> None:
        self._dsn = dsn
        self._records = Records(schema, fuente, rules)
        self._slots = threading.BoundedSemaphore(connections)
        self._idle: list[Database] = []
        self._closed = False
        with self._connection() as conn:
            refuse_unready(conn, schema)

    def save(self, resource: Resource) -> Saved:
        """Write one resource, with its history; committed when this returns.

        Raises:
            InvalidResource: it is no FHIR resource.
            ConnectionFailed: the database went away; whether this was kept is not known, and saving it again is right.
            HceError: the database refused it, or others kept getting in the way.
        """
        item = given_one(self._records.schema, resource)
        return self._done(lambda conn: save(conn, self._records, item))

    def save_many(self, resources: Iterable[Resource]) -> SavedMany:
        """Write several resources, and those of Bundles, in one transaction: all of them or none. Raises as `save`."""
        items = [item for resource in resources for item in given(self._records.schema, resource)]
        return self._done(lambda conn: save_many(conn, self._records, items))

    def delete(self, fhir_type: str, resource_id: str) -> Deleted:
        """Delete one resource; its content stays in the history. Raises as `save`."""
        return self._done(lambda conn: delete(conn, self._records, fhir_type, resource_id))

    def close(self) -> None:
        """Close the connections; those in use close when their call is done."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _connection(self) -> Iterator[Database]:
        if self._closed:
            raise HceError("this writer is closed", remedy="Open another one: pyhce.connect().")
        with self._slots:
            try:
                conn = self._idle.pop()
            except IndexError:
                conn = connect(self._dsn)
            try:
                yield conn
            finally:
                if conn.closed or self._closed or conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    conn.close()
                else:
                    self._idle.append(conn)

    def _done(self, deed: Callable[[Database], T]) -> T:
        """Do it, again where another writer was in the way or the connection was lost."""
        lost = 0
        with explained():
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    with self._connection() as conn:
                        return deed(conn)
                except AGAIN as error:
                    if attempt == ATTEMPTS:
                        remedy = "Try again when they are done: nothing of this call was kept."
                        raise kept_losing(error, ATTEMPTS, remedy=remedy) from error
                except psycopg.OperationalError as error:
                    lost += 1
                    if not _is_lost(error) or lost > RECONNECTIONS:
                        raise
                time.sleep(random.uniform(0, min(0.01 * 2**attempt, 1.0)))  # noqa: S311 - only to spread them
        raise AssertionError


def _is_lost(error: psycopg.OperationalError) -> bool:
    """Whether a connection broke, ours or one between nodes."""
    return error.sqlstate is None or error.sqlstate in _LOST or error.sqlstate.startswith("08")


class AsyncWriter:
    """The same for asyncio: calls run in threads of its own, `connections` at once, and the event loop goes on.

    A call whose awaiting task is cancelled may still be done.
    """

    def __init__(self, writer: Callable[[], Writer], *, connections: int) -> None:
        self._open = writer
        self._writer: Writer | None = None
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="pyhce")

    async def save(self, resource: Resource) -> Saved:
        """As `Writer.save`."""
        return await self._run(lambda writer: writer.save(resource))

    async def save_many(self, resources: Iterable[Resource]) -> SavedMany:
        """As `Writer.save_many`."""
        return await self._run(lambda writer: writer.save_many(resources))

    async def delete(self, fhir_type: str, resource_id: str) -> Deleted:
        """As `Writer.delete`."""
        return await self._run(lambda writer: writer.delete(fhir_type, resource_id))

    async def close(self) -> None:
        """Wait for what is under way, then close the connections."""
        if self._writer is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._writer.close)
        self._threads.shutdown()

    async def __aenter__(self) -> Self:
        self._writer = await asyncio.get_running_loop().run_in_executor(self._threads, self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, deed: Callable[[Writer], T]) -> T:
        writer = self._writer
        if writer is None:
            raise HceError("this writer is not open", remedy="async with pyhce.connect_async() as db: …")
        return await asyncio.get_running_loop().run_in_executor(self._threads, deed, writer)
