"""Batches to the database beside the reading: a thread for each connection, in order where order matters."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.reading.prepared import PreparedResource, ResourceKey

Write = Callable[[Connection[TupleRow], "list[PreparedResource]"], None]

BATCH_BYTES = 8_000_000
_SOURCES = 16
"""Batches of other servers' sources that are filled at once."""
_WAITING = 1
"""Batches that wait for each writer: enough that it never waits itself."""


@dataclass(eq=False)
class Batch:
    """Resources of one source on their way; no identity is twice in it."""

    lane: int
    rows: list[PreparedResource] = field(default_factory=list)
    size: int = 0
    done: bool = False


class BatchWriters:
    """Writes resources in batches; those of one patient always through the same connection, in the order they came.

    So writers of one load never get in each other's way over a patient, and of two versions of a resource the later
    one stays. Where a resource comes again under another patient, everything before it is finished first.

    Args:
        connections: a thread writes through each; if there is but one, and `inline`, it is used without a thread.
        write: writes one batch; what it raises ends the load.
        batch: resources in one.
    """

    def __init__(
        self, connections: Sequence[Connection[TupleRow]], write: Write, *, batch: int, inline: bool = False
    ) -> None:
        self._connections, self._write, self._size = connections, write, batch
        self._open: dict[tuple[int, str | None], Batch] = {}
        self._owner: dict[tuple[str, ...], Batch] = {}  # by type and id, and the source if that is another server's
        self._under_way: list[Batch] = []
        self._failed: BaseException | None = None
        self._queues: list[queue.Queue[Batch | None]] = []
        self._threads: list[threading.Thread] = []
        if not inline:
            self._queues = [queue.Queue(_WAITING) for _ in connections]
            self._threads = [
                threading.Thread(target=self._run, args=pair, daemon=True)
                for pair in zip(connections, self._queues, strict=True)
            ]

    def __enter__(self) -> BatchWriters:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None and self._failed is None:
            self._failed = error
        for conn, held, thread in zip(self._connections, self._queues, self._threads, strict=False):
            if self._failed is not None:
                with contextlib.suppress(psycopg.Error):
                    conn.cancel_safe(timeout=5)
            held.put(None)
            thread.join()

    def pending(self, identity: ResourceKey) -> bool:
        """Whether a resource was taken and is perhaps not written yet."""
        batch = self._owner.get(identity)
        return batch is not None and not batch.done

    def add(self, prepared: PreparedResource) -> None:
        """Take a resource; may wait until a writer has room."""
        fuente = prepared.fuente
        identity = prepared.identity if fuente is None else (*prepared.identity, fuente)
        lane = hash(prepared.patient_key or identity[1]) % len(self._connections)
        place = lane, fuente
        batch = self._open.get(place)
        other = self._owner.get(identity)
        if other is not None and not other.done:
            if other.lane != lane:
                self.drain()
            elif other is batch:
                self._submit(place)
            batch = self._open.get(place)
        if batch is None:
            if len(self._open) >= len(self._connections) + _SOURCES:
                self.drain()
            batch = self._open[place] = Batch(lane)
        self._owner[identity] = batch
        batch.rows.append(prepared)
        batch.size += len(prepared.recurso)
        if batch.size >= BATCH_BYTES or len(batch.rows) >= self._size:
            self._submit(place)

    def drain(self) -> None:
        """Write everything that was taken."""
        for place in list(self._open):
            self._submit(place)
        for held in self._queues:
            held.join()
        self._forget_done()

    def _submit(self, place: tuple[int, str | None]) -> None:
        batch = self._open.pop(place)
        self._under_way.append(batch)
        if self._queues:
            self._queues[batch.lane].put(batch)
        else:
            self._write(self._connections[batch.lane], batch.rows)
            batch.done = True
        self._forget_done()

    def _forget_done(self) -> None:
        if self._failed is not None:
            raise self._failed
        for batch in [batch for batch in self._under_way if batch.done]:
            self._under_way.remove(batch)
            for prepared in batch.rows:
                identity = prepared.identity if prepared.fuente is None else (*prepared.identity, prepared.fuente)
                if self._owner.get(identity) is batch:
                    del self._owner[identity]

    def _run(self, conn: Connection[TupleRow], held: queue.Queue[Batch | None]) -> None:
        while (batch := held.get()) is not None:
            try:
                if self._failed is None:
                    self._write(conn, batch.rows)
                    batch.done = True
            except BaseException as error:  # handed to the reading thread, which raises it
                self._failed = self._failed or error
            finally:
                held.task_done()
