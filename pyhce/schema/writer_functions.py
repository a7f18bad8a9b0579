"""The save functions `hce.guardar_…`: each writes one resource of one table, with its history.

A save function does for one row what the loader does for a batch (`pyhce/records/writing/upsert.py`), with one
difference: a former content that comes again is a change, because the application wants it. On Citus it runs on the
node that owns the row: it is distributed by `p_documento_id` (or `p_id`), and Citus sends a `SELECT hce.guardar_…(…)`
that is alone in its transaction to that node. Each table has static SQL, which takes 1.1 to 1.2 times as long as an
INSERT; with EXECUTE a save took 1.3 to 1.7 times as long.

Concurrent transactions (READ COMMITTED):

- A transaction that moves a patient locks the patient's anchor FOR UPDATE first. A save locks it FOR KEY SHARE, through
  the foreign key of the row that it inserts first, and then checks that the patient is still under the document. So the
  check is made after the move or before it, never during it.
- A transaction that changes a row first archives the current version. Of two saves of one row, the second one waits for
  the first, finds that the version is archived already (ON CONFLICT DO NOTHING inserts nothing), and reads the row
  again. For example, A and B both read version 3. A archives version 3 and writes version 4. B's archive of version 3
  inserts nothing, so B reads version 4, archives it and writes version 5.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyhce.schema.model import FAMILIES, Helper, Home, Table

PATIENT_MOVED = "HCE01"
"""The SQLSTATE of the error that the patient, or the resource, is no longer under the given document."""

WRONG_PROTOCOL = "HCE02"
"""The SQLSTATE of the error that the caller uses another protocol than the schema."""
PROTOCOL = 2
"""The number of the protocol by which concurrent writers lock what they write.

A writer passes it in every call of a save function and in every staged row, so that a client of an older release that
is still running cannot write: it would not take the locks.
"""
FUNCTIONS_SINCE = 2
"""The migration that creates the functions as they are here; it replaces earlier ones (CREATE OR REPLACE)."""
FORMER_ARGUMENTS = {2: "text, text, text, text, text, text, text, uuid, integer"}
"""The argument types before a migration that changed them; it drops those functions, which older releases call."""

ARGUMENTS = (
    "p_documento_id text",
    "p_fuente text",
    "p_tipo text",
    "p_id text",
    "p_paciente_id text",
    "p_recurso text",
    "p_original text",
    "p_entrada uuid",
    "p_version integer",
    "p_protocolo integer",
)
"""The arguments of every save function. They are the same for every table, so a caller needs only its name."""

COMMENT = (
    "Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with "
    "its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id "
    "that is nowhere else: one more than that of its last version in the history."
)


def writer_functions(tables: Iterable[Table]) -> tuple[Helper, ...]:
    """The save function of each table of resources, except `paciente`: a Patient may change documents of other rows."""
    return tuple(_writer(table) for table in tables if table.holds_resources and table.fhir_type != "Patient")


def writer_name(table: Table) -> str:
    """The name of a table's save function, without schema."""
    return f"guardar_{table.name}"


def distribution_argument(table: Table) -> str | None:
    """The distribution argument of a table's save function; None for a reference table, where it is not distributed."""
    return f"p_{table.distribution_column}" if table.distribution_column else None


def dropped_signatures(number: int, tables: Iterable[Table]) -> tuple[str, ...]:
    """The signatures, without schema, of the functions that a migration drops."""
    former = FORMER_ARGUMENTS.get(number)
    old = [table for table in tables if table.since < number]
    return tuple(f"{writer.name}({former})" for writer in writer_functions(old)) if former else ()


def _writer(table: Table) -> Helper:
    by_patient = table.home is Home.PATIENT
    tipo = "p_tipo" if table.is_generic else f"'{table.fhir_type}'"
    plain = ("paciente_id",) if by_patient and table.is_generic else ()
    columns = (*table.key, *plain)
    parts = {
        "t": table.qualified,
        "h": f"public.{FAMILIES[table.home].history}",
        "columns": ", ".join(columns),
        "values": ", ".join(f"p_{column}" for column in columns),
        "at": " AND ".join(f"t.{column} = p_{column}" for column in table.key),
        "h_columns": ", ".join((*(("documento_id", "paciente_id") if by_patient else ()), "tipo")),
        "h_values": ", ".join((*(("p_documento_id", "p_paciente_id") if by_patient else ()), tipo)),
        "h_at": f"{'h.documento_id = p_documento_id AND ' if by_patient else ''}h.tipo = {tipo} AND h.fuente = p_fuente"
        " AND h.id = p_id",
        "set_patient": ", paciente_id = p_paciente_id" if plain else "",
        "patient": "t.paciente_id" if by_patient else "NULL",
        "still_there": _STILL_THERE if by_patient else "",
        "other_patient": _OTHER_PATIENT if by_patient else "",
    }
    return Helper(
        name=writer_name(table),
        arguments=", ".join((*ARGUMENTS, "OUT resultado text", "OUT version integer")),
        returns="record",
        language="plpgsql",
        volatility="VOLATILE",
        definer=True,
        comment=COMMENT,
        body=_BODY.format(**parts, look_again=PATIENT_MOVED, protocol=PROTOCOL, other_protocol=WRONG_PROTOCOL),
        since=max(table.since, FUNCTIONS_SINCE),
    )


_STILL_THERE = f"""
            PERFORM 1 FROM public.paciente AS p
            WHERE p.documento_id = p_documento_id AND p.fuente = p_fuente AND p.id = p_paciente_id
            UNION ALL
            SELECT 1 FROM public.historia AS b
            WHERE b.documento_id = p_documento_id AND b.tipo = 'Patient' AND b.fuente = p_fuente
                AND b.id = p_paciente_id AND b.borrado;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the patient is no longer under this document: look it up again'
                    USING ERRCODE = '{PATIENT_MOVED}';
            END IF;"""  # noqa: S608 - our own text

_OTHER_PATIENT = f"""
        IF paciente_previo IS DISTINCT FROM p_paciente_id THEN{_STILL_THERE}
        END IF;"""

_BODY = """
DECLARE
    nuevo jsonb := p_recurso::jsonb;
    previo jsonb;
    original_previo text;
    paciente_previo text;
    desde timestamptz;
    ahora timestamptz;
    anterior boolean;
    vista integer;
BEGIN
    IF p_protocolo IS DISTINCT FROM {protocol} THEN
        RAISE EXCEPTION 'this client writes by protocol %, the schema takes {protocol}', p_protocolo
            USING ERRCODE = '{other_protocol}', HINT = 'Use the release of pyhce that made the schema.';
    END IF;
    IF p_version IS NOT NULL THEN
        INSERT INTO {t} ({columns}, version, actualizado_en, recurso, original, entrada)
        VALUES ({values}, p_version, clock_timestamp(), nuevo, p_original, p_entrada)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN{still_there}
            resultado := 'new';
            version := p_version;
            RETURN;
        END IF;
    END IF;
    LOOP
        vista := version;
        SELECT t.version, t.recurso, t.original, t.actualizado_en, {patient}
        INTO version, previo, original_previo, desde, paciente_previo
        FROM {t} AS t
        WHERE {at};
        IF NOT FOUND THEN
            resultado := 'absent';
            RETURN;
        ELSIF previo::text = nuevo::text AND original_previo IS NOT DISTINCT FROM p_original THEN
            resultado := 'unchanged';
            RETURN;
        ELSIF vista = version THEN
            RAISE EXCEPTION 'the history has version % of this resource already', version
                USING ERRCODE = 'unique_violation';
        END IF;
        anterior := hce.instante(nuevo #>> '{{meta,lastUpdated}}') < hce.instante(previo #>> '{{meta,lastUpdated}}');
        IF anterior AND version > 1 THEN
            PERFORM 1 FROM {h} AS h
            WHERE {h_at} AND NOT h.borrado
                AND h.recurso::text = nuevo::text AND h.original IS NOT DISTINCT FROM p_original
            LIMIT 1;
            IF FOUND THEN
                resultado := 'superseded';
                RETURN;
            END IF;
        END IF;
        ahora := clock_timestamp();
        INSERT INTO {h} ({h_columns}, fuente, id, version, vigente_desde, vigente_hasta, recurso, original)
        VALUES (
            {h_values}, p_fuente, p_id, version, desde, ahora,
            CASE WHEN anterior THEN nuevo ELSE previo END,
            CASE WHEN anterior THEN p_original ELSE original_previo END
        )
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;{other_patient}
        IF anterior THEN
            UPDATE {t} AS t SET version = t.version + 1, actualizado_en = ahora
            WHERE {at};
        ELSE
            UPDATE {t} AS t
            SET version = t.version + 1, actualizado_en = ahora, recurso = nuevo, original = p_original,
                entrada = p_entrada{set_patient}
            WHERE {at};
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the resource is no longer under this document: look it up again'
                USING ERRCODE = '{look_again}';
        END IF;
        version := version + 1;
        resultado := CASE WHEN anterior THEN 'superseded' ELSE 'changed' END;
        RETURN;
    END LOOP;
END"""
