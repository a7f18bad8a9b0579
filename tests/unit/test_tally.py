"""Counts of identifiers without a document: by kind, never by value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhce.records.identity import DEFAULT_RULES, RuleSet, patient_document
from pyhce.records.identity.rules import parse_rules
from pyhce.records.identity.tally import SHOWN, IdentifierKind, IdentifierTally, rule_for

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
CPF = "http://rnds.saude.gov.br/fhir/r4/NamingSystem/cpf"


def patient(*identifiers: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": list(identifiers)}


def tally_of(*patients: dict[str, Any], rules: RuleSet = DEFAULT_RULES) -> IdentifierTally:
    tally = IdentifierTally()
    for one in patients:
        tally.add(one, rules)
    return tally


def test_kinds_are_counted_with_those_whose_patient_has_no_document_first() -> None:
    local, wrong = {"system": "http://h.example", "value": "secret-1"}, {"system": CPF, "value": "12345678900"}
    ssn = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-47-1234"}
    tally = tally_of(patient(local, ssn), patient(local, ssn), patient(wrong), patient())
    first, second = tally.largest()
    assert (tally.without_document, tally.provisional, tally.rest()) == (2, 1, 0)
    assert (first.why, first.system, first.identifiers, first.provisional) == ("check digit or form wrong", CPF, 1, 1)
    assert (second.system, second.identifiers, second.provisional) == ("http://h.example", 2, 0)
    assert "secret" not in first.words + second.words


@pytest.mark.parametrize(
    ("system", "codings", "rule"),
    [
        ("http://h.example", [(V2, "MRT")], {"type": "MRT", "system": "http://h.example", "national": False}),
        ("http://h.ex", [(V2, "PN"), ("urn:x", "h-1")], {"type": "H1", "system": "http://h.ex", "national": False}),
        ("urn:oid:1.2", [("urn:x", "01")], {"type": "ID", "system": "urn:oid:1.2", "national": False}),
        ("urn:oid:1.2", [("urn:x", "prov")], {"type": "ID", "system": "urn:oid:1.2", "national": False}),
        ("http://ñ.example/\"", [], {"type": "ID", "system": "http://ñ.example/\"", "national": False}),
        (None, [(V2, "MRT")], None),
        (" ", [], None),
        ("http://h.example/" + "x" * 300, [], None),
    ],
)  # fmt: skip
def test_the_suggested_rule_makes_documents_of_its_kind(system: Any, codings: Any, rule: Any) -> None:
    kind = {"type": {"coding": [{"system": code_system, "code": code} for code_system, code in codings]}}
    one = patient({"value": " 00.7 ", **({"system": system} if system else {}), **kind})
    [entry] = tally_of(one).largest()
    assert (json.loads(entry.rule) if entry.rule else None) == rule
    if entry.rule:
        own = parse_rules(f"[{entry.rule}]".encode(), "rules.json")
        assert patient_document(one, own) == f"{rule['type']}-00.7@{system}"
        assert tally_of(one, rules=own).largest() == ()


def test_only_the_largest_kinds_are_kept_and_the_others_are_summed() -> None:
    tally = tally_of(*(patient({"system": f"http://{n}.example", "value": "1"}) for n in range(1200)))
    assert len(tally.largest()) == SHOWN
    assert (tally.rest(), tally.without_document) == (1200 - SHOWN, 1200)


identifiers = st.fixed_dictionaries(
    {"value": st.sampled_from(["1", "12345678900", "x/y"])},
    optional={
        "system": st.sampled_from([CPF, "urn:a", "urn:b"]),
        "type": st.sampled_from([{"coding": [{"system": V2, "code": code}]} for code in ("MR", "XX")]),
        "use": st.sampled_from(["old", "official"]),
    },
)


@given(st.lists(st.lists(identifiers, max_size=3).map(lambda held: patient(*held)), max_size=12), st.integers(0, 12))
def test_merged_batches_give_the_counts_of_one_batch(patients: list[dict[str, Any]], cut: int) -> None:
    parts = tally_of(*patients[:cut])
    parts.merge(tally_of(*patients[cut:]))
    whole = tally_of(*patients)
    assert parts.largest() == whole.largest()
    assert (parts.without_document, parts.provisional) == (whole.without_document, whole.provisional)
    assert whole.without_document == sum(patient_document(one, DEFAULT_RULES) is None for one in patients)


def test_no_rule_is_suggested_if_one_matches() -> None:
    assert rule_for(IdentifierKind("check digit or form wrong", None, None, CPF)) is None
