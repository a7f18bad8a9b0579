"""The stored form of references: no text leads to the id of another patient."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyhce.errors import UsageError
from pyhce.records.reading.bases import canonical_base, own_bases, split_url
from pyhce.records.reading.ids import is_id
from pyhce.records.reading.reference import keys_in_other_sources, literal_target, source_and_key
from pyhce.records.reading.stored_references import may_differ, may_differ_in_line, stored_form

OWN = "https://own.example/fhir"
_PIECES = (
    "Patient", "Group", "patient", "Patient/", "/", "//", "p", "1.2", "_history", "/_history/2", "?", "#", "%7C", "=",
    "identifier=", "urn:uuid:", "URN:OID:", OWN, "https://other.example/fhir", "http://", "HTTPS://OWN.EXAMPLE:443/fhir",
    "|", " ", "\n", "ñ", "\\", '"', "0AA0AAAA-0000-4000-8000-00000000000A",
)  # fmt: skip
references = st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=6).map("".join)


@given(references)
@example(f"{OWN}/Patient/p/")
@example("Patient/p/_history/2")
def test_a_reference_that_may_not_differ_is_stored_unchanged(reference: str) -> None:
    try:
        line = orjson.dumps({"subject": {"reference": reference}})
    except orjson.JSONEncodeError:
        return
    if not may_differ(line):
        assert stored_form(reference, {OWN}) == reference
    spaced = json.dumps({"subject": {"reference": reference}}, ensure_ascii=False).encode()
    assert bool(may_differ_in_line(spaced)) == bool(may_differ(line)) or b"\\u" in spaced + line


@given(references)
@example("https://other.example/fhir/Patient/p")
@example("other.example/Patient/p")
@example("https://other.example/fhir/Patient/p/_history/2")
def test_the_key_of_another_servers_reference_is_never_an_id(reference: str) -> None:
    named = literal_target(stored_form(reference, {OWN}))
    url = split_url(reference)
    if url is None or "?" in reference or reference.startswith("#") or reference[:4].lower() == "urn:":
        return
    base, kind, key, _ = url
    assert named is not None
    assert named.type == kind
    assert named.key == (key if base == OWN else f"{base}/{kind}/{key}")
    assert bool(is_id(named.key)) == (base == OWN)


@given(references)
def test_the_stored_form_of_a_stored_form_is_the_same(reference: str) -> None:
    once = stored_form(reference, {OWN})
    assert "%" in once or stored_form(once, {OWN}) == once
    assert "%" in once or stored_form(once, ()) == once


@given(references, st.text(max_size=5))
def test_a_key_leads_back_to_its_source_and_id(key: str, fuente: str) -> None:
    base, there = source_and_key(fuente, key)
    if (base, there) != (fuente, key):
        assert keys_in_other_sources(base, [there]) == [key]


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("https://EHR.example:443/fhir/", "https://ehr.example/fhir"),
        ("HTTP://ehr.example:80", "http://ehr.example"),
        ("http://ehr.example:8080/FHIR//", "http://ehr.example:8080/FHIR"),
        ("https://[::1]:8443/r4", "https://[::1]:8443/r4"),
    ],
)
def test_bases_are_compared_by_scheme_host_port_and_path(given_: str, wanted: str) -> None:
    assert canonical_base(given_) == wanted
    assert own_bases([given_]) == {wanted}


@pytest.mark.parametrize(
    "base", ["", "ehr", "ftp://a", "https://", "https://u:p@a", "https://a?x=1", "https://a#x", "https://a b"]
)
def test_a_text_that_is_not_a_base_is_refused(base: str) -> None:
    with pytest.raises(UsageError, match="is not an http or https URL"):
        own_bases([OWN, base])


def test_a_source_that_is_named_by_a_url_owns_it() -> None:
    assert own_bases([], OWN) == {OWN}
    assert own_bases([], "hospital-norte") == set()
