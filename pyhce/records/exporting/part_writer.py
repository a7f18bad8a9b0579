"""Units to files, by several connections at once: COPY as it comes, in large pieces, hashed on the way."""

from __future__ import annotations

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

_TELL = 1.0
"""Seconds between two words about progress."""


class ExportProgress(Frozen):
    """How far an export is. `expected` is about how many resources there will be, 0 if nobody knows."""

    resources: int
    bytes: int
    expected: int
    seconds: float


ProgressCallback = Callable[[ExportProgress], None]


class ProgressCounter:
    """Counts that several threads add to."""

    def __init__(self, told: ProgressCallback | None) -> None:
        self._told, self._lock, self._start = told, threading.Lock(), time.monotonic()
        self.resources = self.bytes = self.expected = 0

    def begin(self, kept: Iterable[WrittenPart], planned_parts: Iterable[PlannedPart]) -> None:
        """Take up what is there already, and what is to come."""
        for done in kept:
            self.add(done.count, done.bytes)
        self.expected = self.resources + sum(planned.rows for planned in planned_parts)

    def add(self, resources: int, size: int) -> None:
        """Add what was written."""
        with self._lock:
            self.resources += resources
            self.bytes += size

    def tell(self) -> None:
        """Say how far it is."""
        if self._told is not None:
            expected = max(self.expected, self.resources)
            seconds = time.monotonic() - self._start
            self._told(ExportProgress(resources=self.resources, bytes=self.bytes, expected=expected, seconds=seconds))


def write_parts(
    snapshot: Snapshot,
    planned_parts: Sequence[PlannedPart],
    selection: ExportSelection,
    folder: ExportFolder,
    *,
    jobs: int,
    counter: ProgressCounter,
) -> int:
    """Read the units of a moment, in their order; how many were gone when their turn came."""
    crew = _PartWriters(snapshot, planned_parts, selection, folder, counter)
    with ThreadPoolExecutor(jobs, thread_name_prefix="export") as pool:
        working = [pool.submit(crew.work) for _ in range(min(jobs, len(planned_parts)))]
        try:
            pending = set(working)
            while pending:
                _, pending = wait(pending, timeout=_TELL, return_when=FIRST_EXCEPTION)
                counter.tell()
                if any(job.done() and job.exception() for job in working):
                    break
        finally:  # a failure, or Ctrl-C: nobody goes on
            crew.stop()
        for job in working:
            job.result()
    return crew.gone


class _Stopped(Exception):
    """Somebody else failed, or the user left."""


class _PartWriters:
    """What the threads of a round share."""

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
        """End what the others are at, if they are at anything still."""
        with self._lock:
            self._stopped = True
            for conn in self._open:
                conn.cancel_safe(timeout=5)

    def work(self) -> None:
        """Read one unit after the other until none is left."""
        mine: dict[int, Connection[TupleRow]] = {}
        try:
            while (planned := self._next()) is not None:
                if planned.node not in mine:
                    mine[planned.node] = self._connection(planned)
                try:
                    self._folder.add(self._copy(mine[planned.node], planned))
                except psycopg.errors.UndefinedTable:  # the shard moved and was cleaned up
                    self._close(mine.pop(planned.node))
                    with self._lock:
                        self.gone += 1
        except _Stopped:
            pass
        except psycopg.errors.QueryCanceled:
            if not self._stopped:
                raise
        finally:
            for conn in mine.values():
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
        """One unit to its file."""
        name, count = self._folder.new_part_name(), 0
        with PartFile(self._folder.work / name) as lines, PartFile(self._folder.rows_path(name)) as kept:
            for block in self._blocks(conn, planned):
                if self._stopped:
                    raise _Stopped
                lines.write(block.lines)
                kept.write(block.kept)
                self._counter.add(block.rows, len(block.lines))
                count += block.rows
        then = self._snapshot.node_snapshots
        nodes = {place[1] for place in planned.places}
        return WrittenPart(
            planned=planned, file=name, count=count, bytes=lines.size, sha256=lines.sha256, rows_bytes=kept.size,
            rows_sha256=kept.sha256, snapshots={node: then[node] for node in nodes},
        )  # fmt: skip
