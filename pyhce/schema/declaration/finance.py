"""Finance: coverage, claims, explanations of benefit."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import BY_DATE, code, codes, number, ref, resources, text, when
from pyhce.schema.model import Area, Table

AREA = Area.FINANCE

TABLES: tuple[Table, ...] = (
    resources(
        "cobertura",
        "Coverage",
        AREA,
        "Coberturas: afiliaciones y seguros",
        "Coverages",
        code("estado", "status", "Estado", "Status"),
        code("codigo", "type", "Tipo", "Type"),
        text("afiliacion", "subscriberId", "Número de afiliación", "Subscriber id"),
        when("fecha", "period", "Vigencia", "Period"),
        ref("organizacion_id", "payor", "Organization", "Quien paga", "Payor"),
        patient=("beneficiary", "subscriber", "policyHolder", "payor"),
    ),
    resources(
        "reclamacion",
        "Claim",
        AREA,
        "Reclamaciones y facturas a aseguradores",
        "Claims",
        code("estado", "status", "Estado", "Status"),
        code("codigo", "type", "Tipo", "Type"),
        text("uso", "use", "Uso", "Use"),
        number("total", "total", "Total", "Total"),
        text("moneda", "total.currency", "Moneda", "Currency"),
        when("fecha", "billablePeriod | created", "Período facturado", "Billable period"),
        ref("profesional_id", "provider", "Practitioner", "Prestador", "Provider"),
        ref("organizacion_id", "insurer", "Organization", "Asegurador", "Insurer"),
        ref("cobertura_id", "insurance.coverage", "Coverage", "Cobertura", "Coverage"),
        patient=("patient",),
        indexes=(BY_DATE,),
    ),
    resources(
        "explicacion_beneficio",
        "ExplanationOfBenefit",
        AREA,
        "Explicaciones de beneficios",
        "Explanations of benefit",
        code("estado", "status", "Estado", "Status"),
        code("codigo", "type", "Tipo", "Type"),
        code("resultado", "outcome", "Resultado", "Outcome"),
        codes("diagnosticos", "diagnosis.diagnosisCodeableConcept", "Diagnósticos", "Diagnoses"),
        number("pagado", "payment.amount", "Pagado", "Paid"),
        text("moneda", "payment.amount.currency", "Moneda", "Currency"),
        when("fecha", "billablePeriod | created", "Período facturado", "Billable period"),
        ref("reclamacion_id", "claim", "Claim", "Reclamación", "Claim"),
        ref("organizacion_id", "insurer", "Organization", "Asegurador", "Insurer"),
        patient=("patient",),
        indexes=(BY_DATE,),
    ),
)
