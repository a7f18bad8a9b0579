"""07: write, read, join, delete, and leave nothing behind."""

from __future__ import annotations

import json
import uuid

import psycopg

from pyhce.citus.connection import scalar
from pyhce.settings import APP_ROLE
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, FunctionCheck, Result, judged, ok

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
    """A made-up patient, in one transaction that is rolled back."""
    return _round_trip(context, as_app=False)


def as_application(context: Context) -> Finding:
    """The same with the application's role, whose privileges count."""
    may = context.value("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", APP_ROLE)
    if context.citus and not may:
        return Finding(result=Result.SKIPPED, found=f"{APP_ROLE} may not log in, so the nodes cannot act as it")
    return _round_trip(context, as_app=True)


class _Undo(Exception):
    """Rolls the transaction back."""


def _round_trip(context: Context, *, as_app: bool) -> Finding:
    key = uuid.uuid4().hex
    document = f"ZZ-{key}"
    problems: list[str] = []
    conn = context.conn
    try:
        with conn.transaction():
            if as_app:
                conn.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(APP_ROLE)))
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
            left = scalar(conn, "SELECT count(*) FROM observacion WHERE documento_id = %s", document)
            if left:
                problems.append("deleting the record left its observations behind")
            raise _Undo
    except _Undo:
        pass
    except psycopg.Error as error:
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and not context.superuser:
            raise
        problems.append(str(error.diag.message_primary or error).splitlines()[0].replace(document, "…"))
    if scalar(conn, "SELECT count(*) FROM expediente WHERE documento_id = %s", document):
        problems.append("the made-up record is still there after ROLLBACK")
    return (
        judged(problems, "written, read, joined, deleted, rolled back")
        if problems
        else ok("written, read, joined, deleted, rolled back")
    )


CHECKS = (
    FunctionCheck(
        "HCE0701", GROUP, "A record can be written, read, joined, deleted", "See what the error says.", written_and_read
    ),
    FunctionCheck(
        "HCE0702", GROUP, f"{APP_ROLE} can do the same",
        "`pyhce register` restores the privileges and the nodes' secrets of the role.", as_application,
    ),
)  # fmt: skip
