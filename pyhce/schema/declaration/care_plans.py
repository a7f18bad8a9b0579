"""Care plans: care plans, care teams, goals, tasks."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import code, codes, concept_text, date_range, index, ref, refs, resources, text
from pyhce.schema.model import Area, Table

AREA = Area.CARE_PLANS

TABLES: tuple[Table, ...] = (
    resources(
        "plan_cuidado",
        "CarePlan",
        AREA,
        "Planes de cuidado",
        "Care plans",
        code("estado", "status", "Estado", "Status"),
        code("intencion", "intent", "Intención", "Intent"),
        code("categoria", "category", "Categoría", "Category"),
        text("titulo", "title", "Título", "Title"),
        date_range("fecha", "period | created", "Vigencia", "Period"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "author", "Practitioner", "Autor", "Author"),
        refs("metas", "goal", "Goal", "Metas", "Goals"),
        patient=("subject",),
    ),
    resources(
        "equipo_cuidado",
        "CareTeam",
        AREA,
        "Equipos de cuidado",
        "Care teams",
        code("estado", "status", "Estado", "Status"),
        text("nombre", "name", "Nombre", "Name"),
        date_range("fecha", "period", "Vigencia", "Period"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        refs("profesionales", "participant.member", "Practitioner", "Profesionales", "Practitioners"),
        ref("organizacion_id", "managingOrganization", "Organization", "Organización", "Organization"),
        patient=("subject", "participant.member"),
    ),
    resources(
        "meta",
        "Goal",
        AREA,
        "Metas de salud",
        "Goals",
        code("estado", "lifecycleStatus", "Estado", "Lifecycle status"),
        code("logro", "achievementStatus", "Logro", "Achievement"),
        code("codigo", "description", "Meta", "Goal"),
        text("descripcion", "description.text", "Descripción", "Description"),
        date_range("fecha", "startDate", "Inicio", "Start"),
        patient=("subject",),
    ),
    resources(
        "tarea",
        "Task",
        AREA,
        "Tareas",
        "Tasks",
        code("estado", "status", "Estado", "Status"),
        code("intencion", "intent", "Intención", "Intent"),
        code("prioridad", "priority", "Prioridad", "Priority"),
        code("codigo", "code", "Qué hay que hacer", "What is to be done"),
        concept_text("code"),
        codes("motivos", "reasonCode", "Motivos", "Reasons"),
        concept_text("reasonCode", "motivo_texto"),
        date_range("fecha", "executionPeriod | authoredOn", "Cuándo", "When"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "owner", "Practitioner", "Responsable", "Owner"),
        patient=("for", "focus"),
        indexes=(index("profesional_id", "estado"),),
    ),
)
