"""Whether two Patients can be one person."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhce.verify.patient_comparison import BIRTH_DATE, NAME, SEX, contradictions, kept_apart, traits_of

ANA = {"name": [{"family": "Díaz", "given": ["Ana"]}], "gender": "female", "birthDate": "2003-04-19"}


def found(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, ...]:
    return contradictions(traits_of(one), traits_of(other))


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("1980-05-17", "1980-05-17", True),
        ("1980", "1980-05-17", True),
        ("1980-05-17", "1980-05", True),
        ("1980-05-03", "1980-03-05", True),
        ("1980-05-17", "1980-05-11", True),
        ("1980-05-17", "1930-05-17", True),
        ("1980", "1981", True),
        ("1980-05-17", "1980-06-18", False),
        ("1980-05-17", "1981-06-17", False),
        ("1980-05-03", "1981-03-05", False),
        ("1980", "1979-12-31", False),
        ("1980-05", "1980-06-17", False),
        ("1980-05-17", "", True),
        ("1980-05-17", "17/05/1980", True),
        ("1980-05-17", None, True),
    ],
)
def test_birth_dates_agree_by_the_rule(one: str, other: str | None, agree: bool) -> None:
    assert (found({"birthDate": one}, {"birthDate": other}) == ()) is agree
    assert (found({"birthDate": other}, {"birthDate": one}) == ()) is agree


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ([{"family": "Núñez"}], [{"family": "NUNEZ", "given": ["Leo"]}], True),
        ([{"family": "Nu\u0301n\u0303ez"}], [{"family": "Núñez"}], True),
        ([{"text": "Ana María Rojas"}], [{"family": "Rojas", "given": ["A."]}], True),
        ([{"family": "Kil", "given": ["Ana"]}], [{"family": "Har", "given": ["Leo"]}], False),
        ([{"family": "Rojas"}, {"family": "Pardo", "use": "maiden"}], [{"family": "Pardo"}], True),
        ([{"given": ["J"], "family": "Mora"}], [{"given": ["J"], "family": "Gil"}], False),
        ([{"family": "A"}], [{"family": "Gil"}], True),
        ([], [{"family": "Gil"}], True),
        (None, [{"family": "Gil"}], True),
        ([{"family": ["odd"], "given": "Gil"}], [{"family": "Gil"}], True),
    ],
)
def test_names_agree_if_they_share_a_word(one: object, other: object, agree: bool) -> None:
    assert (found({"name": one}, {"name": other}) == ()) is agree


def test_sex_contradicts_unless_it_is_missing_or_unknown() -> None:
    assert found({"gender": "female"}, {"gender": "male"}) == (SEX,)
    assert found({"gender": "female"}, {"gender": "unknown"}) == ()
    assert found({"gender": "female"}, {}) == ()


def test_two_contradictions_keep_patients_apart_and_one_does_not() -> None:
    other_name = {**ANA, "name": [{"family": "Har", "given": ["Leo"]}]}
    assert found(ANA, other_name) == (NAME,)
    assert not kept_apart(traits_of(ANA), traits_of(other_name))
    assert found(ANA, {**other_name, "birthDate": "1958-09-28"}) == (BIRTH_DATE, NAME)
    assert kept_apart(traits_of(ANA), traits_of({**other_name, "gender": "male"}))


NAMES = st.lists(
    st.fixed_dictionaries({}, optional={"family": st.text(), "given": st.lists(st.text()), "text": st.text()})
)
PATIENTS = st.fixed_dictionaries(
    {},
    optional={
        "birthDate": st.dates().map(str) | st.dates().map(lambda d: str(d)[:7]) | st.text(),
        "name": NAMES | st.none() | st.integers(),
        "gender": st.sampled_from(["male", "female", "other", "unknown"]) | st.text(),
    },
)


@given(PATIENTS, PATIENTS)
def test_a_comparison_is_symmetric(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert found(one, other) == found(other, one)


@given(PATIENTS)
def test_a_patient_never_contradicts_itself(one: dict[str, Any]) -> None:
    assert found(one, one) == ()


@given(PATIENTS, PATIENTS, st.sampled_from(["birthDate", "name", "gender"]))
def test_a_missing_element_never_contradicts(one: dict[str, Any], other: dict[str, Any], missing: str) -> None:
    less = {name: value for name, value in one.items() if name != missing}
    element = {"birthDate": BIRTH_DATE, "name": NAME, "gender": SEX}[missing]
    assert set(found(less, other)) == set(found(one, other)) - {element}
