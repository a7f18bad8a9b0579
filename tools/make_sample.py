"""Write pyhce/sample/data: some twenty invented patients, in valid FHIR R4.

    python tools/make_sample.py

The result is always the same: no clock, no network, fixed seeds. Names, numbers and histories are invented
(sample_tables.py); the codes are real ones of LOINC, SNOMED CT, ICD-10, ATC, CVX, CUPS and HL7.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

from sample_around import papers, write_around, write_patient
from sample_fhir import ATC, LICENCE, SNOMED, Sample, at, coded, concept, dumps, human_name, to
from sample_history import HOSPITAL, Chart, visits, write_visit
from sample_special import BIRTH, MOTHER, bundle, delivery, merged, second_source, write_newborn
from sample_tables import DRUGS, LOCATIONS, ORGANIZATIONS, PEOPLE, PRACTITIONERS

OUT = Path(__file__).parent.parent / "pyhce" / "sample" / "data"
SEED = 20240229
NEWBORN, TWO_SOURCES, MERGED = 5, 11, 17


def patient_id(number: int) -> str:
    """The id of a Patient."""
    return f"paciente-{number + 1:02d}"


def catalogues(sample: Sample) -> None:
    """Write organizations, practitioners, locations, schedules, medicines, a group and a study."""
    for key, name, kind, city, number in ORGANIZATIONS:
        sample.add(
            "Organization", key, active=True, name=name, type=[coded("organization-type", kind)],
            identifier=[{"system": "https://www.minsalud.gov.co/reps", "value": number}],
            address=[{"city": city, "country": "CO"}],
        )  # fmt: skip
    for key, name, owner, role in LOCATIONS:
        sample.add(
            "Location", key, status="active", name=name, mode="instance", type=[coded("v3-RoleCode", role)],
            managingOrganization=to("Organization", owner),
        )  # fmt: skip
    for key, given, family, gender, code, specialty, es, licence in PRACTITIONERS:
        sample.add(
            "Practitioner", key, active=True, identifier=[{"system": LICENCE, "value": licence}], gender=gender,
            name=[human_name(given, tuple(family.split(" ", 1)))],
        )  # fmt: skip
        sample.add(
            "PractitionerRole", f"rol-{key}", active=True, practitioner=to("Practitioner", key), organization=HOSPITAL,
            code=[coded("practitioner-role", "nurse" if key.startswith("enf") else "doctor")],
            specialty=[concept(SNOMED, code, specialty, es)], location=[to("Location", "consulta-externa")],
            period={"start": "2021"},
        )  # fmt: skip
    timetable(sample)
    for drug in sorted(DRUGS.values()):
        sample.add("Medication", f"med-{drug.atc.lower()}", status="active", code=concept(ATC, drug.atc, drug.name))
    diabetics = [n for n, person in enumerate(PEOPLE) if "diabetes" in person.problems]
    sample.add(
        "Group", "grupo-diabetes", type="person", actual=True, active=True, name="Pacientes con diabetes",
        code=concept(SNOMED, "44054006", "Diabetes mellitus type 2", "Diabetes mellitus tipo 2"), quantity=len(diabetics),
        member=[{"entity": to("Patient", patient_id(n))} for n in diabetics],
    )  # fmt: skip
    sample.add(
        "ResearchStudy", "estudio-riesgo", status="active", title="Riesgo cardiovascular en el altiplano",
        principalInvestigator=to("Practitioner", "dr-zuniga"), sponsor=HOSPITAL, period={"start": "2023-01"},
    )  # fmt: skip
    sample.add(
        "ResearchSubject", "sujeto-1", status="on-study", study=to("ResearchStudy", "estudio-riesgo"),
        individual=to("Patient", patient_id(0)), period={"start": "2024-06-11"},
    )  # fmt: skip


def timetable(sample: Sample) -> None:
    """Write the schedules of two doctors with slots; the first slot is busy."""
    day = datetime(2027, 1, 12)
    for doctor in ("dr-paez", "dra-quintero"):
        sample.add(
            "Schedule", f"agenda-{doctor}", active=True, planningHorizon={"start": "2027-01-04", "end": "2027-06-30"},
            actor=[to("Practitioner", doctor), to("Location", "consulta-externa")],
            serviceType=[concept(SNOMED, "11429006", "Consultation", "Consulta")],
        )  # fmt: skip
    for n in range(6):
        start, end = day + timedelta(minutes=540 + 20 * (n % 3)), day + timedelta(minutes=560 + 20 * (n % 3))
        sample.add(
            "Slot", f"turno-{n + 1}", schedule=to("Schedule", "agenda-dr-paez" if n < 3 else "agenda-dra-quintero"),
            status="free" if n else "busy", start=at(day, start.hour, start.minute), end=at(day, end.hour, end.minute),
        )  # fmt: skip


def write_person(sample: Sample, number: int, **more: object) -> Chart:
    """Write a patient with a history."""
    chart = Chart(sample, PEOPLE[number], patient_id(number), random.Random(SEED + number))
    write_patient(chart, number, **more)
    planned = visits(chart.person)
    for visit in planned:
        write_visit(chart, visit)
    write_around(chart, number, planned)
    return chart


def files() -> dict[str, str]:
    """The text of every file, by name."""
    sample = Sample()
    catalogues(sample)
    mother = write_person(sample, 0, link=[{"other": to("RelatedPerson", MOTHER), "type": "seealso"}])
    stay = delivery(mother)
    papers(mother, len(mother.encounters), BIRTH, 18, stay, "embarazo")
    charts = {n: write_person(sample, n) for n in range(1, len(PEOPLE)) if n != NEWBORN}
    baby = Chart(sample, PEOPLE[NEWBORN], patient_id(NEWBORN), random.Random(SEED + NEWBORN))
    write_newborn(baby, NEWBORN, mother)
    second_source(sample, charts[TWO_SOURCES])
    merged(sample, charts[MERGED])
    made = {
        f"{kind}.ndjson": "".join(dumps(r, separators=(",", ":")) + "\n" for r in resources)
        for kind, resources in sorted(sample.made.items())
    }
    made["transaccion.json"] = dumps(bundle(), indent=1) + "\n"
    return made


def main() -> None:
    """Write the files; delete those of an earlier run."""
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*json"):
        old.unlink()
    for name, text in files().items():
        (OUT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
