"""The form of documento_id: different identifiers give different documents, and a stored document can be typed."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyhce.errors import UsageError
from pyhce.records.identity import MAX_BYTES, PROVISIONAL, check_document, nuip_of, parse_document, provisional_document
from pyhce.records.identity.grammar import ESCAPED, escape, fold_number, issued_document, national_document, unescape

anything = st.text(st.characters(codec=None, categories=None), max_size=40)
telling = st.text(st.sampled_from("aA1.-@%/ \t\u00a0\u3000\x00é\ud800%20%40"), min_size=1, max_size=12)
texts = anything | telling
types = st.from_regex(r"[A-Z][A-Z0-9]{0,15}", fullmatch=True).filter(lambda kind: kind != "PROV")
countries = st.none() | st.sampled_from(["AR", "BR", "CL", "US", "XK"])
numbers = st.text("ABCXYZ0123456789", min_size=1, max_size=40)
FORM = re.compile(
    r"([A-Z]{2}\.)?[A-Z][A-Z0-9]{0,15}-[A-Z0-9]{1,40}"
    r"|[A-Z][A-Z0-9]{0,15}-[^\s@\x00-\x1f\x7f-\x9f]+@[^\s@\x00-\x1f\x7f-\x9f]+"
    r"|PROV-[0-9a-f]{32}"
)


def test_every_white_space_and_control_character_is_escaped() -> None:
    telling = {c for c in map(chr, range(0x110000)) if c.isspace() or unicodedata.category(c) == "Cc"}
    assert set(ESCAPED) == {"%", "@", *telling}


@given(st.tuples(texts, texts), st.tuples(texts, texts))
@example(("12", "http://hosp-a.org/mrn"), ("12", "http://hospa.org/mrn"))
@example(("12", "http://a/MRN"), ("12", "http://a/mrn"))
@example(("12.3", "s"), ("123", "s"))
@example(("1@a", "b"), ("1", "a@b"))
@example(("1%40a", "b"), ("1@a", "b"))
@example(("1", "http://a "), ("1", "http://a"))
def test_different_pairs_of_value_and_system_give_different_documents(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    found = issued_document("MR", *one), issued_document("MR", *other)
    if None not in found and (one[0].strip(), one[1]) != (other[0].strip(), other[1]):
        assert found[0] != found[1]


@given(types, texts, texts)
def test_an_issued_document_has_its_form_and_can_be_parsed(kind: str, value: str, system: str) -> None:
    document = issued_document(kind, value, system)
    if document is None:
        assert not value.strip() or not system.strip() or len(escape(value + system).encode()) > 300
        return
    assert FORM.fullmatch(document)
    assert len(document.encode()) <= MAX_BYTES
    assert parse_document(document) == (None, kind, value.strip(), system)


@given(countries, types, numbers)
def test_a_national_document_has_its_form_and_can_be_parsed(country: str | None, kind: str, number: str) -> None:
    document = national_document(country, kind, number)
    assert document is not None
    assert FORM.fullmatch(document)
    assert parse_document(document) == (country, kind, number, None)


@given(types, texts, texts)
def test_a_stored_issued_document_can_be_typed(kind: str, value: str, system: str) -> None:
    document = issued_document(kind, value, system)
    if document is not None:
        assert check_document(document, "DOCUMENTO") == document
        assert check_document(f" {kind.lower()}{document[len(kind) :]}\n", "DOCUMENTO") == document


@given(countries, types, numbers, st.sampled_from([".", " ", "-", "\u00a0"]))
def test_a_national_document_can_be_typed_with_separators(
    country: str | None, kind: str, number: str, between: str
) -> None:
    document = national_document(country, kind, number)
    head = f"{country}.{kind}" if country else kind
    assert check_document(f"{head}-{number}", "DOCUMENTO") == document
    assert check_document(f"{head.lower()}-{between.join(number).lower()}", "DOCUMENTO") == document


@given(texts)
def test_a_folded_number_has_the_form_or_gives_no_document(value: str) -> None:
    document = national_document(None, "CC", value)
    assert document is None or FORM.fullmatch(document)
    assert fold_number(fold_number(value)) == fold_number(value)


@given(texts)
def test_unescape_reverses_escape(text: str) -> None:
    assert unescape(escape(text)) == text
    escape(text).encode()


@pytest.mark.parametrize(
    ("typed", "document"),
    [
        ("cc-1.032 456", "CC-1032456"),
        ("CC-1-032", "CC-1032"),
        ("cc-0123", "CC-0123"),
        ("co.cc-123", "CC-123"),
        ("ar.dni-23.327.755", "AR.DNI-23327755"),
        ("cl.run-15.236.327-k", "CL.RUN-15236327K"),
        ("mr-00.12a@http://hosp-a.org/mrn", "MR-00.12a@http://hosp-a.org/mrn"),
        ("MR-a b@urn:oid:1.2.36", "MR-a%20b@urn:oid:1.2.36"),
        ("MR-50% @ http://h/a@b", "MR-50%25@http://h/a%40b"),
        ("MR-50%25@http://h/a%40b", "MR-50%25@http://h/a%40b"),
        ("MR-%41@s", "MR-%2541@s"),
        ("MR-12-3@s-t", "MR-12-3@s-t"),
        (f"prov-{'AB' * 16}", f"PROV-{'ab' * 16}"),
    ],
)
def test_a_typed_document_is_normalized(typed: str, document: str) -> None:
    assert check_document(typed, "OLD") == document


@pytest.mark.parametrize(
    "typed",
    [
        "", "123", "CC", "CC-", "-1", "C C-1x\n", "1C-1", "CC-1/2", "CC-ñ", "CC-²", f"CC-{'1' * 41}", "ARG.DNI-1",
        "A.DNI-1", "AR.MR-1@s", "MR-@s", "MR-1@", "MR- @ ", "PROV-1", f"AR.PROV-{'ab' * 16}", f"PROV-{'ab' * 16}@s",
        "A" * 17 + "-1",
        f"MR-{'1' * 300}@{'s' * 300}",
    ],
)  # fmt: skip
def test_invalid_documents_are_refused_without_repeating_them(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_document(typed, "OLD")
    assert "OLD" in caught.value.wrong
    assert len(typed) < 5 or typed not in caught.value.wrong + caught.value.remedy


def test_a_provisional_document_is_stable_and_does_not_reveal_its_key() -> None:
    assert provisional_document("a", "p") == provisional_document("a", "p") != provisional_document("b", "p")
    assert FORM.fullmatch(provisional_document("", "1032456789"))
    assert "1032456789" not in provisional_document("", "1032456789")
    assert parse_document(provisional_document("a", "p")).type == PROVISIONAL.removesuffix("-")


def test_the_nuip_is_the_same_under_three_documents() -> None:
    assert {nuip_of(f"{kind}-1032456789") for kind in ("RC", "TI", "CC")} == {"1032456789"}
    assert [nuip_of(other) for other in ("CE-1", "AR.CC-1", "CC-1@s", provisional_document("", "p"))] == [None] * 4
