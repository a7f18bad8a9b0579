"""Diagnostics: observations, reports, requests, specimens, imaging."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import (
    BY_DATE,
    boolean,
    code,
    codes,
    comparator,
    concept_text,
    date_range,
    gin,
    index,
    number,
    recomputed,
    ref,
    refs,
    resources,
    text,
)
from pyhce.schema.model import Area, Column, Table

AREA = Area.DIAGNOSTICS


SYSTOLIC = "component.where(code = 'http://loinc.org|8480-6').valueQuantity"


def blood_pressure(name: str, loinc: str, es: str, en: str) -> tuple[Column, Column]:
    """The columns of a blood pressure and its comparator.

    The value is that of the component with a LOINC code, or of an Observation that itself has this code.

    Args:
        name: the name of the column.
        loinc: the LOINC code.
        es: the Spanish label.
        en: the English label.
    """
    wanted = f"where(code = 'http://loinc.org|{loinc}').valueQuantity"
    return (
        number(name, f"component.{wanted} | {wanted}", es, en, since=2),
        text(
            f"{name}_comparador", f"component.{wanted}.comparator | {wanted}.comparator", f"Comparador de {name}",
            f"Comparator of {name}", since=2,
        ),
    )  # fmt: skip


TABLES: tuple[Table, ...] = (
    resources(
        "observacion",
        "Observation",
        AREA,
        "Observaciones: signos vitales, laboratorio, hallazgos",
        "Observations: vital signs, laboratory, findings",
        code("estado", "status", "Estado", "Status"),
        code("categoria", "category", "Categoría", "Category"),
        code("codigo", "code", "Qué se observó", "What was observed"),
        codes("codigos", "code", "Todas sus codificaciones", "All its codings"),
        concept_text("code"),
        date_range("fecha", "effective[x]", "Cuándo vale", "When it holds"),
        number("valor", "value[x]", "Valor numérico", "Numeric value"),
        comparator("valor", "valueQuantity"),
        recomputed(
            text("unidad", "valueQuantity.code | valueQuantity.unit", "Unidad", "Unit"),
            "valueQuantity.code | valueQuantity.unit | "
            + " | ".join(f"{SYSTOLIC}.{name}" for name in ("code", "unit")),
            "Unidad del valor, o de la presión sistólica",
            "Unit of the value, or of the systolic pressure",
        ),
        recomputed(
            text("valor_texto", "valueString", "Valor en texto", "Text value"),
            "valueString | valueCodeableConcept.text | valueCodeableConcept.coding.display",
            "Valor en texto, o el texto del valor codificado",
            "Text value, or the words of the coded value",
        ),
        code("valor_codigo", "valueCodeableConcept", "Valor codificado", "Coded value"),
        boolean("valor_logico", "valueBoolean", "Valor lógico", "Boolean value", since=2),
        date_range("valor_fecha", "valueDateTime | valuePeriod", "Valor que es fecha", "Value that is a date", since=2),
        *blood_pressure("sistolica", "8480-6", "Presión sistólica", "Systolic pressure"),
        *blood_pressure("diastolica", "8462-4", "Presión diastólica", "Diastolic pressure"),
        codes(
            "componentes", "component.code", "Codificaciones de sus componentes", "Codings of its components", since=2
        ),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "performer", "Practitioner", "Profesional", "Practitioner"),
        ref("especimen_id", "specimen", "Specimen", "Espécimen", "Specimen"),
        patient=("subject", "performer"),
        indexes=(
            BY_DATE,
            index("documento_id", "codigo"),
            index("documento_id", "encuentro_id"),
            gin("codigos"),
            index("documento_id", "(lower(fecha))", "sistolica", where="sistolica IS NOT NULL", since=2),
        ),
    ),
    resources(
        "informe_diagnostico",
        "DiagnosticReport",
        AREA,
        "Informes de diagnóstico",
        "Diagnostic reports",
        code("estado", "status", "Estado", "Status"),
        code("categoria", "category", "Categoría", "Category"),
        code("codigo", "code", "Qué informa", "What it reports"),
        codes("codigos", "code", "Todas sus codificaciones", "All its codings"),
        concept_text("code"),
        date_range("fecha", "effective[x] | issued", "Cuándo vale, o se emitió", "When it holds, or was issued"),
        text("conclusion", "conclusion", "Conclusión", "Conclusion"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "performer", "Practitioner", "Profesional", "Practitioner"),
        ref("organizacion_id", "performer", "Organization", "Organización", "Organization"),
        refs("observaciones", "result", "Observation", "Resultados", "Results"),
        patient=("subject",),
        indexes=(BY_DATE,),
    ),
    resources(
        "solicitud_servicio",
        "ServiceRequest",
        AREA,
        "Órdenes: exámenes, procedimientos, remisiones",
        "Service requests: tests, procedures, referrals",
        code("estado", "status", "Estado", "Status"),
        code("intencion", "intent", "Intención", "Intent"),
        code("prioridad", "priority", "Prioridad", "Priority"),
        code("codigo", "code", "Qué se pide", "What is asked for"),
        codes("codigos", "code", "Todas sus codificaciones", "All its codings"),
        concept_text("code"),
        date_range("fecha", "authoredOn | occurrence[x]", "Cuándo se pidió", "When asked for"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "requester", "Practitioner", "Quien pide", "Requester"),
        patient=("subject",),
        indexes=(BY_DATE,),
    ),
    resources(
        "especimen",
        "Specimen",
        AREA,
        "Especímenes y muestras",
        "Specimens",
        code("estado", "status", "Estado", "Status"),
        code("codigo", "type", "Tipo de muestra", "Type"),
        concept_text("type"),
        date_range(
            "fecha", "collection.collected[x] | receivedTime", "Cuándo se tomó o recibió", "Collected or received"
        ),
        ref("profesional_id", "collection.collector", "Practitioner", "Quien la tomó", "Collector"),
        patient=("subject",),
    ),
    resources(
        "estudio_imagen",
        "ImagingStudy",
        AREA,
        "Estudios de imagen",
        "Imaging studies",
        code("estado", "status", "Estado", "Status"),
        code("modalidad", "modality", "Modalidad", "Modality"),
        codes("codigos", "procedureCode", "Procedimientos", "Procedures"),
        date_range("fecha", "started", "Cuándo empezó", "Started"),
        number("series", "numberOfSeries", "Series", "Series"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "interpreter | referrer", "Practitioner", "Quien interpreta", "Interpreter"),
        patient=("subject",),
    ),
)
