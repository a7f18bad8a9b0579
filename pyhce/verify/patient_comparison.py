"""Whether two Patients can be one person, by birth date, name and sex. Writers and checks use the same rule.

docs/persons.md has the rule. Birth dates agree if they are equal, if one contains the other (1980-05 contains
1980-05-17), if day and month are swapped or if one digit differs. Names agree if they share a word of two letters or
more, ignoring accents and case. An element that one Patient does not state contradicts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pyhce.schema.later_helpers import search_text

BIRTH_DATE, NAME, SEX = "birth date", "name", "sex"
CONTRADICTIONS_THAT_SEPARATE = 2
"""Patients that contradict each other in this many elements are kept apart; in fewer, `pyhce verify` reports them."""
_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?\Z", re.ASCII)
_WORD = re.compile(r"[^\W\d_]{2,}")


class Traits(NamedTuple):
    """Birth date, words of the names, and sex of a Patient. None or an empty set: the Patient does not state it."""

    birth: str | None
    words: frozenset[str]
    sex: str | None


def traits_of(patient: Mapping[str, Any]) -> Traits:
    """The traits of a Patient resource. A value that is not valid in R4 counts as missing."""
    birth, sex = patient.get("birthDate"), patient.get("gender")
    return Traits(
        birth=birth if isinstance(birth, str) and _DATE.match(birth) else None,
        words=frozenset(word for name in _names(patient.get("name")) for word in _words(name)),
        sex=sex if isinstance(sex, str) and sex not in {"", "unknown"} else None,
    )


TRAIT_COLUMNS = "recurso -> 'birthDate', recurso -> 'gender', recurso -> 'name'"
"""SQL for the columns of the table paciente that `traits_from_columns` takes."""


def traits_from_columns(birth: Any, sex: Any, name: Any) -> Traits:
    """The traits of a stored Patient, from the values of `TRAIT_COLUMNS`."""
    return traits_of({"birthDate": birth, "gender": sex, "name": name})


def contradictions(one: Traits, other: Traits) -> tuple[str, ...]:
    """The elements in which two Patients contradict each other: some of "birth date", "name" and "sex"."""
    elements = []
    if one.birth and other.birth and not _dates_agree(one.birth, other.birth):
        elements.append(BIRTH_DATE)
    if one.words and other.words and not one.words & other.words:
        elements.append(NAME)
    if one.sex and other.sex and one.sex != other.sex:
        elements.append(SEX)
    return tuple(elements)


def kept_apart(one: Traits, other: Traits) -> bool:
    """Whether two Patients contradict each other in so many elements that they must not share a record."""
    return len(contradictions(one, other)) >= CONTRADICTIONS_THAT_SEPARATE


def _names(value: Any) -> Iterator[str]:
    """Every text of a list of HumanName: given names, family names and the full name."""
    for name in value if isinstance(value, list) else [value]:
        if isinstance(name, dict):
            given = name.get("given")
            parts = [*(given if isinstance(given, list) else [given]), name.get("family"), name.get("text")]
            yield from (part for part in parts if isinstance(part, str))


def _words(text: str) -> list[str]:
    return _WORD.findall(search_text(text))


def _dates_agree(one: str, other: str) -> bool:
    if one.startswith(other) or other.startswith(one):
        return True
    if len(one) != len(other):
        return False
    if sum(left != right for left, right in zip(one, other, strict=True)) == 1:
        return True
    return len(one) == 10 and one == f"{other[:5]}{other[8:]}-{other[5:7]}"
