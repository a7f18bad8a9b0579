"""What a load did."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from pydantic import Field

from pyhce.records.identity.tally import IdentifierCount
from pyhce.records.loading.fhir_versions import OtherVersion
from pyhce.schema.model import Frozen

LISTED = 20
"""Bases that are listed one by one."""


def most_common(counts: Counter[str]) -> dict[str, int]:
    """The largest counts, and the sum of the rest as "others"."""
    largest = dict(counts.most_common(LISTED))
    rest = counts.total() - sum(largest.values())
    return largest | ({"others": rest} if rest else {})


class FilesNoted(Frozen):
    """Files of which the same is to be said.

    Args:
        what: what there is to say, with the remedy if there is one.
        files: the first of them by name.
        count: all of them.
    """

    what: str
    files: tuple[str, ...]
    count: int


class Notes:
    """Files by what is to be said of them; each file counts once."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, None]] = {}

    def add(self, what: str, file: str) -> None:
        """Say something of a file."""
        self._files.setdefault(what, {})[file] = None

    def report(self) -> tuple[FilesNoted, ...]:
        """All that was said."""
        return tuple(
            FilesNoted(what=what, files=tuple(islice(files, LISTED)), count=len(files))
            for what, files in sorted(self._files.items())
        )


class LoadReport(Frozen):
    """What a load did.

    Args:
        new: resources that were not there.
        changed: those whose content replaced another, which went to the history.
        unchanged: those that were there as they came.
        superseded: those whose content is a former version, or older by meta.lastUpdated: what is there stays; of a
            history also versions older than the deletion of their resource, and deletions older than what is there.
        rejected: those that are no FHIR; each is in the reject file with its reason.
        skipped: entries that carry no resource, by what they are.
        passed_over: files that the same load had finished before.
        not_read: files in the named folders, and named ones, in which there was nothing to read, by reason.
        noted: files that were read and of which something is to be said, such as a server's errors.
        other_versions: files with resources of another version of FHIR than R4, which were stored as they came.
        other_versions_rest: such files beyond those that are listed.
        moved: resources that changed home: a patient arrived, or a document or a patient was corrected.
        kept_apart: Patients that state a document of a record and contradict the Patients there: they stay provisional.
        ambiguous: resources that name their patient by an identifier that fits several records: they wait in a
            provisional one.
        deleted: resources that a DELETE entry named; not_there: those that were not there, or deleted before.
        conditional: entries of bundles with a condition, by what came of them: created, updated, matched (a create that
            found its resource and did nothing), refused (rejected, with the reason "condition").
        by_type: resources read, by FHIR type.
        of_other_servers: resources of another server or of a patient of one, by its base URL: see `bases` of `load`.
        repaired_ids: resources that `repair_ids` gave another id, by FHIR type.
        repaired_references: resources in which it rewrote references to such ids.
        unreadable_references: resources without a patient, since they name theirs by a text that is no reference, such
            as `7` or `Patient/7#x`; by FHIR type.
        documents_without_patient: documents and messages that were kept whole and do not tell whose they are.
        without_document: Patients that have no identity document by the rules, and so a provisional record.
        identifiers: identifiers of Patients that made no document, by reason, type and system, the largest counts.
        identifiers_rest: those that are not in `identifiers`.
        without_patient: resources that could name a patient and name none, by FHIR type: they are in no record.
        waiting: resources in provisional records whose Patient is not there at the end.
        restored: rows of an export of pyhce that went where they were, into an empty database; also counted in `new`.
        former_versions: those that an export with its history brought.
        corrections: corrections of documents that an export brought; corrections_left: those that it has and that are
            about records or Patients of this database: what was decided here stays.
        bytes_read, bytes_total: of the files as they are on disk; 0 where that is not known, as of a pipe.
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
    current_file: str = ""
    bytes_read: int = 0
    bytes_total: int = 0
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """1 if anything was rejected."""
        return 1 if self.rejected else 0
