"""HCE044x: references to patients that cannot be read, patients of other servers, documents without a patient."""

from __future__ import annotations

from collections import Counter
from typing import Any

from psycopg import sql

from pyhce.counted import counted
from pyhce.schema.model import Home, Table
from pyhce.schema.r4 import RESOURCE_TYPES
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, FunctionCheck, Result, ok, ok_unless

GROUP = "identity"
SHOWN = 5
"""How many ids of each type a finding names."""
_TYPES = "|".join(sorted(RESOURCE_TYPES))
_READABLE = (
    rf"^#|^urn:(uuid|oid):|(^|/)({_TYPES})\?.|(^|/)({_TYPES})/[A-Za-z0-9.-]{{1,64}}(/_history/[A-Za-z0-9.-]{{1,64}})?$"
)
"""As `pyhce.records.reading.reference.literal_target` reads the string of a reference."""
_DERIVED = "^repaired-[0-9a-f]{48}$"
"""An id that `pyhce.records.reading.ids` derives from one that FHIR does not allow."""
_UNREADABLE = """
SELECT tipo, count(*), (array_agg(fuente || '/' || id ORDER BY fuente, id))[1:%(shown)s]
FROM public.recurso_compartido AS t
WHERE tipo = ANY(%(types)s) AND EXISTS (
    SELECT 1 FROM jsonb_path_query(t.recurso, %(path)s) AS r
    WHERE jsonb_typeof(r) = 'string' AND r #>> '{}' !~ %(readable)s
)
GROUP BY tipo ORDER BY tipo"""


def unreadable_references(context: Context) -> Finding:
    """Count resources whose reference to their patient is not valid FHIR, or has an invalid id that no Patient has."""
    types = [row[0] for row in context.rows("SELECT DISTINCT tipo FROM public.recurso_compartido")]
    by_path: dict[str, list[str]] = {}
    for kind in types:
        for path in context.schema.patient_paths_of(kind):
            by_path.setdefault(path, []).append(kind)
    counts: Counter[str] = Counter()
    examples: dict[str, set[str]] = {}
    for path, kinds in by_path.items():
        values = {"types": kinds, "path": f"$.{path}.reference", "readable": _READABLE, "shown": SHOWN}
        for kind, count, ids in context.conn.execute(_UNREADABLE, values):
            counts[kind] += count
            examples.setdefault(kind, set()).update(ids)
    for table in context.schema.resource_tables(Home.PATIENT):
        for kind, count, ids in _waiting_for_invalid_ids(context, table):
            counts[kind] += count
            examples.setdefault(kind, set()).update(ids)
    problems = [
        f"{count} {kind}: {', '.join(sorted(examples[kind])[:SHOWN])}" for kind, count in sorted(counts.items())
    ]
    fine = "every reference to a patient is valid FHIR"
    return ok_unless(problems, fine, severity=Result.WARNING)


def _waiting_for_invalid_ids(context: Context, table: Table) -> list[Any]:
    """(type, count, some ids) of resources that wait for a Patient whose id FHIR does not allow."""
    query = sql.SQL(
        "SELECT {tipo}, count(*), (array_agg(fuente || '/' || id ORDER BY fuente, id))[1:%(shown)s] FROM {t} AS t"
        " WHERE starts_with(documento_id, 'PROV-') AND paciente_id ~ %(derived)s AND NOT EXISTS ("
        "SELECT 1 FROM public.paciente AS p WHERE p.documento_id = t.documento_id"
        " AND p.fuente = t.fuente AND p.id = t.paciente_id) GROUP BY 1"
    ).format(
        tipo=sql.SQL("tipo") if table.is_generic else sql.Literal(table.fhir_type),
        t=sql.Identifier(table.sql_schema, table.name),
    )
    return context.conn.execute(query, {"derived": _DERIVED, "shown": SHOWN}).fetchall()


def of_other_servers(context: Context) -> Finding:
    """Count resources in provisional records whose patient is of another server and not loaded."""
    counts: Counter[str] = Counter()
    for table in context.schema.resource_tables(Home.PATIENT):
        for base, count in _waiting(context, table):
            counts[base] += count
    details = [f"{base}: {count}" for base, count in sorted(counts.items())]
    waiting = counted(counts.total(), "resource waits", "resources wait")
    return ok(f"{waiting} for patients of {counted(len(counts), 'other server')}", details)


def _waiting(context: Context, table: Table) -> list[Any]:
    query = sql.SQL(
        "SELECT substring(paciente_id FROM '^(.*)/Patient/'), count(*) FROM {} AS t"
        " WHERE starts_with(documento_id, 'PROV-') AND paciente_id ~ '^https?://.*/Patient/' AND NOT EXISTS ("
        "SELECT 1 FROM public.paciente AS p WHERE p.documento_id = t.documento_id"
        " AND p.fuente || '/Patient/' || p.id = t.paciente_id) GROUP BY 1"
    ).format(sql.Identifier(table.sql_schema, table.name))
    return context.conn.execute(query).fetchall()


def unresolved_absolute_references(context: Context) -> Finding:
    """Count rows with an absolute reference to a patient that an older release stored without its base URL.

    Such a row is filed under the bare id, which may be another patient's: `https://other/fhir/Patient/7` under `7`.
    """
    problems = []
    for table in context.schema.resource_tables(Home.PATIENT):
        kinds = [table.fhir_type] if table.fhir_type else [kind for kind, _ in context.schema.patient_paths]
        count = sum(_absolute(context, table, kind) for kind in kinds if kind and kind != "Patient")
        if count:
            found = counted(count, "absolute reference to a patient is", "absolute references to patients are")
            problems.append(f"{table.name}: {found} stored without the base URL")
    return ok_unless(
        problems, "every absolute reference to a patient is stored with its base URL", severity=Result.WARNING
    )


def _absolute(context: Context, table: Table, kind: str) -> int:
    relevant = '@ starts with "http" && !(@ like_regex "[?]")'
    paths = [f"$.{path}.reference ? ({relevant})" for path in context.schema.patient_paths_of(kind)]
    query = sql.SQL("SELECT count(*) FROM {} WHERE ({}){}").format(
        sql.Identifier(table.sql_schema, table.name),
        sql.SQL(" OR ").join(sql.SQL("recurso @? {}::jsonpath").format(sql.Literal(path)) for path in paths),
        sql.SQL(" AND tipo = {}").format(sql.Literal(kind)) if table.is_generic else sql.SQL(""),
    )
    row = context.conn.execute(query).fetchone()
    return row[0] if row else 0


def documents(context: Context) -> Finding:
    """Count documents and messages in no record: they do not name their patient, or an older release loaded them."""
    count = context.value(
        "SELECT count(*) FROM public.recurso_compartido"
        " WHERE tipo = 'Bundle' AND recurso ->> 'type' IN ('document', 'message')"
    )
    return ok(counted(count, "document or message is in no record", "documents and messages are in no record"))


CHECKS = (
    FunctionCheck(
        "HCE0441", GROUP, "Every reference to a patient can be read",
        "Correct the reference at its source (`Patient/ID`) and load the resource again: `pyhce load PATHS`. If the"
        " Patient was rejected for its id: `pyhce load --repair-ids PATHS`.", unreadable_references,
    ),
    FunctionCheck(
        "HCE0442", GROUP, "Resources that wait for patients of other servers, by base URL (reported only)",
        "If a base URL is the source's own: `pyhce load --source SOURCE --base URL PATHS`. Otherwise load that server's"
        " patients: `pyhce load --source URL PATHS`.", of_other_servers,
    ),
    FunctionCheck(
        "HCE0443", GROUP, "Documents and messages in no record (reported only)",
        "If an older release loaded them: `pyhce load --again PATHS`. The others do not name their patient.",
        documents,
    ),
    FunctionCheck(
        "HCE0444", GROUP, "Absolute references to patients are stored with their base URL",
        "`pyhce load --again --base URL PATHS`, with the source's own base URL.",
        unresolved_absolute_references,
    ),
)  # fmt: skip
