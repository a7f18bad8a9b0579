"""The sample: special cases. A birth, a merge, a second source system, and a transaction Bundle."""

from __future__ import annotations

import base64
import random
from datetime import date, timedelta

from sample_around import insurance, write_patient
from sample_fhir import (
    HL7,
    ICD10,
    LICENCE,
    LOINC,
    SNOMED,
    Sample,
    at,
    coded,
    concept,
    human_name,
    identifiers,
    link,
    quantity,
    to,
)
from sample_history import HEAD, HEIGHT, HOSPITAL, WEIGHT, Chart, Visit, observe, vaccinate
from sample_tables import GROWTH, PROCEDURES, Lab

MOTHER = "madre-de-emiliano"
BIRTH = date(2024, 2, 29)
APGAR = {
    1: Lab("9272-6", "1 minute Apgar Score", "Apgar al minuto", "{score}", 0, 0, 0, category="exam"),
    5: Lab("9274-2", "5 minute Apgar Score", "Apgar a los cinco minutos", "{score}", 0, 0, 0, category="exam"),
}


def admission(chart: Chart, suffix: str, doctor: dict, reason: dict) -> dict:
    """Write a hospital stay of three days that begins with the birth."""
    return chart.add(
        "Encounter", suffix, status="finished", class_={"system": HL7 + "v3-ActCode", "code": "IMP"},
        type=[concept(SNOMED, "32485007", "Hospital admission", "Hospitalización")], subject=chart.patient,
        participant=[{"individual": doctor}], period={"start": at(BIRTH, 5, 20), "end": at(date(2024, 3, 2), 11)},
        reasonCode=[reason], location=[{"location": to("Location", "sala-de-partos")}], serviceProvider=HOSPITAL,
    )  # fmt: skip


def delivery(chart: Chart) -> dict:
    """Write the mother's stay with the cesarean section; return the Encounter."""
    doctor = to("Practitioner", "dra-acuna")
    stay = admission(chart, "enc-parto", doctor, concept(SNOMED, "77386006", "Pregnancy", "Trabajo de parto"))
    code, display, es = PROCEDURES["cesarea"]
    chart.add(
        "Procedure", "cesarea", status="completed", code=concept(SNOMED, code, display, es), subject=chart.patient,
        encounter=link(stay), performer=[{"actor": doctor}], location=to("Location", "sala-de-partos"),
        performedPeriod={"start": at(BIRTH, 6, 30), "end": at(BIRTH, 7, 25)},
        reasonReference=[link(chart.conditions["embarazo"])],
    )  # fmt: skip
    return stay


def write_newborn(chart: Chart, number: int, mother: Chart) -> None:
    """Write the newborn: birth, growth, vaccines, and the mother, who is also a patient, as RelatedPerson."""
    write_patient(chart, number, multipleBirthBoolean=False)
    chart.sample.add(
        "RelatedPerson", MOTHER, active=True, patient=chart.patient, gender="female",
        relationship=[coded("v3-RoleCode", "MTH")], identifier=identifiers(*mother.person.document),
        name=[human_name(mother.person.given, mother.person.surnames)], birthDate=mother.person.birth,
    )  # fmt: skip
    doctor = to("Practitioner", "dr-narino")
    for n, (age, kilos, centimetres, head, vaccines) in enumerate(GROWTH):
        day = BIRTH + timedelta(days=age)
        if age == 0:
            encounter = admission(
                chart, "enc-0", doctor, concept(SNOMED, "169826009", "Single live birth", "Nacimiento")
            )
        else:
            encounter = chart.add(
                "Encounter", f"enc-{n}", status="finished", class_={"system": HL7 + "v3-ActCode", "code": "AMB"},
                type=[concept(SNOMED, "410620009", "Well child visit", "Crecimiento y desarrollo")],
                subject=chart.patient, participant=[{"individual": doctor}], serviceProvider=HOSPITAL,
                period={"start": at(day, 9), "end": at(day, 9, 30)},
                location=[{"location": to("Location", "consulta-externa")}],
            )  # fmt: skip
        chart.encounters.append(encounter)
        shared = {"encounter": link(encounter), "effectiveDateTime": at(day, 9, 10), "performer": [doctor]}
        for lab, suffix, value in ((WEIGHT, "peso", kilos), (HEIGHT, "talla", centimetres), (HEAD, "cabeza", head)):
            observe(chart, f"{suffix}-{n}", lab, value, **shared)
        for minute, score in ((1, "8"), (5, "10")) if age == 0 else ():
            observe(
                chart, f"apgar-{minute}", APGAR[minute], score, **{**shared, "effectiveDateTime": at(day, 7, minute)}
            )
        for name in vaccines.split():
            vaccinate(
                chart, name, day, encounter, dose=2 if age == 122 else 3 if name == "hexavalente" and n == 4 else 1
            )
    chart.add(
        "Condition", "ictericia", clinicalStatus=coded("condition-clinical", "resolved"),
        verificationStatus=coded("condition-ver-status", "confirmed"), subject=chart.patient,
        category=[coded("condition-category", "encounter-diagnosis")], encounter=link(chart.encounters[1]),
        code=concept(SNOMED, "387712008", "Neonatal jaundice", "Ictericia neonatal", (ICD10, "P59.9")),
        onsetDateTime="2024-03-03", abatementDateTime="2024-03-14", recordedDate="2024-03-07",
        asserter=to("RelatedPerson", MOTHER),
    )  # fmt: skip
    insurance(chart, number, Visit(0, BIRTH, "", 0, 0.0, False), parent=mother.patient)
    chart.add(
        "Appointment", "cita", status="booked", start=at(date(2027, 1, 18), 8), end=at(date(2027, 1, 18), 8, 20),
        serviceType=[concept(SNOMED, "410620009", "Well child visit", "Crecimiento y desarrollo")],
        participant=[{"actor": doctor, "status": "accepted"}, {"actor": chart.patient, "status": "accepted"},
                     {"actor": to("RelatedPerson", MOTHER), "status": "accepted"}],
    )  # fmt: skip


def second_source(sample: Sample, chart: Chart) -> None:
    """Write the same person in the system of another clinic: the document in another spelling, and a local number."""
    there = Chart(sample, chart.person, "ceiba-4711", random.Random(4711))
    kind, number = chart.person.document
    clinic = to("Organization", "clinica-la-ceiba")
    sample.add(
        "Patient", there.key, meta={"source": "https://hce.clinica-la-ceiba.example/fhir"}, active=True,
        identifier=[
            {"use": "usual", "type": coded("v2-0203", "MR"), "system": "https://hce.clinica-la-ceiba.example/historia",
             "value": "004711"},
            {**identifiers(kind, number)[0], "value": number},
        ],
        name=[{"use": "official", "family": " ".join(chart.person.surnames).upper(), "given": ["HERNAN", "DARIO"]}],
        gender=chart.person.gender, birthDate=chart.person.birth, managingOrganization=clinic,
    )  # fmt: skip
    day = date(2024, 6, 5)
    encounter = there.add(
        "Encounter", "enc-0", status="finished", class_={"system": HL7 + "v3-ActCode", "code": "AMB"},
        subject=there.patient, period={"start": at(day, 15), "end": at(day, 15, 20)}, serviceProvider=clinic,
        location=[{"location": to("Location", "la-ceiba-consultorios")}],
    )  # fmt: skip
    observe(there, "peso-0", WEIGHT, "79.30", encounter=link(encounter), effectiveDateTime=at(day, 15, 5))
    text = "Se remite a cardiología por dolor torácico de esfuerzo."
    letter = there.sample.add(
        "Binary", f"{there.key}-remision", contentType="text/plain; charset=utf-8",
        data=base64.b64encode(text.encode()).decode(),
    )  # fmt: skip
    there.add(
        "DocumentReference", "remision", status="current", subject=there.patient, date=at(day, 15, 20),
        type=concept(LOINC, "57133-1", "Referral note", "Remisión"), custodian=clinic,
        content=[{"attachment": {"contentType": "text/plain; charset=utf-8", "url": f"Binary/{letter['id']}"}}],
    )  # fmt: skip


def merged(sample: Sample, chart: Chart) -> None:
    """Write a patient's former record, under the identity card of a minor, replaced by the one under the cédula."""
    old = Chart(sample, chart.person, f"{chart.key}-menor", random.Random(18))
    sample.add(
        "Patient", old.key, active=False, identifier=identifiers("TI", chart.person.document[1]),
        name=[human_name(chart.person.given, chart.person.surnames)], gender=chart.person.gender,
        birthDate=chart.person.birth, link=[{"other": chart.patient, "type": "replaced-by"}],
    )  # fmt: skip
    day = date(2018, 9, 3)
    encounter = old.add(
        "Encounter", "enc-0", status="finished", class_={"system": HL7 + "v3-ActCode", "code": "AMB"},
        subject=old.patient, period={"start": at(day, 10), "end": at(day, 10, 20)}, serviceProvider=HOSPITAL,
        participant=[{"individual": to("Practitioner", "dr-narino")}],
        reasonCode=[concept(SNOMED, "37796009", "Migraine", "Migraña")],
    )  # fmt: skip
    observe(old, "peso-0", WEIGHT, "49.10", encounter=link(encounter), effectiveDateTime=at(day, 10, 5))


def bundle() -> dict:
    """A transaction Bundle with one more patient: references by urn:uuid, and conditional references."""
    key = "2f1b7c1e-5d0a-4e57-9a44-0c6f2f0e9a01"
    visit_key = "8c7d0a52-1f5b-4a8e-8d0f-4f1c5a7f0b02"
    measure = "b1f0c9de-7a35-4c39-b6c4-6a9d3f2e1c03"
    patient = {
        "resourceType": "Patient", "identifier": identifiers("CC", "1090456123"), "gender": "female",
        "name": [human_name("Karen Julieth", ("Villamizar", "Núñez"))], "birthDate": "1997-10-08",
    }  # fmt: skip
    encounter = {
        "resourceType": "Encounter", "status": "finished", "class": {"system": HL7 + "v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"urn:uuid:{key}"},
        "period": {"start": "2026-09-05T10:00:00-05:00", "end": "2026-09-05T10:25:00-05:00"},
        "participant": [{"individual": {"reference": f"Practitioner?identifier={LICENCE}|2093"}}],
        "serviceProvider": to("Organization", "clinica-la-ceiba"),
    }  # fmt: skip
    observation = {
        "resourceType": "Observation", "status": "final", "subject": {"reference": f"urn:uuid:{key}"},
        "code": concept(LOINC, "8310-5", "Body temperature", "Temperatura"),
        "encounter": {"reference": f"urn:uuid:{visit_key}"}, "effectiveDateTime": "2026-09-05T10:05:00-05:00",
        "performer": [{"reference": f"Practitioner?identifier={LICENCE}|2093"}],
        "valueQuantity": quantity("36.50", "Cel"),
    }  # fmt: skip
    entries = [
        {
            "fullUrl": f"urn:uuid:{urn}",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for urn, resource in ((key, patient), (visit_key, encounter), (measure, observation))
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
