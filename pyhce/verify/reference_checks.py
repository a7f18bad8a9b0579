"""04: references to patients that cannot be read, patients of other servers, documents without a patient: counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from psycopg import sql

from pyhce.schema.model import Home, Table
from pyhce.schema.r4 import RESOURCE_TYPES
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, FunctionCheck, Result, ok, ok_unless

GROUP = "identity"
SHOWN = 5
"""Ids that are shown of each type."""
_TYPES = "|".join(sorted(RESOURCE_TYPES))
_READABLE = (
    rf"^#|^urn:(uuid|oid):|(^|/)({_TYPES})\?.|(^|/)({_TYPES})/[A-Za-z0-9.-]{{1,64}}(/_history/[A-Za-z0-9.-]{{1,64}})?$"
)
"""As `pyhce.records.reading.reference.literal_target` reads the string of a reference."""
_DERIVED = "^repaired-[0-9a-f]{48}$"
"""The id of a patient whose own id is not FHIR's, as `pyhce.records.reading.ids` derives it."""
_UNREADABLE = """
SELECT tipo, count(*), (array_agg(fuente || '/' || id ORDER BY fuente, id))[1:%(shown)s]
FROM public.recurso_compartido AS t
WHERE tipo = ANY(%(types)s) AND EXISTS (
    SELECT 1 FROM jsonb_path_query(t.recurso, %(path)s) AS r
    WHERE jsonb_typeof(r) = 'string' AND r #>> '{}' !~ %(readable)s
)
GROUP BY tipo ORDER BY tipo"""


def unreadable(context: Context) -> Finding:
    """Resources whose reference to their patient is not FHIR's, or names an id that is not and no Patient has."""
    types = [row[0] for row in context.rows("SELECT DISTINCT tipo FROM public.recurso_compartido")]
    by_path: dict[str, list[str]] = {}
    for kind in types:
        for path in context.schema.patient_paths_of(kind):
            by_path.setdefault(path, []).append(kind)
    counts: Counter[str] = Counter()
    examples: dict[str, set[str]] = {}
    for path, kinds in by_path.items():
        values = {"types": kinds, "path": f"$.{path}.reference", "readable": _READABLE, "shown": SHOWN}
        for kind, count, some in context.conn.execute(_UNREADABLE, values):
            counts[kind] += count
            examples.setdefault(kind, set()).update(some)
    for table in context.schema.resource_tables(Home.PATIENT):
        for kind, count, some in _of_odd_ids(context, table):
            counts[kind] += count
            examples.setdefault(kind, set()).update(some)
    problems = [
        f"{count} {kind}: {', '.join(sorted(examples[kind])[:SHOWN])}" for kind, count in sorted(counts.items())
    ]
    fine = "every reference to a patient is one that FHIR has"
    return ok_unless(problems, fine, severity=Result.WARNING)


def _of_odd_ids(context: Context, table: Table) -> list[Any]:
    """Resources that wait for a Patient whose id is not FHIR's, by type, with some of them."""
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
    """Resources in provisional records whose patient is one of another server that has not arrived."""
    counts: Counter[str] = Counter()
    for table in context.schema.resource_tables(Home.PATIENT):
        for base, count in _waiting(context, table):
            counts[base] += count
    details = [f"{base}: {count}" for base, count in sorted(counts.items())]
    return ok(f"{counts.total()} resources wait for patients of {len(counts)} other servers", details)


def _waiting(context: Context, table: Table) -> list[Any]:
    query = sql.SQL(
        "SELECT substring(paciente_id FROM '^(.*)/Patient/'), count(*) FROM {} AS t"
        " WHERE starts_with(documento_id, 'PROV-') AND paciente_id ~ '^https?://.*/Patient/' AND NOT EXISTS ("
        "SELECT 1 FROM public.paciente AS p WHERE p.documento_id = t.documento_id"
        " AND p.fuente || '/Patient/' || p.id = t.paciente_id) GROUP BY 1"
    ).format(sql.Identifier(table.sql_schema, table.name))
    return context.conn.execute(query).fetchall()


def as_they_came(context: Context) -> Finding:
    """Rows whose absolute reference to a patient is stored as it came: their key is the bare id, perhaps another's."""
    problems = []
    for table in context.schema.resource_tables(Home.PATIENT):
        kinds = [table.fhir_type] if table.fhir_type else [kind for kind, _ in context.schema.patient_paths]
        count = sum(_absolute(context, table, kind) for kind in kinds if kind and kind != "Patient")
        if count:
            problems.append(f"{table.name}: {count} absolute references to patients are stored as they came")
    return ok_unless(problems, "every absolute reference to a patient is stored by its base", severity=Result.WARNING)


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
    """Documents and messages that are kept outside the records: they do not tell whose they are, or are of old."""
    count = context.value(
        "SELECT count(*) FROM public.recurso_compartido"
        " WHERE tipo = 'Bundle' AND recurso ->> 'type' IN ('document', 'message')"
    )
    return ok(f"{count} documents and messages are in no record")


CHECKS = (
    FunctionCheck(
        "HCE0441", GROUP, "Every resource names its patient by a reference that can be read",
        "Correct the reference where it comes from (`Patient/<id>`), then `pyhce load` the resource again. If the"
        " Patient was rejected because FHIR does not allow its id: `pyhce load --repair-ids PATHS`.", unreadable,
    ),
    FunctionCheck(
        "HCE0442", GROUP, "Resources of patients of other servers, counted by base URL",
        "If a base is the source's own: `pyhce load --source SOURCE --base URL PATHS`. If not, load that server's"
        " patients: `pyhce load --source URL PATHS`.", of_other_servers,
    ),
    FunctionCheck(
        "HCE0443", GROUP, "Documents and messages that are in no patient's record, counted",
        "Those that an older release loaded: `pyhce load --again PATHS`. The others do not tell whose they are.",
        documents,
    ),
    FunctionCheck(
        "HCE0444", GROUP, "Absolute references to patients are stored by their base, none as it came",
        "`pyhce load --again PATHS` with the source's `--base`: each resource goes to the patient that it names.",
        as_they_came,
    ),
)  # fmt: skip
