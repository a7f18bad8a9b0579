"""Finance: coverage, claims, explanations of benefit."""

from __future__ import annotations

from pyhce.schema.declaration.shorthand import (
    BY_DATE,
    code,
    codes,
    concept_text,
    date_range,
    number,
    recomputed,
    ref,
    resources,
    text,
)
from pyhce.schema.model import Area, Column, Table

AREA = Area.FINANCE


def provided() -> tuple[Column, Column]:
    """The columns of the provider organization, and of the insurer's name, which most systems give as text only."""
    return (
        ref("prestador_id", "provider", "Organization", "Organización prestadora", "Provider organization", since=2),
        text(
            "aseguradora",
            "insurer.display | insurance.coverage.display",
            "Nombre de la aseguradora",
            "Name of the insurer",
            since=2,
        ),
    )


TABLES: tuple[Table, ...] = (
    resources(
        "cobertura",
        "Coverage",
        AREA,
        "Coberturas: afiliaciones y seguros",
        "Coverages",
        code("estado", "status", "Estado", "Status"),
        code("codigo", "type", "Tipo", "Type"),
        concept_text("type"),
        text("afiliacion", "subscriberId", "Número de afiliación", "Subscriber id"),
        date_range("fecha", "period", "Vigencia", "Period"),
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
        concept_text("type"),
        text("uso", "use", "Uso", "Use"),
        number("total", "total", "Total", "Total"),
        text("moneda", "total.currency", "Moneda", "Currency"),
        date_range("fecha", "billablePeriod | created", "Período facturado", "Billable period"),
        recomputed(
            ref("profesional_id", "provider", "Practitioner", "Prestador", "Provider"),
            "provider | careTeam.provider",
            "Profesional que presta",
            "Practitioner who provides",
        ),
        ref("organizacion_id", "insurer", "Organization", "Asegurador", "Insurer"),
        *provided(),
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
        concept_text("type"),
        code("resultado", "outcome", "Resultado", "Outcome"),
        codes("diagnosticos", "diagnosis.diagnosisCodeableConcept", "Diagnósticos", "Diagnoses"),
        number("pagado", "payment.amount", "Pagado", "Paid"),
        text("moneda", "payment.amount.currency", "Moneda", "Currency"),
        date_range("fecha", "billablePeriod | created", "Período facturado", "Billable period"),
        ref("reclamacion_id", "claim", "Claim", "Reclamación", "Claim"),
        ref("organizacion_id", "insurer", "Organization", "Asegurador", "Insurer"),
        ref(
            "profesional_id",
            "provider | careTeam.provider",
            "Practitioner",
            "Profesional que presta",
            "Practitioner who provides",
            since=2,
        ),
        *provided(),
        ref("cobertura_id", "insurance.coverage", "Coverage", "Cobertura", "Coverage", since=2),
        patient=("patient",),
        indexes=(BY_DATE,),
    ),
)
