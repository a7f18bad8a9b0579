"""HCE04: each resource is stored once; provisional and empty records; references without a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from pyhce.counted import counted
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
"""How many resources of one kind the details of a finding name."""


def under_one_document(context: Context) -> Finding:
    """No resource is stored under two documents.

    No unique key can forbid it: in Citus every unique key contains the distribution column, the document.
    """
    many = "more than one document"
    found = under_several_documents(context.conn, context.schema)
    return _counted(
        [
            ((f"identity in {table} is under {many}", f"identities in {table} are under {many}"), several)
            for table, several in found
        ]
    )


def in_one_table(context: Context) -> Finding:
    """Each resource is in a table of its type; one that names a patient is not in a shared table too."""
    return _counted(list(in_several_homes(context.conn, context.schema)))


def _counted(found: Sequence[tuple[tuple[str, str], Sequence[ResourceIdentity]]]) -> Finding:
    """A finding with the count of each kind of problem; the details name some resources of each."""
    if not found:
        return ok("every resource is stored once")
    counts = [counted(len(resources), *what) for what, resources in found]
    named = [str(resource) for _, resources in found for resource in resources[:NAMED]]
    return Finding(result=Result.FAILED, found="; ".join(counts), details=(*counts, *named))


def provisional(context: Context) -> Finding:
    """Count provisional records: of Patients without a document, and of resources whose Patient is not loaded."""
    records = context.value("SELECT count(*) FROM expediente WHERE provisional")
    total = context.value("SELECT count(*) FROM expediente")
    waiting = context.value(
        "SELECT count(*) FROM expediente e LEFT JOIN paciente p ON p.documento_id = e.documento_id"
        " WHERE e.provisional AND p.documento_id IS NULL"
    )
    return ok(f"{records} of {counted(total, 'record')} provisional, {waiting} of them without a Patient")


def empty_records(context: Context) -> Finding:
    """No record is without rows."""
    tables = context.schema.record_tables()
    none = sql.SQL(" AND ").join(
        sql.SQL("NOT EXISTS (SELECT 1 FROM {} t WHERE t.documento_id = e.documento_id)").format(table_identifier(table))
        for table in tables
    )
    row = context.conn.execute(sql.SQL("SELECT count(*) FROM expediente e WHERE {}").format(none)).fetchone()
    count = row[0] if row else 0
    return ok_unless(
        [counted(count, "record is empty", "records are empty")] if count else [],
        "no record is empty",
        severity=Result.WARNING,
    )


def staging_tables_empty(context: Context) -> Finding:
    """No staged rows are visible: they exist only within the transaction of a load."""
    problems = []
    for family in FAMILIES.values():
        row = context.conn.execute(
            sql.SQL("SELECT count(*) FROM {}").format(table_identifier(context.schema.by_name[family.staging]))
        ).fetchone()
        if row and row[0]:
            problems.append(f"{counted(row[0], 'row is', 'rows are')} in hce.{family.staging}")
    return ok_unless(problems, "the staging tables are empty", severity=Result.WARNING)


def dangling(context: Context) -> Finding:
    """Count references without a target, to types that have a table of their own. FHIR allows them."""
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
        counted(total, "reference has no target in this database", "references have no target in this database"),
        [f"{what}: {count}" for what, count in sorted(counts.items())],
    )


def _dangling(context: Context, table: Table, column: Column, target: Table) -> int:
    """The number of references in a column that match no row of the target table.

    References within one patient's rows, and to reference tables, are resolved by a join within each shard. Only the
    rest is looked up on every node: FHIR allows a reference to another patient's resource.
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
        existing = _existing_keys(context, target, chunk) if target.home is not Home.REFERENCE else set()
        lost += sum(count for fuente, key, count in chunk if (fuente, key) not in existing)
    return lost


def _has_keys(target: Table) -> bool:
    return any(column.kind is ColumnKind.KEYS for column in target.columns)


def _existing_keys(context: Context, target: Table, chunk: list[Any]) -> set[tuple[str, str]]:
    """The (source, key) of the target's rows that a chunk of references may name, and perhaps of some more rows."""
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
        "HCE0401", GROUP, "Every resource is stored under one document",
        "`pyhce repair identities`", under_one_document,
    ),
    FunctionCheck(
        "HCE0402", GROUP, "Every resource is stored in one table, that of its type",
        "`pyhce repair identities`", in_one_table
    ),
    FunctionCheck("HCE0403", GROUP, "Provisional records (reported only)", "", provisional),
    FunctionCheck(
        "HCE0404", GROUP, "No record is empty",
        "Delete the rows of expediente whose documento_id is in no other table.", empty_records
    ),
    FunctionCheck(
        "HCE0405", GROUP, "No staged rows are left",
        "When no load is running: `DELETE FROM hce.TABLE;`", staging_tables_empty,
    ),
    FunctionCheck("HCE0406", GROUP, "References without a target (reported only)", "", dangling),
)  # fmt: skip
