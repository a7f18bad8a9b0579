"""One place for a resource that is stored in several: current rows and histories brought together.

The rule. Of several rows of one identity (source, type, id) that with the newest `meta.lastUpdated` is kept, of those
alike the one written last, then the one whose record is not provisional. The contents and the histories of the others
join its history, numbered anew in the order of time; a copy with the very same content adds nothing. Where the rows are
in the records of two patients, neither of them provisional, nothing is chosen: they stay until a person decides
(`pyhce repair identities`). Of a resource that was deleted, histories join where the newest of them is.

In one transaction for some hundred identities, with the locks of `pyhce.records.writing.locks` in their order: the
identities, the keys of all patients concerned, all anchors, then the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import PROVISIONAL
from pyhce.records.reading.reference import source_and_key
from pyhce.records.writing.locks import close_gate, lock_anchors, lock_identities_across_sources, shared_gate
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.record_moves import delete_anchor_if_empty, move_patient
from pyhce.records.writing.retry import ConcurrentChange, DuplicateResources, RecordCollision, retry_transaction
from pyhce.records.writing.row_location import RowLocation
from pyhce.records.writing.table_sql import column_list, stored_columns, table_name, type_condition
from pyhce.schema.model import FAMILIES, Home, Schema, Table

IDENTITIES_PER_TRANSACTION = 200
"""Identities in one transaction: each may have a long history."""

ResourceIdentity = tuple[str, str, str]
"""A source, a FHIR type and an id."""


class StoredRow(NamedTuple):
    """A row of an identity, current or former, as far as it is needed.

    Args:
        patient: the key of the patient that it names.
        since: when it became the current one.
        until: when it ended, None for a current row.
        updated: its meta.lastUpdated, the least there is if it has none.
    """

    place: RowLocation
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
        """The greatest is kept."""
        document = self.place.document
        return self.updated, self.since, not _is_open(document), document or ""


class CopyChoice(NamedTuple):
    """How to decide between the records of two patients.

    Args:
        newest: by the rule, whatever the records.
        patients: the keys of the patients whose row is kept.
        same: documents that are one patient's, as a merge or a correction says.
    """

    newest: bool = False
    patients: frozenset[tuple[str, str]] = frozenset()
    same: frozenset[str] = frozenset()


NO_CHOICE = CopyChoice()


class UndecidedResource(NamedTuple):
    """An identity in the records of several patients, with their keys; a person has to decide."""

    identity: ResourceIdentity
    patients: tuple[tuple[str, str], ...]


class DeduplicationResult(NamedTuple):
    """What came of it: the identities that are in one place now, and those that wait for a person."""

    joined: tuple[ResourceIdentity, ...]
    undecided: tuple[UndecidedResource, ...]

    def waiting(self) -> set[ResourceIdentity]:
        """The identities that wait for a person."""
        return {undecided.identity for undecided in self.undecided}


def _is_open(document: str | None) -> bool:
    """Whether a place is no patient's for certain: shared, or a provisional record."""
    return document is None or document.startswith(PROVISIONAL)


def deduplicate(
    conn: Connection[TupleRow],
    schema: Schema,
    identities: Iterable[ResourceIdentity],
    *,
    choice: CopyChoice = NO_CHOICE,
) -> DeduplicationResult:
    """Give each of these identities one place, by the rule of this module; what has one already is left alone.

    Not inside a transaction: it makes its own, some identities each.
    """
    wanted = sorted(set(identities))
    joined: list[ResourceIdentity] = []
    undecided: list[UndecidedResource] = []
    for start in range(0, len(wanted), IDENTITIES_PER_TRANSACTION):
        joining = _Joining(conn, schema, wanted[start : start + IDENTITIES_PER_TRANSACTION], choice)
        done = retry_transaction(
            conn,
            joining.done,
            remedy="Run the same command again: what was brought together stays.",
            resolve=lambda error: resolve_conflict(conn, schema, error),
        )
        joined += done.joined
        undecided += done.undecided
    return DeduplicationResult(tuple(joined), tuple(undecided))


def preview_deduplication(
    conn: Connection[TupleRow], schema: Schema, identities: Iterable[ResourceIdentity], *, choice: CopyChoice
) -> DeduplicationResult:
    """What `bring_together` would do; nothing is changed."""
    wanted = sorted(set(identities))
    parts = [
        _Joining(conn, schema, wanted[at : at + IDENTITIES_PER_TRANSACTION], choice)
        for at in range(0, len(wanted), IDENTITIES_PER_TRANSACTION)
    ]
    done = [part.judged(part.read()) for part in parts]
    return DeduplicationResult(
        tuple(identity for part in done for identity in part.joined),
        tuple(one for part in done for one in part.undecided),
    )


def resolve_conflict(conn: Connection[TupleRow], schema: Schema, error: ConcurrentChange) -> DeduplicationResult:
    """Remove what made a transaction fail, before it is done again."""
    if isinstance(error, DuplicateResources):
        return deduplicate(conn, schema, [(error.fuente, *identity) for identity in error.identities])
    if isinstance(error, RecordCollision):
        both = identities_under(conn, schema, error.old) & identities_under(conn, schema, error.new)
        return deduplicate(conn, schema, both, choice=CopyChoice(same=frozenset((error.old, error.new))))
    return DeduplicationResult((), ())


def identities_under(conn: Connection[TupleRow], schema: Schema, document: str) -> set[ResourceIdentity]:
    """Everything that a record holds, deleted resources too."""
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
    """One transaction of `bring_together`."""

    def __init__(
        self, conn: Connection[TupleRow], schema: Schema, identities: Sequence[ResourceIdentity], choice: CopyChoice
    ) -> None:
        self.conn, self.schema, self.identities, self.choice = conn, schema, identities, choice
        self.now = datetime.now(UTC)
        self._at_home: dict[tuple[str, str], set[str]] = {}

    def done(self, _: int) -> DeduplicationResult:
        """Bring them together, inside a transaction."""
        lock_identities_across_sources(self.conn, self.identities)
        before = self.read()
        lock_patients(self.conn, _people(before))
        lock_anchors(self.conn, _documents(before))
        rows = self.read()
        if not (_documents(rows) <= _documents(before) and _people(rows) <= _people(before)):
            raise ConcurrentChange
        done = self.judged(rows)
        self._write({identity: rows[identity] for identity in done.joined})
        if done.joined:
            close_gate(self.conn)
        return done

    def judged(self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> DeduplicationResult:
        """Which of these are scattered, and can be brought together or not."""
        self._at_home = self._records_of(rows)
        joined: list[ResourceIdentity] = []
        undecided: list[UndecidedResource] = []
        for identity, held in rows.items():
            if not self._is_scattered(identity[1], held):
                continue
            if self._decided(identity, held):
                joined.append(identity)
            else:
                undecided.append(UndecidedResource(identity, tuple(sorted(_people({identity: _current(held)})))))
        return DeduplicationResult(tuple(joined), tuple(undecided))

    def _records_of(self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> dict[tuple[str, str], set[str]]:
        """The records in which the Patients are that these rows name."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        people = sorted(_people(rows))
        for fuente in {source for source, _ in people}:
            keys = [key for source, key in people if source == fuente]
            query = "SELECT id, documento_id FROM paciente WHERE fuente = %s AND id = ANY(%s)"
            for key, document in self.conn.execute(query, (fuente, keys)):
                found[fuente, key].add(document)
        return found

    def _is_scattered(self, kind: str, rows: Sequence[StoredRow]) -> bool:
        """Whether rows or former versions are in several places, or the row is in a table of another type's."""
        current = _current(rows)
        places = {(self.schema.by_name[row.place.table].home, row.place.document) for row in rows}
        homes = {table.name for table in self.schema.tables_for(kind)}
        return len(current) > 1 or len(places) > 1 or any(row.place.table not in homes for row in current)

    def read(self) -> dict[ResourceIdentity, list[StoredRow]]:
        """Every row of the identities, current and former."""
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
        """Whether the rule says which row is kept."""
        current = _current(rows)
        real = {row.place.document for row in current if not _is_open(row.place.document)}
        if len(real) < 2 or self.choice.newest or real <= self.choice.same:
            return True
        return bool(self._chosen(identity, current))

    def _chosen(self, identity: ResourceIdentity, current: Sequence[StoredRow]) -> list[StoredRow]:
        """The rows of the patients that a person chose; or, if all name one Patient, that in the Patient's record."""
        chosen = [
            row for row in current if row.patient and source_and_key(identity[0], row.patient) in self.choice.patients
        ]
        people = _people({identity: current})
        if chosen or len(people) != 1 or identity[1] == "Patient":
            return chosen
        home = self._at_home[people.pop()]
        return [row for row in current if len(home) == 1 and row.place.document in home]

    def _kept(self, identity: ResourceIdentity, rows: Sequence[StoredRow]) -> StoredRow | None:
        """The row that is kept, None of what was deleted."""
        current = _current(rows)
        return max(self._chosen(identity, current) or current, key=lambda row: row.rank, default=None)

    def _write(self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> None:
        """Everything of these identities goes, and comes again in one place each."""
        for (fuente, kind), ids in self._kinds(rows):
            counts: dict[str, int] = defaultdict(int)
            for key in ids:
                for row in rows[fuente, kind, key]:
                    counts[row.place.table] += 1
            for name, count in sorted(counts.items()):
                table = self.schema.by_name[name]
                query = sql.SQL("DELETE FROM {} WHERE fuente = %s AND id = ANY(%s){}").format(
                    table_name(table), type_condition(table, kind)
                )
                if self.conn.execute(query, (fuente, ids)).rowcount != count:
                    raise ConcurrentChange
        added: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for identity, held in rows.items():
            for name, value in self._again(identity, held):
                added[name].append(value)
        for name, values in sorted(added.items()):
            table = self.schema.by_name[name]
            columns = stored_columns(table)
            command = sql.SQL("COPY {} ({}) FROM STDIN").format(table_name(table), column_list(columns))
            with self.conn.cursor() as cursor, cursor.copy(command) as copy:
                for value in values:
                    copy.write_row([value[column] for column in columns])
        self._follow(rows)

    def _again(self, identity: ResourceIdentity, rows: Sequence[StoredRow]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The one current row, if there is one, and the history, by table."""
        fuente, kind, key = identity
        kept = self._kept(identity, rows)
        place, patient = (kept or max(rows, key=lambda row: row.since))[:2]
        table = self.schema.table_for(kind, names_patient=place.document is not None)
        history = FAMILIES[table.home].history
        same = {"documento_id": place.document, "fuente": fuente, "tipo": kind, "id": key, "paciente_id": patient}
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

    def _follow(self, rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> None:
        """What names a Patient that was in two records follows it; provisional records left empty go."""
        for identity, held in rows.items():
            kept = self._kept(identity, held)
            if identity[1] != "Patient" or kept is None or kept.place.document is None:
                continue
            for document in sorted(_documents({identity: held}) - {kept.place.document}):
                move_patient(
                    self.conn, self.schema, old=document, new=kept.place.document, fuente=identity[0],
                    keys=[identity[2]],
                )  # fmt: skip
        for document in sorted(_documents(rows)):
            if document.startswith(PROVISIONAL):
                delete_anchor_if_empty(self.conn, self.schema, document)


_LEAST = datetime.min.replace(tzinfo=UTC)


def _every_home(schema: Schema, kind: str, homes: Collection[Table]) -> list[Table]:
    """The tables of a type, and the generic ones, where it may be left from before it had a table."""
    return [*homes, *(table for table in schema.resource_tables() if table.is_generic and table not in homes)]


def _current(rows: Sequence[StoredRow]) -> list[StoredRow]:
    return [row for row in rows if row.until is None]


def _people(rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> set[tuple[str, str]]:
    """The patients that rows name, by source and key."""
    return {source_and_key(fuente, row.patient) for (fuente, _, _), held in rows.items() for row in held if row.patient}


def _documents(rows: Mapping[ResourceIdentity, Sequence[StoredRow]]) -> set[str]:
    return {row.place.document for held in rows.values() for row in held if row.place.document is not None}


def former_versions(rows: Sequence[StoredRow], kept: StoredRow | None, now: datetime) -> list[StoredRow]:
    """The history of all places in the order of time, each version ending where the next begins."""
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
