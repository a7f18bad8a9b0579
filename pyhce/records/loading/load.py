"""Load: FHIR resources into their homes, in batches, each one transaction; safe to repeat and to interrupt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.lock_table import batch_size
from pyhce.errors import UsageError, printable
from pyhce.records.identity import DEFAULT_RULES, DocumentRule
from pyhce.records.loading.batch_writers import BatchWriters
from pyhce.records.loading.condition_answers import ConditionAnswers
from pyhce.records.loading.exports import load_exports
from pyhce.records.loading.fhir_versions import FhirVersions
from pyhce.records.loading.loaded_files import LoadedFiles
from pyhce.records.loading.reject_file import RejectFile
from pyhce.records.loading.report import LoadReport
from pyhce.records.loading.sieve import Sieve
from pyhce.records.loading.state import LoadProgress, LoadState
from pyhce.records.reading.bases import own_bases
from pyhce.records.reading.exact_json import InvalidJson
from pyhce.records.reading.finished_export import SUPERSEDED, files_outside, find_exports, without_superseded
from pyhce.records.reading.incoming import ConditionSignal, Deletion, Line, ReadItem, Rejected, Skipped
from pyhce.records.reading.input_file import InputFile, file_size
from pyhce.records.reading.manifest_lists import ManifestLists
from pyhce.records.reading.prepared import PreparedResource, prepare, source_and_bases
from pyhce.records.reading.reader import resources_in, scan
from pyhce.records.reading.repair_ids import admit, may_link_to_odd_binary
from pyhce.records.reading.whole_bundles import filed_entries
from pyhce.records.source_names import check_source
from pyhce.records.writing.remove import Removable
from pyhce.schema.model import Schema

DEFAULT_JOBS = 2
"""Connections to write through at once, so that neither reading nor the server waits; more cores take more."""
DELETED_AT_ONCE = 1000


def load(
    conn: Connection[TupleRow],
    paths: Sequence[Path],
    *,
    schema: Schema,
    writers: Sequence[Connection[TupleRow]] = (),
    fuente: str = "",
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    reject_file: Path = Path("rejected.ndjson"),
    again: bool = False,
    strict: bool = False,
    bases: Sequence[str] = (),
    open_documents: bool = False,
    repair_ids: bool = False,
    progress: LoadProgress | None = None,
) -> LoadReport:
    """Load files and folders: R4 bundles, NDJSON, single resources, exports of pyhce.

    Nothing valid is turned away, whatever the order of files: a resource whose patient is not there yet waits under
    a provisional record. The same input again changes nothing; files that were loaded whole are passed over.

    Args:
        writers: connections to write through, each in a thread of its own; if there are none, `conn` is used.
        fuente: the source system; ids are unique within one.
        rules: which identifiers are identity documents.
        reject_file: where what is not FHIR goes, with its reason; made only if there is any, under a name with a number
            if it is there already. `LoadReport.reject_file` says which.
        again: read files that were loaded whole before, too.
        strict: reject what does not fit R4's definitions; see `pyhce.records.reading.strict`.
        bases: the source's own base URLs. An id of another base is of a source of its own, named by that base; a
            bundle whose fullUrls have one base is the source's own if none is given.
        open_documents: file the entries of documents and messages, which are kept whole, as rows too.
        repair_ids: give a resource whose id is not FHIR's a derived one instead of rejecting it; see
            `pyhce.records.reading.repair_ids`.

    Raises:
        UsageError: a path is not there, the source cannot have that name, a base is no URL, an export is not as its
            manifest says, the reject file cannot be made, or the extra `strict` is not installed.
        HceError: the database refused for good, or writers kept getting in each other's way.
    """
    if strict:
        from pyhce.records.reading.strict import require_validator

        require_validator()
    own = own_bases(bases, check_source(fuente))
    exports = find_exports(paths)
    if exports and fuente:
        raise UsageError(
            f"{exports[0].folder} holds an export, whose manifest says of which source each file is; --source is given",
            remedy="Leave out --source. To load its files under another source, name them one by one: folder/*.ndjson.",
        )
    found = files_outside(exports, paths)
    exports, former = without_superseded(exports)
    rejects = RejectFile(reject_file)
    chosen = [word for word, is_chosen in (("opened", open_documents), ("repaired", repair_ids)) if is_chosen]
    how = " ".join([repr(rules), str(strict), *sorted(own), *chosen])
    loaded_files = LoadedFiles(conn, fuente, how=how, again=again)
    state = LoadState(schema, fuente, rules, rejects, strict, loaded_files, progress, own, open_documents, repair_ids)
    state.total = sum(map(file_size, found.to_read))
    state.total += sum(file.bytes for export in exports for file in export.read_through)
    for path, why in found.not_read:
        state.not_read.add(why, printable(path))
    for export in former:
        state.not_read.add(SUPERSEDED, printable(export.folder))
    connections = writers or [conn]
    size = batch_size(conn, len(connections))
    listed = ManifestLists()
    writing = BatchWriters(connections, state.write, batch=size, inline=not writers)
    with closing(rejects), ConditionAnswers(state, conn) as conditions, writing as out:
        if exports:
            load_exports(state, conn, connections, exports, batch=size, again=again)
        sieve = Sieve(conn, schema, fuente, pending=out.pending, unchanged=state.note_unchanged)
        for path in listed.in_order(found.to_read):
            if loaded_files.contains(path):
                state.pass_over(path)
                continue
            with InputFile(path) as source:
                source.lists_errors = listed.has_errors(path)
                state.begin_file(source)
                versions = FhirVersions()
                count = _one_file(state, conn, source, out, sieve, versions, conditions)
                state.end_file(source, versions)
                if not source.not_read:
                    loaded_files.end_file(source, count)
        out.drain()
    loaded_files.record_written()
    state.identity_counts.settle(conn)
    state.begin_file(None)
    return state.report()


def _one_file(
    state: LoadState,
    conn: Connection[TupleRow],
    source: InputFile,
    out: BatchWriters,
    sieve: Sieve,
    versions: FhirVersions,
    conditions: ConditionAnswers,
) -> int:
    """Everything in a file, in its order, to the writers; how many resources it has."""
    count, before, settled = 0, state.unchanged_lines, versions.settled_types
    deleted: dict[str | None, dict[Removable, Deletion]] = {}
    for found in _of_file(state, source, sieve):
        if isinstance(found, Deletion):
            sieve.paused = True  # it would look before this is done
            fuente = source_and_bases(found, state.bases)[0]
            state.deletions.note(fuente, found)
            here = deleted.setdefault(fuente, {})
            here[found.type, found.key] = found
            if len(here) < DELETED_AT_ONCE:
                continue
        if deleted:
            _delete(state, conn, out, deleted)
            sieve.paused = False
        if isinstance(found, PreparedResource):
            count += 1
            if found[0][0] not in settled:
                versions.inspect(found)
            out.add(found)
        elif isinstance(found, ConditionSignal):
            conditions.handle(found, out)
    if deleted:
        _delete(state, conn, out, deleted)
    sieve.paused = False
    return count + state.unchanged_lines - before


def _delete(
    state: LoadState,
    conn: Connection[TupleRow],
    out: BatchWriters,
    deleted: dict[str | None, dict[Removable, Deletion]],
) -> None:
    """Delete what was collected, by source, once everything before it is written."""
    out.drain()
    for fuente, removables in deleted.items():
        state.delete(conn, removables, fuente)
    deleted.clear()


def _of_file(
    state: LoadState, source: InputFile, sieve: Sieve
) -> Iterator[PreparedResource | Deletion | ConditionSignal]:
    read, strict, repair = state.lines.read, state.strict, state.repair_ids
    for found in scan(source) if strict or repair else sieve.sift(scan(source)):
        if isinstance(found, Line):
            plain = None if repair and may_link_to_odd_binary(found.data) else read(found)
            if plain is None:
                yield from _with_care(state, resources_in(found))
            elif not strict or state.conforms_to_r4(plain):
                yield plain
        else:
            yield from _with_care(state, (found,))


def _with_care(state: LoadState, found: Iterable[ReadItem]) -> Iterator[PreparedResource | Deletion | ConditionSignal]:
    for item in found:
        if isinstance(item, Rejected):
            state.reject(item)
        elif isinstance(item, Skipped):
            state.skipped[item.what] += 1
        elif isinstance(item, Deletion | ConditionSignal):
            yield item
        else:
            taken = admit(item, state.bases, state.fuente, repair=state.repair_ids)
            if isinstance(taken, Rejected):
                state.reject(taken)
                continue
            try:
                made = prepare(state.schema, taken.item, state.bases, state.rules)
            except InvalidJson as error:
                state.reject(Rejected(item.where, "not-json", str(error), item.id))
                continue
            if state.is_superseded(made, item):
                continue
            if not state.strict or state.conforms_to_r4(made):
                state.note_resource(made, taken)
                yield made
                if item.type == "Bundle" and state.open_documents:
                    yield from _with_care(state, filed_entries(item, state.schema, state.bases, state.rules))
