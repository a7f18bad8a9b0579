"""Diagnostics: observations, reports, specimens, imaging."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import (
    BY_DATE,
    code,
    codes,
    gin,
    index,
    number,
    ref,
    resources,
    text,
    when,
)
from pyhce.schema.model import Area, Table

AREA = Area.DIAGNOSTICS

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
        when("fecha", "effective[x]", "Cuándo vale", "When it holds"),
        number("valor", "value[x]", "Valor numérico", "Numeric value"),
        text("unidad", "valueQuantity.code | valueQuantity.unit", "Unidad", "Unit"),
        text("valor_texto", "valueString", "Valor en texto", "Text value"),
        code("valor_codigo", "valueCodeableConcept", "Valor codificado", "Coded value"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "performer", "Practitioner", "Profesional", "Practitioner"),
        patient=("subject",),
        indexes=(BY_DATE, index("documento_id", "codigo"), gin("codigos")),
    ),
)
