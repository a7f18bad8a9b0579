"""Writes the parts of an export: several threads, each with its own connections, copy rows to files and hash them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.exporting.copy_out import Block, copied_blocks, selected_blocks
from pyhce.records.exporting.folder import ExportFolder, PartFile
from pyhce.records.exporting.parts import ExportSelection, PlannedPart, WrittenPart, copy_statement, select_statement
from pyhce.records.exporting.snapshot import Snapshot
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)

_PROGRESS_INTERVAL = 1.0
"""Seconds between two reports of progress."""


class ExportProgress(Frozen):
    """How far an export is.

    Args:
        resources, bytes: written so far.
        expected: the estimated number of resources, 0 if there is no estimate.
        seconds: since the export began.
    """

    resources: int
    bytes: int
    expected: int
    seconds: float


ProgressCallback = Callable[[ExportProgress], None]


class ProgressCounter:
    """Counts what several threads have written, and reports it."""

    def __init__(self, report: ProgressCallback | None) -> None:
        self._callback, self._lock, self._start = report, threading.Lock(), time.monotonic()
        self.resources = self.bytes = self.expected = 0

    def begin(self, kept: Iterable[WrittenPart], planned_parts: Iterable[PlannedPart]) -> None:
        """Count the parts that are kept, and estimate what will be written."""
        for part in kept:
            self.add(part.count, part.bytes)
        self.expected = self.resources + sum(planned.rows for planned in planned_parts)

    def add(self, resources: int, size: int) -> None:
        """Count what a thread has written."""
        with self._lock:
            self.resources += resources
            self.bytes += size

    def report(self) -> None:
        """Call the callback with the counts so far."""
        if self._callback is not None:
            expected = max(self.expected, self.resources)
            seconds = time.monotonic() - self._start
            self._callback(
                ExportProgress(resources=self.resources, bytes=self.bytes, expected=expected, seconds=seconds)
            )


def write_parts(
    snapshot: Snapshot,
    planned_parts: Sequence[PlannedPart],
    selection: ExportSelection,
    folder: ExportFolder,
    *,
    jobs: int,
    counter: ProgressCounter,
) -> int:
    """Write these parts, in their order.

    Args:
        jobs: threads at most.

    Returns:
        How many parts could not be read because their shard had moved.
    """
    writers = _PartWriters(snapshot, planned_parts, selection, folder, counter)
    with ThreadPoolExecutor(jobs, thread_name_prefix="export") as pool:
        working = [pool.submit(writers.work) for _ in range(min(jobs, len(planned_parts)))]
        try:
            pending = set(working)
            while pending:
                _, pending = wait(pending, timeout=_PROGRESS_INTERVAL, return_when=FIRST_EXCEPTION)
                counter.report()
                if any(job.done() and job.exception() for job in working):
                    break
        finally:  # after a failure or Ctrl-C, too
            writers.stop()
        for job in working:
            job.result()
    return writers.gone


class _Stopped(Exception):
    """Another thread failed, or the user interrupted the export."""


class _PartWriters:
    """The threads of one round, and what they share."""

    def __init__(
        self,
        snapshot: Snapshot,
        planned_parts: Sequence[PlannedPart],
        selection: ExportSelection,
        folder: ExportFolder,
        counter: ProgressCounter,
    ) -> None:
        self._snapshot, self._selection, self._folder, self._counter = snapshot, selection, folder, counter
        self._planned_parts = list(reversed(planned_parts))
        self._lock = threading.Lock()
        self._open: list[Connection[TupleRow]] = []
        self._stopped = False
        self.gone = 0

    def stop(self) -> None:
        """Make every thread stop: no new part, and the running statements are cancelled."""
        with self._lock:
            self._stopped = True
            for conn in self._open:
                conn.cancel_safe(timeout=5)

    def work(self) -> None:
        """Write one part after another until none is left."""
        connections: dict[int, Connection[TupleRow]] = {}
        try:
            while (planned := self._next()) is not None:
                if planned.node not in connections:
                    connections[planned.node] = self._connection(planned)
                try:
                    self._folder.add(self._copy(connections[planned.node], planned))
                except psycopg.errors.UndefinedTable:  # the shard moved and was cleaned up
                    self._close(connections.pop(planned.node))
                    logger.info("a shard of %s moved while it was read: it is read again", planned.table)
                    with self._lock:
                        self.gone += 1
        except _Stopped:
            pass
        except psycopg.errors.QueryCanceled:
            if not self._stopped:
                raise
        finally:
            for conn in connections.values():
                self._close(conn)

    def _next(self) -> PlannedPart | None:
        with self._lock:
            return self._planned_parts.pop() if self._planned_parts and not self._stopped else None

    def _connection(self, planned: PlannedPart) -> Connection[TupleRow]:
        made = self._snapshot.connection(planned.node)
        with self._lock:
            self._open.append(made)
        return made

    def _close(self, conn: Connection[TupleRow]) -> None:
        with self._lock:
            self._open.remove(conn)
        conn.close()

    def _blocks(self, conn: Connection[TupleRow], planned: PlannedPart) -> Iterator[Block]:
        if self._selection.document is None or planned.direct:
            return copied_blocks(conn, copy_statement(self._snapshot, planned, self._selection))
        return selected_blocks(
            conn, select_statement(self._snapshot, planned, self._selection), [self._selection.document]
        )

    def _copy(self, conn: Connection[TupleRow], planned: PlannedPart) -> WrittenPart:
        """Copy the rows of one part to its two files."""
        name, count = self._folder.new_part_name(), 0
        with PartFile(self._folder.work / name) as lines, PartFile(self._folder.rows_path(name)) as rest:
            for block in self._blocks(conn, planned):
                if self._stopped:
                    raise _Stopped
                lines.write(block.lines)
                rest.write(block.rest)
                self._counter.add(block.rows, len(block.lines))
                count += block.rows
        logger.debug("wrote %s: %d rows of %s, source %r", name, count, planned.type, planned.source)
        snapshots = self._snapshot.node_snapshots
        nodes = {place[1] for place in planned.places}
        return WrittenPart(
            planned=planned, file=name, count=count, bytes=lines.size, sha256=lines.sha256, rows_bytes=rest.size,
            rows_sha256=rest.sha256, snapshots={node: snapshots[node] for node in nodes},
        )  # fmt: skip
