"""The state of a running load: its settings, its counts, its rejects."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence, Set
from pathlib import Path

from pyhce.errors import printable
from pyhce.records.identity import DocumentRule
from pyhce.records.loading.deletions import HistoryDeletions
from pyhce.records.loading.fhir_versions import FhirVersions, OtherVersion
from pyhce.records.loading.identity_counts import IdentityCounts
from pyhce.records.loading.loaded_files import LoadedFiles
from pyhce.records.loading.reject_file import RejectFile
from pyhce.records.loading.report import LISTED, LoadReport, Notes, most_common
from pyhce.records.reading.incoming import Incoming, Rejected
from pyhce.records.reading.input_file import STDIN, InputFile, file_size
from pyhce.records.reading.prepared import LineReader, PreparedResource
from pyhce.records.reading.reference import source_and_key
from pyhce.records.reading.repair_ids import AdmittedResource
from pyhce.records.reading.stored_references import is_unreadable
from pyhce.records.writing.assign import AssignedBatch
from pyhce.records.writing.deduplication import ResourceIdentity
from pyhce.records.writing.exported_rows import RestoredRows
from pyhce.records.writing.lookup import LookupMemory
from pyhce.records.writing.manual_decisions import PatientKey
from pyhce.records.writing.remove import Removed
from pyhce.records.writing.upsert import WriteCounts
from pyhce.schema.model import Schema

logger = logging.getLogger(__name__)

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

RERUN_REMEDY = "Run the same load again when the other writers are done: loaded resources stay, nothing is duplicated."

LoadProgress = Callable[[LoadReport], None]


class LoadState:
    """The settings and counts of a running load. Writers in several threads add to the counts, under `lock`.

    Attributes:
        file: the input file that is being read; None before the first and after the last.
        bytes_total: bytes of all files to read; bytes_finished: those of files that are done.
        line_reader: prepares plain lines, in the reading thread.
        memories: what batches of each source looked up, for later batches.
        undecided: resources that are stored twice and need a person's decision.
        deletions: deletions in histories, which older versions must not undo.
        holds_condition_locks: whether a bundle's conditions are answered and it is not committed yet.
        reconnections: how often work was repeated after a lost node.
    """

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
        self.file: InputFile | None = None
        self.bytes_total = self.bytes_finished = self.unchanged_lines = 0
        self.lock = threading.RLock()
        self.line_reader = LineReader(schema, rules)
        self.undecided: set[ResourceIdentity] = set()
        self.memories: dict[str, LookupMemory] = defaultdict(lambda: LookupMemory(undecided=self.undecided))
        self.other_servers: Counter[str] = Counter()
        self.unreadable_references: Counter[str] = Counter()
        self.condition_outcomes: Counter[str] = Counter()
        self.repaired_ids: Counter[str] = Counter()
        self.deletions = HistoryDeletions()
        self.holds_condition_locks = False
        self.reconnections = 0
        self.identity_counts = IdentityCounts()

    def pass_over(self, path: Path) -> None:
        """Count a file that the same load has already finished."""
        logger.info("already loaded, passed over: %s", printable(path))
        with self.lock:
            self.counts["passed_over"] += 1
            self.bytes_finished += file_size(path)

    def begin_file(self, file: InputFile | None) -> None:
        """Note which file is read from now on; None after the last one."""
        if file is not None:
            logger.info("reading %s", file.name)
        with self.lock:
            if self.file is not None and self.file.path != STDIN:
                self.bytes_finished += self.file.size or 0
            self.file = file
            self.counts["files"] += file is not None

    def end_file(self, file: InputFile, versions: FhirVersions) -> None:
        """Take over the notes of a file that was read to its end."""
        with self.lock:
            for what in file.notes:
                self.noted.add(what, file.name)
            if file.not_read:
                logger.info("not read: %s: %s", file.name, file.not_read)
                self.not_read.add(file.not_read, file.name)
                self.counts["files"] -= 1
            if found := versions.report(file.name):
                self.counts["other_versions"] += 1
                if len(self.other_versions) < LISTED:
                    self.other_versions.append(found)

    def conforms_to_r4(self, found: PreparedResource) -> bool:
        """Whether a resource conforms to R4; one that does not is rejected with the reason `not-r4`."""
        from pyhce.records.reading.strict import r4_problems  # imported late: only --strict needs the rules

        wrong = r4_problems(found.exact)
        if wrong:
            self.reject(Rejected(found.where, "not-r4", "; ".join(wrong), found.exact.decode()))
        return not wrong

    def is_superseded(self, made: PreparedResource, came: Incoming) -> bool:
        """Whether a history deleted a resource after this version of it; such a version is counted as superseded."""
        overtaken = bool(self.deletions) and self.deletions.supersedes(made, came.resource)
        if overtaken:
            with self.lock:
                self.counts.update(read=1, superseded=1)
                self.types[came.type] += 1
        return overtaken

    def note_resource(self, made: PreparedResource, taken: AdmittedResource) -> None:
        """Count repaired ids, resources of other servers, and references to a patient that cannot be read."""
        came = taken.item
        if taken.repaired:
            self.repaired_ids[came.type] += 1
        self.counts["repaired_references"] += taken.references
        base = made.fuente or (source_and_key("", made.patient_key)[0] if made.patient_key else "")
        if base:
            self.other_servers[base] += 1
        if made.patient_key is None and is_unreadable(self.schema, came.type, came.resource):
            self.unreadable_references[came.type] += 1
        self.counts["documents_without_patient"] += came.type == "Bundle" and made.patient_key is None

    def note_deletions(self, removed: Removed) -> None:
        """Count resources that were deleted, were not found, or have a later version."""
        with self.lock:
            self.counts["deleted"] += removed.deleted
            self.counts["not_there"] += removed.missing
            self.counts["superseded"] += removed.overtaken

    def reject(self, rejected: Rejected) -> None:
        """Write a reject to the reject file and count it by its reason."""
        logger.debug("rejected %s: %s", rejected.where, rejected.reason)
        with self.lock:
            self.reject_file.write(rejected)
            self.counts["rejected"] += 1
            self.reasons[rejected.reason] += 1
            self.loaded_files.note_reject(rejected.where.file)

    def note_batch(
        self,
        batch: Sequence[PreparedResource],
        written: WriteCounts,
        assigned: AssignedBatch,
        identities: IdentityCounts,
    ) -> None:
        """Count a batch that is committed, and report the progress."""
        with self.lock:
            self.identity_counts.merge(identities)
            self.counts.update(written._asdict())
            self.counts["moved"] += assigned.moved
            self.counts["ambiguous"] += assigned.ambiguous
            self.kept_apart = (self.kept_apart - assigned.joined) | assigned.apart
            self.counts["read"] += len(batch)
            self.types.update([prepared.identity[0] for prepared in batch])
            self.loaded_files.note_written(Counter([prepared.file for prepared in batch]))
            self._show_progress()

    def note_restored(self, identities: IdentityCounts, done: RestoredRows, fhir_type: str) -> None:
        """Count rows of an export that are back where they were."""
        read = len(done.restored) + len(done.already_stored)
        with self.lock:
            self.identity_counts.merge(identities)
            self.counts.update(
                new=len(done.restored), restored=len(done.restored), unchanged=len(done.already_stored), read=read
            )
            self.types[fhir_type] += read
            self._show_progress()

    def note_skipped(self, what: str, count: int) -> None:
        """Count input that is passed over, by its kind."""
        with self.lock:
            self.skipped += Counter({what: count})

    def note_unchanged(self, types: Counter[str]) -> None:
        """Count lines that the database already holds exactly as they came, by FHIR type."""
        with self.lock:
            count = types.total()
            self.unchanged_lines += count
            self.counts.update(unchanged=count, read=count)
            self.loaded_files.note_written(Counter({self.file.name: count} if self.file else ()))
            self.types.update(types)
            self._show_progress()

    def _show_progress(self) -> None:
        if self.progress:
            self.progress(self.report())

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
            of_other_servers=most_common(self.other_servers),
            conditional=dict(sorted((self.condition_outcomes + Counter(refused=self.reasons["condition"])).items())),
            repaired_ids=dict(sorted(self.repaired_ids.items())),
            unreadable_references=dict(sorted(self.unreadable_references.items())),
            without_document=self.identity_counts.tally.without_document,
            identifiers=self.identity_counts.identifiers,
            identifiers_rest=self.identity_counts.identifiers_rest,
            without_patient=dict(sorted(self.identity_counts.without_patient.items())),
            waiting=self.identity_counts.waiting,
            reconnections=self.reconnections,
            current_file=self.file.name if self.file else "",
            bytes_read=self.bytes_finished + (self.file.position if self.file and self.file.size else 0),
            bytes_total=self.bytes_total,
            seconds=round(time.monotonic() - self.start, 2),
        )
