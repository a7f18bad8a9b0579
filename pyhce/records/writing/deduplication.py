"""Joins duplicates: gives a resource that is stored in several locations one location, with one history.

The rule. Of several rows of one identity (source, type, id), the row with the newest `meta.lastUpdated` is kept; if
that is equal, the row that was written last; if that is equal too, a row whose record is not provisional. The contents
and histories of the other rows join the history of the kept row, which is numbered anew in the order of time. A copy
with the very same content adds nothing. Of a deleted resource, the histories join where the newest of them is.

If the rows are in the records of two patients and neither record is provisional, the rule chooses nothing: the rows
stay until a person decides (`pyhce repair identities`).

Example: `Observation/o` is stored twice. In the provisional record PROV-… it has the versions 1 (value 70, written on
May 1st) and 2 (value 71, May 3rd, current). In CC-1 it has version 1 (value 72, May 2nd, current). No row has
`meta.lastUpdated`, so the row of May 3rd is kept:

    before   PROV-…: 1 → 70, 2 → 71 (current)      CC-1: 1 → 72 (current)
    after    PROV-…: 1 → 70, 2 → 72, 3 → 71 (current)

Up to 200 identities are joined in one transaction, which takes the locks of `pyhce.records.writing.locks` in their
order: the identities, the keys of all patients concerned, all anchors. Then the rows are written.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.counted import counted
from pyhce.records.identity import PROVISIONAL
from pyhce.records.reading.reference import source_and_key
from pyhce.records.writing.locks import close_gate, lock_anchors, lock_identities_across_sources, shared_gate
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.record_moves import delete_anchor_if_empty, move_patient
from pyhce.records.writing.retry import ConcurrentChange, DuplicateResources, RecordCollision, retry_transaction
from pyhce.records.writing.row_location import RowLocation
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name, type_condition
from pyhce.schema.model import FAMILIES, Home, Schema, Table

logger = logging.getLogger(__name__)

IDENTITIES_PER_TRANSACTION = 200
"""At most this many identities in one transaction: each may have a long history."""

ResourceIdentity = tuple[str, str, str]
"""A source, a FHIR type and an id."""


class StoredRow(NamedTuple):
    """A current row or a former version of a resource.

    Args:
        patient: the key of the patient that it names.
        since: when it became the current row.
        until: when it was replaced, None for a current row.
        updated: its meta.lastUpdated, the year 1 if it has none.
    """

    location: RowLocation
    patient: str | None
    version: int
    since: datetime
    until: datetime | None
    deleted: bool
    recurso: str
    original: str | None
    entrada: Any
    updated: datetime

    @property
    def rank(self) -> tuple[datetime, datetime, bool, str]:
        """The row with the greatest rank is kept."""
        document = self.location.document
        return self.updated, self.since, not _is_provisional_or_shared(document), document or ""


class CopyChoice(NamedTuple):
    """How to choose between rows in the records of two patients.

    Args:
        newest: apply the rule, whichever records the rows are in.
        patients: keep the rows of these patients, given by source and key.
        same: documents of one and the same patient, as a merge or a correction says.
    """

    newest: bool = False
    patients: frozenset[tuple[str, str]] = frozenset()
    same: frozenset[str] = frozenset()


NO_CHOICE = CopyChoice()


class UndecidedResource(NamedTuple):
    """A resource in the records of several patients, with their keys. A person has to decide."""

    identity: ResourceIdentity
    patients: tuple[tuple[str, str], ...]


class DeduplicationResult(NamedTuple):
    """The identities that are in one location now, and those that wait for a person's decision."""

    joined: tuple[ResourceIdentity, ...]
    undecided: tuple[UndecidedResource, ...]

    def waiting(self) -> set[ResourceIdentity]:
        """The identities that wait for a person's decision."""
        return {undecided.identity for undecided in self.undecided}


def _is_provisional_or_shared(document: str | None) -> bool:
    """Whether a document says nothing certain about the patient: none at all, or that of a provisional record."""
    return document is None or document.startswith(PROVISIONAL)


def deduplicate(
    conn: Connection[TupleRow],
    schema: Schema,
    identities: Iterable[ResourceIdentity],
    *,
    choice: CopyChoice = NO_CHOICE,
) -> DeduplicationResult:
    """Give each identity one location, by the rule of this module. An identity that has one already is left alone.

    Must not be called inside a transaction: it makes its own, for up to 200 identities each.

    Raises:
        HceError: concurrent changes in every attempt. The transactions that were committed stay.
    """
    wanted = sorted(set(identities))
    joined: list[ResourceIdentity] = []
    undecided: list[UndecidedResource] = []
    for start in range(0, len(wanted), IDENTITIES_PER_TRANSACTION):
        joining = _Joining(conn, schema, wanted[start : start + IDENTITIES_PER_TRANSACTION], choice)
        done = retry_transaction(
            conn,
            joining.join,
            remedy="Run the same command again: duplicates that were joined stay joined.",
            resolve=lambda error: resolve_conflict(conn, schema, error),
        )
        joined += done.joined
        undecided += done.undecided
        if done.joined or done.undecided:
            logger.info(
                "joined the copies of %s, %s for a person",
                counted(len(done.joined), "resource"),
                counted(len(done.undecided), "waits", "wait"),
            )
    return DeduplicationResult(tuple(joined), tuple(undecided))


def preview_deduplication(
    conn: Connection[TupleRow], schema: Schema, identities: Iterable[ResourceIdentity], *, choice: CopyChoice
) -> DeduplicationResult:
    """What `deduplicate` would do. Nothing is changed."""
    wanted = sorted(set(identities))
    parts = [
        _Joining(conn, schema, wanted[at : at + IDENTITIES_PER_TRANSACTION], choice)
        for at in range(0, len(wanted), IDENTITIES_PER_TRANSACTION)
    ]
    done = [part.sort_by_decision(part.read()) for part in parts]
    return DeduplicationResult(
        tuple(identity for part in done for identity in part.joined),
        tuple(one for part in done for one in part.undecided),
    )


def resolve_conflict(conn: Connection[TupleRow], schema: Schema, error: ConcurrentChange) -> DeduplicationResult:
    """Join the duplicates that made a transaction fail, so that it can be retried."""
    if isinstance(error, DuplicateResources):
        return deduplicate(conn, schema, [(error.fuente, *identity) for identity in error.identities])
    if isinstance(error, RecordCollision):
        both = identities_under(conn, schema, error.old) & identities_under(conn, schema, error.new)
        return deduplicate(conn, schema, both, choice=CopyChoice(same=frozenset((error.old, error.new))))
    return DeduplicationResult((), ())


def identities_under(conn: Connection[TupleRow], schema: Schema, document: str) -> set[ResourceIdentity]:
    """The identities of everything in a record, deleted resources too."""
    tables = schema.record_tables()
    query = sql.SQL(" UNION ").join(
        sql.SQL("SELECT fuente, {}, id FROM {} WHERE documento_id = %(d)s").format(
            sql.Identifier("tipo") if table.has_stored_column("tipo") else sql.Literal(table.fhir_type),
            table_name(table),
        )
        for table in tables
    )
    return {(fuente, kind, key) for fuente, kind, key in conn.execute(query, {"d": document})}


class _Joining:
    """One transaction of `deduplicate`."""

    def __init__(
        self, conn: Connection[TupleRow], schema: Schema, identities: Sequence[ResourceIdentity], choice: CopyChoice
    ) -> None:
        self.conn, self.schema, self.identities, self.choice = conn, schema, identities, choice
        self.now = datetime.now(UTC)
        self._patient_documents: dict[tuple[str, str], set[str]] = {}

    def join(self, _: int) -> DeduplicationResult:
        """Join the duplicates, inside a transaction."""
        lock_identities_across_sources(self.conn, self.identities)
        before = self.read()
        lock_patients(self.conn, _patients(before))
        lock_anchors(self.conn, _documents(before))
        rows = self.read()
        if not (_documents(rows) <= _documents(before) and _patients(rows) <= _patients(before)):
            raise ConcurrentChange
        done = self.sort_by_decision(rows)
        self._write({identity: rows[identity] for identity in done.joined})
        if done.joined:
            close_gate(self.conn)
        return done

    def sort_by_decision(self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> DeduplicationResult:
        """Which of the identities are duplicates, and which of these can be joined."""
        self._patient_documents = self._look_up_patient_documents(rows)
        joined: list[ResourceIdentity] = []
        undecided: list[UndecidedResource] = []
        for identity, copies in rows.items():
            if not self._is_duplicate(identity[1], copies):
                continue
            if self._decided(identity, copies):
                joined.append(identity)
            else:
                undecided.append(UndecidedResource(identity, tuple(sorted(_patients({identity: _current(copies)})))))
        return DeduplicationResult(tuple(joined), tuple(undecided))

    def _look_up_patient_documents(
        self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]
    ) -> dict[tuple[str, str], set[str]]:
        """The documents of the Patients that these rows name, by source and key."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        patients = sorted(_patients(rows))
        for fuente in {source for source, _ in patients}:
            keys = [key for source, key in patients if source == fuente]
            query = "SELECT id, documento_id FROM paciente WHERE fuente = %s AND id = ANY(%s)"
            for key, document in self.conn.execute(query, (fuente, keys)):
                found[fuente, key].add(document)
        return found

    def _is_duplicate(self, kind: str, rows: Sequence[StoredRow]) -> bool:
        """Whether rows or former versions are in several locations, or the row is in a table of another type."""
        current = _current(rows)
        locations = {(self.schema.by_name[row.location.table].home, row.location.document) for row in rows}
        homes = {table.name for table in self.schema.tables_for(kind)}
        return len(current) > 1 or len(locations) > 1 or any(row.location.table not in homes for row in current)

    def read(self) -> dict[ResourceIdentity, list[StoredRow]]:
        """All rows of the identities, current and former."""
        found: dict[ResourceIdentity, list[StoredRow]] = defaultdict(list)
        with shared_gate(self.conn):
            for (fuente, kind), ids in self._kinds(self.identities):
                homes = self.schema.tables_for(kind)
                histories = [self.schema.by_name[FAMILIES[home].history] for home in Home]
                for table in (*_every_home(self.schema, kind, homes), *histories):
                    for key, row in self._rows(table, fuente, kind, ids):
                        found[fuente, kind, key].append(row)
        return found

    def _kinds(self, identities: Iterable[ResourceIdentity]) -> Iterable[tuple[tuple[str, str], list[str]]]:
        kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
        for fuente, kind, key in identities:
            kinds[fuente, kind].append(key)
        return sorted(kinds.items())

    def _rows(self, table: Table, fuente: str, kind: str, ids: list[str]) -> Iterator[tuple[str, StoredRow]]:
        by_patient = table.home is Home.PATIENT
        times = "actualizado_en, NULL::timestamptz, false, recurso::text, original, entrada"
        if not table.holds_resources:
            times = "vigente_desde, vigente_hasta, borrado, recurso::text, original, NULL::uuid"
        query = sql.SQL(
            "SELECT id, {}, {}, version, {}, hce.instante(recurso #>> '{{meta,lastUpdated}}') FROM {}"
            " WHERE fuente = %s AND id = ANY(%s){}"
        ).format(
            sql.SQL("documento_id" if by_patient else "NULL::text"),
            sql.SQL("paciente_id" if by_patient else "NULL::text"),
            sql.SQL(times),
            table_name(table),
            type_condition(table, kind),
        )
        for (
            key,
            document,
            patient,
            version,
            since,
            until,
            deleted,
            recurso,
            original,
            entrada,
            updated,
        ) in self.conn.execute(query, (fuente, ids)).fetchall():
            yield key, StoredRow(
                RowLocation(table.name, document), patient, version, since, until, deleted, recurso, original, entrada,
                updated or _LEAST,
            )  # fmt: skip

    def _decided(self, identity: ResourceIdentity, rows: Sequence[StoredRow]) -> bool:
        """Whether the rule and the choice say which row is kept."""
        current = _current(rows)
        real = {row.location.document for row in current if not _is_provisional_or_shared(row.location.document)}
        if len(real) < 2 or self.choice.newest or real <= self.choice.same:
            return True
        return bool(self._chosen(identity, current))

    def _chosen(self, identity: ResourceIdentity, current: Sequence[StoredRow]) -> list[StoredRow]:
        """The rows of the patients that a person chose; else the row in the record of the one Patient that all name."""
        chosen = [
            row for row in current if row.patient and source_and_key(identity[0], row.patient) in self.choice.patients
        ]
        patients = _patients({identity: current})
        if chosen or len(patients) != 1 or identity[1] == "Patient":
            return chosen
        home = self._patient_documents[patients.pop()]
        return [row for row in current if len(home) == 1 and row.location.document in home]

    def _kept(self, identity: ResourceIdentity, rows: Sequence[StoredRow]) -> StoredRow | None:
        """The row that is kept, None of a deleted resource."""
        current = _current(rows)
        return max(self._chosen(identity, current) or current, key=lambda row: row.rank, default=None)

    def _write(self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> None:
        """Delete all rows of the identities, and insert them again in one location each."""
        for (fuente, kind), ids in self._kinds(rows):
            counts: dict[str, int] = defaultdict(int)
            for key in ids:
                for row in rows[fuente, kind, key]:
                    counts[row.location.table] += 1
            for name, count in sorted(counts.items()):
                table = self.schema.by_name[name]
                query = sql.SQL("DELETE FROM {} WHERE fuente = %s AND id = ANY(%s){}").format(
                    table_name(table), type_condition(table, kind)
                )
                if self.conn.execute(query, (fuente, ids)).rowcount != count:
                    raise ConcurrentChange
        added: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for identity, copies in rows.items():
            for name, value in self._values(identity, copies):
                added[name].append(value)
        for name, values in sorted(added.items()):
            table = self.schema.by_name[name]
            columns = stored_columns(table)
            command = sql.SQL("COPY {} ({}) FROM STDIN").format(table_name(table), column_list(columns))
            with self.conn.cursor() as cursor, cursor.copy(command) as copy:
                for value in values:
                    copy.write_row([value[column] for column in columns])
        self._move_followers(rows)

    def _values(self, identity: ResourceIdentity, rows: Sequence[StoredRow]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The values of the one current row, if there is one, and of the history, each with its table."""
        fuente, kind, key = identity
        kept = self._kept(identity, rows)
        location, patient = (kept or max(rows, key=lambda row: row.since))[:2]
        table = self.schema.table_for(kind, names_patient=location.document is not None)
        history = FAMILIES[table.home].history
        same = {"documento_id": location.document, "fuente": fuente, "tipo": kind, "id": key, "paciente_id": patient}
        former = former_versions(rows, kept, self.now)
        for number, row in enumerate(former, 1):
            yield history, {
                **same, "version": number, "vigente_desde": row.since, "vigente_hasta": row.until,
                "borrado": row.deleted, "recurso": row.recurso, "original": row.original,
            }  # fmt: skip
        if kept is not None:
            later = any(row.since > kept.since for row in former)
            yield table.name, {
                **same, "version": len(former) + 1, "actualizado_en": self.now if later else kept.since,
                "recurso": kept.recurso, "original": kept.original, "entrada": kept.entrada,
            }  # fmt: skip

    def _move_followers(self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> None:
        """Move what names a Patient that was in two records after it, and delete empty provisional records."""
        for identity, copies in rows.items():
            kept = self._kept(identity, copies)
            if identity[1] != "Patient" or kept is None or kept.location.document is None:
                continue
            for document in sorted(_documents({identity: copies}) - {kept.location.document}):
                move_patient(
                    self.conn, self.schema, old=document, new=kept.location.document, fuente=identity[0],
                    keys=[identity[2]],
                )  # fmt: skip
        for document in sorted(_documents(rows)):
            if document.startswith(PROVISIONAL):
                delete_anchor_if_empty(self.conn, self.schema, document)


_LEAST = datetime.min.replace(tzinfo=UTC)


def _every_home(schema: Schema, kind: str, homes: Collection[Table]) -> list[Table]:
    """The tables of a type, and the generic ones, where rows may be left from before the type had a table."""
    return [*homes, *(table for table in schema.resource_tables() if table.is_generic and table not in homes)]


def _current(rows: Sequence[StoredRow]) -> list[StoredRow]:
    return [row for row in rows if row.until is None]


def _patients(rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> set[tuple[str, str]]:
    """The patients that the rows name, by source and key."""
    return {
        source_and_key(fuente, row.patient) for (fuente, _, _), copies in rows.items() for row in copies if row.patient
    }


def _documents(rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> set[str]:
    return {row.location.document for copies in rows.values() for row in copies if row.location.document is not None}


def former_versions(rows: Sequence[StoredRow], kept: StoredRow | None, now: datetime) -> list[StoredRow]:
    """The history of all locations in the order of time. Each version ends where the next one begins."""
    others = [
        row
        for row in rows
        if row is not kept
        and not (kept and row.until is None and (row.recurso, row.original) == (kept.recurso, kept.original))
    ]
    others.sort(key=lambda row: (row.since, row.deleted, row.version))
    end = kept.since if kept and not (others and others[-1].since > kept.since) else now
    ends = [*(row.since for row in others[1:]), end][: len(others)]
    return [
        row if row.deleted else row._replace(until=max(row.since, min(row.until or until, until)))
        for row, until in zip(others, ends, strict=True)
    ]
