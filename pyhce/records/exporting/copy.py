"""Units to files, by several connections at once: COPY as it comes, in large pieces, hashed on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.exporting.copy_out import Block, pairs, selected
from pyhce.records.exporting.folder import ExportFolder, Part
from pyhce.records.exporting.moments import Moment
from pyhce.records.exporting.units import Done, Unit, Wanted, copying, selecting
from pyhce.schema.model import Frozen

_TELL = 1.0
"""Seconds between two words about progress."""


class ExportProgress(Frozen):
    """How far an export is. `expected` is about how many resources there will be, 0 if nobody knows."""

    resources: int
    bytes: int
    expected: int
    seconds: float


Told = Callable[[ExportProgress], None]


class Tally:
    """Counts that several threads add to."""

    def __init__(self, told: Told | None) -> None:
        self._told, self._lock, self._start = told, threading.Lock(), time.monotonic()
        self.resources = self.bytes = self.expected = 0

    def begin(self, kept: Iterable[Done], units: Iterable[Unit]) -> None:
        """Take up what is there already, and what is to come."""
        for done in kept:
            self.add(done.count, done.bytes)
        self.expected = self.resources + sum(unit.rows for unit in units)

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


def copy_all(
    moment: Moment, units: Sequence[Unit], wanted: Wanted, folder: ExportFolder, *, jobs: int, tally: Tally
) -> int:
    """Read the units of a moment, in their order; how many were gone when their turn came."""
    crew = _Crew(moment, units, wanted, folder, tally)
    with ThreadPoolExecutor(jobs, thread_name_prefix="export") as pool:
        working = [pool.submit(crew.work) for _ in range(min(jobs, len(units)))]
        try:
            pending = set(working)
            while pending:
                _, pending = wait(pending, timeout=_TELL, return_when=FIRST_EXCEPTION)
                tally.tell()
                if any(job.done() and job.exception() for job in working):
                    break
        finally:  # a failure, or Ctrl-C: nobody goes on
            crew.stop()
        for job in working:
            job.result()
    return crew.gone


class _Stopped(Exception):
    """Somebody else failed, or the user left."""


class _Crew:
    """What the threads of a round share."""

    def __init__(
        self, moment: Moment, units: Sequence[Unit], wanted: Wanted, folder: ExportFolder, tally: Tally
    ) -> None:
        self._moment, self._wanted, self._folder, self._tally = moment, wanted, folder, tally
        self._units = list(reversed(units))
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
            while (unit := self._next()) is not None:
                if unit.node not in mine:
                    mine[unit.node] = self._connection(unit)
                try:
                    self._folder.add(self._copy(mine[unit.node], unit))
                except psycopg.errors.UndefinedTable:  # the shard moved and was cleaned up
                    self._close(mine.pop(unit.node))
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

    def _next(self) -> Unit | None:
        with self._lock:
            return self._units.pop() if self._units and not self._stopped else None

    def _connection(self, unit: Unit) -> Connection[TupleRow]:
        made = self._moment.connection(unit.node)
        with self._lock:
            self._open.append(made)
        return made

    def _close(self, conn: Connection[TupleRow]) -> None:
        with self._lock:
            self._open.remove(conn)
        conn.close()

    def _blocks(self, conn: Connection[TupleRow], unit: Unit) -> Iterator[Block]:
        if self._wanted.document is None or unit.direct:
            return pairs(conn, copying(self._moment, unit, self._wanted))
        return selected(conn, selecting(self._moment, unit, self._wanted), [self._wanted.document])

    def _copy(self, conn: Connection[TupleRow], unit: Unit) -> Done:
        """One unit to its file."""
        name, count = self._folder.part(), 0
        with Part(self._folder.work / name) as lines, Part(self._folder.rows_of(name)) as kept:
            for block in self._blocks(conn, unit):
                if self._stopped:
                    raise _Stopped
                lines.write(block.lines)
                kept.write(block.kept)
                self._tally.add(block.rows, len(block.lines))
                count += block.rows
        then = self._moment.snapshots
        nodes = {place[1] for place in unit.places}
        return Done(
            unit=unit, file=name, count=count, bytes=lines.size, sha256=lines.sha256, rows_bytes=kept.size,
            rows_sha256=kept.sha256, snapshots={node: then[node] for node in nodes},
        )  # fmt: skip
