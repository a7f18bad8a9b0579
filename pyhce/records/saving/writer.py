"""The writer of an application: saves and deletes, repeated after conflicts with other writers and after failovers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg

from pyhce.citus.connection import DatabaseConnection, explained_errors, refuse_worker
from pyhce.citus.failover import (
    RECONNECT_WAIT,
    call_through_failover,
    open_leader,
    refuse_standby,
    wait_for_interrupted_commits,
)
from pyhce.citus.migrate import refuse_incomplete_schema
from pyhce.errors import HceError
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.reading.bases import own_bases
from pyhce.records.reading.ids import derived_id, is_id
from pyhce.records.saving.application_input import ReadOptions, Resource, resource_to_save, resources_to_save
from pyhce.records.saving.connections import WriterConnections, check_connections, check_reconnect_wait
from pyhce.records.saving.save import SourceRecords, delete, save, save_many
from pyhce.records.saving.saved import Deleted, Saved, SavedMany
from pyhce.records.source_names import check_source
from pyhce.records.writing.retry import call_with_retries
from pyhce.schema.model import Schema

T = TypeVar("T")


class Writer:
    """Writes resources of one source system. Threads may share a writer: each call takes its own connection.

    If a node is lost, the call waits for it, up to `reconnect_wait` seconds, and is repeated on a new connection. Every
    call of a writer may be repeated, whether the lost attempt was committed or not:

    - `save`: the same content under the same id changes nothing; a resource without an id gets its id before the first
      attempt. The outcome is then `unchanged`. If another writer saved the resource between the attempts, its version
      goes to the history, as if this call had come later.
    - `save_many`: the same, for all of its resources. If a resource occurs twice in one call, a repeated call writes
      both contents again: the last one is current, and the history has both twice.
    - `delete`: the outcome is then `absent`. A version that another writer saved between the attempts is deleted too.

    Args:
        dsn: the coordinator.
        schema: the schema of the database.
        fuente: the source system. Ids are unique within one source.
        rules: which identifiers are identity documents.
        bases: the source's own base URLs, as for `load`.
        repair_ids: whether to give a resource whose id is not a valid FHIR id a derived id, as `load` does.
        connections: number of calls that may run at once; further calls wait.
        reconnect_wait: seconds that a call waits for a lost node; 0 repeats nothing.

    Raises:
        UsageError: the DSN names a worker of a Citus cluster, or a number is out of range.
        ConnectionFailed: no server answers at the DSN, or it is a standby.
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
        reconnect_wait: float = RECONNECT_WAIT,
    ) -> None:
        self._dsn = dsn
        self._reading = ReadOptions(own_bases(bases, check_source(fuente)), rules, fuente, repair_ids)
        self._records = SourceRecords(schema, fuente, rules)
        self._wait = check_reconnect_wait(reconnect_wait)
        self._connections = WriterConnections(dsn, check_connections(connections))
        try:
            with self._connections.one() as conn, explained_errors():
                refuse_worker(conn)
                refuse_standby(conn)
                refuse_incomplete_schema(conn, schema)
        except BaseException:
            self._connections.close()
            raise

    def save(self, resource: Resource) -> Saved:
        """Write one resource, with its history. It is committed when this returns.

        Args:
            resource: a FHIR R4 resource as a dict or as JSON text. Without an id it gets a new UUID.

        Raises:
            InvalidResource: the resource is not a valid FHIR resource.
            ConnectionFailed: a node was lost, and none served for `reconnect_wait` seconds. The resource may or may
                not be stored; save it again.
            SchemaMismatch: a migration moved the resource's type to another table since the writer was opened.
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
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _call(self, operation: Callable[[DatabaseConnection], T]) -> T:
        """Run an operation on a connection of its own, and again after a conflict or a lost node.

        Every operation of a writer may be repeated after a lost node, whether the lost attempt was committed or not.
        `save` and `save_many` write the same content under the same ids, and `delete` finds the resource absent.
        """

        def run(_: int) -> T:
            with self._connections.one() as conn:
                return operation(conn)

        def replace_lost(_: BaseException, seconds: float) -> None:
            self._connections.close_idle()  # a failover breaks every idle connection
            conn = open_leader(self._dsn, timeout=seconds)
            with suppress(psycopg.Error):  # lost again: the call finds out
                wait_for_interrupted_commits(conn)
            self._connections.put(conn)

        with explained_errors(), self._connections.slot():
            return call_through_failover(
                lambda: call_with_retries(
                    run, remedy="Call it again when the other writers are done. This call changed nothing."
                ),
                before_repeat=replace_lost,
                wait=self._wait,
            )


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
