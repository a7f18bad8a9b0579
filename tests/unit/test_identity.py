"""Documents, references and spelling, without a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhce.errors import UsageError
from pyhce.records.identity import DEFAULT_RULES, check_document, documents_of, provisional, read_rules
from pyhce.records.reading.reader import Incoming, Rejected, content_id, resources_of
from pyhce.records.reading.reader import Where as Place
from pyhce.records.reading.reference import key_of, own_keys
from pyhce.records.reading.spelling import NotJson, canonical, dumps, parse, stored

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def typed(code: str, value: str, system: str | None = None, **members: object) -> dict:
    kind = {"coding": [{"system": V2, "code": code}]}
    return {"type": kind, "value": value, **({"system": system} if system else {}), **members}


@pytest.mark.parametrize(
    ("identifiers", "document"),
    [
        ([{"system": "https://www.registraduria.gov.co/cedula", "value": " 1.032.456.789 "}], "CC-1032456789"),
        ([typed("SS", "999-12-3456")], "SS-999123456"),
        ([typed("MR", "a 12.3", "http://hospital.example/mrn")], "MR-HOSPITAL.EXAMPLE/MRN-A123"),
        ([typed("MR", "12-3", "http://h.example/m"), typed("SS", "1")], "SS-1"),
        ([typed("PPN", "X1", assigner={"display": "México"})], "PPN-MEXICO-X1"),
        ([typed("MR", "12")], None),
        ([typed("SS", "1", use="old")], None),
        ([{"system": "http://other.example", "value": "1"}], None),
        ([{"value": 5}], None),
        (None, None),
        ("text", None),
    ],
)
def test_a_document_is_made_of_the_first_rule_that_fits(identifiers: object, document: str | None) -> None:
    assert documents_of({"identifier": identifiers}, DEFAULT_RULES) == document


def test_a_provisional_document_is_always_the_same_and_tells_nothing() -> None:
    assert provisional("a", "p") == provisional("a", "p") != provisional("b", "p")
    assert provisional("", "1032456789").startswith("PROV-")
    assert "1032456789" not in provisional("", "1032456789")


@pytest.mark.parametrize(
    ("typed_in", "document"), [("cc-1.032 456", "CC-1032456"), ("MR-h.x/m-1", "MR-H.X/M-1"), ("CC-1-032", "CC-1032")]
)
def test_a_document_that_a_person_types_is_normalised(typed_in: str, document: str) -> None:
    assert check_document(typed_in, "OLD") == document


@pytest.mark.parametrize("typed_in", ["", "123", "CC", "CC-", "-1", "C C-1x\n"])
def test_what_is_no_document_is_refused_without_repeating_it(typed_in: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_document(typed_in, "OLD")
    assert "OLD" in caught.value.wrong


def test_rules_of_ones_own_are_read_and_bad_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text('[{"type": "DNI", "system": "urn:oid:1.2"}]')
    assert documents_of({"identifier": [{"system": "urn:oid:1.2", "value": "7"}]}, read_rules(path)) == "DNI-7"
    path.write_text('[{"type": "DNI", "sistem": "urn:oid:1.2"}]')
    with pytest.raises(UsageError, match="sistem"):
        read_rules(path)


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
def test_what_jsonb_would_change_is_kept_beside_it(text: str, recurso: str, kept: str | None) -> None:
    found = stored(parse(text))
    assert (found.recurso, found.original) == (recurso, kept)


@pytest.mark.parametrize("text", [b"{", b"\xff", b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 100_000, b"", b"{} x"])
def test_what_is_no_json_is_told(text: bytes) -> None:
    with pytest.raises(NotJson):
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
