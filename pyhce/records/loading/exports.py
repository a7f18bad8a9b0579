"""Load a finished export of ours: each source under its own name, and what FHIR has no place for.

Into an empty database everything goes where it was: documents, versions, moments, corrections, history. That the
database was empty is noted in the transaction that brings the corrections, so a load that was killed goes on so. Into
any other database resources go by the identity rules, as those of other files do; a correction is taken over only if
it is about records and Patients that the database does not know, and former versions are left out. The report counts
what was left. A finished restore is noted too: if the export is read again, what was removed since goes by the identity
rules.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import NamedTuple

import orjson
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.loading.batch_writers import BATCH_BYTES
from pyhce.records.loading.exported_corrections import CorrectionCounts, insert_all, insert_unknown
from pyhce.records.loading.identity_counts import count_identities
from pyhce.records.loading.loaded_files import is_recorded, record_file
from pyhce.records.loading.state import RERUN_REMEDY, LoadState
from pyhce.records.reading.exported_rows import ExportedRow, read_exported_rows
from pyhce.records.reading.finished_export import Export, ExportedFile, open_uncompressed
from pyhce.records.reading.incoming import Deletion, Incoming, Rejected
from pyhce.records.reading.prepared import PreparedResource, prepare
from pyhce.records.reading.reader import read
from pyhce.records.writing.assign import AssignedBatch
from pyhce.records.writing.exported_rows import (
    RestoredRows,
    create_records,
    is_empty_database,
    restore_former_versions,
    restore_rows,
)
from pyhce.records.writing.locks import lock_identities_across_sources
from pyhce.records.writing.lookup import LookupMemory
from pyhce.records.writing.remove import Removable
from pyhce.records.writing.retry import REFUSED_VALUES, retry_transaction
from pyhce.records.writing.row_location import RowLocation

_RECORDS = 5000
OTHER_VERSIONS = "former versions of an export, as the database was not empty"


class _Task(NamedTuple):
    """A file of an export to be read.

    Args:
        restoring: whether its rows go where they were.
        restored: whether they all did, in a former load: what went or was decided since stays so.
    """

    export: Export
    file: ExportedFile
    restoring: bool
    restored: bool = False


def load_exports(
    state: LoadState,
    conn: Connection[TupleRow],
    connections: Sequence[Connection[TupleRow]],
    exports: Sequence[Export],
    *,
    batch: int,
    again: bool,
) -> None:
    """Load these exports, whose files are as their manifests say."""
    begun, finished = _begun(state, conn, exports, again=again)

    def tasks(several: Sequence[Export], of: Callable[[Export], Sequence[ExportedFile]]) -> list[_Task]:
        return [_Task(one, file, one.id in begun, one.id in finished) for one in several for file in of(one)]

    with _Crew(state, connections, batch=batch, again=again) as crew:
        records = tasks(exports, lambda one: one.records)
        crew.run([task for task in records if task.restoring])
        state.finished += sum(task.file.bytes for task in records if not task.restoring)
        for several in _in_turn(exports):
            resources = tasks(several, lambda one: one.output)
            crew.run(sorted(resources, key=lambda task: task.file.type != "Patient"))  # spares moving what came before
            former = tasks(several, lambda one: one.history)
            crew.run([task for task in former if task.restoring])
            state.note_skipped(OTHER_VERSIONS, sum(task.file.count for task in former if not task.restoring))
            state.finished += sum(task.file.bytes for task in former if not task.restoring)
            crew.run(tasks(several, lambda one: one.deleted))
    for one in exports:
        left = any(state.loaded_files.has_rejects(str(one.folder / file.path)) for file in one.output)
        if one.id in begun - finished and not left:
            record_file(conn, "", f"finished {one.id}", 0, 0)


def _in_turn(exports: Sequence[Export]) -> list[list[Export]]:
    """Exports that can be read at once, as they have no source in common, in the order in which they were made."""
    found: list[list[Export]] = []
    had: set[str] = set()
    for export in sorted(exports, key=lambda one: one.time):
        sources = {file.fuente for file in (*export.output, *export.history, *export.deleted)}
        if not found or sources & had:
            found.append([])
            had = set()
        found[-1].append(export)
        had |= sources
    return found


def _begun(
    state: LoadState, conn: Connection[TupleRow], exports: Sequence[Export], *, again: bool
) -> tuple[set[str], set[str]]:
    """Take over the corrections; the exports whose rows go where they were, and those of them that are there already.

    They are all of one installation, if the database is empty.
    """

    def work(_: int) -> tuple[set[str], set[str], CorrectionCounts]:
        lock_identities_across_sources(conn, [("", "export", export.id) for export in exports])
        restored = {export.id for export in exports if is_recorded(conn, "", f"restored {export.id}")}
        taken = CorrectionCounts()
        if not restored and is_empty_database(conn, state.schema):
            restored = {export.id for export in exports if export.installation == exports[0].installation}
            for export in sorted(exports, key=lambda one: one.time, reverse=True):  # the last decision counts
                if export.id in restored:
                    taken += insert_all(conn, state.schema, _decisions(export))
                    record_file(conn, "", f"restored {export.id}", 0, 0)
        for export in exports:
            if export.id not in restored and (again or not is_recorded(conn, "", f"corrections {export.id}")):
                taken += insert_unknown(conn, state.schema, _decisions(export))
                record_file(conn, "", f"corrections {export.id}", 0, 0)
        return restored, {one for one in restored if is_recorded(conn, "", f"finished {one}")}, taken

    restored, finished, taken = retry_transaction(conn, work, remedy=RERUN_REMEDY)
    with state.lock:
        state.counts["corrections"] += taken.taken
        state.counts["corrections_left"] += taken.left
    return restored, finished


def _decisions(export: Export) -> Iterator[list[str | None]]:
    for file in export.corrections:
        with open_uncompressed(export.folder / file.path) as lines:
            for line in lines:
                yield orjson.loads(line)


class _Crew:
    """Connections that read files of exports, each one file after the other."""

    def __init__(
        self, state: LoadState, connections: Sequence[Connection[TupleRow]], *, batch: int, again: bool
    ) -> None:
        self._state, self._connections, self._batch, self._again = state, connections, batch, again
        self._free: SimpleQueue[Connection[TupleRow]] = SimpleQueue()
        for conn in connections:
            self._free.put(conn)
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(len(connections), thread_name_prefix="load")

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stopped.set()
            for conn in self._connections:
                conn.cancel_safe(timeout=5)
        self._pool.shutdown(cancel_futures=True)

    def run(self, tasks: Sequence[_Task]) -> None:
        """Read these files, each once; what one of them raises ends all."""
        waiting = {self._pool.submit(self._one, task) for task in tasks}
        done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()

    def _one(self, task: _Task) -> None:
        conn = self._free.get()
        try:
            path = task.export.folder / task.file.path
            if not self._again and is_recorded(conn, task.file.fuente, self._name(task)):
                self._state.pass_over(path)
                return
            count = self._read(conn, task, str(path))
            with self._state.lock:
                self._state.counts["files"] += 1
                self._state.finished += task.file.bytes
            if not self._stopped.is_set() and not self._state.loaded_files.has_rejects(str(path)):
                record_file(conn, task.file.fuente, self._name(task), task.file.bytes, count)
        finally:
            self._free.put(conn)

    def _name(self, task: _Task) -> str:
        """What a file is known by: its bytes, those of its rows, and how it is read."""
        rows = task.export.rows.get(task.file.path)
        how = self._state.loaded_files.how
        if task.restoring:
            how = "restored strict" if self._state.strict else "restored"
        return f"{how} {task.file.role} {task.file.sha256} {rows.sha256 if rows else ''}"

    def _read(self, conn: Connection[TupleRow], task: _Task, path: str) -> int:
        """Read a file; how many resources came of it."""
        count = 0
        if task.file.role == "records":
            for records in () if task.restored else self._records(task):
                with conn.transaction():
                    create_records(conn, records)
            return 0
        if task.file.role == "history" and task.restored:
            self._state.note_skipped(OTHER_VERSIONS, task.file.count)
            return 0
        if task.file.path not in task.export.rows:
            return self._without_rows(conn, task)
        memory = LookupMemory()
        for rows in self._batches(task, path):
            if self._stopped.is_set():
                break
            count += len(rows)
            if task.file.role == "history":
                self._former(conn, task, rows)
                continue
            fit = [row for row in rows if not self._state.strict or self._state.conforms_to_r4(row.prepared)]
            if task.restoring:
                self._place(conn, task, fit, memory)
            else:
                self._write(conn, fit)
        return count

    def _records(self, task: _Task) -> Iterator[list[tuple[str, bool, str]]]:
        some: list[tuple[str, bool, str]] = []
        with open_uncompressed(task.export.folder / task.file.path) as lines:
            for line in lines:
                document, provisional, created = orjson.loads(line)
                some.append((document, provisional, created))
                if len(some) == _RECORDS:
                    yield some
                    some = []
        if some:
            yield some

    def _batches(self, task: _Task, path: str) -> Iterator[list[ExportedRow]]:
        """The rows of a file, no identity twice in a batch but those of a history."""
        rows: list[ExportedRow] = []
        seen: set[str] = set()
        size = 0
        beside = task.export.folder / task.export.rows[task.file.path].path
        with open_uncompressed(task.export.folder / task.file.path) as lines, open_uncompressed(beside) as kept:
            for row in read_exported_rows(lines, kept, fhir_type=task.file.type, fuente=task.file.fuente, file=path):
                key = row.prepared.identity[1]
                twice = task.file.role == "" and key in seen
                if twice or len(rows) == self._batch or size >= BATCH_BYTES:
                    yield rows
                    rows, seen, size = [], set(), 0
                rows.append(row)
                seen.add(key)
                size += len(row.prepared.recurso)
        if rows:
            yield rows

    def _place(self, conn: Connection[TupleRow], task: _Task, rows: list[ExportedRow], memory: LookupMemory) -> None:
        schema, fuente = self._state.schema, task.file.fuente
        try:
            missing = not task.restored
            done = retry_transaction(
                conn, lambda _: restore_rows(conn, schema, fuente, rows, memory, missing=missing), remedy=RERUN_REMEDY
            )
        except (*REFUSED_VALUES, psycopg.errors.InternalError_):
            done = RestoredRows([], [], rows)  # the writer of other resources finds which one the database cannot take
        places: dict[RowLocation, list[PreparedResource]] = {}
        for row in done.rows:
            table = schema.table_for(task.file.type, names_patient=row.document is not None)
            places.setdefault(RowLocation(table.name, row.document), []).append(row.prepared)
        batch = [row.prepared for row in done.rows]
        counted = count_identities(schema, self._state.rules, batch, AssignedBatch({}, places, [], 0))
        self._state.note_restored(counted, done, task.file.type)
        self._write(conn, done.rest)

    def _write(self, conn: Connection[TupleRow], rows: Sequence[ExportedRow]) -> None:
        if rows:
            self._state.write(conn, [row.prepared for row in rows])

    def _former(self, conn: Connection[TupleRow], task: _Task, rows: Sequence[ExportedRow]) -> None:
        schema, fuente = self._state.schema, task.file.fuente
        placed = retry_transaction(
            conn, lambda _: restore_former_versions(conn, schema, fuente, rows), remedy=RERUN_REMEDY
        )
        with self._state.lock:
            self._state.counts["former_versions"] += placed

    def _without_rows(self, conn: Connection[TupleRow], task: _Task) -> int:
        """Resources of an export by an older release, or deletions."""
        state, fuente = self._state, task.file.fuente
        batch: dict[tuple[str, str], PreparedResource] = {}
        deleted: dict[Removable, Deletion] = {}
        count = 0
        for found in read(task.export.folder / task.file.path):
            if isinstance(found, Rejected):
                state.reject(found)
            elif isinstance(found, Deletion):
                deleted[found.type, found.key] = found
            elif isinstance(found, Incoming):
                made = prepare(state.schema, found, state.bases, state.rules)._replace(fuente=fuente or None)
                if made.identity in batch or len(batch) == self._batch:
                    state.write(conn, list(batch.values()))
                    batch = {}
                batch[made.identity] = made
                count += 1
        if batch:
            state.write(conn, list(batch.values()))
        if deleted:
            state.delete(conn, deleted, fuente)
        return count
