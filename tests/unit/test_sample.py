"""The sample data is valid FHIR, complete, and equal to what its tool writes."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyhce import sample
from pyhce.records.identity import DEFAULT_RULES, patient_document
from pyhce.records.reading.reader import Incoming, read
from pyhce.records.reading.reference import every_reference, reference_target
from pyhce.schema import r4

TOOLS = Path(__file__).parents[2] / "tools"
RESOURCES = [item for path in sample.files() for item in read(path) if isinstance(item, Incoming)]
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sample.files()}


def plain(path: Path) -> list[dict[str, Any]]:
    """The resources of a file, parsed with the standard library."""
    text = TEXTS[path.name]
    return [json.loads(line) for line in (text.splitlines() if path.suffix == ".ndjson" else [text])]


def of_type(kind: str) -> list[dict[str, Any]]:
    """The resources of a type, including those in the Bundle."""
    return [item.resource for item in RESOURCES if item.type == kind]


def test_the_committed_files_are_what_the_tool_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    tool = importlib.import_module("make_sample")
    assert tool.files() == TEXTS, "stale: run python tools/make_sample.py"


@pytest.mark.parametrize("path", sample.files(), ids=lambda path: path.stem)
def test_every_resource_is_valid_for_the_fhir_models(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the validator's own deprecations
        from fhir.resources.R4B import get_fhir_model_class

        for resource in plain(path):
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize("path", sample.files(), ids=lambda path: path.stem)
def test_every_member_is_an_element_of_r4_with_its_cardinality(path: Path) -> None:
    resources = plain(path)
    if path.suffix == ".json":
        resources = [entry["resource"] for entry in resources[0]["entry"]]
    assert {wrong for resource in resources for wrong in unknown(resource["resourceType"], resource)} == set()


def unknown(kind: str, value: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The members that R4 does not have, or has as an array where this is no array or the other way round."""
    for name, member in value.items():
        if name == "resourceType" or name.startswith("_"):
            continue
        found = r4.element(kind, prefix + name)
        if found is None or found.many != isinstance(member, list):
            yield f"{kind}.{prefix}{name}"
        for item in member if isinstance(member, list) else [member]:
            if isinstance(item, dict):
                yield from unknown(kind, item, f"{prefix}{name}.")


def test_every_reference_refers_to_a_resource_of_the_sample() -> None:
    there = {(item.type, item.id) for item in RESOURCES}
    licences = {f"identifier={i['system']}|{i['value']}" for p in of_type("Practitioner") for i in p["identifier"]}
    lost = [
        reference["reference"]
        for item in RESOURCES
        for reference in every_reference(item.resource)
        if (found := reference_target(reference)) and (found.type, found.key) not in there and found.key not in licences
    ]
    assert lost == []


def test_ids_are_unique_and_no_resource_is_rejected() -> None:
    keys = [(item.type, item.id) for item in RESOURCES]
    assert len(keys) == len(set(keys)) == sum(len(list(read(path))) for path in sample.files())


def test_the_sample_has_some_twenty_persons_with_colombian_documents() -> None:
    documents = Counter(patient_document(patient, DEFAULT_RULES) for patient in of_type("Patient"))
    kinds = Counter(str(document).partition("-")[0] for document in documents)
    assert 20 <= len(documents) <= 25
    assert {"CC", "TI", "RC", "CE", "AR.PA", "PT"} <= set(kinds)
    assert documents[None] == 1, "one patient with an unknown document"


def test_one_person_is_in_two_sources_under_one_document() -> None:
    documents = Counter(patient_document(patient, DEFAULT_RULES) for patient in of_type("Patient"))
    assert [document for document, count in documents.items() if count == 2] == ["CC-19234567"]


def test_the_sample_has_the_special_cases() -> None:
    patients = of_type("Patient")
    assert "1958-07" in {patient.get("birthDate") for patient in patients}
    assert [
        link["type"] for p in patients for link in p.get("link", []) if not link["other"]["reference"].startswith("R")
    ] == ["replaced-by"]
    [mother] = of_type("RelatedPerson")
    assert patient_document(mother, DEFAULT_RULES) == sample.SHOWN_PATIENT
    assert any("effectivePeriod" in o for o in of_type("Observation"))
    assert any("valueString" in o for o in of_type("Observation"))
    assert any("valueCodeableConcept" in o for o in of_type("Observation"))
    assert {"booked", "proposed", "pending", "fulfilled", "cancelled"} <= {a["status"] for a in of_type("Appointment")}


def test_decimals_keep_their_digits() -> None:
    weights = re.findall(r'"code":"29463-7".*?"valueQuantity":\{"value":([0-9.]+)', TEXTS["Observation.ndjson"])
    assert "72.50" in weights
    assert all("." in weight for weight in weights)


def test_no_event_is_before_the_birth_or_after_the_death() -> None:
    lives = {p.get("id"): (p.get("birthDate", "1900"), p.get("deceasedDateTime", "2100")) for p in of_type("Patient")}
    outside = [
        (item.type, item.id)
        for item in RESOURCES
        if item.type in {"Encounter", "Observation", "Immunization", "MedicationRequest", "Procedure", "Claim"}
        for reference in every_reference(item.resource)
        if (found := reference_target(reference)) and found.type == "Patient" and found.key in lives
        for day in re.findall(r'"(\d{4}-\d\d-\d\d)', json.dumps(item.resource, default=str))
        if not lives[found.key][0] <= day <= lives[found.key][1]
    ]
    assert outside == []


def test_the_shown_patient_has_a_rich_history() -> None:
    [shown] = [p["id"] for p in of_type("Patient") if patient_document(p, DEFAULT_RULES) == sample.SHOWN_PATIENT]
    kinds = Counter(item.type for item in RESOURCES if f"Patient/{shown}" in json.dumps(item.resource, default=str))
    assert len(kinds) >= 30
    assert kinds["Observation"] > 40


def test_the_files_stay_small() -> None:
    assert sum(len(text.encode()) for text in TEXTS.values()) < 1_500_000
