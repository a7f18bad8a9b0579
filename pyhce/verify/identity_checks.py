"""04: one identity, one document; what still waits for its patient; references that lead nowhere, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from pyhce.schema.model import FAMILIES, Column, ColumnKind, Home, Table
from pyhce.verify.context import Context
from pyhce.verify.duplicates import (
    ResourceIdentity,
    as_arrays,
    fetched_in_chunks,
    in_several_homes,
    table_identifier,
    under_several_documents,
)
from pyhce.verify.model import Finding, FunctionCheck, Result, ok, ok_unless

GROUP = "identity"
NAMED = 20
"""Resources of a kind that a finding names."""


def one_document(context: Context) -> Finding:
    """Citus holds no unique key without the distribution column, so an identity under two documents is ours to find."""
    found = under_several_documents(context.conn, context.schema)
    return _told([(f"identities in {table} are under more than one document", twice) for table, twice in found])


def one_home(context: Context) -> Finding:
    """A resource is in a table of its type, and one that names a patient is not among the shared ones too."""
    return _told(list(in_several_homes(context.conn, context.schema)))


def _told(found: Sequence[tuple[str, Sequence[ResourceIdentity]]]) -> Finding:
    """The counts, and in the details some resources of each kind."""
    if not found:
        return ok("every identity is in one place")
    counts = [f"{len(twice)} {what}" for what, twice in found]
    named = [str(one) for _, twice in found for one in twice[:NAMED]]
    return Finding(result=Result.FAILED, found="; ".join(counts), details=(*counts, *named))


def provisional(context: Context) -> Finding:
    """Resources whose patient has not arrived, and patients without a document."""
    records = context.value("SELECT count(*) FROM expediente WHERE provisional")
    total = context.value("SELECT count(*) FROM expediente")
    waiting = context.value(
        "SELECT count(*) FROM expediente e LEFT JOIN paciente p ON p.documento_id = e.documento_id"
        " WHERE e.provisional AND p.documento_id IS NULL"
    )
    return ok(f"{records} of {total} records are provisional, {waiting} of them without any Patient")


def empty_records(context: Context) -> Finding:
    """Records under which nothing is."""
    tables = context.schema.record_tables()
    none = sql.SQL(" AND ").join(
        sql.SQL("NOT EXISTS (SELECT 1 FROM {} t WHERE t.documento_id = e.documento_id)").format(table_identifier(table))
        for table in tables
    )
    row = context.conn.execute(sql.SQL("SELECT count(*) FROM expediente e WHERE {}").format(none)).fetchone()
    count = row[0] if row else 0
    return ok_unless([f"{count} records are empty"] if count else [], "no record is empty", severity=Result.WARNING)


def staged(context: Context) -> Finding:
    """Staged rows live inside a load's transaction only."""
    problems = []
    for family in FAMILIES.values():
        row = context.conn.execute(
            sql.SQL("SELECT count(*) FROM {}").format(table_identifier(context.schema.by_name[family.staging]))
        ).fetchone()
        if row and row[0]:
            problems.append(f"{row[0]} rows are left in hce.{family.staging}")
    return ok_unless(problems, "the staging tables are empty", severity=Result.WARNING)


def dangling(context: Context) -> Finding:
    """References to types with a table of their own that match no row; FHIR lets them be, so they are only counted."""
    counts = {}
    total = 0
    for table in context.schema.resource_tables():
        for column in table.columns:
            target = context.schema.by_type.get(column.target or "")
            if column.kind is not ColumnKind.REFERENCE or target is None or column.name == "paciente_id":
                continue
            lost = _dangling(context, table, column, target)
            total += lost
            if lost:
                counts[f"{table.name}.{column.name} → {target.name}"] = lost
    return ok(
        f"{total} references lead to nothing here", [f"{what}: {count}" for what, count in sorted(counts.items())]
    )


def _dangling(context: Context, table: Table, column: Column, target: Table) -> int:
    """References of a column that match no row of the target.

    What one patient's own rows and the catalogues answer is asked shard by shard; only what is left is looked for
    on every node: FHIR lets a reference name another patient's resource.
    """
    name = sql.Identifier(column.name)
    by_patient = table.home is Home.PATIENT and target.home is Home.PATIENT
    unmatched = sql.Composed([])
    if by_patient or target.home is Home.REFERENCE:
        unmatched = sql.SQL(
            " AND NOT EXISTS (SELECT 1 FROM {target} o WHERE o.fuente = t.fuente AND {match}{together})"
        ).format(
            target=table_identifier(target),
            match=sql.SQL("o.claves @> ARRAY[hce.acortado(t.{})]" if _has_keys(target) else "o.id = t.{}").format(name),
            together=sql.SQL(" AND o.documento_id = t.documento_id" if by_patient else ""),
        )
    left = sql.SQL(
        "SELECT t.fuente, hce.acortado(t.{c}), count(*) FROM {t} t WHERE t.{c} IS NOT NULL{unmatched} GROUP BY 1, 2"
    )
    lost = 0
    for chunk in fetched_in_chunks(context.conn, left.format(c=name, t=table_identifier(table), unmatched=unmatched)):
        there = _there(context, target, chunk) if target.home is not Home.REFERENCE else set()
        lost += sum(count for fuente, key, count in chunk if (fuente, key) not in there)
    return lost


def _has_keys(target: Table) -> bool:
    return any(column.kind is ColumnKind.KEYS for column in target.columns)


def _there(context: Context, target: Table, chunk: list[Any]) -> set[tuple[str, str]]:
    """The keys by which rows of the target can be named, of those asked for at least."""
    if _has_keys(target):
        query = sql.SQL("SELECT fuente, claves FROM {} WHERE claves && %s::text[]").format(table_identifier(target))
        found = context.conn.execute(query, (sorted({key for _, key, _ in chunk}),))
        return {(fuente, key) for fuente, keys in found for key in keys}
    query = sql.SQL(
        "SELECT fuente, id FROM {} WHERE (fuente, id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
    ).format(table_identifier(target))
    return {(fuente, key) for fuente, key in context.conn.execute(query, as_arrays(chunk))}


CHECKS = (
    FunctionCheck(
        "HCE0401", GROUP, "One identity, one document",
        "pyhce repair identities", one_document,
    ),
    FunctionCheck(
        "HCE0402", GROUP, "One resource, one home", "pyhce repair identities", one_home
    ),
    FunctionCheck("HCE0403", GROUP, "Records that wait for a document", "", provisional),
    FunctionCheck(
        "HCE0404", GROUP, "No record is empty", "DELETE FROM expediente where nothing is under it.", empty_records
    ),
    FunctionCheck("HCE0405", GROUP, "Nothing is left staged", "DELETE it, when no load is under way.", staged),
    FunctionCheck("HCE0406", GROUP, "References that lead to nothing, counted", "", dangling),
)  # fmt: skip
