"""The report of a load."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from pydantic import Field

from pyhce.records.identity.tally import IdentifierCount
from pyhce.records.loading.fhir_versions import OtherVersion
from pyhce.schema.model import Frozen

LISTED = 20
"""Files, or bases of other servers, that are listed one by one."""


def most_common(counts: Counter[str]) -> dict[str, int]:
    """The largest counts, and the sum of the others as `others`."""
    largest = dict(counts.most_common(LISTED))
    rest = counts.total() - sum(largest.values())
    return largest | ({"others": rest} if rest else {})


class FilesNoted(Frozen):
    """Files with the same note.

    Args:
        what: the note, with a remedy if there is one.
        files: the names of the first of them.
        count: how many there are.
    """

    what: str
    files: tuple[str, ...]
    count: int


class Notes:
    """Files by their notes. Each file counts once for each note."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, None]] = {}

    def add(self, what: str, file: str) -> None:
        """Add a note about a file."""
        self._files.setdefault(what, {})[file] = None

    def report(self) -> tuple[FilesNoted, ...]:
        """All notes, sorted."""
        return tuple(
            FilesNoted(what=what, files=tuple(islice(files, LISTED)), count=len(files))
            for what, files in sorted(self._files.items())
        )


class LoadReport(Frozen):
    """The counts of a load.

    Args:
        files: files that were read; passed_over: files that the same load had finished before.
        read: resources that were read, those rejected not included.
        new: resources that were not stored before.
        changed: resources that replaced other content, which went to the history.
        unchanged: resources that were stored exactly as they came.
        superseded: resources that are an earlier version, or older by meta.lastUpdated: the stored one stays. In a
            history also versions older than their resource's deletion, and deletions older than the stored resource.
        moved: resources that moved to another record: their patient arrived, or a document or a patient was corrected.
        kept_apart: Patients that state the document of a record and contradict its Patients: they stay provisional.
        ambiguous: resources that name their patient by an identifier of several records: they wait in a provisional
            record.
        deleted: resources that a deletion named; not_there: those that were not stored, or were deleted before.
        rejected: input that is not valid FHIR; each is in the reject file with its reason.
        reject_file: the reject file; None without rejects.
        by_reason: rejects by reason code.
        skipped: entries that contain no resource, by kind.
        not_read: files in the named folders, and named files, that were not read, by reason.
        noted: files that were read and need attention, such as a server's errors.
        other_versions: files with resources of another version of FHIR than R4, which are stored as they came.
        other_versions_rest: such files beyond those listed.
        conditional: conditional entries of bundles by outcome: created, updated, matched (a create that found its
            resource and did nothing), refused (rejected with the reason `condition`).
        by_type: resources read, by FHIR type.
        of_other_servers: resources of other servers, or of patients of other servers, by base URL; see `bases` of
            `load`.
        repaired_ids: resources that got another id by `repair_ids`, by FHIR type.
        repaired_references: resources in which references to such ids were rewritten.
        unreadable_references: resources without a patient because they name it by a text that is not a reference, such
            as `7` or `Patient/7#x`, by FHIR type.
        documents_without_patient: documents and messages that do not tell whom they are about.
        without_document: Patients without an identity document by the rules; they have provisional records.
        identifiers: identifiers of Patients from which no document follows, by reason, type and system: the largest
            counts.
        identifiers_rest: the sum of the other counts.
        without_patient: resources that could name a patient and name none, by FHIR type: they are in no record.
        waiting: resources in provisional records whose Patient is not loaded at the end.
        restored: rows of an export that were restored to an empty database; also counted in `new`.
        former_versions: former versions that an export with its history restored.
        corrections: corrections that an export brought; corrections_left: those left out because they concern records
            or Patients of this database.
        reconnections: how often work was repeated after a lost node. What the lost attempt had stored is counted as
            unchanged, and what it had deleted as not there.
        current_file: the file that is being read; "" at the end.
        bytes_read, bytes_total: bytes of the files on disk; 0 if unknown, as for a pipe.
        seconds: since the load began.
    """

    files: int = 0
    passed_over: int = 0
    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    superseded: int = 0
    moved: int = 0
    kept_apart: int = 0
    ambiguous: int = 0
    deleted: int = 0
    not_there: int = 0
    rejected: int = 0
    reject_file: str | None = None
    by_reason: dict[str, int] = Field(default_factory=dict)
    skipped: dict[str, int] = Field(default_factory=dict)
    not_read: tuple[FilesNoted, ...] = ()
    noted: tuple[FilesNoted, ...] = ()
    other_versions: tuple[OtherVersion, ...] = ()
    other_versions_rest: int = 0
    conditional: dict[str, int] = Field(default_factory=dict)
    by_type: dict[str, int] = Field(default_factory=dict)
    of_other_servers: dict[str, int] = Field(default_factory=dict)
    repaired_ids: dict[str, int] = Field(default_factory=dict)
    repaired_references: int = 0
    unreadable_references: dict[str, int] = Field(default_factory=dict)
    documents_without_patient: int = 0
    without_document: int = 0
    identifiers: tuple[IdentifierCount, ...] = ()
    identifiers_rest: int = 0
    without_patient: dict[str, int] = Field(default_factory=dict)
    waiting: int = 0
    restored: int = 0
    former_versions: int = 0
    corrections: int = 0
    corrections_left: int = 0
    reconnections: int = 0
    current_file: str = ""
    bytes_read: int = 0
    bytes_total: int = 0
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """1 if anything was rejected, else 0."""
        return 1 if self.rejected else 0
