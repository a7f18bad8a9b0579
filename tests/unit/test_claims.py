"""Which Patient has a document that several Patients state: the same in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyhce.records.writing.claims import Claim, patients_kept_apart
from pyhce.verify.patient_comparison import kept_apart, traits_of

PERSONS: list[dict[str, Any]] = [
    {"birthDate": "2003-04-19", "gender": "female", "name": [{"family": "Kil"}]},
    {"birthDate": "2003-04-19", "gender": "male", "name": [{"family": "Kil"}]},
    {"birthDate": "1958-09-28", "gender": "male", "name": [{"family": "Har"}]},
    {"birthDate": "1958-09-28", "name": [{"family": "Paz"}]},
    {"gender": "female"},
    {},
]
KEYS = st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["1", "2", "10"]))


def claim(patient: tuple[str, str], number: int, confirmed: bool) -> Claim:
    return Claim(patient, "CC-1", "CC-1", None, (), traits_of(PERSONS[number]), confirmed)


CLAIMS = st.dictionaries(KEYS, st.tuples(st.integers(0, len(PERSONS) - 1), st.booleans()), max_size=9).map(
    lambda found: [claim(patient, *said) for patient, said in found.items()]
)


@given(CLAIMS, st.randoms())
def test_the_order_of_claims_does_not_matter(claims: list[Claim], chance: Any) -> None:
    shuffled = list(claims)
    chance.shuffle(shuffled)
    assert patients_kept_apart(claims) == patients_kept_apart(shuffled)


@given(CLAIMS)
def test_patients_that_share_a_record_contradict_each_other_only_if_a_person_assigned_one(
    claims: list[Claim],
) -> None:
    apart = patients_kept_apart(claims)
    joined = [c for c in claims if c.patient not in apart]
    for one in joined:
        for other in joined:
            assert one.confirmed or other.confirmed or not kept_apart(one.traits, other.traits)


@given(CLAIMS)
def test_a_patient_kept_apart_contradicts_one_that_has_the_document(claims: list[Claim]) -> None:
    apart = patients_kept_apart(claims)
    for one in claims:
        if one.patient in apart:
            assert not one.confirmed
            assert any(kept_apart(one.traits, c.traits) for c in claims if c.patient not in apart)


@given(CLAIMS)
def test_confirmed_pairs_share_the_record(claims: list[Claim]) -> None:
    pairs = {frozenset((one.patient, other.patient)) for one in claims for other in claims}
    assert patients_kept_apart(claims, pairs) == set()


@given(CLAIMS)
def test_the_first_patient_has_the_document(claims: list[Claim]) -> None:
    if claims and not any(c.confirmed for c in claims):
        assert min(c.patient for c in claims) not in patients_kept_apart(claims)
