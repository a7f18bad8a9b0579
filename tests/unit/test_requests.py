"""Requests of bundles' entries, and the outcomes of their conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyhce.records.reading.conditions import Condition, ConditionsAsked, ConditionsDone, UnsupportedSearch, terms_of
from pyhce.records.reading.ids import derived_id
from pyhce.records.reading.incoming import (
    ConditionSignal,
    Deletion,
    Incoming,
    InputLocation,
    ReadItem,
    Rejected,
    Skipped,
)
from pyhce.records.reading.reader import read, resources_of

DOE = {"resourceType": "Practitioner", "identifier": [{"system": "urn:npi", "value": "1"}]}


@pytest.mark.parametrize(
    ("search", "terms"),
    [
        ("identifier=urn:npi|1", {"identifier=urn:npi|1"}),
        ("identifier=http%3A%2F%2Fx%2Fy%7Ca%20b%26c", {"identifier=http://x/y|a b&c"}),
        ("identifier=|1", {"identifier=|1"}),
        (r"identifier=urn:x|a\,b\|c\$d\\e", {r"identifier=urn:x|a,b|c$d\e"}),
        ("identifier=a|1&_id=7&identifier=b|2&_format=json&_pretty=true", {"identifier=a|1", "identifier=b|2", "7"}),
    ],
)
def test_a_search_by_identifier_and_id_is_supported(search: str, terms: set[str]) -> None:
    assert terms_of(search) == terms


@pytest.mark.parametrize(
    "search",
    ["", "&", "_format=json", "name=Doe", "identifier=1", "identifier=urn:npi|", "identifier=a|1,a|2", "_id=a,b",
     "_id=a_b", "identifier:of-type=a|MR|1", "identifier=a|1&active=true", "identifier=a|1%0A7", "identifier=a%00|1"],
)  # fmt: skip
def test_any_other_search_is_refused_without_its_value_in_the_message(search: str) -> None:
    with pytest.raises(UnsupportedSearch) as error:
        terms_of(search)
    assert "1" not in str(error.value).replace("1 to 64", "")


def read_entries(kind: str, *entries: dict[str, Any], there: dict[str, set[str]] | None = None) -> list[ReadItem]:
    """The items of a bundle. Conditions are answered with the ids in `there` that match each term."""
    listed: list[ReadItem] = []
    for item in resources_of(InputLocation("f", 1), {"resourceType": "Bundle", "type": kind, "entry": list(entries)}):
        if isinstance(item, ConditionsAsked) and there is not None:
            item.matches = {
                one: set().union(*(there.get(term, set()) for term in one.terms)) for one in item.conditions
            }
        listed.append(item)
    return listed


def short_results(kind: str, *entries: dict[str, Any], there: dict[str, set[str]] | None = None) -> list[str]:
    """The items in short: ids, reason codes, kinds of skipped input."""
    short = []
    for item in read_entries(kind, *entries, there=there):
        if isinstance(item, Incoming):
            short.append(item.id)
        elif isinstance(item, Deletion):
            short.append(f"delete {item.key}")
        elif isinstance(item, Rejected):
            short.append(item.reason)
        elif isinstance(item, Skipped):
            short.append(item.what)
    return short


def entry(
    method: str, url: str, resource: dict[str, Any] | None = DOE, full: str | None = None, **members: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url, **members}}
    return made | ({"resource": resource} if resource else {}) | ({"fullUrl": full} if full else {})


WITH_ID = {**DOE, "id": "d"}


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (entry("PUT", "Practitioner/7"), "7"),
        (entry("PUT", "https://x/fhir/Practitioner/7?_format=json", full="urn:uuid:0a"), "7"),
        (entry("PUT", "Practitioner/d", WITH_ID), "d"),
        (entry("PUT", "Practitioner/7", WITH_ID), "unsupported"),
        (entry("PUT", "Patient/7"), "unsupported"),
        (entry("POST", "Practitioner", full="urn:uuid:0A"), "0a"),
        (entry("POST", "Practitioner?_pretty=true", WITH_ID), "d"),
        (entry("POST", "Patient"), "unsupported"),
        (entry("POST", "Practitioner?identifier=a|1"), "unsupported"),
        (entry("POST", "Practitioner/$match"), "unsupported"),
        (entry("POST", "$process-message"), "unsupported"),
        (entry("POST", "Practitioner/_search"), "unsupported"),
        (entry("PUT", "Practitioner/7", ifMatch='W/"1"'), "unsupported"),
        (entry("PUT", "Practitioner/7", ifNoneMatch="*"), "unsupported"),
        (entry("POST", "Practitioner", ifModifiedSince="2024-01-01T00:00:00Z"), "unsupported"),
        (entry("DELETE", "Practitioner/7", None, ifMatch='W/"1"'), "unsupported"),
        (entry("PUT", "Practitioner/7", ifNoneExist="identifier=a|1"), "condition"),
        (entry("POST", "Practitioner", ifNoneExist=["identifier=a|1"]), "condition"),
        (entry("POST", "Practitioner", ifNoneExist="Patient?identifier=a|1"), "condition"),
        (entry("POST", "Bundle", {"resourceType": "Bundle", "type": "document"}, ifNoneExist="_id=1"), "condition"),
        (entry("PUT", "Bundle?_id=1", {"resourceType": "Bundle", "type": "batch", "entry": []}), "condition"),
        (entry("PATCH", "Practitioner/7", {"resourceType": "Parameters"}), "unsupported"),
        (entry("PATCH", "Practitioner/d", WITH_ID), "unsupported"),
        (entry("GET", "Practitioner/d", WITH_ID), "entry that reads (GET)"),
        (entry("GET", "Practitioner/d", None, ifNoneMatch='W/"1"'), "entry without a resource (GET)"),
        (entry("DELETE", "Practitioner/7/_history/2", None), "delete 7"),
        (entry("DELETE", "Practitioner?_id=7", None), "delete 7"),
        (entry("DELETE", "Practitioner?identifier=b|2&identifier=a|1", None), "delete identifier=a|1\nidentifier=b|2"),
        (entry("DELETE", "Practitioner?identifier=a|1,a|2", None), "unsupported"),
        (entry("DELETE", "Practitioner/7", None), "delete 7"),
    ],
)
@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_request_is_carried_out_or_rejected(kind: str, made: dict[str, Any], what: str) -> None:
    assert short_results(kind, made) == [what]


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (entry("PATCH", "Practitioner/d/_history/2", WITH_ID), "d"),
        (entry("PATCH", "Practitioner/d", {"resourceType": "Parameters", "id": "x"}), "unsupported"),
        (
            entry("PATCH", "Practitioner/d", {"resourceType": "Binary", "contentType": "x", "data": "W10="}),
            "unsupported",
        ),
        (entry("PATCH", "Practitioner/d", None), "unsupported"),
        (entry("PUT", "Practitioner/d/_history/3", WITH_ID, ifMatch='W/"2"'), "d"),
        (entry("PUT", "Practitioner/d/_history/3"), "d"),
        (entry("PUT", "Practitioner?identifier=a|1", WITH_ID), "d"),
        (entry("POST", "Practitioner", WITH_ID, ifNoneExist="identifier=a|1"), "d"),
        (entry("DELETE", "Practitioner/d/_history/4", None), "delete d"),
        (entry("DELETE", "Practitioner?identifier=a|1", None, full="https://x/fhir/Practitioner/d"), "delete d"),
    ],
)
def test_requests_of_a_history_are_not_instructions(made: dict[str, Any], what: str) -> None:
    assert short_results("history", made) == [what]


@pytest.mark.parametrize(
    ("url", "etag", "version"),
    [
        ("Practitioner/d/_history/4", None, 4),
        ("Practitioner/d", 'W/"5"', 5),
        ("Practitioner/d", '"6"', 6),
        ("Practitioner/d/_history/a1", 'W/"b"', None),
        ("Practitioner/d", None, None),
    ],
)
def test_a_deletion_in_a_history_has_its_version(url: str, etag: str | None, version: int | None) -> None:
    made = {**entry("DELETE", url, None), "response": {"etag": etag} if etag else None}
    (deleted,) = read_entries("history", made)
    assert isinstance(deleted, Deletion)
    assert deleted.version == version
    (asked,) = read_entries("transaction", made)
    assert isinstance(asked, Deletion)
    assert asked.version is None, "what is asked for is done"


@pytest.mark.parametrize(
    ("kind", "search", "what"),
    [
        ("searchset", {"search": {"mode": "outcome"}}, "OperationOutcome about a search"),
        ("searchset", {}, "OperationOutcome about a search"),
        ("searchset", {"search": {"mode": "match"}}, "o"),
        ("collection", {}, "o"),
        ("transaction-response", {"response": {"status": "201"}}, "OperationOutcome about a transaction"),
        ("batch-response", {"response": {"status": "400"}}, "OperationOutcome about a batch"),
    ],
)
def test_an_outcome_of_a_search_or_transaction_is_skipped(kind: str, search: dict[str, Any], what: str) -> None:
    outcome = {"resourceType": "OperationOutcome", "id": "o", "issue": [{"severity": "error", "code": "invalid"}]}
    assert short_results(kind, {**search, "resource": outcome}) == [what]


def test_a_response_with_a_resource_is_loaded_and_one_without_is_skipped() -> None:
    response = {"response": {"status": "201 Created", "location": "Practitioner/d/_history/1"}}
    assert short_results("transaction-response", response, {**response, "resource": WITH_ID}) == [
        "entry without a resource (response)", "d",
    ]  # fmt: skip


def practitioner(number: int, condition: str, **members: Any) -> dict[str, Any]:
    return entry("POST", "Practitioner", {**DOE, **members}, f"urn:uuid:{number}", ifNoneExist=condition)


ROLE = {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "urn:uuid:1"}}


@pytest.mark.parametrize(("there", "key"), [({}, "1"), ({"identifier=urn:npi|1": {"old"}}, "old")])
def test_references_lead_to_the_resource_that_a_condition_matches(there: dict[str, set[str]], key: str) -> None:
    role, *made = [
        item
        for item in read_entries(
            "transaction",
            {"resource": ROLE},
            practitioner(1, "identifier=urn:npi|1"),
            practitioner(2, "identifier=urn:npi|1"),
            there=there,
        )
        if not isinstance(item, ConditionSignal)
    ]
    assert isinstance(role, Incoming)
    assert role.resource["practitioner"] == {"reference": f"Practitioner/{key}"}
    assert [item.id for item in made if isinstance(item, Incoming)] == ([] if there else ["1"])


def test_references_by_the_entrys_own_id_lead_to_the_match_too() -> None:
    named = {**ROLE, "practitioner": {"reference": "Practitioner/9"}}
    bundle = {"resource": named}, practitioner(1, "identifier=urn:npi|1", id="9")
    role = read_entries("transaction", *bundle, there={"identifier=urn:npi|1": {"old"}})[1]
    assert isinstance(role, Incoming)
    assert role.resource["practitioner"] == {"reference": "Practitioner/old"}


def test_conditions_are_answered_after_the_deletions_of_a_transaction() -> None:
    entries = (
        practitioner(1, "identifier=urn:npi|1"), {"resource": ROLE}, entry("DELETE", "Practitioner/7", None),
    )  # fmt: skip
    kinds = [type(item) for item in read_entries("transaction", *entries, there={})]
    assert kinds == [Deletion, ConditionsAsked, Incoming, Incoming, ConditionsDone]
    asked = read_entries("transaction", *entries)[1]
    assert isinstance(asked, ConditionsAsked)
    assert asked.conditions == {Condition(None, "Practitioner", frozenset({"identifier=urn:npi|1"}))}


def test_without_a_database_a_condition_is_refused(tmp_path: Path) -> None:
    entries = [practitioner(1, "identifier=urn:npi|1"), {"resource": ROLE}]
    (tmp_path / "b.json").write_text(
        json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}, indent=1)
    )
    refused, role = read(tmp_path / "b.json")
    assert isinstance(refused, Rejected)
    assert refused.reason == "condition"
    assert "pyhce load" in refused.detail
    assert isinstance(role, Incoming)


def test_a_put_to_an_invalid_id_names_its_resource_by_the_derived_id(tmp_path: Path) -> None:
    def put(url: str, **members: object) -> dict[str, object]:
        resource = {"resourceType": "Observation", "status": "final", **members}
        return {"resource": resource, "request": {"method": "PUT", "url": url}}

    entries = [
        put("Observation/o_8", valueInteger=1),
        put("Observation/o_8", valueInteger=2),
        put("https://a.example/fhir/Observation/o_8", valueInteger=3),
        put("Observation/o_8", id="o_8"),
        put("Observation/o_8", id="other"),
        put("Observation/8", id=8),
    ]
    path = tmp_path / "in.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    items = list(read(path))
    derived = derived_id("Observation", "o_8")
    assert [getattr(item, "id", None) for item in items] == [derived] * 4 + [None, "8"]
    assert isinstance(items[4], Rejected)
    assert items[4].detail.startswith("the id in the request's URL differs from the resource's id")
