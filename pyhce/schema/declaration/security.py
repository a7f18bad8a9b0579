"""Security: provenance and audit events."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import BY_DATE, code, codes, col, date_range, ref, refs, resources, text
from pyhce.schema.model import Area, ColumnKind, Table

AREA = Area.SECURITY

TABLES: tuple[Table, ...] = (
    resources(
        "procedencia",
        "Provenance",
        AREA,
        "Procedencia de los datos de pacientes",
        "Provenance of patients' data",
        code("actividad", "activity", "Actividad", "Activity"),
        col("registrado_en", ColumnKind.MOMENT, "recorded", "Cuándo se registró", "When recorded"),
        date_range("fecha", "occurred[x] | recorded", "Cuándo ocurrió", "When it happened"),
        refs("profesionales", "agent.who", "Practitioner", "Profesionales", "Practitioners"),
        ref("organizacion_id", "agent.who | agent.onBehalfOf", "Organization", "Organización", "Organization"),
        patient=("target",),
    ),
    resources(
        "evento_auditoria",
        "AuditEvent",
        AREA,
        "Eventos de auditoría sobre pacientes",
        "Audit events about patients",
        code("codigo", "type", "Tipo", "Type"),
        codes("subtipos", "subtype", "Subtipos", "Subtypes"),
        text("accion", "action", "Acción", "Action"),
        text("resultado", "outcome", "Resultado", "Outcome"),
        date_range("fecha", "recorded", "Cuándo", "When"),
        ref("profesional_id", "agent.who", "Practitioner", "Quien lo hizo", "Who did it"),
        patient=("entity.what", "agent.who"),
        indexes=(BY_DATE,),
    ),
)
