"""Ids that FHIR does not allow: messages, derived ids, rewritten references."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyhce.records.identity.tally import ORIGINAL_ID
from pyhce.records.reading.bases import split_url, with_repaired_id
from pyhce.records.reading.exact_json import parse
from pyhce.records.reading.ids import derived_id, id_problem, is_id
from pyhce.records.reading.incoming import Incoming, InputLocation, Rejected
from pyhce.records.reading.reader import resources_of
from pyhce.records.reading.repair_ids import AdmittedResource, admit
from pyhce.records.reading.stored_references import stored_form
from pyhce.records.reading.whole_bundles import filed_entries, subject_of
from pyhce.schema.declaration import SCHEMA

HERE = InputLocation("a.ndjson", 1)
OWN = "https://own.example/fhir"
LONG = "e" * 70


def found(value: object) -> Any:
    """The only item that the reader yields for a value."""
    (item,) = resources_of(HERE, parse(json.dumps(value)))
    return item


def repaired(
    value: object, *, fuente: str = "", own: frozenset[str] = frozenset()
) -> tuple[dict[str, Any], AdmittedResource]:
    taken = admit(found(value), own, fuente, repair=True)
    assert isinstance(taken, AdmittedResource)
    return taken.item.resource, taken


def patient(key: object, **members: object) -> dict[str, object]:
    return {"resourceType": "Patient", "id": key, **members}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("under_score", "the id 'under_score' contains '_': an id has only letters A to Z, digits, hyphens and dots"),
        ("a b", "the id 'a b' contains ' ': an id has only letters A to Z, digits, hyphens and dots"),
        ("ñ", "the id 'ñ' contains 'ñ': an id has only letters A to Z, digits, hyphens and dots"),
        (LONG, f"the id '{LONG}' has 70 characters; FHIR allows 64"),
        (123, "the id is the number 123, not a string"),
        ("", "the id is empty"),
        (True, "the id is a boolean, not a string"),
        (["a"], "the id is an array, not a string"),
        ({}, "the id is an object, not a string"),
        ("Ab.c-9", None), (".", None), ("..", None), (None, None), ("x" * 64, None),
    ],
)  # fmt: skip
def test_an_id_problem_states_what_is_wrong(key: object, words: str | None) -> None:
    assert id_problem(parse(json.dumps(patient(key)))) == words


@pytest.mark.parametrize("key", ["under_score", LONG, "a b", 123, ""])
def test_a_resource_with_an_invalid_id_is_rejected_with_the_remedy(key: object) -> None:
    taken = admit(found(patient(key)), frozenset(), "", repair=False)
    assert isinstance(taken, Rejected)
    assert taken.reason == "invalid-id"
    assert "--repair-ids" in taken.detail
    assert json.loads(taken.text)["id"] == key


@pytest.mark.parametrize("key", [True, ["a"], {}])
def test_an_id_without_a_derived_id_is_rejected_with_the_option_too(key: object) -> None:
    taken = admit(found(patient(key)), frozenset(), "", repair=True)
    assert isinstance(taken, Rejected)
    assert "--repair-ids" not in taken.detail


def test_a_derived_id_is_valid_and_differs_by_type_and_case() -> None:
    made = {derived_id(kind, key) for kind in ("Patient", "Device") for key in ("a_b", "A_b", "a_B", "a_b ", LONG)}
    assert len(made) == 10
    assert all(is_id(key) for key in made)
    assert derived_id("Patient", "a_b") == "repaired-59af3affc0fd77463cc30d38e865f8c89b43fb0ffb918bf4"


def test_the_original_is_kept_as_an_identifier_that_names_the_source() -> None:
    mine = {"system": "http://x", "value": "1"}
    resource, taken = repaired(patient("a_b", identifier=[mine]), fuente="clinic north")
    assert resource["id"] == taken.item.id == derived_id("Patient", "a_b")
    assert resource["identifier"] == [mine, {"system": f"{ORIGINAL_ID}:clinic%20north", "value": "a_b"}]
    assert (taken.repaired, taken.references) == (True, False)
    alone, _ = repaired(patient("a_b"))
    assert alone["identifier"] == [{"system": ORIGINAL_ID, "value": "a_b"}]


def test_a_type_without_a_spare_identifier_keeps_the_original_as_a_tag() -> None:
    binary, _ = repaired({"resourceType": "Binary", "id": "a_b", "contentType": "text/plain"})
    assert binary["meta"] == {"tag": [{"system": ORIGINAL_ID, "code": "a_b"}]}
    answers = {"resourceType": "QuestionnaireResponse", "id": "a_b", "status": "completed"}
    single, _ = repaired(answers)
    assert single["identifier"] == {"system": ORIGINAL_ID, "value": "a_b"}
    taken, _ = repaired({**answers, "identifier": {"value": "1"}, "meta": {"tag": [{"code": "t"}]}})
    assert taken["identifier"] == {"value": "1"}
    assert taken["meta"]["tag"] == [{"code": "t"}, {"system": ORIGINAL_ID, "code": "a_b"}]


def test_a_number_becomes_its_text_and_a_blank_id_none() -> None:
    number, taken = repaired(patient(123))
    assert (number["id"], taken.item.id, taken.repaired) == ("123", "123", True)
    assert "identifier" not in number
    empty, taken = repaired(patient(""))
    assert "id" not in empty
    assert taken.item.id.startswith("sha-")


@pytest.mark.parametrize(
    ("came", "goes", "stored"),
    [
        ("Patient/a_b", "Patient/{}", "Patient/{}"),
        ("/Patient/a_b/_history/2", "/Patient/{}/_history/2", "Patient/{}/_history/2"),
        ("Patient/a%5Fb", "Patient/{}", "Patient/{}"),
        (f"{OWN}/Patient/a_b", f"{OWN}/Patient/{{}}", "Patient/{}"),
        ("https://other.example/Patient/a_b", None, "Patient?https://other.example/Patient/{}"),
        ("urn:uuid:a_b", None, None), ("#a_b", None, None), ("Patient?identifier=x|a_b", None, None),
        ("Patient/ab", None, None), (" Patient/a_b", None, None), ("Patient/7#x", None, None), ("a_b", None, None),
        ("Nothing/a_b", None, None), ("Patient/a_b ", None, None), ("Patient/", None, None),
    ],
)  # fmt: skip
def test_references_to_an_invalid_id_lead_to_the_derived_id(came: str, goes: str | None, stored: str | None) -> None:
    key = derived_id("Patient", "a_b")
    assert with_repaired_id(came, {OWN}) == (goes or came).format(key)
    assert stored_form(came, {OWN}) == (stored or came).format(key)


def test_references_and_links_to_a_binary_are_rewritten_and_nothing_else() -> None:
    document = {
        "resourceType": "DocumentReference", "id": "d", "subject": {"reference": "Patient/a_b"},
        "author": [{"reference": "#a_b"}, {"reference": "Practitioner/ok"}],
        "content": [{"attachment": {"url": "Binary/b_1"}}, {"attachment": {"url": "https://files.example/b_1"}}],
    }  # fmt: skip
    resource, taken = repaired(document)
    assert (taken.repaired, taken.references) == (False, True)
    assert resource["subject"]["reference"] == f"Patient/{derived_id('Patient', 'a_b')}"
    assert resource["author"] == document["author"]
    urls = [content["attachment"]["url"] for content in resource["content"]]
    assert urls == [f"Binary/{derived_id('Binary', 'b_1')}", "https://files.example/b_1"]


def test_a_resource_with_valid_ids_is_the_same_object() -> None:
    item = found({"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}})
    taken = admit(item, frozenset(), "", repair=True)
    assert isinstance(taken, AdmittedResource)
    assert taken.item.resource is item.resource


def test_references_in_a_servers_bundle_are_rewritten_and_its_base_is_kept() -> None:
    url = f"{OWN}/Patient/a_b"
    entries = [
        {"fullUrl": url, "resource": patient("a_b")},
        {"fullUrl": f"{OWN}/Observation/o", "resource": {
            "resourceType": "Observation", "id": "o", "subject": {"reference": url},
            "performer": [{"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"}]}},
        {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": {
            "resourceType": "Practitioner", "id": "d_1"}},
    ]  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    items = list(resources_of(HERE, parse(json.dumps(bundle))))
    assert all(isinstance(item, Incoming) for item in items)
    assert [item.base for item in items if isinstance(item, Incoming)] == [OWN, OWN, None]
    taken = [admit(item, frozenset({OWN}), "s", repair=True) for item in items if isinstance(item, Incoming)]
    observation = taken[1]
    assert isinstance(observation, AdmittedResource)
    key, doctor = derived_id("Patient", "a_b"), derived_id("Practitioner", "d_1")
    assert observation.item.resource["subject"]["reference"] == f"Patient/{key}"
    assert observation.item.resource["performer"][0]["reference"] == f"Practitioner/{doctor}"


@pytest.mark.parametrize("key", ["a_b", LONG, 7, "p"])
def test_a_document_with_an_invalid_patient_id_belongs_to_its_patient(key: object) -> None:
    cedula = {"system": "https://www.registraduria.gov.co/cedula", "value": "910000999"}
    composition = {"resourceType": "Composition", "id": "c", "subject": {"reference": f"Patient/{key}"}}
    entries = [{"resource": composition}, {"resource": patient(key, identifier=[cedula])}]
    document = {"resourceType": "Bundle", "type": "document", "id": "d", "entry": entries}
    assert (
        subject_of(SCHEMA, parse(json.dumps(document)), "d", frozenset()) == f"identifier={cedula['system']}|910000999"
    )


def test_opened_entries_with_invalid_ids_are_rejected_or_repaired() -> None:
    observation = {"resourceType": "Observation", "id": "o_1", "subject": {"reference": f"{OWN}/Patient/a_b"}}
    entries = [
        {"fullUrl": f"{OWN}/Composition/c", "resource": {"resourceType": "Composition", "id": "c"}},
        {"fullUrl": f"{OWN}/Patient/a_b", "resource": patient("a_b")},
        {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": observation},
    ]
    document = found({"resourceType": "Bundle", "type": "document", "id": "d", "entry": entries})
    filed = [item for item in filed_entries(document, SCHEMA, frozenset({OWN})) if isinstance(item, Incoming)]
    refused = [admit(item, frozenset({OWN}), "", repair=False) for item in filed]
    assert [isinstance(item, Rejected) for item in refused] == [False, True, True]
    taken = [admit(item, frozenset({OWN}), "", repair=True) for item in filed]
    resources = [one.item.resource for one in taken if isinstance(one, AdmittedResource)]
    assert [held["id"] for held in resources[:2]] == ["c", derived_id("Patient", "a_b")]
    assert resources[2]["id"] == filed[2].id
    assert resources[2]["identifier"] == [{"system": ORIGINAL_ID, "value": "o_1"}]
    assert resources[2]["subject"] == {"reference": f"Patient/{derived_id('Patient', 'a_b')}"}


def test_a_deletion_by_an_invalid_id_deletes_the_derived_id() -> None:
    for url in ("Patient/a_b", f"{OWN}/Patient/a_b"):
        entry = {"request": {"method": "DELETE", "url": url}}
        (gone,) = resources_of(HERE, {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        assert gone[1:3] == ("Patient", derived_id("Patient", "a_b"))


def test_a_url_with_an_invalid_id_has_a_base() -> None:
    assert split_url(f"{OWN}/Patient/a_b") == (OWN, "Patient", derived_id("Patient", "a_b"), "")
