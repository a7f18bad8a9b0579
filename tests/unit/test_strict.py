"""--strict: the official examples pass, and broken copies of them do not."""

from __future__ import annotations

import copy
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyhce.records.reading.exact_json import MAX_DEPTH, TOO_DEEP, InvalidJson, parse
from pyhce.records.reading.strict import MOST_PROBLEMS, r4_problems

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "fhir-examples" / "r4-examples.tar.gz"
BREAK_THEIR_OWN_RULES = {
    "ActivityDefinition-blood-tubes-supply": "txt-2",  # an empty <div>
    "ActivityDefinition-heart-valve-replacement": "txt-2",
    "EventDefinition-example": "txt-2",
    "Bundle-10bb101f-a121-4264-a920-67be9cb82c74": "bundle-fullurl",  # …/Patient/pat12 holds Patient/pat2
    "Bundle-3a0707d3-549e-4467-b8b8-5a2ab3800efe": "bundle-fullurl",
    "DeviceMetric-example": "reference-target",  # parent refers to a DeviceDefinition, it takes a Device
    "DeviceUseStatement-example": "reference-target",  # reasonReference: a Procedure
    "MedicationRequest-medrx0301": "reference-target",  # dispenseRequest.performer: a Practitioner
    "Observation-clinical-gender": "reference-target",  # performer: an Encounter
    "DiagnosticReport-example-pgx": "attachment-hash",  # not the data's SHA-1
    "ImagingStudy-example-xr": "code-form",  # SNOMED CT code T-15460
    "PlanDefinition-example-cardiology-os": "code-form",  # SNOMED CT code "look up value"
}
"""The official examples that break a rule of R4, by that rule."""
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2024-02-29T10:00:00-05:00",
    "valueQuantity": {"value": 72.50, "unit": "/min"},
}


def changed(**members: Any) -> dict[str, Any]:
    """The observation with members changed, those that are None left out."""
    return {name: value for name, value in {**OBSERVATION, **members}.items() if value is not None}


def said(resource: dict[str, Any]) -> list[str]:
    return r4_problems(json.dumps(resource))


def test_a_valid_resource_has_no_problem_as_text_or_as_members() -> None:
    text = json.dumps(OBSERVATION)
    assert r4_problems(text) == r4_problems(text.encode()) == r4_problems(parse(text)) == []


def test_official_examples_pass_except_those_that_break_a_rule_of_r4() -> None:
    if not EXAMPLES.exists():
        pytest.skip("the FHIR R4 examples are not at ../shared/fhir-examples")
    with tarfile.open(EXAMPLES) as archive:
        members = [member for member in archive if member.name.endswith(".json")]
        found = {member.name: r4_problems(archive.extractfile(member).read()) for member in members}  # type: ignore[union-attr]
    assert len(found) > 400
    rules = {Path(name).stem: {problem.rpartition("(")[2] for problem in told} for name, told in found.items() if told}
    assert rules == {name: {f"{rule})"} for name, rule in BREAK_THEIR_OWN_RULES.items()}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (changed(status=None), "Observation: status is missing"),
        (changed(status="finished"), "Observation.status: not one of registered | preliminary | final"),
        (changed(code=None), "Observation: code is missing"),
        (changed(code="8867-4"), "Observation.code: not of the JSON type object"),
        (changed(code={"coding": {}}), "Observation.code.coding: not of the JSON type array"),
        (changed(colour="red"), "Observation: unknown element in R4: colour"),
        (changed(code={"codin": []}), "Observation.code: unknown element in R4: codin"),
        (
            changed(effectiveDateTime="2024-02-30"),
            "Observation.effectiveDateTime: not a valid date or time",
        ),
        (changed(effectiveDateTime="2024-13"), "Observation.effectiveDateTime: does not match the format"),
        (changed(effectiveDateTime="24/02/2024"), "Observation.effectiveDateTime: "),
        (changed(valueQuantity={"value": "72.5"}), "Observation.valueQuantity.value: not of the JSON type number"),
        (changed(valueString="72"), "Observation: more than one value for a choice element ([x])"),
        (changed(category=[]), "Observation.category: the array is empty"),
        (changed(subject={}), "Observation.subject: the object is empty"),
        (changed(note=[{"text": None}]), "Observation.note[0].text: "),
        (changed(note=[{"authorString": "x"}]), "Observation.note[0]: text is missing"),
        (
            {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "x"}},
            "MedicationRequest: medicationCodeableConcept or medicationReference is missing",
        ),
        (changed(component=[{"code": {"text": "x"}, "x": 1}]), "Observation.component[0]: unknown element in R4: x"),
        (
            changed(contained=[{"resourceType": "Patient", "gender": "f"}]),
            "Observation.contained[0].gender: ",
        ),
        (changed(contained=[{"id": "x"}]), "Observation.contained[0]: "),
        (changed(extension=[{"url": "x", "valueInteger": 1.5}]), "Observation.extension[0].valueInteger: "),
        (
            {"resourceType": "Patient", "name": [{"given": ["", None]}]},
            "Patient.name[0].given[0]: does not match the format of",
        ),
        (
            {"resourceType": "Patient", "name": [{"given": [None, 3]}]},
            "Patient.name[0].given[1]: not of the JSON type string",
        ),
        (changed(code={"coding": [{"system": ""}]}), "Observation.code.coding[0].system: the string is empty"),
        (changed(id="x_1"), "Observation.id: the id 'x_1' contains '_'"),
        (changed(contained=[{"resourceType": "Patient", "id": "x" * 65}]), "Observation.contained[0].id: the id "),
        (changed(resourceType="Observacion"), "resource: FHIR R4 has no resource type"),
    ],
)
def test_a_problem_is_reported_with_its_path(broken: dict[str, Any], told: str) -> None:
    assert any(problem.startswith(told) for problem in said(broken)), said(broken)


def test_a_required_element_may_have_a_data_absent_reason_instead_of_a_value() -> None:
    absent = {"extension": [{"url": "http://x", "valueCode": "unknown"}]}
    assert said(changed(status=None, _status=absent)) == []


def test_an_array_of_primitives_may_hold_null_beside_an_extension() -> None:
    masked = {"extension": [{"url": "http://x", "valueCode": "masked"}]}
    name = {"given": [None, "B."], "_given": [masked, None]}
    assert said({"resourceType": "Patient", "name": [name]}) == []
    days = [{"daysOfWeek": ["mon", None], "_daysOfWeek": [None, masked]}]
    assert said({"resourceType": "HealthcareService", "availableTime": days}) == []
    wrong = said({"resourceType": "HealthcareService", "availableTime": [{"daysOfWeek": ["lun"]}]})
    assert wrong == [
        "HealthcareService.availableTime[0].daysOfWeek[0]: not one of mon | tue | wed | thu | fri | sat | sun"
    ]


@pytest.mark.parametrize("space", ["\u00a0", "\u0085", "\u2003", "\u2028", "\u202f", "\u3000", "\t", "\r\n"])
def test_every_space_is_valid_text_and_only_those_of_xml_end_a_code(space: str) -> None:
    for text in (f"a{space}b", f"{space}b", space):
        assert said({"resourceType": "Patient", "name": [{"text": text}]}) == []
    code = {"resourceType": "Patient", "communication": [{"language": {"coding": [{"code": f"a{space}"}]}}]}
    assert (said(code) == []) is (space not in ("\t", "\r\n"))


def test_resources_within_bundles_and_parameters_are_checked() -> None:
    bad = changed(status="finished")
    bundle = {"resourceType": "Bundle", "type": "document", "entry": [{"fullUrl": "urn:uuid:1", "resource": bad}]}
    assert [p.split(":")[0] for p in said(bundle)] == ["Bundle.entry[0].resource.status"]
    nested = {"resourceType": "Parameters", "parameter": [{"name": "a", "part": [{"name": "b", "resource": bad}]}]}
    assert [p.split(":")[0] for p in said(nested)] == ["Parameters.parameter[0].part[0].resource.status"]


def test_no_problem_contains_a_value_of_the_resource() -> None:
    patient = {"resourceType": "Patient", "identifier": [{"value": ["1032456789"], "use": "1032456789"}]}
    assert said(patient)
    assert "1032456789" not in " ".join(said(patient))


def test_at_most_a_fixed_number_of_problems_is_reported() -> None:
    assert len(said(changed(note=[{"text": 1}] * 1000))) == MOST_PROBLEMS + 1


def test_a_number_out_of_range_is_a_problem() -> None:
    text = json.dumps(OBSERVATION).replace("72.5", "1e400")
    assert r4_problems(text) == ["a number is too large to be checked"]
    assert r4_problems(b"{") != []


def nested(levels: int, wrap: Callable[[Any], Any], innermost: Any) -> Any:
    """A value within so many others."""
    for _ in range(levels):
        innermost = wrap(innermost)
    return innermost


def with_extensions(levels: int, **innermost: object) -> dict[str, Any]:
    """A Patient with so many levels of JSON below it, an even number."""
    inner = {"url": "http://x", **(innermost or {"valueString": "x"})}
    return {
        "resourceType": "Patient",
        "extension": [nested(levels // 2 - 1, lambda v: {"url": "http://x", "extension": [v]}, inner)],
    }


DEEP: dict[str, Callable[[int], dict[str, Any]]] = {
    "extensions": with_extensions,
    "contained": lambda n: nested(n // 2, lambda v: {"resourceType": "Patient", "contained": [v]}, PATIENT),
    "bundles": lambda n: nested(
        n // 3, lambda v: {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": v}]}, PATIENT
    ),
    "parameters": lambda n: {
        "resourceType": "Parameters",
        "parameter": [nested(n // 2 - 1, lambda v: {"name": "x", "part": [v]}, {"name": "x", "resource": PATIENT})],
    },
    "items": lambda n: {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "item": [nested(n // 4, lambda v: {"linkId": "1", "answer": [{"valueInteger": 1, "item": [v]}]}, {})],
    },
    "arrays": lambda n: {"resourceType": "Patient", "name": nested(n - 1, lambda v: [v], [])},
    "unknown": lambda n: {"resourceType": "Patient", "x": nested(n - 1, lambda v: {"a": v}, {})},
}
PATIENT = {"resourceType": "Patient"}


@pytest.mark.parametrize("shape", DEEP)
def test_a_resource_of_any_depth_has_problems_and_raises_nothing(shape: str) -> None:
    for levels in (*range(240, 262), 500, 900):
        resource = DEEP[shape](levels)
        resource["language"] = resource["unknown"] = copy.copy(resource)  # so that the whole is what is wrong
        text = json.dumps(resource)
        problems = r4_problems(text)
        assert problems == r4_problems(resource)
        try:
            parse(text)
        except InvalidJson as error:
            assert problems == [f"resource: {error}"]
        else:
            assert problems[0] != f"resource: {TOO_DEEP}"


def test_the_deepest_resource_that_is_stored_is_checked() -> None:
    deepest, deeper = with_extensions(MAX_DEPTH - 1), with_extensions(MAX_DEPTH + 1)
    assert said(deepest) == []
    (problem,) = said(with_extensions(MAX_DEPTH - 1, valueString=5))
    assert problem == "Patient" + ".extension[0]" * (MAX_DEPTH // 2) + ".valueString: not of the JSON type string"
    assert said(deeper) == r4_problems(deeper) == ["resource: nested more than 253 levels deep"]


@pytest.mark.parametrize("levels", [1_000, 1_030, 5_000, 1_000_000])
def test_a_text_of_a_million_levels_is_refused_in_the_same_words(levels: int) -> None:
    text = '{"resourceType":"Patient","x":' + "[" * levels + "]" * levels + "}"
    assert r4_problems(text) == r4_problems(text.encode()) == [f"resource: {TOO_DEEP}"]


def test_members_deeper_than_python_can_follow_are_refused_in_the_same_words() -> None:
    assert r4_problems({"resourceType": "Patient", "x": nested(5_000, lambda v: [v], [])}) == [f"resource: {TOO_DEEP}"]
