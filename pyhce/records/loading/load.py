"""Load FHIR files: find them, read each one, write its resources in batches; safe to repeat and to interrupt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, no_progress
from pyhce.citus.failover import RECONNECT_WAIT, SteadyConnection
from pyhce.citus.lock_table import batch_size
from pyhce.errors import UsageError, printable
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.loading.batch_writers import BatchWriters
from pyhce.records.loading.batches import load_batch
from pyhce.records.loading.condition_answers import ConditionAnswers
from pyhce.records.loading.exports import load_exports
from pyhce.records.loading.file_loader import FileLoader
from pyhce.records.loading.loaded_files import LoadedFiles
from pyhce.records.loading.reject_file import RejectFile
from pyhce.records.loading.report import LoadReport
from pyhce.records.loading.sieve import Sieve
from pyhce.records.loading.state import LoadProgress, LoadState
from pyhce.records.reading.bases import own_bases
from pyhce.records.reading.finished_export import SUPERSEDED, files_outside, find_exports, without_superseded
from pyhce.records.reading.input_file import InputFile, file_size
from pyhce.records.reading.manifest_lists import ManifestLists
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.source_names import check_source
from pyhce.schema.model import Schema

logger = logging.getLogger(__name__)

DEFAULT_JOBS = 2
"""Connections to write through at once: enough that neither reading nor the server waits. More cores take more."""


def load(
    conn: Connection[TupleRow],
    paths: Sequence[Path],
    *,
    schema: Schema,
    writers: Sequence[Connection[TupleRow]] = (),
    dsn: str | None = None,
    reconnect_wait: float = RECONNECT_WAIT,
    fuente: str = "",
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    reject_file: Path = Path("rejected.ndjson"),
    again: bool = False,
    strict: bool = False,
    bases: Sequence[str] = (),
    open_documents: bool = False,
    repair_ids: bool = False,
    progress: LoadProgress | None = None,
    on_wait: Progress = no_progress,
) -> LoadReport:
    """Load files and folders: R4 bundles, NDJSON, single resources, exports of pyhce.

    The order of files does not matter, and no valid resource is refused: one whose patient is not loaded yet is stored
    in a provisional record until the patient arrives. A second load of the same input changes nothing, and files that
    were loaded whole are passed over.

    Args:
        writers: connections to write through, each used by one thread. Without any, `conn` writes.
        dsn: where to open a connection again after a lost node; None: the load ends with an error.
        reconnect_wait: seconds to wait for a lost node, each time.
        fuente: the source system. FHIR ids are unique within one source.
        rules: which identifiers are identity documents.
        reject_file: the file for input that is not valid FHIR, one line each with its reason. It is created at the
            first reject; if the name is taken, a number is added. `LoadReport.reject_file` is the name in use.
        again: also read files that were loaded whole before.
        strict: reject resources that do not conform to R4's definitions; see `pyhce.records.reading.strict`.
        bases: the base URLs of the source. A resource under another base belongs to another source, which is named by
            that base. Without `bases`, a bundle whose fullUrls share one base belongs to the source that is loaded.
        open_documents: also store the entries of documents and messages as rows. The bundles themselves are always
            kept whole.
        repair_ids: give a resource whose id FHIR does not allow a derived id instead of rejecting it; see
            `pyhce.records.reading.repair_ids`.
        progress: is called with the counts so far after each batch, from the thread that wrote it.
        on_wait: is called with one line of text before a wait for a lost node.

    Raises:
        psycopg.Error, ConnectionFailed: a node was lost, and none served for `reconnect_wait` seconds, or conditional
            entries of a bundle were being written. The same load continues where it ended.
        UsageError: a path does not exist, the source's name or a base is invalid, an export differs from its manifest,
            the reject file cannot be created, or the extra `strict` is not installed.
        HceError: the database refused a transaction for good, or concurrent changes made every retry fail.
    """
    if strict:
        from pyhce.records.reading.strict import require_validator

        require_validator()
    own = own_bases(bases, check_source(fuente))
    exports = find_exports(paths)
    if exports and fuente:
        raise UsageError(
            f"{exports[0].folder} is an export whose manifest names the source of each file: --source is not allowed",
            remedy="Leave out --source. To load the files under another source, name them: folder/*.ndjson.",
        )
    found = files_outside(exports, paths)
    exports, superseded = without_superseded(exports)
    rejects = RejectFile(reject_file)
    chosen = [word for word, is_chosen in (("opened", open_documents), ("repaired", repair_ids)) if is_chosen]
    how = " ".join([repr(rules), str(strict), *sorted(own), *chosen])

    def steady(connection: Connection[TupleRow]) -> SteadyConnection:
        return SteadyConnection(
            connection,
            dsn=dsn,
            wait=reconnect_wait,
            may_repeat=lambda: not state.holds_condition_locks,
            progress=on_wait,
        )

    main = steady(conn)
    lanes = [steady(writer) for writer in writers] or [main]
    loaded_files = LoadedFiles(main, fuente, how=how, again=again)
    state = LoadState(schema, fuente, rules, rejects, strict, loaded_files, progress, own, open_documents, repair_ids)
    state.bytes_total = sum(map(file_size, found.to_read))
    state.bytes_total += sum(file.bytes for export in exports for file in export.read_through)
    for path, why in found.not_read:
        state.not_read.add(why, printable(path))
    for export in superseded:
        state.not_read.add(SUPERSEDED, printable(export.folder))
    size = main.run(lambda conn: batch_size(conn, len(lanes)))
    logger.info(
        "loading %d files and %d exports through %d connections, up to %d resources a batch",
        len(found.to_read), len(exports), len(lanes), size,
    )  # fmt: skip

    def write(lane: SteadyConnection, batch: list[PreparedResource]) -> None:
        load_batch(state, lane, batch)
        state.reconnections = sum(one.losses for one in connections)

    connections = dict.fromkeys([main, *lanes])
    batch_writers = BatchWriters(lanes, write, batch=size, inline=not writers)
    with ExitStack() as stack:
        for connection in connections:
            stack.enter_context(closing(connection))
        stack.enter_context(closing(rejects))
        conditions = stack.enter_context(ConditionAnswers(state, main))
        out = stack.enter_context(batch_writers)
        if exports:
            load_exports(state, main, lanes, exports, batch=size, again=again)
        sieve = Sieve(main, schema, fuente, pending=out.pending, unchanged=state.note_unchanged)
        loader = FileLoader(state, main, out, sieve, conditions)
        manifests = ManifestLists()
        for path in manifests.in_order(found.to_read):
            if loaded_files.contains(path):
                state.pass_over(path)
                continue
            with InputFile(path) as file:
                file.lists_errors = manifests.has_errors(path)
                state.begin_file(file)
                resources = loader.load(file)
                if not file.not_read:
                    loaded_files.end_file(file, resources)
        out.drain()
        loaded_files.record_written()
        main.run(state.identity_counts.settle)
        state.reconnections = sum(one.losses for one in connections)
    state.begin_file(None)
    report = state.report()
    logger.info("load finished: %d read, %d new, %d rejected", report.read, report.new, report.rejected)
    return report
