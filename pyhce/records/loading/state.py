"""A load under way: what it counts, rejects and writes."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Set
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.lock_table import SMALLEST_BATCH
from pyhce.errors import printable
from pyhce.records.identity import DocumentRule
from pyhce.records.loading.deletions import HistoryDeletions
from pyhce.records.loading.fhir_versions import FhirVersions, OtherVersion
from pyhce.records.loading.identity_counts import IdentityCounts, count_identities
from pyhce.records.loading.loaded_files import LoadedFiles
from pyhce.records.loading.reject_file import RejectFile
from pyhce.records.loading.report import LISTED, LoadReport, Notes, most_common
from pyhce.records.reading.conditions import SEVERAL
from pyhce.records.reading.incoming import Deletion, Incoming, Rejected
from pyhce.records.reading.input_file import STDIN, InputFile, file_size
from pyhce.records.reading.prepared import LineReader, PreparedResource
from pyhce.records.reading.reference import source_and_key
from pyhce.records.reading.repair_ids import AdmittedResource
from pyhce.records.reading.stored_references import is_unreadable
from pyhce.records.writing.assign import AssignedBatch, assign_batch
from pyhce.records.writing.deduplication import ResourceIdentity, resolve_conflict
from pyhce.records.writing.exported_rows import RestoredRows
from pyhce.records.writing.locks import close_gate
from pyhce.records.writing.lookup import LookupMemory
from pyhce.records.writing.manual_decisions import PatientKey
from pyhce.records.writing.remove import Removable, Removed, remove
from pyhce.records.writing.retry import (
    REFUSED_VALUES,
    ConcurrentChange,
    lock_table_full,
    refuse_migrated,
    retry_transaction,
)
from pyhce.records.writing.upsert import WriteCounts, write_batch
from pyhce.schema.model import Schema

_COUNTED = (
    "files",
    "passed_over",
    "read",
    "rejected",
    "moved",
    "deleted",
    "not_there",
    "ambiguous",
    "documents_without_patient",
    "repaired_references",
    "restored",
    "former_versions",
    "corrections",
    "corrections_left",
    *WriteCounts._fields,
)

RERUN_REMEDY = "Run the same load again when they are done: what is loaded stays, nothing is twice."

LoadProgress = Callable[[LoadReport], None]


class LoadState:
    """The counts of a load under way; writers in several threads add to them."""

    def __init__(
        self,
        schema: Schema,
        fuente: str,
        rules: tuple[DocumentRule, ...],
        reject_file: RejectFile,
        strict: bool,
        loaded_files: LoadedFiles,
        progress: LoadProgress | None,
        bases: Set[str] = frozenset(),
        open_documents: bool = False,
        repair_ids: bool = False,
    ) -> None:
        self.bases, self.open_documents, self.repair_ids = bases, open_documents, repair_ids
        self.strict, self.loaded_files = strict, loaded_files
        self.schema, self.fuente, self.rules = schema, fuente, rules
        self.reject_file, self.progress = reject_file, progress
        self.start = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.not_read, self.noted = Notes(), Notes()
        self.other_versions: list[OtherVersion] = []
        self.kept_apart: set[PatientKey] = set()
        self.source: InputFile | None = None
        self.total = self.finished = self.unchanged_lines = 0
        self.lock = threading.RLock()
        self.lines = LineReader(schema, rules)
        self.undecided: set[ResourceIdentity] = set()
        self.memories: dict[str, LookupMemory] = defaultdict(lambda: LookupMemory(undecided=self.undecided))
        self.elsewhere: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.conditional: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.deletions = HistoryDeletions()
        self.identity_counts = IdentityCounts()

    def pass_over(self, path: Path) -> None:
        """Note a file that was loaded before."""
        with self.lock:
            self.counts["passed_over"] += 1
            self.finished += file_size(path)

    def begin_file(self, source: InputFile | None) -> None:
        """Note which file is read now."""
        with self.lock:
            if self.source is not None and self.source.path != STDIN:
                self.finished += self.source.size or 0
            self.source = source
            self.counts["files"] += source is not None

    def end_file(self, source: InputFile, versions: FhirVersions) -> None:
        """Note what is to be said of a file that was read to its end."""
        with self.lock:
            for what in source.notes:
                self.noted.add(what, source.name)
            if source.not_read:
                self.not_read.add(source.not_read, source.name)
                self.counts["files"] -= 1
            if found := versions.report(source.name):
                self.counts["other_versions"] += 1
                if len(self.other_versions) < LISTED:
                    self.other_versions.append(found)

    def conforms_to_r4(self, found: PreparedResource) -> bool:
        """Whether a resource is what R4 says; if not it is rejected."""
        from pyhce.records.reading.strict import r4_problems  # other loads need not wait until all rules are imported

        wrong = r4_problems(found.exact)
        if wrong:
            self.reject(Rejected(found.where, "not-r4", "; ".join(wrong), found.exact.decode()))
        return not wrong

    def is_superseded(self, made: PreparedResource, came: Incoming) -> bool:
        """Whether a resource was deleted after this version of it, as a history told; it is counted then."""
        overtaken = bool(self.deletions) and self.deletions.supersede(made, came.resource)
        if overtaken:
            with self.lock:
                self.counts.update(read=1, superseded=1)
                self.types[came.type] += 1
        return overtaken

    def note_resource(self, made: PreparedResource, taken: AdmittedResource) -> None:
        """Count what is of another server, what was repaired, and references to a patient that cannot be read."""
        came = taken.item
        if taken.repaired:
            self.repaired[came.type] += 1
        self.counts["repaired_references"] += taken.references
        base = made.fuente or (source_and_key("", made.patient_key)[0] if made.patient_key else "")
        if base:
            self.elsewhere[base] += 1
        if made.patient_key is None and is_unreadable(self.schema, came.type, came.resource):
            self.unreadable[came.type] += 1
        self.counts["documents_without_patient"] += came.type == "Bundle" and made.patient_key is None

    def delete(
        self, conn: Connection[TupleRow], deleted: Mapping[Removable, Deletion], fuente: str | None = None
    ) -> None:
        """Delete what DELETE entries name; what they do not name for certain is rejected.

        Args:
            fuente: the source, if it is not the one that is loaded.
        """
        source = self.fuente if fuente is None else fuente

        versions = {removable: told.version for removable, told in deleted.items() if told.version is not None}

        def work(_: int) -> Removed:
            return remove(conn, self.schema, source, list(deleted), versions=versions)

        done = retry_transaction(conn, work, remedy=RERUN_REMEDY)
        self.counts["deleted"] += done.deleted
        self.counts["not_there"] += done.missing
        self.counts["superseded"] += done.overtaken
        for removable in done.not_done:
            text = "?".join(removable).replace("\n", "&")
            self.reject(Rejected(deleted[removable].where, "delete-not-done", SEVERAL, text))

    def reject(self, rejected: Rejected) -> None:
        """Note what is not FHIR, with its reason, before anything else happens to it."""
        with self.lock:
            self.reject_file.write(rejected)
            self.counts["rejected"] += 1
            self.reasons[rejected.reason] += 1
            self.loaded_files.note_reject(rejected.where.file)

    def write(self, conn: Connection[TupleRow], batch: list[PreparedResource]) -> None:
        """Write a batch; if the database cannot take a value of it, find which one and reject that."""
        try:
            written, found = retry_transaction(
                conn,
                lambda attempt: self._written(conn, batch, attempt),
                remedy=RERUN_REMEDY,
                resolve=lambda error: self._mend(conn, error),
            )
        except psycopg.errors.OutOfMemory as error:  # no room for the locks of so many at once
            if len(batch) <= SMALLEST_BATCH:
                raise lock_table_full(error) from error
            self.write(conn, batch[: len(batch) // 2])
            self.write(conn, batch[len(batch) // 2 :])
            return
        except REFUSED_VALUES as error:
            refuse_migrated(error)
            if len(batch) > 1:
                self.write(conn, batch[: len(batch) // 2])
                self.write(conn, batch[len(batch) // 2 :])
                return
            only = batch[0]
            detail = str(error.diag.message_primary or type(error).__name__)
            self.reject(Rejected(only.where, "database", detail, only.exact.decode()))
            return
        counted = count_identities(self.schema, self.rules, batch, found)
        with self.lock:
            self.identity_counts.merge(counted)
            self.counts.update(written._asdict())
            self.counts["moved"] += found.moved
            self.counts["ambiguous"] += found.ambiguous
            self.kept_apart = (self.kept_apart - found.joined) | found.apart
            self.counts["read"] += len(batch)
            self.types.update([prepared.identity[0] for prepared in batch])
            self.loaded_files.note_written(Counter([prepared.file for prepared in batch]))
            if self.progress:
                self.progress(self.report())

    def note_restored(self, counted: IdentityCounts, done: RestoredRows, fhir_type: str) -> None:
        """Note rows of an export that are where they were."""
        read = len(done.rows) + len(done.there)
        with self.lock:
            self.identity_counts.merge(counted)
            self.counts.update(new=len(done.rows), restored=len(done.rows), unchanged=len(done.there), read=read)
            self.types[fhir_type] += read
            if self.progress:
                self.progress(self.report())

    def note_skipped(self, what: str, count: int) -> None:
        """Note what is passed over."""
        with self.lock:
            self.skipped += Counter({what: count})

    def note_unchanged(self, types: Counter[str]) -> None:
        """Note what is there as it came, by FHIR type; it needs no writer."""
        with self.lock:
            count = types.total()
            self.unchanged_lines += count
            self.counts.update(unchanged=count, read=count)
            self.loaded_files.note_written(Counter({self.source.name: count} if self.source else ()))
            self.types.update(types)
            if self.progress:
                self.progress(self.report())

    def _written(
        self, conn: Connection[TupleRow], batch: list[PreparedResource], attempt: int
    ) -> tuple[WriteCounts, AssignedBatch]:
        fuente = self.fuente if batch[0].fuente is None else batch[0].fuente
        found = assign_batch(conn, self.schema, batch, fuente=fuente, rules=self.rules, memory=self.memories[fuente])
        written = write_batch(conn, self.schema, found, fuente=fuente, by_copy=attempt == 1)
        if found.moved:
            close_gate(conn)
        return written, found

    def _mend(self, conn: Connection[TupleRow], error: ConcurrentChange) -> None:
        """Bring together what is stored twice; what a person has to decide is left as it is."""
        self.undecided.update(resolve_conflict(conn, self.schema, error).waiting())

    def report(self) -> LoadReport:
        """The counts so far."""
        return LoadReport(
            **{name: self.counts[name] for name in _COUNTED},
            kept_apart=len(self.kept_apart),
            reject_file=printable(self.reject_file.path) if self.reject_file.path else None,
            by_reason=dict(sorted(self.reasons.items())),
            skipped=dict(sorted(self.skipped.items())),
            not_read=self.not_read.report(),
            noted=self.noted.report(),
            other_versions=tuple(self.other_versions),
            other_versions_rest=self.counts["other_versions"] - len(self.other_versions),
            by_type=dict(sorted(self.types.items())),
            of_other_servers=most_common(self.elsewhere),
            conditional=dict(sorted((self.conditional + Counter(refused=self.reasons["condition"])).items())),
            repaired_ids=dict(sorted(self.repaired.items())),
            unreadable_references=dict(sorted(self.unreadable.items())),
            without_document=self.identity_counts.tally.without_document,
            identifiers=self.identity_counts.identifiers,
            identifiers_rest=self.identity_counts.identifiers_rest,
            without_patient=dict(sorted(self.identity_counts.without_patient.items())),
            waiting=self.identity_counts.waiting,
            current_file=self.source.name if self.source else "",
            bytes_read=self.finished + (self.source.position if self.source and self.source.size else 0),
            bytes_total=self.total,
            seconds=round(time.monotonic() - self.start, 2),
        )
