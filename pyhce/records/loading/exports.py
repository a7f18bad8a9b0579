"""Load exports of pyhce: the resources of each source, and what FHIR has no place for.

An empty database is *restored*: every row goes back to the record, the version and the time that it had, with its
corrections and its history. The transaction that inserts the corrections also records that the database was empty, so
a restore that was killed continues as a restore.

Any other database gets the resources by the identity rules, as from other files. A correction is inserted only if the
database knows neither its records nor its Patients, and former versions are left out; the report counts both.

A finished restore is recorded too. If the export is loaded again, resources that were removed in between are loaded by
the identity rules and not restored to their old records.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import NamedTuple, TypeVar

import orjson
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.failover import SteadyConnection
from pyhce.citus.server_errors import is_node_lost
from pyhce.errors import printable
from pyhce.records.loading.batch_writers import BATCH_BYTES
from pyhce.records.loading.batches import delete_resources, load_batch
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

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_RECORDS = 5000
"""Records that are created in one transaction."""
OTHER_VERSIONS = "former versions of an export, as the database was not empty"


class _Task(NamedTuple):
    """A file of an export to load.

    Args:
        restoring: whether its rows go back to their old records.
        restored: whether an earlier load finished that restore: what was deleted or decided since then stays.
    """

    export: Export
    file: ExportedFile
    restoring: bool
    restored: bool = False


def load_exports(
    state: LoadState,
    conn: SteadyConnection,
    connections: Sequence[SteadyConnection],
    exports: Sequence[Export],
    *,
    batch: int,
    again: bool,
) -> None:
    """Load exports whose files were checked against their manifests.

    Args:
        connections: each reads and writes one file at a time.
        batch: resources in one transaction, at most.
        again: also load files that were loaded whole before.

    Raises:
        HceError: concurrent changes made every retry fail, or a file is not as pyhce writes it.
    """
    restoring, restored = _insert_corrections(state, conn, exports, again=again)

    def tasks(group: Sequence[Export], files: Callable[[Export], Sequence[ExportedFile]]) -> list[_Task]:
        return [
            _Task(export, file, export.id in restoring, export.id in restored)
            for export in group
            for file in files(export)
        ]

    with _ExportReaders(state, connections, batch=batch, again=again) as readers:
        records = tasks(exports, lambda export: export.records)
        readers.run([task for task in records if task.restoring])
        state.bytes_finished += sum(task.file.bytes for task in records if not task.restoring)
        for group in _without_common_source(exports):
            resources = tasks(group, lambda export: export.output)
            readers.run(sorted(resources, key=lambda task: task.file.type != "Patient"))  # then no resource has to move
            former = tasks(group, lambda export: export.history)
            readers.run([task for task in former if task.restoring])
            state.note_skipped(OTHER_VERSIONS, sum(task.file.count for task in former if not task.restoring))
            state.bytes_finished += sum(task.file.bytes for task in former if not task.restoring)
            readers.run(tasks(group, lambda export: export.deleted))
    for export in exports:
        has_rejects = any(state.loaded_files.has_rejects(str(export.folder / file.path)) for file in export.output)
        if export.id in restoring - restored and not has_rejects:
            _record(conn, "", f"finished {export.id}", 0, 0)


def _record(lane: SteadyConnection, fuente: str, name: str, size: int, count: int) -> None:
    lane.run(lambda conn: record_file(conn, fuente, name, size, count))


def _without_common_source(exports: Sequence[Export]) -> list[list[Export]]:
    """Groups of exports without a common source, oldest first: the exports of a group are loaded at once."""
    groups: list[list[Export]] = []
    group_sources: set[str] = set()
    for export in sorted(exports, key=lambda one: one.time):
        sources = {file.fuente for file in (*export.output, *export.history, *export.deleted)}
        if not groups or sources & group_sources:
            groups.append([])
            group_sources = set()
        groups[-1].append(export)
        group_sources |= sources
    return groups


def _insert_corrections(
    state: LoadState, main: SteadyConnection, exports: Sequence[Export], *, again: bool
) -> tuple[set[str], set[str]]:
    """Insert the corrections of the exports, and decide which exports are restored.

    Only exports of one installation are restored together.

    Returns:
        The ids of the exports that are restored, and of those whose restore an earlier load finished.
    """

    def work(conn: Connection[TupleRow]) -> tuple[set[str], set[str], CorrectionCounts]:
        lock_identities_across_sources(conn, [("", "export", export.id) for export in exports])
        restoring = {export.id for export in exports if is_recorded(conn, "", f"restored {export.id}")}
        counts = CorrectionCounts()
        if not restoring and is_empty_database(conn, state.schema):
            restoring = {export.id for export in exports if export.installation == exports[0].installation}
            # latest first: of two decisions about one document, the one that is inserted first stays
            for export in sorted(exports, key=lambda one: one.time, reverse=True):
                if export.id in restoring:
                    counts += insert_all(conn, state.schema, _decisions(export))
                    record_file(conn, "", f"restored {export.id}", 0, 0)
        for export in exports:
            if export.id not in restoring and (again or not is_recorded(conn, "", f"corrections {export.id}")):
                counts += insert_unknown(conn, state.schema, _decisions(export))
                record_file(conn, "", f"corrections {export.id}", 0, 0)
        return restoring, {one for one in restoring if is_recorded(conn, "", f"finished {one}")}, counts

    restoring, restored, counts = _in_transaction(main, work)
    logger.info("restoring %d of %d exports", len(restoring), len(exports))
    with state.lock:
        state.counts["corrections"] += counts.inserted
        state.counts["corrections_left"] += counts.left_out
    return restoring, restored


def _in_transaction(lane: SteadyConnection, work: Callable[[Connection[TupleRow]], Result]) -> Result:
    """Do work that is safe to repeat in one transaction, and again after a conflict or a lost node."""
    return lane.run(lambda conn: retry_transaction(conn, lambda _: work(conn), remedy=RERUN_REMEDY))


def _decisions(export: Export) -> Iterator[list[str | None]]:
    for file in export.corrections:
        with open_uncompressed(export.folder / file.path) as lines:
            for line in lines:
                yield orjson.loads(line)


class _ExportReaders:
    """One thread for each connection, each loading one file of an export at a time."""

    def __init__(self, state: LoadState, connections: Sequence[SteadyConnection], *, batch: int, again: bool) -> None:
        self._state, self._connections, self._batch, self._again = state, connections, batch, again
        self._free: SimpleQueue[SteadyConnection] = SimpleQueue()
        for conn in connections:
            self._free.put(conn)
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(len(connections), thread_name_prefix="load")

    def __enter__(self) -> _ExportReaders:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stopped.set()
            for conn in self._connections:
                conn.cancel()
        self._pool.shutdown(cancel_futures=True)

    def run(self, tasks: Sequence[_Task]) -> None:
        """Load these files. The first error ends the load."""
        waiting = {self._pool.submit(self._load, task) for task in tasks}
        done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()

    def _load(self, task: _Task) -> None:
        lane = self._free.get()
        try:
            path = task.export.folder / task.file.path
            if not self._again and lane.run(lambda conn: is_recorded(conn, task.file.fuente, self._name(task))):
                self._state.pass_over(path)
                return
            logger.info("reading %s", printable(path))
            count = self._read(lane, task, str(path))
            with self._state.lock:
                self._state.counts["files"] += 1
                self._state.bytes_finished += task.file.bytes
            if not self._stopped.is_set() and not self._state.loaded_files.has_rejects(str(path)):
                _record(lane, task.file.fuente, self._name(task), task.file.bytes, count)
        finally:
            self._free.put(lane)

    def _name(self, task: _Task) -> str:
        """The name that a file is recorded under: its bytes, those of its rows, and how it is read."""
        rows = task.export.rows.get(task.file.path)
        how = self._state.loaded_files.how
        if task.restoring:
            how = "restored strict" if self._state.strict else "restored"
        return f"{how} {task.file.role} {task.file.sha256} {rows.sha256 if rows else ''}"

    def _read(self, lane: SteadyConnection, task: _Task, path: str) -> int:
        """Load a file; how many resources it has."""
        count = 0
        if task.file.role == "records":
            for records in () if task.restored else self._records(task):
                self._create_records(lane, records)
            return 0
        if task.file.role == "history" and task.restored:
            self._state.note_skipped(OTHER_VERSIONS, task.file.count)
            return 0
        if task.file.path not in task.export.rows:
            return self._without_rows(lane, task)
        memory = LookupMemory()
        for rows in self._batches(task, path):
            if self._stopped.is_set():
                break
            count += len(rows)
            if task.file.role == "history":
                self._former(lane, task, rows)
                continue
            fit = [row for row in rows if not self._state.strict or self._state.conforms_to_r4(row.prepared)]
            if task.restoring:
                self._restore(lane, task, fit, memory)
            else:
                self._write(lane, fit)
        return count

    def _create_records(self, lane: SteadyConnection, records: list[tuple[str, bool, str]]) -> None:
        def create(conn: Connection[TupleRow]) -> None:
            with conn.transaction():
                create_records(conn, records)

        lane.run(create)

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
        """The rows of a file in batches. No identity occurs twice in a batch, except in a history."""
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

    def _restore(self, lane: SteadyConnection, task: _Task, rows: list[ExportedRow], memory: LookupMemory) -> None:
        schema, fuente = self._state.schema, task.file.fuente
        try:
            missing = not task.restored
            done = _in_transaction(lane, lambda conn: restore_rows(conn, schema, fuente, rows, memory, missing=missing))
        except (*REFUSED_VALUES, psycopg.errors.InternalError_) as error:
            if is_node_lost(error):
                raise
            done = RestoredRows([], [], rows)  # load_batch finds the refused one
        places: dict[RowLocation, list[PreparedResource]] = {}
        for row in done.restored:
            table = schema.table_for(task.file.type, names_patient=row.document is not None)
            places.setdefault(RowLocation(table.name, row.document), []).append(row.prepared)
        batch = [row.prepared for row in done.restored]
        counted = count_identities(schema, self._state.rules, batch, AssignedBatch({}, places, [], 0))
        self._state.note_restored(counted, done, task.file.type)
        self._write(lane, done.rest)

    def _write(self, lane: SteadyConnection, rows: Sequence[ExportedRow]) -> None:
        if rows:
            load_batch(self._state, lane, [row.prepared for row in rows])

    def _former(self, lane: SteadyConnection, task: _Task, rows: Sequence[ExportedRow]) -> None:
        schema, fuente = self._state.schema, task.file.fuente
        placed = _in_transaction(lane, lambda conn: restore_former_versions(conn, schema, fuente, rows))
        with self._state.lock:
            self._state.counts["former_versions"] += placed

    def _without_rows(self, lane: SteadyConnection, task: _Task) -> int:
        """Load a file without a file of rows: deletions, or resources that an older release exported."""
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
                    load_batch(state, lane, list(batch.values()))
                    batch = {}
                batch[made.identity] = made
                count += 1
        if batch:
            load_batch(state, lane, list(batch.values()))
        if deleted:
            delete_resources(state, lane, deleted, fuente)
        return count
