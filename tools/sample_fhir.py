"""The sample: builders for FHIR data types, and the collection of the resources."""

from __future__ import annotations

import json
import re
from datetime import date, datetime

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
CVX = "http://hl7.org/fhir/sid/cvx"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
COLOMBIA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"
CUPS = "https://fhir.minsalud.gov.co/rda/CodeSystem/CUPS"
REGISTRY = "https://www.registraduria.gov.co/"
NATIONALITY = "https://fhir.minsalud.gov.co/rda/StructureDefinition/ExtensionPatientNationality"
COUNTRIES = "https://fhir.minsalud.gov.co/rda/CodeSystem/ISO31661"
LICENCE = "https://www.minsalud.gov.co/rethus"
FAMILY = "http://hl7.org/fhir/StructureDefinition/humanname-"


class Sample:
    """The resources written so far, by type."""

    def __init__(self) -> None:
        self.made: dict[str, list[dict]] = {}

    def add(self, kind: str, key: str, **members: object) -> dict:
        """Add a resource and return it. A member that is None is left out; `for_` and `class_` become `for` and `class`."""
        present = {name.removesuffix("_"): value for name, value in members.items() if value is not None}
        resource = {"resourceType": kind, "id": key, **present}
        self.made.setdefault(kind, []).append(resource)
        return resource


def concept(system: str, code: str, display: str, text: str | None = None, *more: tuple[str, str]) -> dict:
    """A CodeableConcept; `more` are (system, code) pairs of further codings."""
    codings = [{"system": system, "code": code, "display": display}]
    codings += [{"system": s, "code": c} for s, c in more]
    return {"coding": codings, "text": text or display}


def coded(table: str, code: str) -> dict:
    """A CodeableConcept with a code of one of HL7's code systems."""
    return {"coding": [{"system": HL7 + table, "code": code}]}


def to(kind: str, key: str, display: str | None = None) -> dict:
    """A Reference to a resource by type and id."""
    return {"reference": f"{kind}/{key}", **({"display": display} if display else {})}


def link(resource: dict, display: str | None = None) -> dict:
    """A Reference to a resource."""
    return to(resource["resourceType"], resource["id"], display)


def at(day: date, hour: int, minute: int = 0) -> str:
    """A dateTime in Colombia's time zone."""
    return datetime(day.year, day.month, day.day, hour, minute).strftime("%Y-%m-%dT%H:%M:%S-05:00")


def nationality(kind: str) -> list[dict] | None:
    """The nationality extension for a passport; the sample has one passport, of Argentina. None for other documents."""
    argentina = {"system": COUNTRIES, "code": "032", "display": "Argentina"}
    return [{"url": NATIONALITY, "valueCoding": argentina}] if kind == "PA" else None


def spelled(text: str) -> str:
    """A decimal that keeps its digits, such as 72.50: a string with marks, which `dumps` turns into a number."""
    return f"§{text}§"


def dumps(value: object, **options: object) -> str:
    """JSON in which decimals have the digits that `spelled` was given."""
    return re.sub('"§([0-9.]+)§"', r"\1", json.dumps(value, ensure_ascii=False, **options))


def quantity(value: str, unit: str) -> dict:
    """A Quantity with a UCUM unit; its value keeps its digits."""
    number = spelled(value) if "." in value else int(value)
    return {"value": number, "unit": unit.strip("{}"), "system": UCUM, "code": unit}


def limits(low: str, high: str, unit: str) -> list[dict] | None:
    """The reference range of an Observation; None without limits."""
    ends = {"low": low, "high": high}
    found = {name: quantity(value, unit) for name, value in ends.items() if value}
    return [found] if found else None


def narrative(text: str) -> dict:
    """A Narrative with one paragraph."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{text}</p></div>'}


def human_name(given: str, surnames: tuple[str, ...]) -> dict:
    """An official name; of two surnames, extensions mark the father's and the mother's."""
    name = {"use": "official", "family": " ".join(surnames), "given": given.split(" ", 1)}
    if len(surnames) == 2:
        parents = zip(("fathers-family", "mothers-family"), surnames, strict=True)
        name["_family"] = {"extension": [{"url": FAMILY + which, "valueString": text} for which, text in parents]}
    return name


def identifiers(kind: str, number: str) -> list[dict] | None:
    """An identity document as an identifier; a passport has no system. None without a document."""
    if not kind:
        return None
    found = {"use": "official", "type": {"coding": [{"system": COLOMBIA, "code": kind}]}, "value": number}
    if kind == "PA":
        return [found]
    if kind in {"CC", "TI", "RC"}:
        systems = {"CC": "cedula", "TI": "tarjeta-identidad", "RC": "registro-civil"}
        value = f"{int(number):,}".replace(",", ".") if kind == "CC" else number
        return [{**found, "system": REGISTRY + systems[kind], "value": value}]
    return [{**found, "system": f"https://www.migracioncolombia.gov.co/{kind.lower()}"}]
