"""HCE07: a test record can be written, read, joined and deleted; nothing of it stays."""

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
    """Write, read and delete a test patient as the role that pyhce writes with, then roll back."""
    key = uuid.uuid4().hex
    document = f"ZZ-{key}"
    conn = context.conn
    problems = _rolled_back(context, WRITER_ROLE, document, lambda: _write_read_delete(conn, key, document))
    if scalar(conn, "SELECT count(*) FROM expediente WHERE documento_id = %s", document):
        problems.append("the test record still exists after ROLLBACK")
    return ok_unless(problems, "written, read, joined, deleted, rolled back")


def application_role(context: Context) -> Finding:
    """The application's role can read and call a function that writes, and cannot change a row directly."""
    can_log_in = context.value("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", APP_ROLE)
    if context.citus and not can_log_in:
        return Finding(
            result=Result.SKIPPED, found=f"{APP_ROLE} cannot log in, so nodes cannot connect to each other as this role"
        )
    document = f"ZZ-{uuid.uuid4().hex}"
    conn = context.conn

    def read_and_call() -> list[str]:
        scalar(conn, "SELECT count(*) FROM paciente p JOIN observacion o USING (documento_id)")
        outcome = scalar(conn, _CALL, document)
        return [] if outcome == "absent" else [f"a function that writes returned {outcome} for an absent resource"]

    problems = _rolled_back(context, APP_ROLE, document, read_and_call)
    problems += [
        f"{APP_ROLE} has the privilege {what} on historia"
        for what in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
        if context.value("SELECT has_table_privilege(%s, 'public.historia', %s)", APP_ROLE, what)
    ]
    return ok_unless(problems, f"{APP_ROLE} reads, writes through the functions, and cannot change rows directly")


_CALL = (
    "SELECT (hce.guardar_observacion("
    f"%s, '', 'Observation', 'none', 'none', '{{}}', NULL, NULL, NULL, {PROTOCOL})).resultado"
)
"""A call that changes nothing: without a version, the function only changes a row that exists."""


def _rolled_back(context: Context, role: str, document: str, action: Callable[[], list[str]]) -> list[str]:
    """The problems that an action returns when it runs as a role, in a transaction that is rolled back.

    An error is a problem too. The document of the test record is taken out of its text.
    """
    problems: list[str] = []
    try:
        with context.conn.transaction() as transaction:
            context.conn.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(role)))
            problems += action()
            raise psycopg.Rollback(transaction)
    except psycopg.Error as error:
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and not context.superuser:
            raise
        problems.append(_error_text(error, document))
    return problems


def _error_text(error: psycopg.Error, document: str) -> str:
    return str(error.diag.message_primary or error).splitlines()[0].replace(document, "…")


def _write_read_delete(conn: Connection[TupleRow], key: str, document: str) -> list[str]:
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
        problems.append(f"the record was read back as {row}")
    conn.execute("DELETE FROM expediente WHERE documento_id = %s", (document,))
    if scalar(conn, "SELECT count(*) FROM observacion WHERE documento_id = %s", document):
        problems.append("deleting the record left its observations behind")
    return problems


CHECKS = (
    FunctionCheck(
        "HCE0701", GROUP, "A record can be written, read, joined and deleted",
        "Resolve the error in the finding.", written_and_read
    ),
    FunctionCheck(
        "HCE0702", GROUP, f"{APP_ROLE} can read, and can write only through the functions",
        "`pyhce register` restores the role's secrets on every node. REVOKE privileges that were granted by hand.",
        application_role,
    ),
)  # fmt: skip
