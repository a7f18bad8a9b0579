"""Write pyhce/sample/data: some twenty synthetic patients, our own invention, valid FHIR R4.

    python tools/make_sample.py

Deterministic: no clock, no network, one seed. Names, numbers and histories are made up; codes are real ones of LOINC,
SNOMED CT, ICD-10, ATC, CVX and HL7.
"""

from __future__ import annotations

import json
import random
import re
from datetime import date, datetime, timedelta
from pathlib import Path

OUT = Path(__file__).parent.parent / "pyhce" / "sample" / "data"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ATC = "http://www.whocc.no/atc"
HL7 = "http://terminology.hl7.org/CodeSystem/"
COLOMBIA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"
REGISTRY = "https://www.registraduria.gov.co/"
NPI = "https://www.minsalud.gov.co/rethus"

# document type, number, given names, surnames, gender, birth date, city, problems
PEOPLE = [
    ("CC", "1032456789", ["Valentina", "María"], ["Rodríguez", "Peña"], "female", "1988-03-14", "Bogotá", "diabetes hipertension embarazo"),
    ("CC", "79456123", ["José", "Ángel"], ["Muñoz", "Ibáñez"], "male", "1958-07", "Bogotá", "hipertension epoc"),
    ("CC", "52345678", ["Luz", "Marina"], ["Gómez", "Castañeda"], "female", "1970-11-30", "Medellín", "asma"),
    ("CC", "1018765432", ["Andrés", "Felipe"], ["Cárdenas", "Ruiz"], "male", "1995-01-09", "Cali", "fractura"),
    ("TI", "1098765432", ["Sofía"], ["Ordóñez", "Vélez"], "female", "2012-05-21", "Bucaramanga", "asma"),
    ("RC", "1234567890", ["Emiliano"], ["Rodríguez", "Peña"], "male", "2024-02-29", "Bogotá", "recien_nacido"),
    ("CE", "456789", ["Yusneidy", "del Valle"], ["Pérez", "Añez"], "female", "1983-08-17", "Cúcuta", "hipertension"),
    ("PA", "AR123456", ["Martín", "Nicolás"], ["Etcheverry"], "male", "1976-12-01", "Cartagena", "alergia"),
    ("CC", "41234567", ["Rosa", "Elvira"], ["Quiñones", "Mina"], "female", "1945-06-04", "Tumaco", "diabetes hipertension"),
    ("CC", "80123987", ["Óscar", "Iván"], ["Sepúlveda", "Ñáñez"], "male", "1980-10-25", "Pasto", "depresion"),
    ("CC", "1144098765", ["Daniela"], ["Lozano", "Güiza"], "female", "1999-04-02", "Cali", "embarazo"),
    ("CC", "19234567", ["Hernán", "Darío"], ["Betancourt", "Uribe"], "male", "1951-09-13", "Manizales", "infarto hipertension"),
    ("TI", "1077123456", ["Juan", "Sebastián"], ["Ipia", "Yule"], "male", "2009-02-11", "Popayán", "fractura"),
    ("CC", "1061234098", ["Luisa", "Fernanda"], ["Chocué", "Dagua"], "female", "1992-07-07", "Popayán", "migrana"),
    ("CC", "37890123", ["Gloria", "Inés"], ["Suárez", "Núñez"], "female", "1963-03-03", "Bucaramanga", "hipotiroidismo"),
    ("PT", "5123987", ["Wilmer", "José"], ["Briceño"], "male", "1990-05-05", "Barranquilla", "dengue"),
    ("CC", "72345098", ["Édgar"], ["De la Hoz", "Llinás"], "male", "1967-01-31", "Barranquilla", "diabetes"),
    ("CC", "1001234567", ["Mariana"], ["Jaramillo", "Echeverri"], "female", "2001-12-12", "Medellín", "migrana alergia"),
    ("CC", "5890123", ["Pedro", "Nel"], ["Timoté", "Ducuara"], "male", "1949-06-29", "Ibagué", "epoc"),
    ("", "", ["N. N."], ["Sin identificar"], "unknown", "", "Bogotá", "trauma"),
    ("CC", "1032456789", ["Valentina"], ["Rodríguez Peña"], "female", "1988-03-14", "Bogotá", "otra_ficha"),
]  # fmt: skip

# SNOMED code, SNOMED display, ICD-10 code, Spanish
PROBLEMS = {
    "diabetes": ("44054006", "Diabetes mellitus type 2", "E11", "Diabetes mellitus tipo 2"),
    "hipertension": ("38341003", "Hypertensive disorder", "I10", "Hipertensión esencial"),
    "asma": ("195967001", "Asthma", "J45", "Asma"),
    "epoc": ("13645005", "Chronic obstructive lung disease", "J44", "Enfermedad pulmonar obstructiva crónica"),
    "fractura": ("65966004", "Fracture of forearm", "S52", "Fractura de antebrazo"),
    "depresion": ("35489007", "Depressive disorder", "F32", "Episodio depresivo"),
    "embarazo": ("77386006", "Pregnancy", "Z33", "Embarazo"),
    "infarto": ("22298006", "Myocardial infarction", "I21", "Infarto agudo de miocardio"),
    "migrana": ("37796009", "Migraine", "G43", "Migraña"),
    "hipotiroidismo": ("40930008", "Hypothyroidism", "E03", "Hipotiroidismo"),
    "dengue": ("38362002", "Dengue", "A90", "Dengue"),
    "alergia": ("61582004", "Allergic rhinitis", "J30", "Rinitis alérgica"),
    "trauma": ("417746004", "Traumatic injury", "T14", "Traumatismo"),
}
# ATC code, name, form
DRUGS = {
    "diabetes": ("A10BA02", "Metformina 850 mg"),
    "hipertension": ("C09CA01", "Losartán 50 mg"),
    "asma": ("R03AC02", "Salbutamol 100 mcg"),
    "epoc": ("R03BB04", "Tiotropio 18 mcg"),
    "fractura": ("N02BE01", "Acetaminofén 500 mg"),
    "depresion": ("N06AB03", "Fluoxetina 20 mg"),
    "embarazo": ("B03BB01", "Ácido fólico 1 mg"),
    "infarto": ("B01AC06", "Ácido acetilsalicílico 100 mg"),
    "migrana": ("N02CC01", "Sumatriptán 50 mg"),
    "hipotiroidismo": ("H03AA01", "Levotiroxina 50 mcg"),
    "dengue": ("N02BE01", "Acetaminofén 500 mg"),
    "alergia": ("R06AX13", "Loratadina 10 mg"),
    "trauma": ("N02BE01", "Acetaminofén 500 mg"),
}
ORGANIZATIONS = [
    ("hospital-san-rafael", "Hospital Universitario San Rafael", "prov", "Bogotá"),
    ("clinica-la-ceiba", "Clínica La Ceiba", "prov", "Cali"),
    ("eps-nueva-aurora", "EPS Nueva Aurora", "pay", "Bogotá"),
    ("laboratorio-andino", "Laboratorio Clínico Andino", "prov", "Medellín"),
]
PRACTITIONERS = [
    ("dra-quintero", ["Ana", "Lucía"], "Quintero Páez", "394814004", "medicina general", "1047"),
    ("dr-zuniga", ["Camilo"], "Zúñiga Ávila", "394579002", "cardiología", "2093"),
    ("dra-acuna", ["Pilar"], "Acuña Niño", "394585009", "obstetricia y ginecología", "3181"),
    ("dr-bolanos", ["Efraín"], "Bolaños Yepes", "394801008", "ortopedia", "4270"),
    ("enf-tique", ["Yolanda"], "Tique Poloche", "224535009", "enfermería", "5562"),
]


class Sample:
    """The resources made so far, by type."""

    def __init__(self) -> None:
        self.made: dict[str, list[dict]] = {}
        self.random = random.Random(20240229)

    def add(self, kind: str, key: str, **members: object) -> dict:
        """One resource; members that are None are left out."""
        resource = {"resourceType": kind, "id": key, **{n: v for n, v in members.items() if v is not None}}
        self.made.setdefault(kind, []).append(resource)
        return resource


def concept(system: str, code: str, display: str, text: str | None = None, *more: tuple[str, str]) -> dict:
    """A CodeableConcept, with codings of other systems too."""
    codings = [{"system": system, "code": code, "display": display}]
    codings += [{"system": s, "code": c} for s, c in more]
    return {"coding": codings, "text": text or display}


def coded(table: str, code: str) -> dict:
    """A CodeableConcept of one of HL7's own tables."""
    return {"coding": [{"system": HL7 + table, "code": code}]}


def to(kind: str, key: str, display: str | None = None) -> dict:
    """A Reference."""
    return {"reference": f"{kind}/{key}", **({"display": display} if display else {})}


def at(day: date, hour: int, minute: int = 0) -> str:
    """A dateTime in Colombia's zone."""
    return datetime(day.year, day.month, day.day, hour, minute).strftime("%Y-%m-%dT%H:%M:%S-05:00")


def catalogues(s: Sample) -> None:
    """Organizations, people who work there, places, schedules, medications."""
    for key, name, kind, city in ORGANIZATIONS:
        s.add(
            "Organization", key, active=True, name=name, type=[coded("organization-type", kind)],
            identifier=[{"system": "https://www.minsalud.gov.co/reps", "value": f"REPS-{key.upper()}"}],
            address=[{"city": city, "country": "CO"}],
        )  # fmt: skip
    for key, given, family, code, specialty, number in PRACTITIONERS:
        s.add(
            "Practitioner", key, active=True, identifier=[{"system": NPI, "value": number}],
            name=[{"use": "official", "family": family, "given": given}],
        )  # fmt: skip
        s.add(
            "PractitionerRole", f"rol-{key}", active=True, practitioner=to("Practitioner", key),
            organization=to("Organization", "hospital-san-rafael"),
            specialty=[concept(SNOMED, code, specialty)], location=[to("Location", "consulta-externa")],
        )  # fmt: skip
    for key, name in (
        ("consulta-externa", "Consulta externa"),
        ("urgencias", "Urgencias"),
        ("uci", "Cuidado intensivo"),
    ):
        s.add(
            "Location", key, status="active", name=name, mode="instance",
            managingOrganization=to("Organization", "hospital-san-rafael"),
        )  # fmt: skip
    s.add(
        "Schedule", "agenda-dra-quintero", active=True, actor=[to("Practitioner", "dra-quintero")],
        planningHorizon={"start": "2025-01-01", "end": "2025-12-31"},
    )  # fmt: skip
    s.add(
        "Slot", "turno-1", schedule=to("Schedule", "agenda-dra-quintero"), status="busy",
        start=at(date(2025, 6, 3), 8), end=at(date(2025, 6, 3), 8, 20),
    )  # fmt: skip
    for code, name in sorted(set(DRUGS.values())):
        s.add("Medication", f"med-{code.lower()}", status="active", code=concept(ATC, code, name))
    s.add(
        "Group", "grupo-diabetes", type="person", actual=True, active=True, name="Pacientes con diabetes",
        code=concept(SNOMED, "44054006", "Diabetes mellitus type 2"),
        member=[{"entity": to("Patient", patient_id(n))} for n, p in enumerate(PEOPLE) if "diabetes" in p[7]],
    )  # fmt: skip
    s.add(
        "ResearchStudy", "estudio-riesgo", status="active", title="Riesgo cardiovascular en el altiplano",
        principalInvestigator=to("Practitioner", "dr-zuniga"), period={"start": "2023-01"},
    )  # fmt: skip


def patient_id(number: int) -> str:
    """The Patient's id."""
    return f"paciente-{number + 1:02d}"


def identifiers(kind: str, number: str) -> list[dict] | None:
    """The identity document as an identifier."""
    if not kind:
        return None
    system = REGISTRY + "cedula" if kind == "CC" else f"https://www.migracioncolombia.gov.co/{kind.lower()}"
    return [
        {
            "use": "official",
            "type": {"coding": [{"system": COLOMBIA, "code": kind}]},
            "system": system,
            "value": f"{int(number):,}".replace(",", ".") if kind == "CC" else number,
        }
    ]


def person(s: Sample, number: int) -> None:
    """A patient with a history that fits the problems."""
    kind, document, given, surnames, gender, birth, city, problems = PEOPLE[number]
    key = patient_id(number)
    other = problems == "otra_ficha"
    s.add(
        "Patient", key, identifier=identifiers(kind, document), active=not other,
        name=[{"use": "official", "family": " ".join(surnames), "given": given}],
        telecom=[{"system": "phone", "value": f"+57 300 {1000000 + number * 7919}"}], gender=gender,
        birthDate=birth or None, address=[{"city": city, "country": "CO"}],
        managingOrganization=to("Organization", "hospital-san-rafael"),
        link=[{"other": to("Patient", patient_id(0)), "type": "replaced-by"}] if other else None,
    )  # fmt: skip
    if other:
        visit(s, number, key, 0, date(2025, 2, 10), None)
        return
    first = date(2022, 1, 10) + timedelta(days=number * 11)
    names = [p for p in problems.split() if p in PROBLEMS]
    for turn in range(3):
        day = max(first + timedelta(days=turn * 190), date(2024, 3, 2) if kind == "RC" else first)
        visit(
            s,
            number,
            key,
            turn,
            day + timedelta(days=turn * (kind == "RC")),
            names[turn % len(names)] if names else None,
        )
    for problem in names:
        history(s, key, problem, first)
    around(s, number, key, first)


def visit(s: Sample, number: int, key: str, turn: int, day: date, problem: str | None) -> None:
    """An encounter with its observations."""
    patient = to("Patient", key)
    encounter = f"{key}-enc-{turn}"
    doctor = PRACTITIONERS[(number + turn) % 4][0]
    s.add(
        "Encounter", encounter, status="finished", subject=patient,
        **{"class": {"system": HL7 + "v3-ActCode", "code": "EMER" if problem == "trauma" else "AMB"}},
        type=[concept(SNOMED, "185349003", "Encounter for check up", "Consulta de control")],
        period={"start": at(day, 8 + turn), "end": at(day, 8 + turn, 25)},
        participant=[{"individual": to("Practitioner", doctor)}],
        serviceProvider=to("Organization", "hospital-san-rafael"),
        location=[{"location": to("Location", "urgencias" if problem == "trauma" else "consulta-externa")}],
        reasonCode=[concept(SNOMED, *PROBLEMS[problem][:2], PROBLEMS[problem][3])] if problem else None,
    )  # fmt: skip
    shared = {
        "status": "final", "subject": patient, "encounter": to("Encounter", encounter),
        "effectiveDateTime": at(day, 8 + turn, 10), "performer": [to("Practitioner", doctor)],
        "category": [coded("observation-category", "vital-signs")],
    }  # fmt: skip
    baby = PEOPLE[number][0] == "RC"
    weight = 3.2 + turn * 1.15 if baby else 55 + number + turn * 0.45
    s.add(
        "Observation", f"{key}-peso-{turn}", code=concept(LOINC, "29463-7", "Body weight", "Peso"),
        valueQuantity=quantity(f"{weight:.2f}", "kg"), **shared,
    )  # fmt: skip
    s.add(
        "Observation", f"{key}-pulso-{turn}", code=concept(LOINC, "8867-4", "Heart rate", "Pulso"),
        valueQuantity=quantity(str(130 - turn if baby else 68 + (number * 3 + turn) % 20), "/min"), **shared,
    )  # fmt: skip
    if baby:
        return
    high = 142 - turn * 6 if problem == "hipertension" else 118 + number % 7
    s.add(
        "Observation", f"{key}-presion-{turn}",
        code=concept(LOINC, "85354-9", "Blood pressure panel", "Presión arterial"),
        component=[
            {"code": concept(LOINC, "8480-6", "Systolic blood pressure"), "valueQuantity": quantity(str(high), "mm[Hg]")},
            {"code": concept(LOINC, "8462-4", "Diastolic blood pressure"), "valueQuantity": quantity(str(high - 48), "mm[Hg]")},
        ],
        **shared,
    )  # fmt: skip
    if "diabetes" in PEOPLE[number][7]:
        s.add(
            "Observation", f"{key}-glucosa-{turn}", code=concept(LOINC, "2339-0", "Glucose in blood", "Glucemia"),
            valueQuantity=quantity(f"{151.50 - turn * 12.25:.2f}", "mg/dL"),
            **{**shared, "category": [coded("observation-category", "laboratory")]},
            specimen=to("Specimen", f"{key}-muestra") if number % 5 == 0 else None,
        )  # fmt: skip


def spelled(text: str) -> str:
    """A decimal that keeps its digits: a marked string until `dumps` takes the marks off."""
    return f"§{text}§"


def dumps(value: object, **options: object) -> str:
    """JSON with decimals as they were spelled."""
    return re.sub('"§([0-9.]+)§"', r"\1", json.dumps(value, ensure_ascii=False, **options))


def quantity(value: str, unit: str) -> dict:
    """A Quantity in UCUM, its digits as written."""
    number = spelled(value) if "." in value else int(value)
    return {"value": number, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def history(s: Sample, key: str, problem: str, first: date) -> None:
    """A problem: diagnosis, prescription, dispense, statement, plan and goal."""
    patient, encounter = to("Patient", key), to("Encounter", f"{key}-enc-0")
    snomed, display, icd, spanish = PROBLEMS[problem]
    atc, drug = DRUGS[problem]
    doctor = to("Practitioner", "dra-quintero")
    s.add(
        "Condition", f"{key}-{problem}", clinicalStatus=coded("condition-clinical", "active"),
        verificationStatus=coded("condition-ver-status", "confirmed"),
        category=[coded("condition-category", "problem-list-item")],
        code=concept(SNOMED, snomed, display, spanish, (ICD10, icd)), subject=patient, encounter=encounter,
        onsetDateTime=first.strftime("%Y-%m"), recordedDate=first.isoformat(), recorder=doctor,
    )  # fmt: skip
    coded_drug = concept(ATC, atc, drug)
    s.add(
        "MedicationRequest", f"{key}-{problem}-formula", status="active", intent="order",
        medicationReference=to("Medication", f"med-{atc.lower()}"), subject=patient, encounter=encounter,
        authoredOn=at(first, 8, 20), requester=doctor, reasonReference=[to("Condition", f"{key}-{problem}")],
        dosageInstruction=[{"text": "Una al día", "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}],
    )  # fmt: skip
    s.add(
        "MedicationDispense", f"{key}-{problem}-entrega", status="completed",
        medicationReference=to("Medication", f"med-{atc.lower()}"), subject=patient,
        authorizingPrescription=[to("MedicationRequest", f"{key}-{problem}-formula")],
        quantity={"value": 30, "unit": "tableta"}, whenHandedOver=at(first, 15),
    )  # fmt: skip
    s.add(
        "MedicationStatement", f"{key}-{problem}-toma", status="active", medicationCodeableConcept=coded_drug,
        subject=patient, effectivePeriod={"start": first.isoformat()}, dateAsserted=first.isoformat(),
    )  # fmt: skip
    s.add(
        "Goal", f"{key}-{problem}-meta", lifecycleStatus="active", subject=patient, startDate=first.isoformat(),
        description={"text": f"Mantener controlada: {spanish}"},
    )  # fmt: skip
    s.add(
        "CarePlan", f"{key}-{problem}-plan", status="active", intent="plan", title=f"Plan: {spanish}",
        subject=patient, period={"start": first.isoformat()}, author=doctor,
        goal=[to("Goal", f"{key}-{problem}-meta")], addresses=[to("Condition", f"{key}-{problem}")],
    )  # fmt: skip


def around(s: Sample, number: int, key: str, first: date) -> None:
    """What surrounds a history: appointment, coverage, claim, vaccine, and for some patients one of each other type."""
    patient, encounter = to("Patient", key), to("Encounter", f"{key}-enc-0")
    doctor = to("Practitioner", PRACTITIONERS[number % 4][0])
    start = date(2025, 6, 2) + timedelta(days=number)
    s.add(
        "Appointment", f"{key}-cita", status="booked" if number % 3 else "proposed",
        serviceType=[concept(SNOMED, "11429006", "Consultation", "Consulta")], start=at(start, 9), end=at(start, 9, 20),
        participant=[{"actor": doctor, "status": "accepted"}, {"actor": patient, "status": "accepted"}],
    )  # fmt: skip
    if PEOPLE[number][0]:
        s.add(
            "Coverage", f"{key}-afiliacion", status="active", beneficiary=patient, subscriberId=f"EPS-{number:06d}",
            payor=[to("Organization", "eps-nueva-aurora")], period={"start": "2020"},
        )  # fmt: skip
        s.add(
            "Claim", f"{key}-factura", status="active", type=coded("claim-type", "professional"), use="claim",
            patient=patient, created=first.isoformat(), provider=to("Organization", "hospital-san-rafael"),
            insurer=to("Organization", "eps-nueva-aurora"), priority=coded("processpriority", "normal"),
            insurance=[{"sequence": 1, "focal": True, "coverage": to("Coverage", f"{key}-afiliacion")}],
            total={"value": spelled(f"{85400 + number * 137}.00"), "currency": "COP"},
        )  # fmt: skip
    s.add(
        "Immunization", f"{key}-vacuna", status="completed", patient=patient, occurrenceDateTime=str(first.year),
        vaccineCode=concept("http://hl7.org/fhir/sid/cvx", "141", "Influenza, seasonal, injectable", "Influenza"),
        lotNumber=f"L{number:04d}", primarySource=True,
    )  # fmt: skip
    if number % 5 == 0:
        rarer(s, number, key, first, patient, encounter, doctor)


def rarer(s: Sample, number: int, key: str, first: date, patient: dict, encounter: dict, doctor: dict) -> None:
    """One of each type that fewer patients have."""
    day = first.isoformat()
    shared = {"status": "completed", "subject": patient, "encounter": encounter}
    s.add(
        "AllergyIntolerance", f"{key}-alergia", clinicalStatus=coded("allergyintolerance-clinical", "active"),
        verificationStatus=coded("allergyintolerance-verification", "confirmed"), type="allergy", criticality="high",
        category=["medication"], code=concept(SNOMED, "91936005", "Allergy to penicillin", "Alergia a la penicilina"),
        patient=patient, recordedDate=day,
    )  # fmt: skip
    s.add(
        "Procedure", f"{key}-electro", code=concept(SNOMED, "29303009", "Electrocardiographic procedure", "Electrocardiograma"),
        performedPeriod={"start": at(first, 10), "end": at(first, 10, 15)}, performer=[{"actor": doctor}], **shared,
    )  # fmt: skip
    s.add(
        "ServiceRequest", f"{key}-orden", intent="order", priority="routine", authoredOn=at(first, 8, 15), requester=doctor,
        code=concept(LOINC, "57021-8", "CBC W Auto Differential panel", "Cuadro hemático"), **shared,
    )  # fmt: skip
    s.add(
        "Specimen", f"{key}-muestra", status="available", subject=patient, type=concept(SNOMED, "119297000", "Blood specimen", "Sangre"),
        collection={"collectedDateTime": at(first, 7, 30), "collector": to("Practitioner", "enf-tique")},
    )  # fmt: skip
    s.add(
        "Observation", f"{key}-grupo", status="final", subject=patient, effectivePeriod={"start": day, "end": day},
        code=concept(LOINC, "883-9", "ABO group", "Grupo sanguíneo"), specimen=to("Specimen", f"{key}-muestra"),
        valueCodeableConcept=concept(SNOMED, "112144000", "Blood group A", "A"),
    )  # fmt: skip
    s.add(
        "Observation", f"{key}-nota", status="final", subject=patient, effectiveDateTime=day[:7],
        code=concept(LOINC, "48766-0", "Information source", "Fuente de la información"),
        valueString="Refiere la señora; buena colaboración",
    )  # fmt: skip
    s.add(
        "DiagnosticReport", f"{key}-informe", status="final", subject=patient, encounter=encounter, issued=at(first, 16),
        code=concept(LOINC, "57021-8", "CBC W Auto Differential panel", "Cuadro hemático"), conclusion="Normal",
        effectiveDateTime=day, result=[to("Observation", f"{key}-grupo")],
        performer=[to("Organization", "laboratorio-andino")],
    )  # fmt: skip
    s.add(
        "ImagingStudy", f"{key}-torax", status="available", subject=patient, started=at(first, 11), numberOfSeries=1,
        modality=[{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX"}],
    )  # fmt: skip
    s.add("MedicationAdministration", f"{key}-dosis", status="completed", subject=patient, context=encounter,
          medicationCodeableConcept=concept(ATC, "N02BE01", "Acetaminofén 500 mg"), effectiveDateTime=at(first, 9),
          dosage={"dose": quantity("500", "mg")})  # fmt: skip
    s.add("CareTeam", f"{key}-equipo", status="active", name="Equipo tratante", subject=patient,
          participant=[{"member": doctor}, {"member": to("Practitioner", "enf-tique")}])  # fmt: skip
    s.add("EpisodeOfCare", f"{key}-episodio", status="active", patient=patient, period={"start": day},
          managingOrganization=to("Organization", "hospital-san-rafael"))  # fmt: skip
    s.add("Consent", f"{key}-consentimiento", status="active", scope=coded("consentscope", "patient-privacy"),
          category=[concept(LOINC, "59284-0", "Consent Document", "Consentimiento")], patient=patient, dateTime=day,
          policyRule=coded("v3-ActCode", "OPTIN"), provision={"type": "permit", "period": {"start": day}})  # fmt: skip
    s.add("Composition", f"{key}-resumen", status="final", title="Resumen de atención", subject=patient,
          type=concept(LOINC, "34133-9", "Summarization of episode note", "Epicrisis"), date=at(first, 17), author=[doctor],
          section=[{"title": "Diagnósticos", "text": {"status": "generated",
                    "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ver condiciones</div>'}}])  # fmt: skip
    s.add("DocumentReference", f"{key}-documento", status="current", subject=patient, date=at(first, 17),
          type=concept(LOINC, "34133-9", "Summarization of episode note", "Epicrisis"), author=[doctor],
          content=[{"attachment": {"contentType": "application/pdf", "title": "Epicrisis", "url": f"Binary/{key}"}}])  # fmt: skip
    s.add("QuestionnaireResponse", f"{key}-respuestas", status="completed", subject=patient, authored=at(first, 8, 5),
          item=[{"linkId": "1", "text": "¿Fuma?", "answer": [{"valueBoolean": False}]}])  # fmt: skip
    s.add("Communication", f"{key}-aviso", status="completed", subject=patient, sent=at(first, 18), sender=doctor,
          payload=[{"contentString": "Recuerde su cita de control"}])  # fmt: skip
    s.add("Flag", f"{key}-alerta", status="active", subject=patient, period={"start": day},
          code=concept(SNOMED, "91936005", "Allergy to penicillin", "Alérgica a la penicilina"))  # fmt: skip
    s.add("Task", f"{key}-tarea", status="requested", intent="order", owner=to("Practitioner", "enf-tique"),
          description="Llamar para confirmar la cita", authoredOn=at(first, 18), **{"for": patient})  # fmt: skip
    s.add("FamilyMemberHistory", f"{key}-padre", status="completed", patient=patient, date=day,
          relationship=coded("v3-RoleCode", "FTH"),
          condition=[{"code": concept(SNOMED, "22298006", "Myocardial infarction", "Infarto")}])  # fmt: skip
    s.add("RiskAssessment", f"{key}-riesgo", status="final", subject=patient, occurrenceDateTime=day,
          prediction=[{"outcome": {"text": "Evento cardiovascular a 10 años"}, "probabilityDecimal": spelled("0.080")}])  # fmt: skip
    s.add("ClinicalImpression", f"{key}-impresion", status="completed", subject=patient, date=day, assessor=doctor,
          summary="Evolución favorable")  # fmt: skip
    s.add("Device", f"{key}-glucometro", status="active", patient=patient, manufacturer="Andina Médica", serialNumber=f"GL-{number}",
          type=concept(SNOMED, "337414009", "Blood glucose meter", "Glucómetro"))  # fmt: skip
    s.add("ExplanationOfBenefit", f"{key}-liquidacion", status="active", type=coded("claim-type", "professional"), use="claim",
          patient=patient, created=day, insurer=to("Organization", "eps-nueva-aurora"), outcome="complete",
          provider=to("Organization", "hospital-san-rafael"), claim=to("Claim", f"{key}-factura"),
          insurance=[{"focal": True, "coverage": to("Coverage", f"{key}-afiliacion")}],
          payment={"amount": {"value": spelled("64050.50"), "currency": "COP"}})  # fmt: skip
    s.add("Provenance", f"{key}-procedencia", target=[to("Encounter", f"{key}-enc-0"), patient], recorded=at(first, 19),
          agent=[{"who": doctor}])  # fmt: skip
    s.add("AuditEvent", f"{key}-consulta", recorded=at(first, 19), action="R", outcome="0",
          type={"system": HL7 + "audit-event-type", "code": "rest"},
          agent=[{"who": doctor, "requestor": True}], source={"observer": to("Device", f"{key}-glucometro")},
          entity=[{"what": patient}])  # fmt: skip
    s.add("NutritionOrder", f"{key}-dieta", status="active", intent="order", patient=patient, dateTime=day,
          oralDiet={"type": [{"text": "Dieta hiposódica"}]})  # fmt: skip


def mother(s: Sample) -> None:
    """The newborn's mother, who is the first patient."""
    s.add(
        "RelatedPerson", "madre-de-emiliano", active=True, patient=to("Patient", patient_id(5)),
        relationship=[coded("v3-RoleCode", "MTH")], identifier=identifiers(*PEOPLE[0][:2]),
        name=[{"family": "Rodríguez Peña", "given": ["Valentina", "María"]}],
    )  # fmt: skip


def bundle() -> dict:
    """One more patient as a transaction: references by urn:uuid, and conditional ones."""
    key = "2f1b7c1e-5d0a-4e57-9a44-0c6f2f0e9a01"
    visit_key = "8c7d0a52-1f5b-4a8e-8d0f-4f1c5a7f0b02"
    measure = "b1f0c9de-7a35-4c39-b6c4-6a9d3f2e1c03"
    patient = {
        "resourceType": "Patient", "identifier": identifiers("CC", "1090456123"), "gender": "female",
        "name": [{"family": "Villamizar Núñez", "given": ["Karen", "Julieth"]}], "birthDate": "1997-10-08",
    }  # fmt: skip
    encounter = {
        "resourceType": "Encounter", "status": "finished", "class": {"system": HL7 + "v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"urn:uuid:{key}"}, "period": {"start": "2024-11-05T10:00:00-05:00"},
        "participant": [{"individual": {"reference": f"Practitioner?identifier={NPI}|2093"}}],
        "serviceProvider": to("Organization", "clinica-la-ceiba"),
    }  # fmt: skip
    observation = {
        "resourceType": "Observation", "status": "final", "code": concept(LOINC, "8310-5", "Body temperature", "Temperatura"),
        "subject": {"reference": f"urn:uuid:{key}"}, "encounter": {"reference": f"urn:uuid:{visit_key}"},
        "effectiveDateTime": "2024-11-05T10:05:00-05:00", "valueQuantity": quantity("36.50", "Cel"),
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


def files() -> dict[str, str]:
    """Every file by name."""
    s = Sample()
    catalogues(s)
    for number in range(len(PEOPLE)):
        person(s, number)
    mother(s)
    made = {
        f"{kind}.ndjson": "".join(dumps(r, separators=(",", ":")) + "\n" for r in resources)
        for kind, resources in sorted(s.made.items())
    }
    made["transaccion.json"] = dumps(bundle(), indent=1) + "\n"
    return made


def main() -> None:
    """Write them."""
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*json"):
        old.unlink()
    for name, text in files().items():
        (OUT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
