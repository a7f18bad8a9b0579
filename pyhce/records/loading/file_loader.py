"""One input file at a time: its lines and resources in file order, to the writers.

Most lines of NDJSON take the quick way: the sieve drops those that the database already holds, `LineReader` prepares
the others. Everything else takes the careful way: `resources_in` reads it with a full JSON parser and says what is
wrong with it, `admit` checks its id, `prepare` computes what is stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pyhce.citus.failover import SteadyConnection
from pyhce.records.loading.batch_writers import BatchWriters
from pyhce.records.loading.batches import delete_resources
from pyhce.records.loading.condition_answers import ConditionAnswers
from pyhce.records.loading.fhir_versions import FhirVersions
from pyhce.records.loading.sieve import Sieve
from pyhce.records.loading.state import LoadState
from pyhce.records.reading.exact_json import InvalidJson
from pyhce.records.reading.incoming import ConditionSignal, Deletion, Incoming, Line, ReadItem, Rejected, Skipped
from pyhce.records.reading.input_file import InputFile
from pyhce.records.reading.prepared import PreparedResource, prepare, source_and_bases
from pyhce.records.reading.reader import resources_in, scan
from pyhce.records.reading.repair_ids import admit, may_link_to_odd_binary
from pyhce.records.reading.whole_bundles import filed_entries
from pyhce.records.writing.remove import Removable

DELETED_AT_ONCE = 1000
"""Deletions of one source that are carried out in one transaction, at most."""


class FileLoader:
    """Loads input files, one after the other, in one thread.

    Args:
        conn: for deletions.
        writers: take the prepared resources.
        sieve: drops lines that the database already holds.
        conditions: answers the conditional entries of bundles.
    """

    def __init__(
        self,
        state: LoadState,
        conn: SteadyConnection,
        writers: BatchWriters,
        sieve: Sieve,
        conditions: ConditionAnswers,
    ) -> None:
        self._state, self._conn, self._writers = state, conn, writers
        self._sieve, self._conditions = sieve, conditions
        self._deletions: dict[str | None, dict[Removable, Deletion]] = defaultdict(dict)
        self._versions = FhirVersions()
        self._count = 0

    def load(self, file: InputFile) -> int:
        """Load an open file to its end.

        Returns:
            How many resources it has. The last of them may still be on their way to the database.
        """
        state, read = self._state, self._state.line_reader.read
        strict, repair = state.strict, state.repair_ids
        self._versions, self._count, before = FhirVersions(), 0, state.unchanged_lines
        for item in scan(file) if strict or repair else self._sieve.sift(scan(file)):
            if isinstance(item, Line):
                prepared = None if repair and may_link_to_odd_binary(item.data) else read(item)
                if prepared is None:
                    self._take(resources_in(item))
                elif not strict or state.conforms_to_r4(prepared):
                    self._write(prepared)
            else:
                self._take((item,))
        self._delete()
        state.end_file(file, self._versions)
        return self._count + state.unchanged_lines - before

    def _take(self, items: Iterable[ReadItem]) -> None:
        """Load what the reader found, the careful way."""
        for item in items:
            if isinstance(item, Incoming):
                self._take_resource(item)
            elif isinstance(item, Rejected):
                self._state.reject(item)
            elif isinstance(item, Skipped):
                self._state.skipped[item.what] += 1
            elif isinstance(item, Deletion):
                self._take_deletion(item)
            elif isinstance(item, ConditionSignal):
                self._delete()
                self._conditions.handle(item, self._writers)

    def _take_resource(self, item: Incoming) -> None:
        state = self._state
        admitted = admit(item, state.bases, state.fuente, repair=state.repair_ids)
        if isinstance(admitted, Rejected):
            state.reject(admitted)
            return
        try:
            prepared = prepare(state.schema, admitted.item, state.bases, state.rules)
        except InvalidJson as error:
            state.reject(Rejected(item.where, "not-json", str(error), item.id))
            return
        if state.is_superseded(prepared, item) or (state.strict and not state.conforms_to_r4(prepared)):
            return
        state.note_resource(prepared, admitted)
        self._write(prepared)
        if item.type == "Bundle" and state.open_documents:
            self._take(filed_entries(item, state.schema, state.bases, state.rules))

    def _write(self, prepared: PreparedResource) -> None:
        if self._deletions:
            self._delete()
        self._count += 1
        if prepared.identity[0] not in self._versions.settled_types:
            self._versions.inspect(prepared)
        self._writers.add(prepared)

    def _take_deletion(self, item: Deletion) -> None:
        """Collect a deletion. Until it is carried out the sieve must not compare lines with the database."""
        self._sieve.paused = True
        fuente = source_and_bases(item, self._state.bases)[0]
        self._state.deletions.note(fuente, item)
        collected = self._deletions[fuente]
        collected[item.type, item.key] = item
        if len(collected) >= DELETED_AT_ONCE:
            self._delete()

    def _delete(self) -> None:
        """Carry out the collected deletions, after all resources that came before them are written."""
        if self._deletions:
            self._writers.drain()
            for fuente, deletions in self._deletions.items():
                delete_resources(self._state, self._conn, deletions, fuente)
            self._deletions.clear()
        self._sieve.paused = False
