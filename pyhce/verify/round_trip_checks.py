"""07: write, read, join, delete, and leave nothing behind."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import scalar
from pyhce.schema.writer_functions import PROTOCOL
from pyhce.settings import APP_ROLE, WRITER_ROLE
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, FunctionCheck, Result, ok_unless

GROUP = "round trip"
_DAY = "2024-02-29"


def _resources(key: str) -> list[tuple[str, dict[str, object]]]:
    patient = {"reference": f"Patient/{key}"}
    return [
        ("paciente", {"resourceType": "Patient", "id": key, "birthDate": "1958-07", "name": [{"family": "Ñandú"}]}),
        ("encuentro", {"resourceType": "Encounter", "id": key, "status": "finished", "subject": patient}),
        (
            "observacion",
            {
                "resourceType": "Observation",
                "id": key,
                "status": "final",
                "subject": patient,
                "encounter": {"reference": f"Encounter/{key}"},
                "effectiveDateTime": _DAY,
                "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
                "valueQuantity": {"value": 72, "unit": "kg"},
            },
        ),
    ]


def written_and_read(context: Context) -> Finding:
    """A made-up patient, in one transaction that is rolled back, with the rights that pyhce writes with."""
    key = uuid.uuid4().hex
    document = f"ZZ-{key}"
    conn = context.conn
    problems = _undone(context, WRITER_ROLE, document, lambda: _trip(conn, key, document))
    if scalar(conn, "SELECT count(*) FROM expediente WHERE documento_id = %s", document):
        problems.append("the made-up record is still there after ROLLBACK")
    return ok_unless(problems, "written, read, joined, deleted, rolled back")


def as_application(context: Context) -> Finding:
    """The application's role reads, calls a function that writes, and changes no row by itself."""
    may = context.value("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", APP_ROLE)
    if context.citus and not may:
        return Finding(result=Result.SKIPPED, found=f"{APP_ROLE} may not log in, so the nodes cannot act as it")
    document = f"ZZ-{uuid.uuid4().hex}"
    conn = context.conn

    def reads_and_calls() -> list[str]:
        scalar(conn, "SELECT count(*) FROM paciente p JOIN observacion o USING (documento_id)")
        outcome = scalar(conn, _CALL, document)
        said = f"a function that writes said {outcome} of a resource that is not there"
        return [] if outcome == "absent" else [said]

    problems = _undone(context, APP_ROLE, document, reads_and_calls)
    problems += [
        f"{APP_ROLE} may {what} rows of historia by itself"
        for what in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
        if context.value("SELECT has_table_privilege(%s, 'public.historia', %s)", APP_ROLE, what)
    ]
    return ok_unless(problems, "it reads, it writes by the functions, it changes no row by itself")


_CALL = (
    "SELECT (hce.guardar_observacion("
    f"%s, '', 'Observation', 'none', 'none', '{{}}', NULL, NULL, NULL, {PROTOCOL})).resultado"
)
"""A call that finds nothing and changes nothing: without a version the row must be there."""


def _undone(context: Context, role: str, document: str, deed: Callable[[], list[str]]) -> list[str]:
    """The problems of something that is done with a role's rights in a transaction, which is rolled back."""
    problems: list[str] = []
    try:
        with context.conn.transaction() as transaction:
            context.conn.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(role)))
            problems += deed()
            raise psycopg.Rollback(transaction)
    except psycopg.Error as error:
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and not context.superuser:
            raise
        problems.append(_told(error, document))
    return problems


def _told(error: psycopg.Error, document: str) -> str:
    return str(error.diag.message_primary or error).splitlines()[0].replace(document, "…")


def _trip(conn: Connection[TupleRow], key: str, document: str) -> list[str]:
    problems = []
    conn.execute("INSERT INTO expediente (documento_id) VALUES (%s)", (document,))
    for table, resource in _resources(key):
        conn.execute(
            psycopg.sql.SQL("INSERT INTO {} (documento_id, id, recurso) VALUES (%s, %s, %s::jsonb)").format(
                psycopg.sql.Identifier(table)
            ),
            (document, key, json.dumps(resource)),
        )
    row = conn.execute(
        "SELECT p.nombre_busqueda, p.nacimiento = daterange('1958-07-01', '1958-08-01'),"
        " o.valor::text, o.codigo,"
        " lower(o.fecha) = timezone(hce.zona_horaria(), %s::timestamp), o.paciente_id = p.id"
        " FROM paciente p JOIN encuentro e USING (documento_id)"
        " JOIN observacion o ON o.documento_id = e.documento_id AND o.encuentro_id = e.id"
        " WHERE p.documento_id = %s",
        (_DAY, document),
    ).fetchone()
    if row != ("nandu", True, "72", "29463-7", True, True):
        problems.append(f"read back and joined: {row}")
    conn.execute("DELETE FROM expediente WHERE documento_id = %s", (document,))
    if scalar(conn, "SELECT count(*) FROM observacion WHERE documento_id = %s", document):
        problems.append("deleting the record left its observations behind")
    return problems


CHECKS = (
    FunctionCheck(
        "HCE0701", GROUP, "A record can be written, read, joined, deleted", "See what the error says.", written_and_read
    ),
    FunctionCheck(
        "HCE0702", GROUP, f"{APP_ROLE} reads, and writes by the functions only",
        "`pyhce register` restores the role's secrets on every node; REVOKE the privileges that were granted by hand.",
        as_application,
    ),
)  # fmt: skip
