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
from pyhce.records.loading.conditions import Conditions
from pyhce.records.loading.exported import load_exports
from pyhce.records.loading.journal import Journal
from pyhce.records.loading.reject_file import RejectFile
from pyhce.records.loading.report import LoadReport
from pyhce.records.loading.sieve import Sieve
from pyhce.records.loading.state import Progress, State
from pyhce.records.loading.versions import Versions
from pyhce.records.loading.writers import Writers
from pyhce.records.reading.bases import own_bases
from pyhce.records.reading.documents import opened
from pyhce.records.reading.exported import LATER, exports_in, latest_of, outside_of
from pyhce.records.reading.incoming import Asking, Deleted, Found, Line, Rejected, Skipped
from pyhce.records.reading.listed import Listed
from pyhce.records.reading.reader import resources_in, scan
from pyhce.records.reading.ready import Ready, ready, source_of
from pyhce.records.reading.repair_ids import admitted, names_odd_binary
from pyhce.records.reading.sources import Source, size_of
from pyhce.records.reading.spelling import NotJson
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
    progress: Progress | None = None,
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
        from pyhce.records.reading.strict import available

        available()
    own = own_bases(bases, check_source(fuente))
    exports = exports_in(paths)
    if exports and fuente:
        raise UsageError(
            f"{exports[0].folder} holds an export, whose manifest says of which source each file is; --source is given",
            remedy="Leave out --source. To load its files under another source, name them one by one: folder/*.ndjson.",
        )
    found = outside_of(exports, paths)
    exports, former = latest_of(exports)
    rejects = RejectFile(reject_file)
    chosen = [word for word, is_chosen in (("opened", open_documents), ("repaired", repair_ids)) if is_chosen]
    how = " ".join([repr(rules), str(strict), *sorted(own), *chosen])
    journal = Journal(conn, fuente, how=how, again=again)
    state = State(schema, fuente, rules, rejects, strict, journal, progress, own, open_documents, repair_ids)
    state.total = sum(map(size_of, found.to_read))
    state.total += sum(file.bytes for export in exports for file in export.read_through)
    for path, why in found.not_read:
        state.not_read.add(why, printable(path))
    for export in former:
        state.not_read.add(LATER, printable(export.folder))
    connections = writers or [conn]
    size = batch_size(conn, len(connections))
    listed = Listed()
    writing = Writers(connections, state.write, batch=size, inline=not writers)
    with closing(rejects), Conditions(state, conn) as conditions, writing as out:
        if exports:
            load_exports(state, conn, connections, exports, batch=size, again=again)
        sieve = Sieve(conn, schema, fuente, pending=out.pending, unchanged=state.unchanged)
        for path in listed.in_order(found.to_read):
            if journal.has(path):
                state.pass_over(path)
                continue
            with Source(path) as source:
                source.lists_errors = listed.has_errors(path)
                state.begin(source)
                versions = Versions()
                count = _one_file(state, conn, source, out, sieve, versions, conditions)
                state.ended(source, versions)
                if not source.not_read:
                    journal.ended(source, count)
        out.drain()
    journal.settle()
    state.census.settle(conn)
    state.begin(None)
    return state.report()


def _one_file(
    state: State,
    conn: Connection[TupleRow],
    source: Source,
    out: Writers,
    sieve: Sieve,
    versions: Versions,
    conditions: Conditions,
) -> int:
    """Everything in a file, in its order, to the writers; how many resources it has."""
    count, before, settled = 0, state.sifted, versions.settled
    deleted: dict[str | None, dict[Removable, Deleted]] = {}
    for found in _of_file(state, source, sieve):
        if isinstance(found, Deleted):
            sieve.waits = True  # it would look before this is done
            fuente = source_of(found, state.bases)[0]
            state.deletions.note(fuente, found)
            here = deleted.setdefault(fuente, {})
            here[found.type, found.key] = found
            if len(here) < DELETED_AT_ONCE:
                continue
        if deleted:
            _delete(state, conn, out, deleted)
            sieve.waits = False
        if isinstance(found, Ready):
            count += 1
            if found[0][0] not in settled:
                versions.look(found)
            out.add(found)
        elif isinstance(found, Asking):
            conditions.take(found, out)
    if deleted:
        _delete(state, conn, out, deleted)
    sieve.waits = False
    return count + state.sifted - before


def _delete(
    state: State, conn: Connection[TupleRow], out: Writers, deleted: dict[str | None, dict[Removable, Deleted]]
) -> None:
    """Delete what was collected, by source, once everything before it is written."""
    out.drain()
    for fuente, removables in deleted.items():
        state.delete(conn, removables, fuente)
    deleted.clear()


def _of_file(state: State, source: Source, sieve: Sieve) -> Iterator[Ready | Deleted | Asking]:
    read, strict, repair = state.lines.read, state.strict, state.repair_ids
    for found in scan(source) if strict or repair else sieve.sifted(scan(source)):
        if isinstance(found, Line):
            plain = None if repair and names_odd_binary(found.data) else read(found)
            if plain is None:
                yield from _with_care(state, resources_in(found))
            elif not strict or state.fits(plain):
                yield plain
        else:
            yield from _with_care(state, (found,))


def _with_care(state: State, found: Iterable[Found]) -> Iterator[Ready | Deleted | Asking]:
    for item in found:
        if isinstance(item, Rejected):
            state.reject(item)
        elif isinstance(item, Skipped):
            state.skipped[item.what] += 1
        elif isinstance(item, Deleted | Asking):
            yield item
        else:
            taken = admitted(item, state.bases, state.fuente, repair=state.repair_ids)
            if isinstance(taken, Rejected):
                state.reject(taken)
                continue
            try:
                made = ready(state.schema, taken.item, state.bases, state.rules)
            except NotJson as error:
                state.reject(Rejected(item.where, "not-json", str(error), item.id))
                continue
            if state.is_overtaken(made, item):
                continue
            if not state.strict or state.fits(made):
                state.note(made, taken)
                yield made
                if item.type == "Bundle" and state.open_documents:
                    yield from _with_care(state, opened(item, state.schema, state.bases, state.rules))
