"""Medication: medications, and their requests, dispenses, administrations and statements."""

from __future__ import annotations

from pyhce.schema.declaration.column_groups import keys
from pyhce.schema.declaration.shorthand import (
    BY_DATE,
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
    resources,
    text,
)
from pyhce.schema.model import Area, Column, Home, Table

AREA = Area.MEDICATION


def medication() -> tuple[Column, ...]:
    """The columns of the medication of a request, dispense, administration or statement.

    The code is that of `medicationCodeableConcept` or of a contained Medication. The code of a separate Medication is
    in the table `medicamento`; `medicamento_id` has its key.
    """
    concept = "medicationCodeableConcept | medicationReference.resolve().code"
    coded = code("codigo", "medicationCodeableConcept", "Medicamento, codificado", "Medication, coded")
    every = codes("codigos", "medicationCodeableConcept", "Todas sus codificaciones", "All its codings")
    words = concept_text(concept)
    return (
        recomputed(coded, concept, "Medicamento, codificado aquí o contenido", "Medication, coded here or contained"),
        recomputed(every, concept),
        words.model_copy(update={"path": f"{words.path} | medicationReference.display"}),
        ref("medicamento_id", "medicationReference", "Medication", "Medicamento", "Medication"),
    )


TABLES: tuple[Table, ...] = (
    resources(
        "medicamento",
        "Medication",
        AREA,
        "Medicamentos",
        "Medications",
        keys(),
        code("estado", "status", "Estado", "Status"),
        code("codigo", "code", "Código", "Code"),
        codes("codigos", "code", "Todas sus codificaciones", "All its codings"),
        concept_text("code"),
        code("forma", "form", "Forma farmacéutica", "Form"),
        ref("organizacion_id", "manufacturer", "Organization", "Fabricante", "Manufacturer"),
        home=Home.ID,
        indexes=(gin("claves"),),
    ),
    resources(
        "solicitud_medicamento",
        "MedicationRequest",
        AREA,
        "Fórmulas médicas",
        "Medication requests",
        code("estado", "status", "Estado", "Status"),
        code("intencion", "intent", "Intención", "Intent"),
        *medication(),
        date_range("fecha", "authoredOn", "Cuándo se formuló", "When written"),
        ref("encuentro_id", "encounter", "Encounter", "Encuentro", "Encounter"),
        ref("profesional_id", "requester", "Practitioner", "Quien formula", "Requester"),
        patient=("subject",),
        indexes=(BY_DATE, index("documento_id", "codigo")),
    ),
    resources(
        "dispensacion_medicamento",
        "MedicationDispense",
        AREA,
        "Medicamentos dispensados",
        "Medication dispenses",
        code("estado", "status", "Estado", "Status"),
        *medication(),
        date_range(
            "fecha", "whenHandedOver | whenPrepared", "Cuándo se entregó o preparó", "When handed over or prepared"
        ),
        number("cantidad", "quantity", "Cantidad", "Quantity"),
        comparator("cantidad", "quantity"),
        text("unidad", "quantity.code | quantity.unit", "Unidad", "Unit"),
        ref("solicitud_id", "authorizingPrescription", "MedicationRequest", "Fórmula", "Prescription"),
        ref("profesional_id", "performer.actor", "Practitioner", "Quien dispensa", "Dispenser"),
        patient=("subject", "receiver"),
        indexes=(BY_DATE,),
    ),
    resources(
        "administracion_medicamento",
        "MedicationAdministration",
        AREA,
        "Medicamentos administrados",
        "Medication administrations",
        code("estado", "status", "Estado", "Status"),
        *medication(),
        date_range("fecha", "effective[x]", "Cuándo", "When"),
        number("dosis", "dosage.dose", "Dosis", "Dose"),
        comparator("dosis", "dosage.dose"),
        text("unidad", "dosage.dose.code | dosage.dose.unit", "Unidad", "Unit"),
        ref("encuentro_id", "context", "Encounter", "Encuentro", "Encounter"),
        ref("solicitud_id", "request", "MedicationRequest", "Fórmula", "Request"),
        ref("profesional_id", "performer.actor", "Practitioner", "Quien administra", "Performer"),
        patient=("subject",),
        indexes=(BY_DATE,),
    ),
    resources(
        "declaracion_medicamento",
        "MedicationStatement",
        AREA,
        "Medicamentos que el paciente toma",
        "Medication statements",
        code("estado", "status", "Estado", "Status"),
        *medication(),
        date_range("fecha", "effective[x] | dateAsserted", "Cuándo", "When"),
        ref("encuentro_id", "context", "Encounter", "Encuentro", "Encounter"),
        patient=("subject",),
    ),
)
