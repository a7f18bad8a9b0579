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
from pyhce.records.exporting.compare import compare
from pyhce.records.exporting.copy import Tally, Told, copy_all
from pyhce.records.exporting.decisions import write_decisions
from pyhce.records.exporting.deleted import write_deleted
from pyhce.records.exporting.folder import ExportFolder, opened, request_of
from pyhce.records.exporting.manifest import beside, decided, manifest, named
from pyhce.records.exporting.moments import Moment, everything_committed_before
from pyhce.records.exporting.plan import plan
from pyhce.records.exporting.units import Done, Wanted
from pyhce.records.identity import check_document
from pyhce.records.reading.finished_export import CORRECTIONS, HISTORY, RESTORE, ExportedFile, manifest_files
from pyhce.records.source_names import refuse_unknown_source
from pyhce.schema.model import Frozen, Schema
from pyhce.schema.r4 import RESOURCE_TYPES

ROUNDS, LITTLE = 3, 0.25
"""How often to read again what changed meanwhile, and up to which share of all: a busy cluster is never done."""
CLOCKS = timedelta(minutes=5)
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
    deleted: list[Done]
    decisions: list[Done]


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
    progress: Told | None = None,
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
    wanted = _wanted(conn, schema, fuente, types, document, since, history)
    number = jobs or min(os.cpu_count() or 1, 4)
    request = _request(conn, folder, wanted)
    try:
        with opened(folder, request) as store:
            if store.finish_record is None:
                _make(conn, schema, store, wanted, number, through_coordinator, Tally(progress))
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
) -> Wanted:
    for unknown in sorted(set(types) - RESOURCE_TYPES):
        like = next((kind for kind in sorted(RESOURCE_TYPES) if kind.lower() == unknown.lower()), "")
        like = like or next(iter(get_close_matches(unknown, RESOURCE_TYPES, 1)), "Observation")
        raise UsageError(f"FHIR R4 has no resource type {unknown!r}", remedy=f"Write it as FHIR does: {like}.")
    if fuente is not None:
        refuse_unknown_source(conn, schema, fuente)
    key = None if document is None else check_document(document, "--patient")
    if key and not conn.execute("SELECT 1 FROM expediente WHERE documento_id = %s", (key,)).fetchone():
        raise HceError("there is no record under the document given", remedy="Check the type and the number.")
    moment = None
    if since is not None:
        row = conn.execute("SELECT lower(hce.lapso(%s)), now()", (since,)).fetchone()
        if row is None or row[0] is None:
            raise UsageError(
                f"{since!r} is no FHIR date or instant", remedy="Write 2024-02-29 or 2024-02-29T10:00:00-05:00."
            )
        if row[0] > row[1] + CLOCKS:
            raise UsageError(
                f"--since {since} is in the future: the database's clock says {row[1].isoformat(timespec='seconds')}",
                remedy="Give the transactionTime of the export before, or another moment that has been.",
            )
        moment = row[0].astimezone(UTC).isoformat()
    return Wanted(source=fuente, types=tuple(sorted(set(types))), document=key, since=moment, history=history)


def _request(conn: Connection[TupleRow], folder: Path, wanted: Wanted) -> dict[str, Any]:
    """What tells one export from another; of a document only whether it is the same."""
    row = conn.execute("SELECT (SELECT min(id::text) FROM hce.instalacion), current_database()").fetchone()
    salt = str((request_of(folder) or {}).get("salt") or uuid.uuid4())
    person = wanted.document and hashlib.sha256(f"{salt} {wanted.document}".encode()).hexdigest()
    rest: dict[str, Any] = {"source": wanted.source, "type": list(wanted.types), "since": wanted.since}
    if wanted.history:
        rest["history"] = True
    return {"database": list(row or ()), "patient": person, "salt": salt, **rest}


def _make(
    conn: Connection[TupleRow],
    schema: Schema,
    store: ExportFolder,
    wanted: Wanted,
    jobs: int,
    through_coordinator: bool,
    tally: Tally,
) -> None:
    """Read what is missing until all of it is one moment, or that is given up; then finish the folder."""
    start = datetime.now(UTC)
    moment = Moment(conn, schema, document=wanted.document, through_coordinator=through_coordinator)
    until = everything_committed_before(moment)
    had = set(store.done)
    outcome = _rounds(moment, store, wanted, jobs, tally)
    former = {table.name for table in schema.histories()}
    names = named(done for done in store.done.values() if done.unit.table not in former)
    versions = named((d for d in store.done.values() if d.unit.table in former), ending=HISTORY, role=HISTORY)
    lost = named(outcome.deleted, stem="deleted")
    more = versions | beside(store.done, names | versions) | decided(outcome.decisions)
    row = conn.execute("SELECT min(id::text) FROM hce.instalacion").fetchone()
    ours = {
        "installation": row[0] if row else None,
        "snapshot": outcome.snapshot,
        "start": start.isoformat(),
        "end": datetime.now(UTC).isoformat(),
        "changed": outcome.changed,
        "kept": sum(store.done[name].count for name in had if name in store.done),
    }
    told = manifest(
        list(names.values()), list(lost.values()), list(more.values()), wanted,
        time=until.isoformat(timespec="milliseconds"), ours=ours,
    )  # fmt: skip
    store.finish(told, {part: file.path for part, file in (names | lost | more).items()})


def _rounds(moment: Moment, store: ExportFolder, wanted: Wanted, jobs: int, tally: Tally) -> _Outcome:
    for number in range(_PATIENCE):
        try:
            outcome = _round(moment, store, wanted, jobs, tally, number)
        except psycopg.errors.UndefinedTable:
            continue  # a shard moved and was cleaned up: it is elsewhere now
        if outcome is not None:
            return outcome
    raise HceError(
        "shards went on moving while they were read", remedy="Run the same command again: what was finished stays."
    )


def _round(
    moment: Moment, store: ExportFolder, wanted: Wanted, jobs: int, tally: Tally, number: int
) -> _Outcome | None:
    """Read what is missing or has changed; None if it must be looked at once more."""
    with moment.held():
        verdicts = compare(moment, store.done.values(), wanted)
        enough = number > 0 and (number > ROUNDS or not _little(verdicts.changed, store))
        store.drop([*verdicts.gone, *(() if enough else verdicts.changed)])
        deleted = write_deleted(moment, wanted, store) if wanted.since is not None else []
        decisions = write_decisions(moment, wanted, store)
        units = plan(moment, wanted, [done.unit for done in store.done.values()], jobs=jobs)
        if number == 0:
            tally.begin(store.done.values(), units)
        if copy_all(moment, units, wanted, store, jobs=jobs, tally=tally):
            return None
        one_snapshot = moment.direct and len({done.unit.node for done in store.done.values()}) < 2
        nothing_since = not units and not moment.half_committed
        if (one_snapshot or nothing_since) and not (enough and verdicts.changed):
            return _Outcome(snapshot=True, changed=0, deleted=deleted, decisions=decisions)
        if enough:
            return _Outcome(
                snapshot=False, changed=len(verdicts.changed) + len(units), deleted=deleted, decisions=decisions
            )
        return None


def _little(changed: Sequence[Done], store: ExportFolder) -> bool:
    everything = sum(done.count for done in store.done.values())
    return sum(done.count for done in changed) <= LITTLE * everything


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
