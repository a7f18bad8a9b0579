"""Fill batches and write them while reading goes on: one thread for each connection.

A *lane* is a connection with its thread and its queue. All resources of one patient take the same lane, in input order:

    Observation/1 of Patient/7  -> lane 0
    Observation/2 of Patient/8  -> lane 1
    Observation/3 of Patient/7  -> lane 0, behind Observation/1

So the writers of one load never conflict over a patient, and of two versions of a resource the later one is kept. If a
resource comes again under another patient, its two versions could be in two lanes: the first is written before the
second is accepted.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from pyhce.citus.failover import SteadyConnection
from pyhce.records.reading.prepared import PreparedResource, ResourceKey

WriteBatch = Callable[[SteadyConnection, "list[PreparedResource]"], None]

BATCH_BYTES = 8_000_000
"""Bytes of resources at which a batch is full, whatever their number."""
_SOURCES = 16
"""Batches of other servers' sources that are filled at the same time."""
_WAITING = 1
"""Full batches that wait for each thread: one is enough to keep it busy."""


@dataclass(eq=False)
class Batch:
    """Resources of one source, no identity twice. `done` is set once they are committed."""

    lane: int
    rows: list[PreparedResource] = field(default_factory=list)
    size: int = 0
    done: bool = False


def _identity_in_load(prepared: PreparedResource) -> tuple[str, ...]:
    """Type and id, and the source too if it is not the one that is loaded."""
    return prepared.identity if prepared.fuente is None else (*prepared.identity, prepared.fuente)


class BatchWriters:
    """Writes resources in batches; those of one patient through one connection, in the order they came.

    Args:
        connections: one thread writes through each.
        write: writes one batch. An error that it raises ends the load.
        batch: resources at which a batch is full.
        inline: write in the calling thread, through the only connection.
    """

    def __init__(
        self, connections: Sequence[SteadyConnection], write: WriteBatch, *, batch: int, inline: bool = False
    ) -> None:
        self._connections, self._write, self._size = connections, write, batch
        self._open: dict[tuple[int, str | None], Batch] = {}
        self._batch_of: dict[tuple[str, ...], Batch] = {}  # by `_identity_in_load`
        self._submitted: list[Batch] = []
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
        for conn, batches, thread in zip(self._connections, self._queues, self._threads, strict=False):
            if self._failed is not None:
                conn.cancel()
            batches.put(None)
            thread.join()

    def pending(self, identity: ResourceKey) -> bool:
        """Whether an earlier version of a resource may not be committed yet."""
        batch = self._batch_of.get(identity)
        return batch is not None and not batch.done

    def add(self, prepared: PreparedResource) -> None:
        """Put a resource into its batch. Waits while the queue of its lane is full."""
        fuente, identity = prepared.fuente, _identity_in_load(prepared)
        lane = hash(prepared.patient_key or identity[1]) % len(self._connections)
        key = lane, fuente
        batch = self._open.get(key)
        earlier = self._batch_of.get(identity)
        if earlier is not None and not earlier.done:
            if earlier.lane != lane:
                self.drain()
            elif earlier is batch:
                self._submit(key)
            batch = self._open.get(key)
        if batch is None:
            if len(self._open) >= len(self._connections) + _SOURCES:
                self.drain()
            batch = self._open[key] = Batch(lane)
        self._batch_of[identity] = batch
        batch.rows.append(prepared)
        batch.size += len(prepared.recurso)
        if batch.size >= BATCH_BYTES or len(batch.rows) >= self._size:
            self._submit(key)

    def drain(self) -> None:
        """Return once every resource that was added is committed."""
        for key in list(self._open):
            self._submit(key)
        for batches in self._queues:
            batches.join()
        self._forget_done()

    def _submit(self, key: tuple[int, str | None]) -> None:
        batch = self._open.pop(key)
        self._submitted.append(batch)
        if self._queues:
            self._queues[batch.lane].put(batch)
        else:
            self._write(self._connections[batch.lane], batch.rows)
            batch.done = True
        self._forget_done()

    def _forget_done(self) -> None:
        if self._failed is not None:
            raise self._failed
        for batch in [batch for batch in self._submitted if batch.done]:
            self._submitted.remove(batch)
            for prepared in batch.rows:
                identity = _identity_in_load(prepared)
                if self._batch_of.get(identity) is batch:
                    del self._batch_of[identity]

    def _run(self, conn: SteadyConnection, batches: queue.Queue[Batch | None]) -> None:
        while (batch := batches.get()) is not None:
            try:
                if self._failed is None:
                    self._write(conn, batch.rows)
                    batch.done = True
            except BaseException as error:  # the reading thread raises it
                self._failed = self._failed or error
            finally:
                batches.task_done()
