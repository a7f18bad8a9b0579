"""The sample: Patients, and what does not belong to one visit, such as plans, vaccines, insurance, appointments."""

from __future__ import annotations

import base64
from datetime import date, timedelta

from sample_fhir import (
    CUPS,
    HL7,
    LOINC,
    SNOMED,
    at,
    coded,
    concept,
    human_name,
    identifiers,
    link,
    narrative,
    nationality,
    quantity,
    spelled,
    to,
)
from sample_history import HOSPITAL, NURSE, TODAY, Chart, Visit, vaccinate
from sample_tables import ALLERGIES, PROBLEMS

INSURER = to("Organization", "eps-nueva-aurora")
LABORATORY = to("Organization", "laboratorio-andino")


def write_patient(chart: Chart, number: int, **more: object) -> dict:
    """Write the Patient."""
    person = chart.person
    known = bool(person.document[0])
    return chart.sample.add(
        "Patient", chart.key, extension=nationality(person.document[0]), identifier=identifiers(*person.document),
        active=True, name=[human_name(person.given, person.surnames)], gender=person.gender, birthDate=person.birth or None,
        telecom=[{"system": "phone", "value": f"+57 300 {1000000 + number * 7919}", "use": "mobile"}] if known else None,
        address=[{"use": "home", "city": person.city, "country": "CO"}] if known else None,
        deceasedDateTime=person.died or None, managingOrganization=HOSPITAL,
        communication=[{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es-CO"}]}}] if known else None,
        **more,
    )  # fmt: skip


def write_around(chart: Chart, number: int, visits: list[Visit]) -> None:
    """Write everything that does not belong to one visit."""
    write_allergies(chart, visits[0])
    plans(chart, visits)
    measures(chart, visits)
    vaccines(chart)
    for visit, encounter in zip(visits, chart.encounters, strict=True):
        if visit.urgent and encounter["status"] == "finished":
            papers(chart, visit.number, visit.day, visit.hour + 3, encounter, visit.problem)
        if visit.urgent and visit.problem in {"fractura", "trauma"}:
            image(chart, visit, encounter)
    if chart.person.document[0]:
        insurance(chart, number, visits[0])
        appointments(chart, number, visits)
        questions(chart, number, visits[-1])
    access(chart, number, visits[-1])


def write_allergies(chart: Chart, visit: Visit) -> None:
    """Write allergies, and a Flag for a dangerous one."""
    for name in chart.person.allergies:
        code, display, es, category, criticality, reaction = ALLERGIES[name]
        day = visit.day.isoformat()
        chart.add(
            "AllergyIntolerance", f"alergia-{name}", type="allergy", category=[category], criticality=criticality,
            clinicalStatus=coded("allergyintolerance-clinical", "active"),
            verificationStatus=coded("allergyintolerance-verification", "confirmed"),
            code=concept(SNOMED, code, display, es), patient=chart.patient, encounter=link(chart.encounters[0]),
            recordedDate=day, reaction=[{"manifestation": [concept(SNOMED, *reaction)],
                                         "severity": "severe" if criticality == "high" else "mild"}],
        )  # fmt: skip
        if criticality == "high":
            chart.add(
                "Flag", f"alerta-{name}", status="active", category=[coded("flag-category", "clinical")],
                code=concept(SNOMED, code, display, es), subject=chart.patient, period={"start": day},
            )  # fmt: skip


def plans(chart: Chart, visits: list[Visit]) -> None:
    """Write goals and plans for chronic problems, a care team for a patient with several problems, and episodes of care.

    A pregnancy and an infarction have an episode of care.
    """
    begun = {visit.problem: visit for visit in reversed(visits)}
    for name, condition in chart.conditions.items():
        problem, day = PROBLEMS[name], begun[name].day.isoformat()
        state = "completed" if condition.get("abatementDateTime") else "active"
        doctor = to("Practitioner", problem.doctor)
        suffix = name.replace("_", "-")
        if problem.goal:
            goal = chart.add(
                "Goal", f"meta-{suffix}", lifecycleStatus=state, description={"text": problem.goal},
                subject=chart.patient, startDate=day, expressedBy=doctor, addresses=[link(condition)],
                achievementStatus=coded("goal-achievement", "achieved" if state == "completed" else "in-progress"),
            )  # fmt: skip
            detail = {"status": "in-progress" if state == "active" else "completed"}
            chart.add(
                "CarePlan", f"plan-{suffix}", status=state, intent="plan", title=f"Plan: {problem.es}",
                subject=chart.patient, period={"start": day}, author=doctor, addresses=[link(condition)],
                goal=[link(goal)], activity=[{"detail": {**detail, "description": text}} for text in problem.activities],
            )  # fmt: skip
        if name in {"embarazo", "embarazo_en_curso", "infarto"}:
            end = condition.get("abatementDateTime")
            chart.add(
                "EpisodeOfCare", f"episodio-{suffix}", status="finished" if end else "active", patient=chart.patient,
                diagnosis=[{"condition": link(condition)}], managingOrganization=HOSPITAL, careManager=doctor,
                period={"start": day, **({"end": end} if end else {})},
            )  # fmt: skip
    if len(chart.conditions) > 1:
        doctors = {PROBLEMS[name].doctor: None for name in chart.conditions}
        members = [to("Practitioner", doctor) for doctor in doctors]
        chart.add(
            "CareTeam", "equipo", status="active", name="Equipo tratante", subject=chart.patient,
            participant=[{"member": member} for member in [*members, NURSE]], managingOrganization=[HOSPITAL],
        )  # fmt: skip


def measures(chart: Chart, visits: list[Visit]) -> None:
    """Write what is recorded once: blood group, smoking, 24-hour urine, risk, family history, the patient's words."""
    person, day, encounter = chart.person, visits[0].day, link(chart.encounters[0])
    shared = {"status": "final", "subject": chart.patient}
    groups = {"A": "112144000", "B": "112149005", "O": "58460004"}
    letter = "OAOB"[len(person.given) % 4]
    chart.add(
        "Observation", "grupo-sanguineo", **shared, category=[coded("observation-category", "laboratory")],
        code=concept(LOINC, "883-9", "ABO group [Type] in Blood", "Grupo sanguíneo"), effectiveDateTime=str(day.year),
        valueCodeableConcept=concept(SNOMED, groups[letter], f"Blood group {letter}", letter), performer=[LABORATORY],
    )  # fmt: skip
    what = PROBLEMS[visits[0].problem].es.lower()
    words = f"Ingresa por {what}; dolor de 8/10" if visits[0].urgent else f"Control de {what}: «me siento bien», dice"
    chart.add(
        "Observation", "relato", **shared, encounter=encounter, effectiveDateTime=day.isoformat()[:7],
        code=concept(LOINC, "10164-2", "History of Present illness Narrative", "Enfermedad actual"),
        valueString=words,
    )  # fmt: skip
    if chart.age(day) >= 18 and person.document[0]:
        smoked = "epoc" in person.problems
        tobacco = (
            ("8517006", "Ex-smoker", "Exfumador") if smoked else ("266919005", "Never smoked tobacco", "Nunca fumó")
        )
        chart.add(
            "Observation", "tabaco", **shared, category=[coded("observation-category", "social-history")],
            code=concept(LOINC, "72166-2", "Tobacco smoking status", "Tabaquismo"), encounter=encounter,
            effectiveDateTime=day.isoformat(), valueCodeableConcept=concept(SNOMED, *tobacco),
        )  # fmt: skip
    if "diabetes" in person.problems:
        diabetic(chart, day, shared)
    if {"diabetes", "infarto", "dislipidemia"} & set(person.problems):
        chart.add(
            "FamilyMemberHistory", "padre", status="completed", patient=chart.patient, date=day.isoformat(),
            relationship=concept(HL7 + "v3-RoleCode", "FTH", "father", "Padre"), deceasedBoolean=True,
            condition=[{"code": concept(SNOMED, "22298006", "Myocardial infarction", "Infarto de miocardio"),
                        "onsetAge": quantity("61", "a")}],
        )  # fmt: skip
        chart.add(
            "RiskAssessment", "riesgo", **shared, occurrenceDateTime=at(day, 11),
            method={"text": "Framingham ajustado para Colombia"}, performer=to("Practitioner", "dr-zuniga"),
            prediction=[{"outcome": {"text": "Evento cardiovascular a 10 años"}, "probabilityDecimal": spelled("0.080")}],
        )  # fmt: skip


def diabetic(chart: Chart, day: date, shared: dict) -> None:
    """Write what only a patient with diabetes has: 24-hour urine, a glucose meter, a diet, a task to call."""
    collected = {"start": at(day, 6), "end": at(day + timedelta(days=1), 6)}
    chart.add(
        "Observation", "orina-24h", **shared, category=[coded("observation-category", "laboratory")],
        code=concept(LOINC, "2889-4", "Protein [Mass/time] in 24 hour Urine", "Proteína en orina de 24 horas"),
        effectivePeriod=collected, valueQuantity=quantity("146.0", "mg/(24.h)"), performer=[LABORATORY],
    )  # fmt: skip
    chart.add(
        "Device", "glucometro", status="active", manufacturer="Andina Médica", serialNumber=f"GL-{chart.key[-2:]}",
        type=concept(SNOMED, "337414009", "Blood glucose meter", "Glucómetro"), patient=chart.patient, owner=HOSPITAL,
    )  # fmt: skip
    chart.add(
        "NutritionOrder", "dieta", status="active", intent="order", patient=chart.patient, dateTime=day.isoformat(),
        orderer=to("Practitioner", "dr-paez"), oralDiet={"type": [{"text": "Dieta para diabetes, baja en sal"}]},
    )  # fmt: skip
    chart.add(
        "Task", "llamada", status="requested", intent="order", priority="routine", authoredOn=at(TODAY, 10),
        description="Llamar para recordar el examen de retina", for_=chart.patient, owner=NURSE,
    )  # fmt: skip


def vaccines(chart: Chart) -> None:
    """Write vaccines: influenza and pneumococcus for risk groups, Tdap in a pregnancy, papillomavirus for a girl."""
    problems = set(chart.person.problems)
    if chart.age(TODAY) >= 60 or problems & {"asma", "epoc", "diabetes"}:
        vaccinate(chart, "influenza", date(2025, 5, 12))
    if "epoc" in problems or chart.age(TODAY) >= 75:
        vaccinate(chart, "neumococo", date(2024, 9, 18))
    if "embarazo" in problems:
        vaccinate(chart, "tdap", date(2023, 12, 4))
    if "embarazo_en_curso" in problems:
        vaccinate(chart, "tdap", date(2026, 10, 26))
    if chart.person.document[0] == "TI" and chart.person.gender == "female":
        vaccinate(chart, "vph", date(2022, 3, 9))
        vaccinate(chart, "vph", date(2022, 9, 14), dose=2)


def papers(chart: Chart, number: int, day: date, hour: int, encounter: dict, name: str) -> None:
    """Write the documents of a stay: clinical impression, summary with provenance, document reference."""
    problem, doctor = PROBLEMS[name], to("Practitioner", PROBLEMS[name].doctor)
    condition, when = chart.conditions[name], at(day, hour)
    shared = {"subject": chart.patient, "encounter": link(encounter)}
    chart.add(
        "ClinicalImpression", f"impresion-{number}", status="completed", **shared, date=when, assessor=doctor,
        effectiveDateTime=day.isoformat(), summary=f"{problem.es}, sin complicaciones. Se explica el manejo.",
        problem=[link(condition)], finding=[{"itemReference": link(condition)}],
    )  # fmt: skip
    note = concept(LOINC, "34133-9", "Summary of episode note", "Epicrisis")
    text = f"{problem.es}. Manejo según guía. Signos de alarma explicados; controles en consulta externa."
    summary = chart.add(
        "Composition", f"epicrisis-{number}", status="final", type=note, **shared, date=when, author=[doctor],
        title="Epicrisis", custodian=HOSPITAL, confidentiality="N",
        attester=[{"mode": "professional", "time": when, "party": doctor}],
        section=[{"title": "Diagnósticos", "code": concept(LOINC, "11450-4", "Problem list - Reported", "Problemas"),
                  "text": narrative(text), "entry": [link(condition)]}],
    )  # fmt: skip
    chart.add(
        "Provenance", f"procedencia-{number}", target=[link(summary)], occurredDateTime=when, recorded=when,
        activity=coded("v3-DataOperation", "CREATE"), agent=[{"who": doctor, "onBehalfOf": HOSPITAL}],
    )  # fmt: skip
    content = base64.b64encode(f"EPICRISIS\n{text}\n".encode()).decode()
    chart.add(
        "DocumentReference", f"documento-{number}", status="current", type=note, subject=chart.patient, date=when,
        author=[doctor], custodian=HOSPITAL, context={"encounter": [link(encounter)]},
        content=[{"attachment": {"contentType": "text/plain; charset=utf-8", "language": "es-CO", "title": "Epicrisis",
                                 "data": content}}],
    )  # fmt: skip


def image(chart: Chart, visit: Visit, encounter: dict) -> None:
    """Write an X-ray study."""
    chart.add(
        "ImagingStudy", f"radiografia-{visit.number}", status="available", subject=chart.patient,
        encounter=link(encounter), started=at(visit.day, visit.hour + 1), numberOfSeries=1, numberOfInstances=2,
        modality=[{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX"}],
        description=f"Radiografía: {PROBLEMS[visit.problem].es.lower()}",
        reasonReference=[link(chart.conditions[visit.problem])],
    )  # fmt: skip


def insurance(chart: Chart, number: int, visit: Visit, *, parent: dict | None = None) -> None:
    """Write the coverage, a claim for the first visit, and for some patients the insurer's answer.

    Args:
        parent: a Reference to the parent who is the subscriber, for a child.
    """
    doctor_day = visit.day.isoformat()
    coverage = chart.add(
        "Coverage", "afiliacion", status="active", type=coded("v3-ActCode", "PUBLICPOL"), beneficiary=chart.patient,
        subscriberId=f"EPS-{number:06d}", relationship=coded("subscriber-relationship", "child" if parent else "self"),
        payor=[INSURER], period={"start": max("2020", chart.person.birth[:4])}, subscriber=parent or chart.patient,
    )  # fmt: skip
    price = f"{85400 + number * 137}.00"
    shared = {
        "status": "active", "type": coded("claim-type", "professional"), "use": "claim", "patient": chart.patient,
        "billablePeriod": {"start": doctor_day, "end": doctor_day}, "provider": HOSPITAL, "insurer": INSURER,
        "priority": coded("processpriority", "normal"),
    }  # fmt: skip
    item = {"sequence": 1, "productOrService": concept(CUPS, "890301", "Consulta de control por medicina general"),
            "net": {"value": spelled(price), "currency": "COP"}}  # fmt: skip
    claim = chart.add(
        "Claim", "factura", created=at(visit.day, 18), **shared, total={"value": spelled(price), "currency": "COP"},
        insurance=[{"sequence": 1, "focal": True, "coverage": link(coverage)}],
        item=[{**item, "encounter": [link(chart.encounters[0])]}],
    )  # fmt: skip
    if number % 2 == 0:
        paid = f"{(85400 + number * 137) * 3 // 4}.50"
        chart.add(
            "ExplanationOfBenefit", "liquidacion", created=at(visit.day + timedelta(days=20), 9), **shared,
            claim=link(claim), outcome="complete", insurance=[{"focal": True, "coverage": link(coverage)}], item=[item],
            payment={"date": (visit.day + timedelta(days=45)).isoformat(),
                     "amount": {"value": spelled(paid), "currency": "COP"}},
        )  # fmt: skip


def appointments(chart: Chart, number: int, visits: list[Visit]) -> None:
    """Write the next appointment of a living patient, for some with a reminder, and a former one, kept or cancelled."""
    doctor = to("Practitioner", PROBLEMS[visits[-1].problem].doctor)
    shared = {"serviceType": [concept(SNOMED, "11429006", "Consultation", "Consulta")]}
    patient = {"actor": chart.patient, "required": "required"}
    if not chart.person.died:
        day, state = date(2027, 1, 12) + timedelta(days=number), ("booked", "proposed", "pending")[number % 3]
        slot = [to("Slot", "turno-1")] if number == 0 else None
        waiting = "accepted" if state == "booked" else "needs-action"
        cita = chart.add(
            "Appointment", "cita", status=state, **shared, start=at(day, 9), end=at(day, 9, 20), slot=slot,
            created=at(TODAY, 8), description="Control", participant=[{"actor": doctor, "status": waiting},
                                                                      {**patient, "status": "accepted"}],
        )  # fmt: skip
        if number % 2 == 0:
            chart.add(
                "Communication", "aviso", status="completed", subject=chart.patient, recipient=[chart.patient],
                sender=HOSPITAL, sent=at(TODAY, 12), about=[link(cita)], category=[{"text": "Recordatorio"}],
                payload=[{"contentString": f"Lo esperamos el {day:%d/%m/%Y} a las 9:00 a. m."}],
            )  # fmt: skip
    last = visits[-1]
    state = "cancelled" if number % 6 == 5 else "fulfilled"
    chart.add(
        "Appointment", "cita-anterior", status=state, **shared, start=at(last.day, last.hour),
        end=at(last.day, last.hour, 20), created=at(last.day - timedelta(days=6), 10),
        participant=[{"actor": doctor, "status": "accepted"}, {**patient, "status": "accepted"}],
        cancelationReason=coded("appointment-cancellation-reason", "pat") if state == "cancelled" else None,
    )  # fmt: skip


def questions(chart: Chart, number: int, visit: Visit) -> None:
    """Write the consent, and for some adults a questionnaire that they answered in the waiting room."""
    day = visit.day.isoformat()
    chart.add(
        "Consent", "consentimiento", status="active", scope=coded("consentscope", "patient-privacy"),
        category=[concept(LOINC, "59284-0", "Consent Document", "Consentimiento informado")], patient=chart.patient,
        dateTime=day, organization=[HOSPITAL], policyRule=coded("v3-ActCode", "OPTIN"),
        provision={"type": "permit", "period": {"start": day, "end": f"{visit.day.year + 5}{day[4:]}"}},
    )  # fmt: skip
    if chart.age(visit.day) >= 18 and number % 3 == 0:
        answers = [("1", "¿Fuma?", {"valueBoolean": False}), ("2", "¿Cuántas horas duerme?", {"valueInteger": 7}),
                   ("3", "¿Qué le preocupa?", {"valueString": "El corazón; mi papá sufrió un infarto"})]  # fmt: skip
        chart.add(
            "QuestionnaireResponse", "respuestas", status="completed", subject=chart.patient, source=chart.patient,
            authored=at(visit.day, visit.hour, 5), encounter=link(chart.encounters[-1]),
            item=[{"linkId": number, "text": text, "answer": [answer]} for number, text, answer in answers],
        )  # fmt: skip


def access(chart: Chart, number: int, visit: Visit) -> None:
    """Write an audit event for some patients: a doctor read the record."""
    if number % 4 == 0 or not chart.person.document[0]:
        chart.add(
            "AuditEvent", "consulta", action="R", outcome="0", recorded=at(visit.day, visit.hour, 2),
            type={"system": HL7 + "audit-event-type", "code": "rest"}, source={"observer": HOSPITAL},
            agent=[{"who": to("Practitioner", PROBLEMS[visit.problem].doctor), "requestor": True}],
            entity=[{"what": chart.patient, "role": {"system": HL7 + "object-role", "code": "1"}}],
        )  # fmt: skip
