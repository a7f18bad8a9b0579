"""Export: every resource as it came in, NDJSON, as FHIR's Bulk Data does; several connections at once, resumable.

On one node all of it is one snapshot, a resumed export too: parts are kept only if they are as they would be now. On
Citus each node has its own; then every part is compared once more, what changed meanwhile is read again, and if at last
nothing did, all nodes show one moment. Else the report and the manifest say that they do not.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.errors import HceError, UsageError, printable
from pyhce.records.exporting.compare import compare_parts
from pyhce.records.exporting.correction_parts import write_correction_parts
from pyhce.records.exporting.deleted import write_deleted
from pyhce.records.exporting.folder import ExportFolder, interrupted_request, open_folder
from pyhce.records.exporting.manifest import build_manifest, correction_files, part_files, row_files
from pyhce.records.exporting.part_writer import ProgressCallback, ProgressCounter, write_parts
from pyhce.records.exporting.parts import ExportSelection, WrittenPart
from pyhce.records.exporting.plan import plan_parts
from pyhce.records.exporting.snapshot import Snapshot, transaction_time
from pyhce.records.identity import check_document
from pyhce.records.reading.finished_export import CORRECTIONS, HISTORY, RESTORE, ExportedFile, manifest_files
from pyhce.records.source_names import refuse_unknown_source
from pyhce.schema.model import Frozen, Schema
from pyhce.schema.r4 import RESOURCE_TYPES

MAX_ROUNDS, RETRY_SHARE = 3, 0.25
"""How often to read again what changed meanwhile, and up to which share of all: a busy cluster is never done."""
FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of nodes may differ: a `since` that is later than that is a mistake."""
_PATIENCE = 10
"""Rounds until shards that go on moving are a failure."""


class ExportReport(Frozen):
    """What an export wrote; also in the folder's `manifest.json`.

    Args:
        deleted: files of what was deleted since `--since`.
        snapshot: whether all files show one moment.
        start, end: the moments between which they were read, ISO.
        transaction_time: what to give to the next `since`: all that was stamped before it and committed is in here.
        changed: of the files, those that changed while others were read: 0 if `snapshot`.
        kept: resources that an interrupted export had written.
        versions: former versions and tombstones, of an export with its history.
        corrections: what persons decided about documents; `pyhce load` of the folder takes it over.
    """

    folder: str
    files: tuple[ExportedFile, ...]
    deleted: tuple[ExportedFile, ...]
    resources: int
    bytes: int
    snapshot: bool
    start: str
    end: str
    transaction_time: str
    changed: int
    kept: int
    versions: int = 0
    corrections: int = 0
    seconds: float


class _Outcome(NamedTuple):
    snapshot: bool
    changed: int
    deleted: list[WrittenPart]
    corrections: list[WrittenPart]


def export(
    conn: Connection[TupleRow],
    folder: Path,
    *,
    schema: Schema,
    fuente: str | None = None,
    types: Sequence[str] = (),
    document: str | None = None,
    since: str | None = None,
    history: bool = False,
    jobs: int | None = None,
    through_coordinator: bool = False,
    progress: ProgressCallback | None = None,
) -> ExportReport:
    """Write every resource to `folder`, those of a source other than '' to a subfolder of its name.

    Members and numbers are spelled as they came in. A resource that came without an id gets the one it is kept under.
    A reference by `urn:` that its bundle resolved is what it was resolved to. Interrupted and run again with the same
    arguments it goes on. `pyhce.load` of the folder into an empty database gives the same records.

    Args:
        fuente: one source only; all if None.
        types: these FHIR types only.
        document: one patient's resources only.
        since: a FHIR date or instant: what changed from then on, and what was deleted.
        history: former versions and tombstones too, in files of their own.
        jobs: connections at once; as many as processors, at most 4, if None.
        through_coordinator: do not read workers themselves, even where they can be reached.

    Raises:
        UsageError: the folder holds something else, there is nothing of the source, `since` is in the future, or an
            argument is not what it should be.
        HceError: there is no record under the document; the disk is full.
    """
    begun = time.monotonic()
    selection = _wanted(conn, schema, fuente, types, document, since, history)
    number = jobs or min(os.cpu_count() or 1, 4)
    request = _request(conn, folder, selection)
    try:
        with open_folder(folder, request) as store:
            if store.finish_record is None:
                _make(conn, schema, store, selection, number, through_coordinator, ProgressCounter(progress))
            else:
                store.complete()
            assert store.finish_record is not None  # noqa: S101 - either way it is finished
            return _report(folder, store.finish_record["manifest"], time.monotonic() - begun)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise HceError(
            f"the disk of {folder} is full",
            remedy="Make room and run the same command again: what was finished stays.",
        ) from error


def _wanted(
    conn: Connection[TupleRow],
    schema: Schema,
    fuente: str | None,
    types: Sequence[str],
    document: str | None,
    since: str | None,
    history: bool,
) -> ExportSelection:
    for unknown in sorted(set(types) - RESOURCE_TYPES):
        like = next((kind for kind in sorted(RESOURCE_TYPES) if kind.lower() == unknown.lower()), "")
        like = like or next(iter(get_close_matches(unknown, RESOURCE_TYPES, 1)), "Observation")
        raise UsageError(f"FHIR R4 has no resource type {unknown!r}", remedy=f"Write it as FHIR does: {like}.")
    if fuente is not None:
        refuse_unknown_source(conn, schema, fuente)
    key = None if document is None else check_document(document, "--patient")
    if key and not conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (key,)).fetchone():
        raise HceError("there is no record under the document given", remedy="Check the type and the number.")
    instant = None
    if since is not None:
        row = conn.execute("SELECT lower(hce.lapso(%s)), now()", (since,)).fetchone()
        if row is None or row[0] is None:
            raise UsageError(
                f"{since!r} is no FHIR date or instant", remedy="Write 2024-02-29 or 2024-02-29T10:00:00-05:00."
            )
        if row[0] > row[1] + FUTURE_TOLERANCE:
            raise UsageError(
                f"--since {since} is in the future: the database's clock says {row[1].isoformat(timespec='seconds')}",
                remedy="Give the transactionTime of the export before, or another moment that has been.",
            )
        instant = row[0].astimezone(UTC).isoformat()
    return ExportSelection(source=fuente, types=tuple(sorted(set(types))), document=key, since=instant, history=history)


def _request(conn: Connection[TupleRow], folder: Path, selection: ExportSelection) -> dict[str, Any]:
    """What tells one export from another; of a document only whether it is the same."""
    row = conn.execute("SELECT (SELECT min(id::text) FROM hce.instalacion), current_database()").fetchone()
    salt = str((interrupted_request(folder) or {}).get("salt") or uuid.uuid4())
    person = selection.document and hashlib.sha256(f"{salt} {selection.document}".encode()).hexdigest()
    rest: dict[str, Any] = {"source": selection.source, "type": list(selection.types), "since": selection.since}
    if selection.history:
        rest["history"] = True
    return {"database": list(row or ()), "patient": person, "salt": salt, **rest}


def _make(
    conn: Connection[TupleRow],
    schema: Schema,
    store: ExportFolder,
    selection: ExportSelection,
    jobs: int,
    through_coordinator: bool,
    counter: ProgressCounter,
) -> None:
    """Read what is missing until all of it is one moment, or that is given up; then finish the folder."""
    start = datetime.now(UTC)
    snapshot = Snapshot(conn, schema, document=selection.document, through_coordinator=through_coordinator)
    until = transaction_time(snapshot)
    had = set(store.done)
    outcome = _rounds(snapshot, store, selection, jobs, counter)
    former = {table.name for table in schema.histories()}
    names = part_files(done for done in store.done.values() if done.planned.table not in former)
    versions = part_files((d for d in store.done.values() if d.planned.table in former), ending=HISTORY, role=HISTORY)
    lost = part_files(outcome.deleted, stem="deleted")
    more = versions | row_files(store.done, names | versions) | correction_files(outcome.corrections)
    row = conn.execute("SELECT min(id::text) FROM hce.instalacion").fetchone()
    ours = {
        "installation": row[0] if row else None,
        "snapshot": outcome.snapshot,
        "start": start.isoformat(),
        "end": datetime.now(UTC).isoformat(),
        "changed": outcome.changed,
        "kept": sum(store.done[name].count for name in had if name in store.done),
    }
    told = build_manifest(
        list(names.values()), list(lost.values()), list(more.values()), selection,
        time=until.isoformat(timespec="milliseconds"), ours=ours,
    )  # fmt: skip
    store.finish(told, {part: file.path for part, file in (names | lost | more).items()})


def _rounds(
    snapshot: Snapshot, store: ExportFolder, selection: ExportSelection, jobs: int, counter: ProgressCounter
) -> _Outcome:
    for number in range(_PATIENCE):
        try:
            outcome = _round(snapshot, store, selection, jobs, counter, number)
        except psycopg.errors.UndefinedTable:
            continue  # a shard moved and was cleaned up: it is elsewhere now
        if outcome is not None:
            return outcome
    raise HceError(
        "shards went on moving while they were read", remedy="Run the same command again: what was finished stays."
    )


def _round(
    snapshot: Snapshot,
    store: ExportFolder,
    selection: ExportSelection,
    jobs: int,
    counter: ProgressCounter,
    number: int,
) -> _Outcome | None:
    """Read what is missing or has changed; None if it must be looked at once more."""
    with snapshot.open():
        verdicts = compare_parts(snapshot, store.done.values(), selection)
        enough = number > 0 and (number > MAX_ROUNDS or not _little(verdicts.changed, store))
        store.drop([*verdicts.gone, *(() if enough else verdicts.changed)])
        deleted = write_deleted(snapshot, selection, store) if selection.since is not None else []
        corrections = write_correction_parts(snapshot, selection, store)
        planned_parts = plan_parts(snapshot, selection, [done.planned for done in store.done.values()], jobs=jobs)
        if number == 0:
            counter.begin(store.done.values(), planned_parts)
        if write_parts(snapshot, planned_parts, selection, store, jobs=jobs, counter=counter):
            return None
        one_snapshot = snapshot.direct and len({done.planned.node for done in store.done.values()}) < 2
        nothing_since = not planned_parts and not snapshot.half_committed
        if (one_snapshot or nothing_since) and not (enough and verdicts.changed):
            return _Outcome(snapshot=True, changed=0, deleted=deleted, corrections=corrections)
        if enough:
            return _Outcome(
                snapshot=False,
                changed=len(verdicts.changed) + len(planned_parts),
                deleted=deleted,
                corrections=corrections,
            )
        return None


def _little(changed: Sequence[WrittenPart], store: ExportFolder) -> bool:
    everything = sum(done.count for done in store.done.values())
    return sum(done.count for done in changed) <= RETRY_SHARE * everything


def _report(folder: Path, told: dict[str, Any], seconds: float) -> ExportReport:
    files, deleted = manifest_files(told), manifest_files(told, "deleted")
    ours = told["extension"]
    more = manifest_files(ours, RESTORE)
    return ExportReport(
        folder=printable(folder),
        files=files,
        deleted=deleted,
        resources=sum(file.count for file in files),
        bytes=sum(file.bytes for file in files),
        snapshot=ours["snapshot"],
        start=ours["start"],
        end=ours["end"],
        transaction_time=told["transactionTime"],
        changed=ours["changed"],
        kept=ours["kept"],
        versions=sum(file.count for file in more if file.role == HISTORY),
        corrections=sum(file.count for file in more if file.role == CORRECTIONS),
        seconds=round(seconds, 2),
    )
