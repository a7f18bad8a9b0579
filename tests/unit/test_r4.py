"""The table of FHIR R4's elements agrees with the specification."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from pyhce.schema import r4

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "fhir-examples" / "r4-examples.tar.gz"


def test_every_concrete_resource_type_is_listed() -> None:
    assert len(r4.RESOURCE_TYPES) == 146
    assert {"Patient", "Bundle", "Binary", "Parameters"} <= r4.RESOURCE_TYPES
    assert not {"Resource", "DomainResource", "Paciente"} & r4.RESOURCE_TYPES


@pytest.mark.parametrize(
    ("fhir_type", "path", "types", "many"),
    [
        ("Observation", "status", ("code",), False),
        ("Observation", "code.coding", ("Coding",), True),
        ("Observation", "valueQuantity.value", ("decimal",), False),
        ("Observation", "component.valueQuantity.unit", ("string",), False),
        ("Appointment", "participant.actor", ("Reference",), False),
        ("Patient", "name.given", ("string",), True),
        ("Observation", "component.referenceRange.low.value", ("decimal",), False),
        ("Questionnaire", "item.item.linkId", ("string",), False),
        ("Condition", "onsetAge.value", ("decimal",), False),
        ("Encounter", "class", ("Coding",), False),
        ("Task", "input.valueReference", ("Reference",), False),
        ("Bundle", "entry.resource", ("Resource",), False),
        ("Patient", "extension.valueAddress.line", ("string",), True),
        ("MedicationRequest", "dosageInstruction.timing.repeat.boundsPeriod.start", ("dateTime",), False),
    ],
)
def test_an_element_has_the_types_and_cardinality_of_the_specification(
    fhir_type: str, path: str, types: tuple[str, ...], many: bool
) -> None:
    found = r4.element(fhir_type, path)
    assert found is not None
    assert (found.types, found.many) == (types, many)


@pytest.mark.parametrize(
    ("fhir_type", "path"),
    [
        ("Observation", "valueMoney"),
        ("Observation", "values"),
        ("Observation", ""),
        ("Observation", "value[x].value"),
        ("Paciente", "id"),
        ("Patient", "name.first"),
        ("Patient", "birthDate.value"),
    ],
)
def test_an_unknown_path_has_no_element(fhir_type: str, path: str) -> None:
    assert r4.element(fhir_type, path) is None
    assert r4.json_path(fhir_type, path) == ()


def test_a_choice_has_its_types() -> None:
    assert r4.choice_types("Observation", "effective[x]") == ("dateTime", "Period", "Timing", "instant")


def test_a_json_path_marks_arrays() -> None:
    assert r4.json_path("Appointment", "participant.actor.reference") == (
        ("participant", True),
        ("actor", False),
        ("reference", False),
    )


def test_references_have_their_target_types() -> None:
    found = {element.path: element.targets for element in r4.elements("Observation")}
    assert found["subject"] == ("Device", "Group", "Location", "Patient")
    assert found["focus"] == ("Resource",)
    deeper = {element.path for element in r4.elements("Encounter") if element.targets}
    assert {"participant.individual", "diagnosis.condition", "hospitalization.origin"} <= deeper


def test_only_a_reference_has_targets() -> None:
    every = [e for kind in r4.RESOURCE_TYPES for e in r4.elements(kind)]
    assert [e for e in every if bool(e.targets) != ("Reference" in e.types)] == []


def test_required_elements_are_marked() -> None:
    required = {e.path for e in r4.elements("Observation") if e.required and "." not in e.path}
    assert required == {"status", "code"}


def test_every_type_of_the_patient_compartment_has_expressions() -> None:
    compartment = r4.patient_compartment()
    assert len(compartment) == 66
    assert compartment["Observation"] == ("subject", "performer")
    assert not {"Device", "Task", "Medication"} & set(compartment)
    for kind, codes in compartment.items():
        expressions = r4.patient_parameters(kind)
        assert [code for code in codes if not expressions.get(code, "").startswith(kind + ".")] == []


def test_every_member_of_the_r4_examples_is_an_element() -> None:
    if not EXAMPLES.exists():
        pytest.skip("the FHIR R4 examples are not at ../shared/fhir-examples")
    unknown = set()
    with tarfile.open(EXAMPLES) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json"):
                resource = json.load(archive.extractfile(member))  # type: ignore[arg-type]
                unknown |= {
                    f"{resource['resourceType']}.{name}"
                    for name in resource
                    if name != "resourceType"
                    and not name.startswith("_")
                    and r4.element(resource["resourceType"], name) is None
                }
    assert unknown == set()
