"""References to a patient in resources about another patient or subject."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyhce.records.erasing.trace import MASKED, CandidateRow, Person, Verdict, mask_patient, verdict_on
from pyhce.schema.declaration import SCHEMA

KEY = "identifier=http://id|1032456789"
PERSON = Person(
    document="CC-1032456789",
    identities=frozenset({("", "p1"), ("", KEY), ("", "identifier=|77"), ("", "identifier=http://mrn|5")}),
    words=frozenset({"1032456789"}),
)
LOGICAL = {"identifier": {"system": "http://id", "value": "1032456789"}}


def verdict(resource: dict[str, Any], fuente: str = "", person: Person = PERSON) -> Verdict | None:
    return verdict_on(
        SCHEMA, person, CandidateRow(resource["resourceType"], fuente, None, json.dumps(resource), None, True)
    )


def group(reference: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Group", "member": [{"entity": reference}]}


@pytest.mark.parametrize(
    ("reference", "fuente", "expected"),
    [
        ({"reference": "Patient/p1"}, "", Verdict.MASK),
        ({"reference": "Patient/p1"}, "other", None),
        ({"reference": "Patient/p10"}, "", None),
        ({"reference": "Practitioner/p1"}, "", None),
        ({"reference": "#p1"}, "", None),
        ({"reference": "urn:uuid:p1"}, "", Verdict.MASK),
        ({"reference": f"Patient?{KEY}"}, "other", Verdict.MASK),
        ({"reference": "Patient?identifier=|77"}, "", Verdict.MASK),
        ({"reference": "Patient?identifier=|77"}, "other", None),
        ({"type": "Patient", **LOGICAL}, "other", Verdict.MASK),
        ({"type": "Practitioner", **LOGICAL}, "", Verdict.MENTION),
        (LOGICAL, "", Verdict.MENTION),
        ({"reference": "Practitioner/9", **LOGICAL}, "", Verdict.MENTION),
        ({"reference": "Patient/9", **LOGICAL}, "", Verdict.MASK),
        ({"type": "Patient", "identifier": {"system": "http://mrn", "value": "5"}}, "", Verdict.MASK),
        ({"type": "Patient", "identifier": {"system": "http://other", "value": "5"}}, "", None),
        ({"display": "1032456789"}, "", Verdict.MENTION),
        ({"display": "21032456789"}, "", None),
        ({"display": "see Patient/p1."}, "", Verdict.MENTION),
    ],
)
def test_a_reference_names_the_patient_by_the_same_rules_as_in_a_load(
    reference: dict[str, Any], fuente: str, expected: Verdict | None
) -> None:
    assert verdict(group(reference), fuente) is expected


def test_an_identifier_without_a_type_counts_where_only_a_patient_is_allowed() -> None:
    assert verdict({"resourceType": "Observation", "subject": LOGICAL}) is Verdict.MASK
    assert verdict({"resourceType": "Observation", "performer": [LOGICAL]}) is Verdict.MENTION


def test_an_identifier_that_another_patient_carries_too_is_only_reported() -> None:
    shared = PERSON.model_copy(update={"ambiguous": frozenset({KEY})})
    assert verdict(group({"type": "Patient", **LOGICAL}), person=shared) is Verdict.MENTION


def test_characters_of_regular_expressions_are_matched_literally() -> None:
    odd = Person(document="MR-X-1", identities=frozenset({("", "a.b")}), words=frozenset({'(1+1)|ñ[\\]"'}))
    assert verdict(group({"reference": "Patient/a.b"}), person=odd) is Verdict.MASK
    assert verdict(group({"reference": "Patient/axb"}), person=odd) is None
    assert verdict(group({"display": '(1+1)|ñ[\\]"'}), person=odd) is Verdict.MENTION


def test_only_the_narrative_beside_a_masked_reference_is_deleted() -> None:
    narrative = {"status": "generated", "div": "<div>x</div>"}
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "List", "text": narrative, "entry": [{"item": {"reference": "Patient/p1"}}]}},
            {"resource": {"resourceType": "List", "text": narrative}},
        ],
    }
    after = json.loads(mask_patient(PERSON, "", json.dumps(bundle), None)[0])
    assert after["entry"][0]["resource"] == {"resourceType": "List", "entry": [{"item": MASKED}]}
    assert after["entry"][1]["resource"] == {"resourceType": "List", "text": narrative}


def test_the_exact_text_loses_a_reference_that_a_transaction_resolved() -> None:
    exact = '{"focus": [{"reference": "urn:uuid:0b"}], "resourceType": "Observation", "valueInteger": 1.0E+2}'
    held = {"resourceType": "Observation", "focus": [{"reference": "Patient/p1"}], "valueInteger": 100}
    after = mask_patient(PERSON, "", json.dumps(held), exact)
    assert "urn:uuid" not in (after[1] or "")
    assert "1.0E+2" in (after[1] or "")
