"""References and spelling, without a database."""

from __future__ import annotations

import pytest

from pyhce.records.reading.exact_json import InvalidJson, canonical, dumps, parse, stored_json
from pyhce.records.reading.reader import Incoming, Rejected, content_id, resources_of
from pyhce.records.reading.reader import InputLocation as Place
from pyhce.records.reading.reference import key_of, own_keys


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ({"reference": "Patient/p"}, "p"),
        ({"reference": "https://x.example/fhir/Patient/p.1"}, "p.1"),
        ({"reference": "Patient/p/_history/2"}, "p"),
        ({"reference": "urn:uuid:0a"}, "0a"),
        ({"reference": "urn:uuid:0a", "type": "Device"}, None),
        ({"reference": "#p"}, None),
        ({"reference": "Group/p"}, None),
        ({"reference": "Patient?identifier=s|v"}, "identifier=s|v"),
        ({"reference": "https://x.example/Patient?identifier=s|v"}, "identifier=s|v"),
        ({"identifier": {"system": "s", "value": "v"}}, "identifier=s|v"),
        ({"identifier": {"value": "v"}, "type": "Device"}, None),
        ({"display": "someone"}, None),
        ("Patient/p", None),
    ],
)
def test_a_reference_names_a_patient_by_its_key(reference: object, key: str | None) -> None:
    assert key_of(reference, "Patient") == key


def test_a_resource_is_named_by_its_id_and_its_identifiers() -> None:
    assert own_keys({"identifier": [{"system": "s", "value": "v"}, {"value": "w"}, {}]}, "p") == [
        "identifier=s|v",
        "identifier=|w",
        "p",
    ]


@pytest.mark.parametrize("text", ['{"a":72.50}', '{"a":1.0E+2}', '{"a":-0.0,"b":[1,2.00]}', '{"a":"ñ"}'])
def test_json_keeps_its_spelling(text: str) -> None:
    assert dumps(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "recurso", "kept"),
    [
        ('{"a":72.50}', '{"a":72.50}', None),
        ('{"a":1.0E+2}', '{"a":1.0E+2}', '{"a":1.0E+2}'),
        ('{"a":1e999}', '{"a":"1e999"}', '{"a":1e999}'),
        ('{"a":"x\\u0000y"}', '{"a":"x\ufffdy"}', '{"a":"x\\u0000y"}'),
        ('{"a":"\\ud800"}', '{"a":"\ufffd"}', '{"a":"\\ud800"}'),
    ],
)
def test_text_that_jsonb_would_change_is_kept_as_the_original(text: str, recurso: str, kept: str | None) -> None:
    found = stored_json(parse(text))
    assert (found.recurso, found.original) == (recurso, kept)


@pytest.mark.parametrize("text", [b"{", b"\xff", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 100_000, b"", b"{} x"])
def test_input_that_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse(text)


def test_an_id_from_content_does_not_depend_on_the_order_of_members() -> None:
    assert content_id(parse('{"a":1.0,"b":"x"}')) == content_id(parse('{"b": "x", "a": 1.0}'))
    assert content_id(parse('{"a":1.0}')) != content_id(parse('{"a":1.00}'))


def test_a_document_bundle_is_kept_whole_and_a_collection_is_unpacked() -> None:
    entry = [{"resource": {"resourceType": "Patient", "id": "p"}}]
    where = Place("f", 1)
    whole = list(resources_of(where, {"resourceType": "Bundle", "type": "document", "entry": entry}))
    parts = list(resources_of(where, {"resourceType": "Bundle", "type": "collection", "entry": entry}))
    assert [(item.type) for item in whole if isinstance(item, Incoming)] == ["Bundle"]
    assert [(item.type, item.id) for item in parts if isinstance(item, Incoming)] == [("Patient", "p")]


def test_a_bad_entry_is_rejected_and_the_others_stay() -> None:
    entry = [{"resource": {"resourceType": "Nope"}}, "x", {"resource": {"resourceType": "Patient", "id": "p"}}]
    found = list(resources_of(Place("f", 1), {"resourceType": "Bundle", "type": "batch", "entry": entry}))
    assert [item.reason for item in found if isinstance(item, Rejected)] == ["unknown-type", "not-an-entry"]
    assert sum(isinstance(item, Incoming) for item in found) == 1


def test_canonical_text_sorts_members_and_keeps_numbers() -> None:
    assert canonical(parse('{"b": 1.50, "a": [true, null]}')) == '{"a":[true,null],"b":1.50}'
