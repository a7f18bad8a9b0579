"""Repair: identities that are stored in several places are brought together, wherever they are in the database.

The rule is that of `pyhce.records.writing.deduplication`. What is in the records of two patients is left to a person,
who says which Patient is right, for all resources of these two at once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, no_progress
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
"""Asked which of several Patients, named as SOURCE/Patient/ID, is right for so many resources; None: not decided."""


class WaitingResources(Frozen):
    """Resources that are in the records of the same patients, and wait for a person.

    Args:
        patients: as SOURCE/Patient/ID.
        resources: as SOURCE/Type/ID.
    """

    patients: tuple[str, ...]
    resources: tuple[str, ...]


class RepairReport(Frozen):
    """What a repair did, or would do.

    Args:
        found: identities in several places.
        joined: those that are in one place now.
        waiting: those in the records of two patients, which a person has to decide.
    """

    found: int
    joined: int
    waiting: tuple[WaitingResources, ...]
    dry_run: bool
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 if nothing waits for a person and nothing was left by a dry run, else 1."""
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
    """Give every identity that is in several places one place; safe to repeat and to interrupt.

    Args:
        keep: Patients (`SOURCE/Patient/ID`) whose copy is right where two patients' records hold a resource.
        newest: where nothing else decides between two patients, keep the newest copy.
        ask: asked where nothing else decides.

    Raises:
        UsageError: a Patient in `keep` is not written as one, or is not there.
    """
    start = time.monotonic()
    for source, key in map(_patient, keep):
        if not conn.execute("SELECT 1 FROM paciente WHERE fuente = %s AND id = %s", (source, key)).fetchone():
            raise UsageError(
                f"--keep {format_patient((source, key))}: there is no such Patient",
                remedy="Name one that `pyhce repair identities --dry-run` lists.",
            )
    choice = CopyChoice(newest=newest, patients=frozenset(_patient(text) for text in keep))
    progress("looking for identities in several places")
    found = set(_scattered(conn, schema))
    if dry_run:
        done = preview_deduplication(conn, schema, found, choice=choice)
    else:
        progress(f"bringing together {len(found)} identities")
        done = deduplicate(conn, schema, found, choice=choice)
    joined, waiting = len(done.joined), _grouped(done.undecided)
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


def _scattered(conn: Connection[TupleRow], schema: Schema) -> Iterable[ResourceIdentity]:
    for _, found in (*under_several_documents(conn, schema), *in_several_homes(conn, schema)):
        yield from (tuple(identity) for identity in found)  # type: ignore[misc]


def _patient(text: str) -> PatientKey:
    found = parse_patient(text)
    if found is None:
        raise UsageError(
            f"--keep {text}: not a Patient",
            remedy="Name it as `pyhce repair identities` lists it: SOURCE/Patient/ID, or Patient/ID without a source.",
        )
    return found


def _grouped(undecided: Iterable[UndecidedResource]) -> dict[tuple[PatientKey, ...], list[ResourceIdentity]]:
    """The undecided by the patients between whom a person is to decide."""
    found: dict[tuple[PatientKey, ...], list[ResourceIdentity]] = defaultdict(list)
    for one in undecided:
        found[one.patients].append(one.identity)
    return dict(sorted(found.items()))
