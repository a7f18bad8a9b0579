"""The writer of an application: saves and deletes on a pool of connections, retried after conflicts and reconnects."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg

from pyhce.citus.connection import (
    DatabaseConnection,
    complete_dsn,
    connect,
    explained_errors,
    refuse_worker,
    take_writer_role,
)
from pyhce.citus.migrate import refuse_incomplete_schema
from pyhce.errors import ConnectionFailed, HceError
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.reading.bases import own_bases
from pyhce.records.reading.ids import derived_id, is_id
from pyhce.records.saving.application_input import ReadOptions, Resource, resource_to_save, resources_to_save
from pyhce.records.saving.save import SourceRecords, delete, save, save_many
from pyhce.records.saving.saved import Deleted, Saved, SavedMany
from pyhce.records.source_names import check_source
from pyhce.records.writing.retry import CONFLICTS, call_with_retries
from pyhce.schema.model import Schema

logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())  # it logs every failed attempt

RECONNECTIONS = 3
"""Lost connections that one call survives."""
RECONNECTING = 15.0
"""Seconds that a call waits for a server that does not answer, for example while it restarts."""
_LOST = frozenset({"57P01", "57P02", "57P03"})
"""SQLSTATEs of a server, or of a node behind it, that is shutting down or starting."""

T = TypeVar("T")


class Writer:
    """Writes resources of one source system. Threads may share a writer: each call takes its own connection.

    If the connection is lost, the writer replaces it and every other broken connection of the pool, and repeats the
    call. That is safe: saving the same content a second time changes nothing.

    Args:
        dsn: the coordinator.
        schema: the schema of the database.
        fuente: the source system. Ids are unique within one source.
        rules: which identifiers are identity documents.
        bases: the source's own base URLs, as for `load`.
        repair_ids: whether to give a resource whose id is not a valid FHIR id a derived id, as `load` does.
        connections: number of calls that may run at once; further calls wait.

    Raises:
        UsageError: the DSN names a worker of a Citus cluster.
        ConnectionFailed: no server answers at the DSN.
        SchemaMismatch: the database does not have the schema of this release.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: Schema,
        fuente: str = "",
        rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
        bases: Sequence[str] = (),
        repair_ids: bool = False,
        connections: int = 4,
    ) -> None:
        self._dsn = dsn
        self._reading = ReadOptions(own_bases(bases, check_source(fuente)), rules, fuente, repair_ids)
        from psycopg_pool import ConnectionPool  # only a writer needs it, and every program imports this module

        self._records = SourceRecords(schema, fuente, rules)
        self._slots = threading.BoundedSemaphore(connections)
        with connect(dsn) as conn, explained_errors():
            refuse_worker(conn)
            refuse_incomplete_schema(conn, schema)
        self._pool = ConnectionPool(
            complete_dsn(dsn),
            kwargs={"autocommit": True},
            configure=take_writer_role,
            min_size=0,
            max_size=connections,
            timeout=RECONNECTING,
            name="pyhce",
            open=True,
        )

    def save(self, resource: Resource) -> Saved:
        """Write one resource, with its history. It is committed when this returns.

        Args:
            resource: a FHIR R4 resource as a dict or as JSON text. Without an id it gets a new UUID.

        Raises:
            InvalidResource: the resource is not a valid FHIR resource.
            ConnectionFailed: the connection was lost. The resource may or may not be stored; save it again.
            HceError: the database refused the resource, or every attempt met a conflict with another writer.
        """
        item = resource_to_save(self._records.schema, resource, self._reading)
        return self._call(lambda conn: save(conn, self._records, item))

    def save_many(self, resources: Iterable[Resource]) -> SavedMany:
        """Write resources, and those in Bundles, in one transaction: all or none. Raises the errors of `save`."""
        items = [
            item for resource in resources for item in resources_to_save(self._records.schema, resource, self._reading)
        ]
        return self._call(lambda conn: save_many(conn, self._records, items))

    def delete(self, fhir_type: str, resource_id: str) -> Deleted:
        """Delete one resource. Its content stays in the history. Raises the errors of `save`.

        Args:
            fhir_type: the FHIR type, such as `Observation`.
            resource_id: the id. One that is not a valid FHIR id stands for the id that `repair_ids` derived from it.
        """
        key = resource_id if is_id(resource_id) else derived_id(fhir_type, resource_id)
        return self._call(lambda conn: delete(conn, self._records, fhir_type, key))

    def close(self) -> None:
        """Close the connections. A connection in use closes when its call has ended."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _connection(self) -> Iterator[DatabaseConnection]:
        """A connection from the pool. It is closed if the call leaves it in a transaction."""
        from psycopg_pool import PoolClosed, PoolTimeout

        with self._slots:  # a call waits without limit for other calls, and for the server at most RECONNECTING
            try:
                conn = self._pool.getconn()
            except PoolClosed:
                raise HceError("this writer is closed", remedy="Open another one with `pyhce.connect()`.") from None
            except PoolTimeout as error:
                connect(self._dsn).close()  # raises the cause
                raise ConnectionFailed(
                    f"could not connect within {RECONNECTING:.0f} s",
                    remedy="Repeat the call: the server answers again.",
                ) from error
            try:
                yield conn
            finally:
                if conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    conn.close()
                self._pool.putconn(conn)

    def _call(self, operation: Callable[[DatabaseConnection], T]) -> T:
        """Run an operation on a connection of the pool, and retry after a conflict or a lost connection."""
        lost = 0

        def run(_: int) -> T:
            with self._connection() as conn:
                return operation(conn)

        def reconnects(error: BaseException, _: int) -> bool:
            nonlocal lost
            lost += 1
            return lost <= RECONNECTIONS and isinstance(error, psycopg.OperationalError) and _is_lost(error)

        def replace_broken(error: BaseException) -> None:
            if not isinstance(error, CONFLICTS):
                self._pool.check()  # a restart breaks every idle connection: replace them all at once

        with explained_errors():
            return call_with_retries(
                run,
                remedy="Call it again when the other writers are done. This call changed nothing.",
                retries_also=reconnects,
                before_retry=replace_broken,
            )


def _is_lost(error: psycopg.OperationalError) -> bool:
    """Whether a connection was lost: ours, or one between two nodes."""
    return error.sqlstate is None or error.sqlstate in _LOST or error.sqlstate.startswith("08")


class AsyncWriter:
    """A `Writer` for asyncio. Each call runs in a thread of its own, at most `connections` at once.

    The writer opens when it is awaited or entered, and only once:

        db = await pyhce.connect_async()        # close it with `await db.close()`
        async with pyhce.connect_async() as db: ...

    An open that fails or is cancelled leaves no connection. A save whose task is cancelled may still be committed.
    """

    def __init__(self, writer: Callable[[], Writer], *, connections: int) -> None:
        self._open_writer = writer
        self._writer: Writer | None = None
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="pyhce")
        self._opening = asyncio.Lock()
        self._closed = False

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
        """Wait for the calls in progress, then close the connections. The event loop is not blocked. Safe to repeat."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)

    def __await__(self) -> Generator[Any, None, Self]:
        return self._opened().__await__()

    async def __aenter__(self) -> Self:
        return await self._opened()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _opened(self) -> Self:
        """Open the writer if it is not open yet. An error or a cancellation closes it for good."""
        async with self._opening:
            if self._closed:
                raise _closed_error()
            if self._writer is None:
                opening = self._threads.submit(self._open_writer)
                try:
                    self._writer = await asyncio.wrap_future(opening)
                except BaseException:  # a cancellation too: the thread goes on opening the writer, which then closes
                    self._closed = True
                    opening.add_done_callback(_close_writer)
                    self._threads.shutdown(wait=False)
                    raise
        return self

    async def _run(self, call: Callable[[Writer], T]) -> T:
        if self._closed:
            raise _closed_error()
        if self._writer is None:
            raise HceError(
                "this writer is not open yet",
                remedy="Open it with `db = await pyhce.connect_async()` or `async with pyhce.connect_async() as db`.",
            )
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, self._writer)


def _close_writer(opening: Future[Writer]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _closed_error() -> HceError:
    return HceError("this writer is closed", remedy="Open another one with `await pyhce.connect_async()`.")
