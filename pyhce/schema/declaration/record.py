"""Tables that are not of one FHIR type: `expediente`, generic tables, history, staging, decisions, installation."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import history, index, resources, staging
from pyhce.schema.model import Area, Home, Label, PlainColumn, Table

ANCHOR = Table(
    name="expediente",
    home=Home.PATIENT,
    area=Area.RECORD,
    label=Label(es="Expediente: una persona, un documento", en="Record: one person, one document"),
    stored=(
        PlainColumn(
            name="documento_id", sql_type="text", label=Label(es="Documento de identidad", en="Identity document")
        ),
        PlainColumn(
            name="provisional",
            sql_type="boolean",
            default="false",
            label=Label(es="Aún sin documento conocido", en="No document known yet"),
        ),
        PlainColumn(
            name="creado_en", sql_type="timestamptz", default="now()", label=Label(es="Creado en", en="Created at")
        ),
    ),
    key=("documento_id",),
    holds_resources=False,
)

GENERIC = (
    resources(
        "recurso_paciente",
        None,
        Area.GENERIC,
        "Recursos de un paciente sin tabla propia",
        "A patient's resources of types without a table",
        indexes=(index("documento_id", "tipo"),),
    ),
    resources(
        "recurso_compartido",
        None,
        Area.GENERIC,
        "Recursos sin paciente de tipos sin tabla propia",
        "Resources that name no patient, of types without a table",
        home=Home.ID,
    ),
)

ASSIGNMENT = Table(
    name="asignacion",
    home=Home.REFERENCE,
    area=Area.RECORD,
    label=Label(
        es="Documentos corregidos o fusionados a mano: qué usar en lugar de lo que dice la fuente",
        en="Documents corrected or merged by hand: what to use instead of what the source says",
    ),
    stored=(
        PlainColumn(
            name="documento_calculado",
            sql_type="text",
            label=Label(es="Documento según la fuente", en="Document by the source"),
        ),
        PlainColumn(
            name="fuente",
            sql_type="text",
            default="''",
            label=Label(es="Sistema de origen ('' con paciente_id '': todos)", en="Source system"),
        ),
        PlainColumn(
            name="paciente_id",
            sql_type="text",
            default="''",
            label=Label(es="Patient afectado ('' es todos)", en="Patient concerned ('' is all)"),
        ),
        PlainColumn(
            name="documento_id", sql_type="text", label=Label(es="Documento que vale", en="Document that holds")
        ),
        PlainColumn(
            name="creado_en", sql_type="timestamptz", default="now()", label=Label(es="Creado en", en="Created at")
        ),
        PlainColumn(
            name="expediente_creado_en",
            sql_type="timestamptz",
            required=False,
            label=Label(
                es="Cuándo se creó el expediente que se fusionó",
                en="When the record that was merged had been created",
            ),
            since=2,
        ),
    ),
    key=("documento_calculado", "fuente", "paciente_id"),
    sql_schema="hce",
    holds_resources=False,
)

DISPUTE = Table(
    name="documento_en_disputa",
    home=Home.REFERENCE,
    area=Area.RECORD,
    label=Label(
        es="Pacientes que dicen tener un documento y quedan aparte, porque contradicen a otro que lo tiene",
        en="Patients that state a document and are kept apart, as they contradict another that has it",
    ),
    stored=(
        PlainColumn(
            name="documento_calculado",
            sql_type="text",
            label=Label(es="Documento según la fuente", en="Document by the source"),
        ),
        PlainColumn(name="fuente", sql_type="text", label=Label(es="Sistema de origen", en="Source system")),
        PlainColumn(name="paciente_id", sql_type="text", label=Label(es="Patient que queda aparte", en="Patient")),
    ),
    key=("documento_calculado", "fuente", "paciente_id"),
    indexes=(index("fuente", "paciente_id", since=2),),
    sql_schema="hce",
    holds_resources=False,
    since=2,
)

SAME_PERSON = Table(
    name="misma_persona",
    home=Home.REFERENCE,
    area=Area.RECORD,
    label=Label(
        es="Pares de Patient que se contradicen y que alguien confirmó como la misma persona",
        en="Pairs of Patients that contradict each other and were confirmed as one person",
    ),
    stored=(
        PlainColumn(name="fuente", sql_type="text", label=Label(es="Sistema de origen", en="Source system")),
        PlainColumn(name="paciente_id", sql_type="text", label=Label(es="Patient", en="Patient")),
        PlainColumn(
            name="otra_fuente", sql_type="text", label=Label(es="Sistema de origen del otro", en="The other's source")
        ),
        PlainColumn(
            name="otro_paciente_id", sql_type="text", label=Label(es="El otro Patient", en="The other Patient")
        ),
    ),
    key=("fuente", "paciente_id", "otra_fuente", "otro_paciente_id"),
    sql_schema="hce",
    holds_resources=False,
    since=2,
)

INSTALLATION = Table(
    name="instalacion",
    home=Home.REFERENCE,
    area=Area.RECORD,
    label=Label(es="Esta instalación: un solo renglón", en="This installation: one row"),
    stored=(
        PlainColumn(name="id", sql_type="uuid", label=Label(es="Identidad", en="Identity")),
        PlainColumn(
            name="zona_horaria",
            sql_type="text",
            label=Label(es="Zona de las fechas sin zona", en="Zone of dates without one"),
        ),
        PlainColumn(
            name="creado_en", sql_type="timestamptz", default="now()", label=Label(es="Creado en", en="Created at")
        ),
    ),
    key=("id",),
    sql_schema="hce",
    holds_resources=False,
)

LOADED = Table(
    name="archivo_cargado",
    home=Home.REFERENCE,
    area=Area.RECORD,
    label=Label(
        es="Archivos cargados por entero y sin rechazos: otra carga los pasa por alto",
        en="Files loaded whole and without a reject: another load passes them over",
    ),
    stored=(
        PlainColumn(name="fuente", sql_type="text", label=Label(es="Sistema de origen", en="Source system")),
        PlainColumn(
            name="huella",
            sql_type="uuid",
            label=Label(es="Huella de sus bytes y de cómo se leyó", en="Fingerprint of its bytes and how it was read"),
        ),
        PlainColumn(name="bytes", sql_type="bigint", label=Label(es="Tamaño en bytes", en="Size in bytes")),
        PlainColumn(name="recursos", sql_type="integer", label=Label(es="Recursos leídos", en="Resources read")),
        PlainColumn(
            name="cargado_en", sql_type="timestamptz", default="now()", label=Label(es="Cargado en", en="Loaded at")
        ),
    ),
    key=("fuente", "huella"),
    sql_schema="hce",
    holds_resources=False,
)

DATA_STEPS = Table(
    name="paso_datos",
    home=Home.REFERENCE,
    area=Area.RECORD,
    label=Label(
        es="Cambios de filas que una migración exige, con su avance",
        en="Changes of stored rows that a migration needs, with their progress",
    ),
    stored=(
        PlainColumn(name="numero", sql_type="integer", label=Label(es="Migración", en="Migration")),
        PlainColumn(name="paso", sql_type="text", label=Label(es="Nombre del paso", en="Name of the step")),
        PlainColumn(
            name="informe",
            sql_type="jsonb",
            default="'{}'",
            label=Label(es="Conteos hasta ahora", en="Counts so far"),
        ),
        PlainColumn(
            name="hasta",
            sql_type="text",
            required=False,
            label=Label(es="Hasta dónde llegó, mientras no termine", en="How far it has come, until it is done"),
        ),
        PlainColumn(
            name="terminado_en", sql_type="timestamptz", required=False, label=Label(es="Terminado en", en="Done at")
        ),
    ),
    key=("numero", "paso"),
    sql_schema="hce",
    holds_resources=False,
    since=2,
)

HISTORY = (
    history("historia", Home.PATIENT),
    history("historia_compartida", Home.ID),
    history("historia_referencia", Home.REFERENCE),
)

STAGING = (
    staging("carga", Home.PATIENT),
    staging("carga_compartida", Home.ID),
    staging("carga_referencia", Home.REFERENCE),
)
