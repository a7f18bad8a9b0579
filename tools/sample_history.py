"""The sample: a patient's visits, with the measurements, diagnoses, orders and prescriptions of each."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from sample_fhir import (
    ATC,
    CUPS,
    CVX,
    HL7,
    ICD10,
    LOINC,
    SNOMED,
    Sample,
    at,
    coded,
    concept,
    limits,
    link,
    quantity,
    to,
)
from sample_tables import CBC, CHEMISTRY, DRUGS, LABS, PROBLEMS, PROCEDURES, VACCINES, Lab, Person

TODAY = date(2026, 11, 3)
HOSPITAL = to("Organization", "hospital-san-rafael")
NURSE = to("Practitioner", "enf-tique")


@dataclass
class Chart:
    """The record of one patient while it is written."""

    sample: Sample
    person: Person
    key: str
    random: random.Random
    conditions: dict[str, dict] = field(default_factory=dict)
    encounters: list[dict] = field(default_factory=list)

    @property
    def patient(self) -> dict:
        """A Reference to the patient."""
        return to("Patient", self.key)

    def add(self, kind: str, suffix: str, **members: object) -> dict:
        """Add a resource whose id begins with the patient's id, and return it."""
        return self.sample.add(kind, f"{self.key}-{suffix}", **members)

    def age(self, day: date) -> int:
        """The age in years on a day; 40 if the birth date is unknown."""
        return day.year - int(self.person.birth[:4] or day.year - 40)


@dataclass(frozen=True)
class Visit:
    """A visit.

    Args:
        number: its number among the patient's visits.
        day: its day.
        problem: the problem for which it takes place.
        turn: its number among the visits for this problem, from 0.
        progress: how far the problem has come, from 0 at the first visit to 1 at the last.
        urgent: whether it is an emergency.
    """

    number: int
    day: date
    problem: str
    turn: int
    progress: float
    urgent: bool

    @property
    def hour(self) -> int:
        """The hour at which it begins."""
        return 19 if self.urgent else 7 + self.number % 8


def visits(person: Person) -> list[Visit]:
    """The patient's visits in order: check-ups for chronic problems, emergencies, and the check-up after an emergency."""
    days: list[tuple[date, str, bool]] = []
    for name, (onset, *controls) in person.problems.items():
        if controls:
            first, times, every = controls
            days += [(date.fromisoformat(first) + timedelta(days=every * n), name, False) for n in range(times)]
        else:
            begun = date.fromisoformat(onset)
            days.append((begun, name, True))
            days += [(begun + timedelta(days=9), name, False)] if PROBLEMS[name].days else []
    days.sort()
    total = {name: sum(problem == name for _, problem, _ in days) for name in person.problems}
    seen: dict[str, int] = {}
    found = []
    for number, (day, problem, urgent) in enumerate(days):
        turn = seen[problem] = seen.get(problem, -1) + 1
        found.append(Visit(number, day, problem, turn, turn / max(total[problem] - 1, 1), urgent))
    return found


def write_visit(chart: Chart, visit: Visit) -> None:
    """Write an encounter and what happens in it."""
    problem = PROBLEMS[visit.problem]
    doctor = to("Practitioner", problem.doctor)
    encounter = write_encounter(chart, visit, doctor)
    chart.encounters.append(encounter)
    vitals(chart, visit, encounter)
    if visit.problem not in chart.conditions:
        chart.conditions[visit.problem] = write_condition(chart, visit, encounter, doctor)
        for name in problem.procedures.split():
            code, display, es = PROCEDURES[name]
            chart.add(
                "Procedure", f"{name}-{visit.number}", status="completed", code=concept(SNOMED, code, display, es),
                subject=chart.patient, encounter=link(encounter), performer=[{"actor": doctor}],
                performedPeriod={"start": at(visit.day, visit.hour, 25), "end": at(visit.day, visit.hour, 50)},
                reasonReference=[link(chart.conditions[visit.problem])],
            )  # fmt: skip
    laboratory(chart, visit, encounter, doctor)
    if visit.turn == 0 or (visit.turn == 2 and not problem.days):
        for name in problem.drugs.split():
            prescribe(chart, visit, encounter, doctor, name)


def write_encounter(chart: Chart, visit: Visit, doctor: dict) -> dict:
    """Write the Encounter: emergency, prenatal visit or check-up; unfinished for a patient who is still in hospital."""
    problem = PROBLEMS[visit.problem]
    here = visit.problem == "trauma"
    start, end = at(visit.day, visit.hour), at(visit.day, visit.hour + (3 if visit.urgent else 0), 40)
    if visit.urgent:
        kind, place = concept(SNOMED, "50849002", "Emergency room admission", "Urgencias"), "urgencias"
    elif visit.problem.startswith("embarazo"):
        kind, place = concept(SNOMED, "424619006", "Prenatal visit", "Control prenatal"), "consulta-externa"
    else:
        kind, place = concept(SNOMED, "185349003", "Encounter for check up", "Consulta de control"), "consulta-externa"
    cups = (
        ("890701", "Consulta de urgencias") if visit.urgent else ("890301", "Consulta de control por medicina general")
    )
    return chart.add(
        "Encounter", f"enc-{visit.number}", status="in-progress" if here else "finished",
        class_={"system": HL7 + "v3-ActCode", "code": "EMER" if visit.urgent else "AMB"},
        type=[kind], serviceType=concept(CUPS, *cups), subject=chart.patient,
        participant=[{"type": [coded("v3-ParticipationType", "ATND")], "individual": doctor}],
        period={"start": start} if here else {"start": start, "end": end}, serviceProvider=HOSPITAL,
        reasonCode=[concept(SNOMED, problem.snomed, problem.display, problem.es)],
        location=[{"location": to("Location", place)}],
    )  # fmt: skip


def observe(chart: Chart, suffix: str, lab: Lab, value: str, **members: object) -> dict:
    """Write an Observation of a measured value, which keeps its digits."""
    return chart.add(
        "Observation", suffix, status="final", category=[coded("observation-category", lab.category)],
        code=concept(LOINC, lab.loinc, lab.display, lab.es), subject=chart.patient,
        valueQuantity=quantity(value, lab.unit), referenceRange=limits(lab.low, lab.high, lab.unit), **members,
    )  # fmt: skip


WEIGHT = Lab("29463-7", "Body weight", "Peso", "kg", 0, 0, 2, category="vital-signs")
HEIGHT = Lab("8302-2", "Body height", "Talla", "cm", 0, 0, 0, category="vital-signs")
PULSE = Lab("8867-4", "Heart rate", "Frecuencia cardíaca", "/min", 0, 0, 0, category="vital-signs")
HEAT = Lab("8310-5", "Body temperature", "Temperatura", "Cel", 0, 0, 1, category="vital-signs")
HEAD = Lab(
    "9843-4", "Head Occipital-frontal circumference", "Perímetro cefálico", "cm", 0, 0, 1, category="vital-signs"
)


def vitals(chart: Chart, visit: Visit, encounter: dict) -> None:
    """Write vital signs: weight, pulse, blood pressure; height once; temperature at emergencies and some visits."""
    shared = {"encounter": link(encounter), "effectiveDateTime": at(visit.day, visit.hour, 10), "performer": [NURSE]}
    kilos, centimetres = chart.person.size
    gained = 9.6 * visit.progress if visit.problem.startswith("embarazo") else visit.number * 0.35
    observe(chart, f"peso-{visit.number}", WEIGHT, f"{kilos + gained:.2f}", **shared)
    if visit.number == 0 and centimetres:
        observe(chart, "talla", HEIGHT, str(centimetres), **shared)
    fever = visit.urgent and visit.problem in {"dengue", "malaria", "infeccion_urinaria"}
    observe(chart, f"pulso-{visit.number}", PULSE, str(64 + chart.random.randrange(16) + 28 * visit.urgent), **shared)
    if visit.urgent or visit.number % 3 == 0:
        observe(chart, f"temperatura-{visit.number}", HEAT, f"{39.0 if fever else 36.5:.1f}", **shared)
    high = 152 - round(24 * visit.progress) if "hipertension" in chart.person.problems else 108
    high += chart.random.randrange(9) - (8 if chart.age(visit.day) < 18 else 0)
    low = round(high * 0.62) + chart.random.randrange(5)
    chart.add(
        "Observation", f"presion-{visit.number}", status="final",
        category=[coded("observation-category", "vital-signs")], subject=chart.patient, **shared,
        code=concept(LOINC, "85354-9", "Blood pressure panel with all children optional", "Presión arterial"),
        component=[
            {"code": concept(LOINC, "8480-6", "Systolic blood pressure", "Sistólica"),
             "valueQuantity": quantity(str(high), "mm[Hg]")},
            {"code": concept(LOINC, "8462-4", "Diastolic blood pressure", "Diastólica"),
             "valueQuantity": quantity(str(low), "mm[Hg]")},
        ],
    )  # fmt: skip


BLOOD_COUNT = ("hemoglobina", "leucocitos", "plaquetas")


def laboratory(chart: Chart, visit: Visit, encounter: dict, doctor: dict) -> None:
    """Write the laboratory values that a problem needs; for blood with an order, a specimen and a report."""
    labs = [LABS[name] for name in PROBLEMS[visit.problem].labs.split()]
    when = at(visit.day, visit.hour, 30)
    shared = {"encounter": link(encounter), "effectiveDateTime": when}
    wiggle = {lab: chart.random.choice((-0.03, 0.0, 0.02, 0.04)) * min(lab.start, lab.end) for lab in labs}
    values = {
        lab: f"{lab.start + (lab.end - lab.start) * visit.progress + wiggle[lab]:.{lab.decimals}f}" for lab in labs
    }
    if visit.problem.startswith("embarazo"):
        begun = date.fromisoformat(chart.person.problems[visit.problem][0])
        values[LABS["gestacion"]] = str((visit.day - begun).days // 7)
    blood = [lab for lab in labs if lab.category == "laboratory"]
    for lab in labs:
        if lab not in blood:
            observe(chart, f"{lab.loinc}-{visit.number}", lab, values[lab], performer=[doctor], **shared)
    if not blood:
        return
    loinc, display, es, cups = CBC if any(LABS[name] in blood for name in BLOOD_COUNT) else CHEMISTRY
    panel = concept(LOINC, loinc, display, es, (CUPS, cups))
    order = chart.add(
        "ServiceRequest", f"orden-{visit.number}", status="completed", intent="order",
        priority="urgent" if visit.urgent else "routine", code=panel, subject=chart.patient, encounter=link(encounter),
        authoredOn=at(visit.day, visit.hour, 20), requester=doctor,
        reasonReference=[link(chart.conditions[visit.problem])],
    )  # fmt: skip
    specimen = chart.add(
        "Specimen", f"muestra-{visit.number}", status="available", subject=chart.patient, request=[link(order)],
        type=concept(SNOMED, "119297000", "Blood specimen", "Sangre"), receivedTime=at(visit.day, visit.hour, 45),
        collection={"collectedDateTime": when, "collector": NURSE, "quantity": quantity("4.50", "mL")},
    )  # fmt: skip
    laboratory_id = to("Organization", "laboratorio-andino")
    shared |= {"basedOn": [link(order)], "specimen": link(specimen), "performer": [laboratory_id]}
    results = [observe(chart, f"{lab.loinc}-{visit.number}", lab, values[lab], **shared) for lab in blood]
    chart.add(
        "DiagnosticReport", f"informe-{visit.number}", status="final", basedOn=[link(order)], subject=chart.patient,
        category=[coded("v2-0074", "LAB")], code=panel, encounter=link(encounter), effectiveDateTime=when,
        issued=at(visit.day, visit.hour + 3), performer=[laboratory_id], specimen=[link(specimen)],
        result=[link(result) for result in results],
        conclusion="Valores en mejoría" if visit.progress > 0.5 else "Valores fuera del rango de referencia",
    )  # fmt: skip


def write_condition(chart: Chart, visit: Visit, encounter: dict, doctor: dict) -> dict:
    """Write the diagnosis; it is resolved if its number of days has passed."""
    problem, onset = PROBLEMS[visit.problem], chart.person.problems[visit.problem][0]
    over = date.fromisoformat(onset) + timedelta(days=problem.days) if problem.days else None
    resolved = over is not None and over <= TODAY
    return chart.add(
        "Condition", visit.problem.replace("_", "-"),
        clinicalStatus=coded("condition-clinical", "resolved" if resolved else "active"),
        verificationStatus=coded("condition-ver-status", "confirmed"),
        category=[coded("condition-category", "encounter-diagnosis" if visit.urgent else "problem-list-item")],
        code=concept(SNOMED, problem.snomed, problem.display, problem.es, (ICD10, problem.icd)), subject=chart.patient,
        encounter=link(encounter), onsetDateTime=onset, abatementDateTime=over.isoformat() if resolved else None,
        recordedDate=visit.day.isoformat(), recorder=doctor,
    )  # fmt: skip


def prescribe(chart: Chart, visit: Visit, encounter: dict, doctor: dict, name: str) -> None:
    """Write a prescription, its dispense and the patient's statement; at an emergency also the first dose."""
    drug, problem = DRUGS[name], PROBLEMS[visit.problem]
    suffix = f"{name.replace('_', '-')}-{visit.number}"
    medicine = to("Medication", f"med-{drug.atc.lower()}", drug.name)
    dose = quantity(drug.dose, drug.unit)
    dosage = {"text": drug.text, "timing": {"repeat": {"frequency": drug.times, "period": 1, "periodUnit": "d"}},
              "doseAndRate": [{"doseQuantity": dose}]}  # fmt: skip
    finished = visit.day + timedelta(days=drug.days) < TODAY and (problem.days > 0 or visit.turn == 0)
    order = chart.add(
        "MedicationRequest", f"{suffix}-formula", status="completed" if finished else "active", intent="order",
        medicationReference=medicine, subject=chart.patient, encounter=link(encounter), requester=doctor,
        authoredOn=at(visit.day, visit.hour, 35), dosageInstruction=[dosage],
        reasonReference=[link(chart.conditions[visit.problem])],
        dispenseRequest={"numberOfRepeatsAllowed": 0 if problem.days else 2, "quantity": {"value": drug.days * drug.times}},
    )  # fmt: skip
    if chart.encounters[-1]["status"] == "finished":
        chart.add(
            "MedicationDispense", f"{suffix}-entrega", status="completed", medicationReference=medicine,
            subject=chart.patient, authorizingPrescription=[link(order)], quantity={"value": drug.days * drug.times},
            daysSupply=quantity(str(drug.days), "d"), whenHandedOver=at(visit.day, visit.hour + 2),
        )  # fmt: skip
    if visit.turn == 0 and not problem.urgent:
        chart.add(
            "MedicationStatement", f"{suffix}-toma", status="completed" if problem.days or chart.person.died else "active",
            medicationCodeableConcept=concept(ATC, drug.atc, drug.name), subject=chart.patient, basedOn=[link(order)],
            effectivePeriod={"start": visit.day.isoformat()}, dateAsserted=visit.day.isoformat(), dosage=[dosage],
        )  # fmt: skip
    if visit.urgent:
        chart.add(
            "MedicationAdministration", f"{suffix}-dosis", status="completed", medicationReference=medicine,
            subject=chart.patient, context=link(encounter), effectiveDateTime=at(visit.day, visit.hour + 1, 5),
            performer=[{"actor": NURSE}], request=link(order), dosage={"text": drug.text, "dose": dose},
        )  # fmt: skip


def vaccinate(chart: Chart, name: str, day: date, encounter: dict | None = None, dose: int = 1) -> None:
    """Write an immunization."""
    code, display, es = VACCINES[name]
    chart.add(
        "Immunization", f"vacuna-{name.replace('_', '-')}-{day:%Y%m}", status="completed", patient=chart.patient,
        vaccineCode=concept(CVX, code, display, es), occurrenceDateTime=day.isoformat(), primarySource=True,
        encounter=link(encounter) if encounter else None, lotNumber=f"{name[:3].upper()}{day:%y%m}",
        performer=[{"actor": NURSE}], protocolApplied=[{"doseNumberPositiveInt": dose}],
    )  # fmt: skip
