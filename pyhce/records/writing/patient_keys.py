"""Patient keys, and the record that each of them leads to. A key is an id, or `identifier=system|value`.

An id names one Patient of a source. An identifier may be carried by several Patients. If these are in different
records, the identifier leads to none of them, and a resource that names its patient by it waits in a provisional record
of that key. A key that also states a document leads only to Patients with that document, not to all that carry the
number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.records.identity import DocumentRule, provisional_document, split_key
from pyhce.records.reading.reference import source_and_key
from pyhce.records.reading.stored_references import keys_of
from pyhce.records.writing.table_sql import table_name
from pyhce.schema.later_helpers import shortened_for_index
from pyhce.schema.model import Home, Schema

_IDENTIFIED = "jsonb_build_object('identifier', recurso -> 'identifier', 'extension', recurso -> 'extension')::text"
"""The parts of a Patient that its keys are made of."""


class KeyReader:
    """Reads the keys of stored Patients, each content once: a batch looks them up before the locks and after."""

    def __init__(self, rules: tuple[DocumentRule, ...]) -> None:
        self.rules = rules
        self._read: dict[tuple[str, str], list[str]] = {}

    def keys(self, patient_id: str, identified: str) -> list[str]:
        """The keys of a Patient, from the parts that they are made of, as JSON."""
        found = self._read.get((patient_id, identified))
        if found is None:
            found = self._read[patient_id, identified] = keys_of(orjson.loads(identified), patient_id, self.rules)
        return found


class KeyLookup(NamedTuple):
    """What the patient keys of a source lead to.

    Args:
        ids: the document of each Patient, deleted ones too, by its id.
        holders: for each identifier, the ids of the Patients that carry it, each with its document.
        carried: the keys of each stored Patient, by id; only where they were asked for.
        fingerprints: of the texts from which these Patients were loaded, by id, where that is known.
    """

    fuente: str
    ids: dict[str, str]
    holders: dict[str, dict[str, str]]
    carried: dict[str, list[str]] = {}  # noqa: RUF012 - never written to
    fingerprints: dict[str, str | None] = {}  # noqa: RUF012 - never written to

    def documents(self) -> dict[str, str]:
        """The document that each key leads to; a provisional one for an identifier that fits several records."""
        return {**self.ids, **{key: self.document(key, carriers) for key, carriers in self.holders.items() if carriers}}

    def document(self, key: str, holders: Mapping[str, str]) -> str:
        """The document that an identifier leads to, given the Patients that carry it."""
        found = set(holders.values())
        return found.pop() if len(found) == 1 else provisional_document(self.fuente, key)

    def ambiguous(self) -> set[str]:
        """The identifiers that fit several records."""
        return {key for key, carriers in self.holders.items() if len(set(carriers.values())) > 1}


def look_up_keys(
    conn: Connection[TupleRow],
    fuente: str,
    keys: Iterable[str],
    rules: tuple[DocumentRule, ...],
    *,
    carried: bool = False,
    reader: KeyReader | None = None,
) -> KeyLookup:
    """Look up what keys lead to: one query for ids, one for identifiers, one for the ids of each other server.

    Each query runs on all shards. The record of a deleted Patient stays, and its id still leads there.

    Args:
        carried: whether to look up the keys of these Patients too.
        reader: a reader that has read some of the stored Patients by these rules.
    """
    reader = reader or KeyReader(rules)
    wanted = set(keys)
    found: dict[str, str] = {}
    elsewhere: dict[str, dict[str, str]] = defaultdict(dict)
    for key in wanted:
        base, key_there = source_and_key(fuente, key)
        if key_there != key:
            elsewhere[base][key_there] = key
    for base, urls in elsewhere.items():
        wanted -= set(urls.values())
        found.update((urls[key], document) for key, document in look_up_keys(conn, base, urls, rules).ids.items())
    carries: dict[str, list[str]] = {}
    fingerprints: dict[str, str | None] = {}
    plain = sorted(key for key in wanted if "=" not in key)
    if plain:
        query = "SELECT id, documento_id FROM paciente WHERE fuente = %s AND id = ANY(%s)"
        if carried:
            query = query.replace("documento_id", f"documento_id, {_IDENTIFIED}, replace(entrada::text, '-', '')")
        for key, document, *patient in conn.execute(query, (fuente, plain)):
            found[key] = document
            if patient:
                carries[key] = reader.keys(key, patient[0])
                fingerprints[key] = patient[1]
    if gone := [key for key in plain if key not in found]:
        found.update(
            conn.execute(
                "SELECT id, documento_id FROM historia"
                " WHERE fuente = %s AND tipo = 'Patient' AND id = ANY(%s) AND borrado ORDER BY version",
                (fuente, gone),
            )
        )
    return KeyLookup(fuente, found, look_up_holders(conn, fuente, wanted, rules, reader), carries, fingerprints)


def look_up_holders(
    conn: Connection[TupleRow],
    fuente: str,
    keys: Iterable[str],
    rules: tuple[DocumentRule, ...],
    reader: KeyReader | None = None,
) -> dict[str, dict[str, str]]:
    """The Patients that carry each of these identifiers, by id, with their documents. Keys that are ids are ignored."""
    reader = reader or KeyReader(rules)
    identifiers = {key for key in keys if "=" in key}
    holders: dict[str, dict[str, str]] = defaultdict(dict)
    if identifiers:
        query = f"SELECT id, documento_id, {_IDENTIFIED} FROM paciente WHERE fuente = %s AND claves && %s"  # noqa: S608
        plain = sorted({shortened_for_index(split_key(key)[0]) for key in identifiers})
        for key, document, patient in conn.execute(query, (fuente, plain)):
            for carried in identifiers.intersection(reader.keys(key, patient)):
                holders[carried][key] = document
    return dict(holders)


def identifiers_in(conn: Connection[TupleRow], schema: Schema, document: str) -> list[tuple[str, str]]:
    """The identifiers by which resources of a record name their patient, each with its source. Runs on one shard."""
    query = sql.SQL("SELECT DISTINCT fuente, paciente_id FROM ({}) AS k").format(
        sql.SQL(" UNION ALL ").join(
            sql.SQL(
                "SELECT fuente, paciente_id FROM {} WHERE documento_id = %(document)s"
                " AND starts_with(paciente_id, 'identifier=')"
            ).format(table_name(table))
            for table in schema.resource_tables(Home.PATIENT)
        )
    )
    return [(source, key) for source, key in conn.execute(query, {"document": document})]


def known_documents(
    conn: Connection[TupleRow], fuente: str, keys: Iterable[str], rules: tuple[DocumentRule, ...]
) -> dict[str, str]:
    """The documents of stored and deleted patients, by each of the keys that name them."""
    return look_up_keys(conn, fuente, keys, rules).documents()
