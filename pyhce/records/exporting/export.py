"""Export: every resource as it came in, as NDJSON like FHIR's Bulk Data, over several connections, resumable.

Without Citus the export is one snapshot. A resumed export is one, too: it keeps only the parts that still hold what the
new snapshot holds. On Citus each node has a snapshot of its own, so the export reads in rounds. After each round every
part is compared once more, and what has changed is read again, until nothing has. If a busy cluster never comes to
rest, the report and the manifest say `snapshot: false`. `pyhce.records.exporting.snapshot` has an example.
"""

from __future__ import annotations

import errno
import hashlib
import logging
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

from pyhce.counted import counted
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

logger = logging.getLogger(__name__)

MAX_ROUNDS, RETRY_SHARE = 3, 0.25
"""How often changed parts are read again, and the share of all resources up to which that is worth it."""
FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of nodes may differ: a `since` later than that is refused."""
_MAX_ATTEMPTS = 10
"""Rounds until moving shards end the export with an error."""


class ExportReport(Frozen):
    """What an export wrote; also in the folder's `manifest.json`.

    Args:
        files: the files of resources.
        deleted: files of what was deleted since `--since`.
        resources, bytes: in `files`.
        snapshot: whether all files together are one consistent snapshot.
        start, end: when the export began and ended, as ISO instants.
        transaction_time: the instant to give to the next `since`: every change before it is in this export.
        changed: files that changed while others were read; 0 if `snapshot`.
        kept: resources in files that an interrupted run of this export had written.
        versions: former versions and tombstones, if the export has the history.
        corrections: what persons decided about documents; `pyhce load` of the folder restores it.
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
    """Write every resource to `folder`, and those of a source other than '' to a subfolder with the source's name.

    Members and numbers are spelled as they came in. A resource that came without an id has the id under which it is
    stored. A reference by `urn:` that its bundle resolved is written as the resolved reference. An export that was
    interrupted continues when it is run again with the same arguments. `pyhce.load` of the folder into an empty
    database gives the same records.

    Args:
        conn: a connection in autocommit mode, to the coordinator.
        folder: a new or empty folder, or the folder of an interrupted export.
        fuente: one source only; all if None.
        types: these FHIR types only; all if empty.
        document: one patient's resources only.
        since: a FHIR date or instant; only what changed or was deleted from then on.
        history: former versions and tombstones too, in files of their own.
        jobs: connections; if None, one for each processor, at most 4.
        through_coordinator: read nothing from the workers themselves, even if they can be reached.
        progress: called about once a second.

    Raises:
        UsageError: the folder holds something else, the source does not exist, `since` is in the future, or an argument
            is not valid.
        HceError: there is no record under the document; the disk is full.
    """
    begun = time.monotonic()
    selection = _selection(conn, schema, fuente, types, document, since, history)
    number = jobs or min(os.cpu_count() or 1, 4)
    request = _request(conn, folder, selection)
    try:
        with open_folder(folder, request) as store:
            if store.finish_record is None:
                _write(conn, schema, store, selection, number, through_coordinator, ProgressCounter(progress))
            else:
                logger.info("every part was written by an earlier run: completing the folder")
                store.complete()
            assert store.finish_record is not None  # noqa: S101 - either way it is finished
            return _report(folder, store.finish_record["manifest"], time.monotonic() - begun)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise HceError(
            f"the disk of {folder} is full",
            remedy="Free space, then run the same command again: the finished parts are kept.",
        ) from error


def _selection(
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
        raise HceError("there is no record under the document given", remedy="Check the document's type and number.")
    instant = None
    if since is not None:
        row = conn.execute("SELECT lower(hce.lapso(%s)), now()", (since,)).fetchone()
        if row is None or row[0] is None:
            raise UsageError(
                f"--since {since!r} is not a FHIR date or instant",
                remedy="Write for example 2024-02-29 or 2024-02-29T10:00:00-05:00.",
            )
        if row[0] > row[1] + FUTURE_TOLERANCE:
            raise UsageError(
                f"--since {since} is in the future: the database's clock says {row[1].isoformat(timespec='seconds')}",
                remedy="Give the transactionTime of the previous export's manifest.json, or another past instant.",
            )
        instant = row[0].astimezone(UTC).isoformat()
    return ExportSelection(source=fuente, types=tuple(sorted(set(types))), document=key, since=instant, history=history)


def _request(conn: Connection[TupleRow], folder: Path, selection: ExportSelection) -> dict[str, Any]:
    """Return what identifies an interrupted export: its arguments, with a salted hash for the document."""
    row = conn.execute("SELECT (SELECT min(id::text) FROM hce.instalacion), current_database()").fetchone()
    salt = str((interrupted_request(folder) or {}).get("salt") or uuid.uuid4())
    document_hash = selection.document and hashlib.sha256(f"{salt} {selection.document}".encode()).hexdigest()
    rest: dict[str, Any] = {"source": selection.source, "type": list(selection.types), "since": selection.since}
    if selection.history:
        rest["history"] = True
    return {"database": list(row or ()), "patient": document_hash, "salt": salt, **rest}


def _write(
    conn: Connection[TupleRow],
    schema: Schema,
    store: ExportFolder,
    selection: ExportSelection,
    jobs: int,
    through_coordinator: bool,
    counter: ProgressCounter,
) -> None:
    """Read what is missing, in rounds until it is consistent or too busy, then finish the folder."""
    start = datetime.now(UTC)
    snapshot = Snapshot(conn, schema, document=selection.document, through_coordinator=through_coordinator)
    until = transaction_time(snapshot)
    earlier = set(store.parts)
    logger.info("export begins: %d parts of an earlier run are kept so far", len(earlier))
    outcome = _rounds(snapshot, store, selection, jobs, counter)
    former = {table.name for table in schema.histories()}
    files = part_files(part for part in store.parts.values() if part.planned.table not in former)
    versions = part_files((p for p in store.parts.values() if p.planned.table in former), ending=HISTORY, role=HISTORY)
    deleted = part_files(outcome.deleted, stem="deleted")
    restore = versions | row_files(store.parts, files | versions) | correction_files(outcome.corrections)
    row = conn.execute("SELECT min(id::text) FROM hce.instalacion").fetchone()
    ours = {
        "installation": row[0] if row else None,
        "snapshot": outcome.snapshot,
        "start": start.isoformat(),
        "end": datetime.now(UTC).isoformat(),
        "changed": outcome.changed,
        "kept": sum(store.parts[name].count for name in earlier if name in store.parts),
    }
    content = build_manifest(
        list(files.values()), list(deleted.values()), list(restore.values()), selection,
        time=until.isoformat(timespec="milliseconds"), ours=ours,
    )  # fmt: skip
    store.finish(content, {part: file.path for part, file in (files | deleted | restore).items()})
    state = (
        "one consistent snapshot"
        if outcome.snapshot
        else f"not consistent: {counted(outcome.changed, 'file')} changed meanwhile"
    )
    resources = sum(file.count for file in files.values())
    logger.info("export ends: %s, %s", counted(resources, "resource"), state)


def _rounds(
    snapshot: Snapshot, store: ExportFolder, selection: ExportSelection, jobs: int, counter: ProgressCounter
) -> _Outcome:
    for number in range(_MAX_ATTEMPTS):
        try:
            outcome = _round(snapshot, store, selection, jobs, counter, number)
        except psycopg.errors.UndefinedTable:
            logger.info("a shard moved while it was read: reading the rest again")
            continue
        if outcome is not None:
            return outcome
    raise HceError(
        "shards kept moving while they were read",
        remedy="Run the same command again when the rebalancer has finished: the finished parts are kept.",
    )


def _round(
    snapshot: Snapshot,
    store: ExportFolder,
    selection: ExportSelection,
    jobs: int,
    counter: ProgressCounter,
    number: int,
) -> _Outcome | None:
    """Read what is missing or has changed; None if another round must compare it again."""
    with snapshot.open():
        compared = compare_parts(snapshot, store.parts.values(), selection)
        last = number > 0 and (number > MAX_ROUNDS or not _is_worth_reading_again(compared.changed, store))
        logger.info(
            "round %d: %d parts unchanged, %d changed, %d gone",
            number + 1, len(compared.unchanged), len(compared.changed), len(compared.gone),
        )  # fmt: skip
        store.drop([*compared.gone, *(() if last else compared.changed)])
        deleted = write_deleted(snapshot, selection, store) if selection.since is not None else []
        corrections = write_correction_parts(snapshot, selection, store)
        planned_parts = plan_parts(snapshot, selection, [part.planned for part in store.parts.values()], jobs=jobs)
        if number == 0:
            counter.begin(store.parts.values(), planned_parts)
        if write_parts(snapshot, planned_parts, selection, store, jobs=jobs, counter=counter):
            return None
        one_snapshot = snapshot.direct and len({part.planned.node for part in store.parts.values()}) < 2
        nothing_changed = not planned_parts and not snapshot.half_committed
        if (one_snapshot or nothing_changed) and not (last and compared.changed):
            return _Outcome(snapshot=True, changed=0, deleted=deleted, corrections=corrections)
        if last:
            return _Outcome(
                snapshot=False,
                changed=len(compared.changed) + len(planned_parts),
                deleted=deleted,
                corrections=corrections,
            )
        return None


def _is_worth_reading_again(changed: Sequence[WrittenPart], store: ExportFolder) -> bool:
    everything = sum(part.count for part in store.parts.values())
    return sum(part.count for part in changed) <= RETRY_SHARE * everything


def _report(folder: Path, content: dict[str, Any], seconds: float) -> ExportReport:
    files, deleted = manifest_files(content), manifest_files(content, "deleted")
    ours = content["extension"]
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
        transaction_time=content["transactionTime"],
        changed=ours["changed"],
        kept=ours["kept"],
        versions=sum(file.count for file in more if file.role == HISTORY),
        corrections=sum(file.count for file in more if file.role == CORRECTIONS),
        seconds=round(seconds, 2),
    )
