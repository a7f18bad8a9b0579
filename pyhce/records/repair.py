"""Repair: finds every identity that is stored in several locations, and joins its copies.

The rule is that of `pyhce.records.writing.deduplication`. If the copies are in the records of two patients, a person
decides which Patient is right, once for all resources of these two.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, no_progress
from pyhce.counted import counted
from pyhce.errors import UsageError
from pyhce.records.patient.patients import format_patient, parse_patient
from pyhce.records.writing.deduplication import (
    CopyChoice,
    ResourceIdentity,
    UndecidedResource,
    deduplicate,
    preview_deduplication,
)
from pyhce.records.writing.manual_decisions import PatientKey
from pyhce.schema.model import Frozen, Schema
from pyhce.verify.duplicates import in_several_homes, under_several_documents

AskWhichPatient = Callable[[tuple[str, ...], int], int | None]
"""Asks which of several Patients (SOURCE/Patient/ID) so many resources belong to: its index, or None for no answer."""


class WaitingResources(Frozen):
    """Resources with copies in the records of the same patients, which wait for a person's decision.

    Args:
        patients: as SOURCE/Patient/ID.
        resources: as SOURCE/Type/ID.
    """

    patients: tuple[str, ...]
    resources: tuple[str, ...]


class RepairReport(Frozen):
    """What a repair did, or would do.

    Args:
        found: number of identities stored in several locations.
        joined: number of identities that are in one location now, or would be.
        waiting: resources with copies in the records of several patients; a person has to decide.
        dry_run: whether nothing was changed.
        seconds: how long it took.
    """

    found: int
    joined: int
    waiting: tuple[WaitingResources, ...]
    dry_run: bool
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 if no duplicate is left, 1 if some wait for a person, or if a dry run found some."""
        return int(bool(self.waiting) or (self.dry_run and self.joined > 0))


def repair_identities(
    conn: Connection[TupleRow],
    *,
    schema: Schema,
    keep: Sequence[str] = (),
    newest: bool = False,
    dry_run: bool = False,
    ask: AskWhichPatient | None = None,
    progress: Progress = no_progress,
) -> RepairReport:
    """Give every identity that is stored in several locations one location; safe to repeat and to interrupt.

    Args:
        keep: Patients (`SOURCE/Patient/ID`) whose copy is right if the records of two patients hold copies.
        newest: keep the newest copy if nothing else decides between two patients.
        dry_run: only report what would be result.
        ask: called if nothing else decides between patients.
        progress: called with a line of text for each phase.

    Raises:
        UsageError: a Patient in `keep` is not written as SOURCE/Patient/ID, or is not stored.
        HceError: concurrent changes in every attempt.
    """
    start = time.monotonic()
    for source, key in map(_patient, keep):
        if not conn.execute("SELECT 1 FROM paciente WHERE fuente = %s AND id = %s", (source, key)).fetchone():
            raise UsageError(
                f"--keep {format_patient((source, key))}: there is no such Patient",
                remedy="Name one that `pyhce repair identities --dry-run` lists.",
            )
    choice = CopyChoice(newest=newest, patients=frozenset(_patient(text) for text in keep))
    progress("looking for resources that are stored in several locations")
    found = set(_duplicates(conn, schema))
    if dry_run:
        result = preview_deduplication(conn, schema, found, choice=choice)
    else:
        progress(f"joining the copies of {counted(len(found), 'resource')}")
        result = deduplicate(conn, schema, found, choice=choice)
    joined, waiting = len(result.joined), _grouped(result.undecided)
    if ask is not None and not dry_run:
        for patients, resources in list(waiting.items()):
            named = tuple(format_patient(patient) for patient in patients)
            chosen = ask(named, len(resources))
            if chosen is not None:
                one = CopyChoice(newest=len(patients) < 2, patients=frozenset([patients[chosen]]))
                joined += len(deduplicate(conn, schema, resources, choice=one).joined)
                del waiting[patients]
    return RepairReport(
        found=len(found),
        joined=joined,
        waiting=tuple(
            WaitingResources(
                patients=tuple(map(format_patient, patients)),
                resources=tuple("/".join(filter(None, r)) for r in resources),
            )
            for patients, resources in waiting.items()
        ),
        dry_run=dry_run,
        seconds=round(time.monotonic() - start, 2),
    )


def _duplicates(conn: Connection[TupleRow], schema: Schema) -> Iterable[ResourceIdentity]:
    for _, found in (*under_several_documents(conn, schema), *in_several_homes(conn, schema)):
        yield from (tuple(identity) for identity in found)  # type: ignore[misc]


def _patient(text: str) -> PatientKey:
    found = parse_patient(text)
    if found is None:
        raise UsageError(
            f"--keep {text}: not a Patient",
            remedy="Write it as `pyhce repair identities` lists it: SOURCE/Patient/ID, or Patient/ID without a source.",
        )
    return found


def _grouped(undecided: Iterable[UndecidedResource]) -> dict[tuple[PatientKey, ...], list[ResourceIdentity]]:
    """The undecided resources, grouped by the patients that a person has to choose from."""
    found: dict[tuple[PatientKey, ...], list[ResourceIdentity]] = defaultdict(list)
    for one in undecided:
        found[one.patients].append(one.identity)
    return dict(sorted(found.items()))
