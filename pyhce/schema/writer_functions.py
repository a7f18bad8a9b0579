"""The functions of the schema `hce` that write one resource with its history: one for each table of resources.

They do what the loader does to a batch (`pyhce/records/writing/upsert.py`), for one row, except that a former content
that comes again is a change: the application means it. On Citus they run on the
node that owns it: each is distributed by `p_documento_id` (or `p_id`), and a `SELECT hce.guardar_…(…)` alone in its
transaction is sent there whole. Static SQL for each table: with EXECUTE a save on one node took 1.3 to 1.7 times an
INSERT, so it takes 1.1 to 1.2.

Races, in READ COMMITTED. Whoever moves a patient holds the anchor FOR UPDATE first; a save holds it FOR KEY SHARE, by
the foreign key of what it inserts first, before it asks whether the patient is still there. Who changes a row archives
it first, as the loader does: of two, the second finds that version archived, and looks again.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyhce.schema.model import FAMILIES, Helper, Home, Table

PATIENT_MOVED = "HCE01"
"""The SQLSTATE that says that a patient is no longer under the document given."""

WRONG_PROTOCOL = "HCE02"
"""The SQLSTATE that says that the caller is older or newer than the schema."""
PROTOCOL = 2
"""How writers keep out of each other's way, by number. A writer says it in every call of these functions and in every
row that it stages, so that a client of an older release that still runs cannot write: it would not take the locks."""
FUNCTIONS_SINCE = 2
"""The migration that brought the functions as they are here. It replaces those of earlier ones (CREATE OR REPLACE)."""
FORMER_ARGUMENTS = {2: "text, text, text, text, text, text, text, uuid, integer"}
"""Migrations that changed the arguments: they drop the functions that had these, which older releases call."""

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
"""The same for every table, so that a caller needs to know its name only."""

COMMENT = (
    "Writes one resource with its history: new, changed, unchanged or superseded (older by meta.lastUpdated), with "
    "its version; absent if it is not there. p_version is that of a new row; NULL if it must be there. Only for an id "
    "that is nowhere else: one more than that of its last version in the history."
)


def writer_functions(tables: Iterable[Table]) -> tuple[Helper, ...]:
    """A function for each table of resources; a Patient is no single row: documents may change with it."""
    return tuple(_writer(table) for table in tables if table.holds_resources and table.fhir_type != "Patient")


def writer_name(table: Table) -> str:
    """The name of a table's function, without its schema."""
    return f"guardar_{table.name}"


def distribution_argument(table: Table) -> str | None:
    """The argument that a table's function is distributed by, None if it runs where it is called."""
    return f"p_{table.distribution_column}" if table.distribution_column else None


def dropped_signatures(number: int, tables: Iterable[Table]) -> tuple[str, ...]:
    """The signatures of the functions, without their schema, that a migration drops."""
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
