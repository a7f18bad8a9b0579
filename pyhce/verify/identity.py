"""04: one identity, one document; what still waits for its patient; references that lead nowhere, counted."""

from __future__ import annotations

from psycopg import sql

from pyhce.schema.model import FAMILIES, Column, Home, Kind, Table
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, FunctionCheck, Result, judged, ok

GROUP = "identity"


def _name(table: Table) -> sql.Identifier:
    return sql.Identifier(table.sql_schema, table.name)


def one_document(context: Context) -> Finding:
    """Citus holds no unique key without the distribution column, so an identity under two documents is ours to find."""
    problems = []
    for table in context.schema.resource_tables(Home.PATIENT):
        kind = sql.SQL(", tipo") if table.generic else sql.SQL("")
        row = context.conn.execute(
            sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {} GROUP BY fuente, id{} HAVING count(*) > 1) AS d").format(
                _name(table), kind
            )
        ).fetchone()
        if row and row[0]:
            problems.append(f"{table.name}: {row[0]} identities under more than one document")
    return judged(problems, "every identity is under one document")


def one_home(context: Context) -> Finding:
    """A resource that names a patient is not among the shared ones too."""
    shared = context.schema.by_name["recurso_compartido"]
    types = [kind for (kind,) in context.conn.execute(sql.SQL("SELECT DISTINCT tipo FROM {}").format(_name(shared)))]
    problems = []
    for kind in types:
        for table in context.schema.homes_of(kind):
            if table.home is not Home.PATIENT:
                continue
            same = sql.SQL(" AND p.tipo = s.tipo") if table.generic else sql.SQL("")
            keys = [
                row
                for row in context.conn.execute(
                    sql.SQL("SELECT fuente, id FROM {} WHERE tipo = {}").format(_name(shared), sql.Literal(kind))
                )
            ]
            row = context.conn.execute(
                sql.SQL(
                    "SELECT count(*) FROM {} p WHERE (fuente, id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
                ).format(_name(table))
                + (sql.SQL(" AND tipo = {}").format(sql.Literal(kind)) if same.as_string() else sql.SQL("")),
                ([k[0] for k in keys], [k[1] for k in keys]),
            ).fetchone()
            if row and row[0]:
                problems.append(f"{row[0]} {kind} are both in {table.name} and in {shared.name}")
    return judged(problems, "every resource has one home")


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
    tables = [*context.schema.resource_tables(Home.PATIENT), context.schema.by_name[FAMILIES[Home.PATIENT].history]]
    none = sql.SQL(" AND ").join(
        sql.SQL("NOT EXISTS (SELECT 1 FROM {} t WHERE t.documento_id = e.documento_id)").format(_name(table))
        for table in tables
    )
    row = context.conn.execute(sql.SQL("SELECT count(*) FROM expediente e WHERE {}").format(none)).fetchone()
    count = row[0] if row else 0
    return judged([f"{count} records are empty"] if count else [], "no record is empty", severity=Result.WARNING)


def staged(context: Context) -> Finding:
    """Staged rows live inside a load's transaction only."""
    problems = []
    for family in FAMILIES.values():
        row = context.conn.execute(
            sql.SQL("SELECT count(*) FROM {}").format(_name(context.schema.by_name[family.staging]))
        ).fetchone()
        if row and row[0]:
            problems.append(f"{row[0]} rows are left in hce.{family.staging}")
    return judged(problems, "the staging tables are empty", severity=Result.WARNING)


def dangling(context: Context) -> Finding:
    """References to types with a table of their own that match no row; FHIR lets them be, so they are only counted."""
    counts = {}
    total = 0
    for table in context.schema.resource_tables():
        for column in table.columns:
            target = context.schema.by_type.get(column.target or "")
            if column.kind is not Kind.REFERENCE or target is None or column.name == "paciente_id":
                continue
            lost = _dangling(context, table, column, target)
            total += lost
            if lost:
                counts[f"{table.name}.{column.name} → {target.name}"] = lost
    return ok(
        f"{total} references lead to nothing here", [f"{what}: {count}" for what, count in sorted(counts.items())]
    )


def _dangling(context: Context, table: Table, column: Column, target: Table) -> int:
    """References of a column that match no row of the target; one patient's are co-located, others compared here."""
    parts = {
        "t": _name(table),
        "o": _name(target),
        "c": sql.Identifier(column.name),
        "keys": sql.SQL("o.claves @> ARRAY[t.{c}]").format(c=sql.Identifier(column.name))
        if any(c.kind is Kind.KEYS for c in target.columns)
        else sql.SQL("o.id = t.{c}").format(c=sql.Identifier(column.name)),
    }
    both_by_patient = table.home is Home.PATIENT and target.home is Home.PATIENT
    if both_by_patient or target.home is Home.REFERENCE:
        together = sql.SQL(" AND o.documento_id = t.documento_id") if both_by_patient else sql.SQL("")
        row = context.conn.execute(
            sql.SQL(
                "SELECT count(*) FROM {t} t WHERE t.{c} IS NOT NULL AND NOT EXISTS"
                " (SELECT 1 FROM {o} o WHERE o.fuente = t.fuente AND {keys}{together})"
            ).format(**parts, together=together)
        ).fetchone()
        return int(row[0]) if row else 0
    found = context.conn.execute(
        sql.SQL("SELECT fuente, {c}, count(*) FROM {t} WHERE {c} IS NOT NULL GROUP BY 1, 2").format(**parts)
    ).fetchall()
    if not found:
        return 0
    has_keys = any(c.kind is Kind.KEYS for c in target.columns)
    held = sql.SQL("SELECT fuente, unnest(claves) FROM {o}" if has_keys else "SELECT fuente, id FROM {o}").format(
        **parts
    )
    there = set(context.conn.execute(held).fetchall())
    return sum(count for fuente, key, count in found if (fuente, key) not in there)


CHECKS = (
    FunctionCheck(
        "HCE0401", GROUP, "One identity, one document",
        "Load the resource again from its source: a load brings it to one home.", one_document,
    ),
    FunctionCheck(
        "HCE0402", GROUP, "One resource, one home", "Load the resource again from its source.", one_home
    ),
    FunctionCheck("HCE0403", GROUP, "Records that wait for a document", "", provisional),
    FunctionCheck(
        "HCE0404", GROUP, "No record is empty", "DELETE FROM expediente where nothing is under it.", empty_records
    ),
    FunctionCheck("HCE0405", GROUP, "Nothing is left staged", "DELETE it, when no load is under way.", staged),
    FunctionCheck("HCE0406", GROUP, "References that lead to nothing, counted", "", dangling),
)  # fmt: skip
