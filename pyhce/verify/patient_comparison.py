"""Whether two Patients can be one person, by birth date, name and sex; pure, for those that write and those that check.

The rule of docs/identity.md, "When two Patients share a document". Birth dates agree if they are equal, if one contains
the other (1980-05 contains 1980-05-17), if day and month are swapped or if one digit differs. Names agree if they share
a word of two letters or more, without accents and case. An element that is missing on either side contradicts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pyhce.schema.later_helpers import search_text

BIRTH_DATE, NAME, SEX = "birth date", "name", "sex"
CONTRADICTIONS_THAT_SEPARATE = 2
"""Patients that contradict each other in this many elements are kept apart; in fewer it is a finding."""
_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?\Z", re.ASCII)
_WORD = re.compile(r"[^\W\d_]{2,}")


class Traits(NamedTuple):
    """What a Patient says of the person; None and an empty set stand for what it does not say."""

    birth: str | None
    words: frozenset[str]
    sex: str | None


def traits_of(patient: Mapping[str, Any]) -> Traits:
    """What a Patient resource says of the person; what is not as R4 has it is missing."""
    birth, sex = patient.get("birthDate"), patient.get("gender")
    return Traits(
        birth=birth if isinstance(birth, str) and _DATE.match(birth) else None,
        words=frozenset(word for name in _names(patient.get("name")) for word in _words(name)),
        sex=sex if isinstance(sex, str) and sex not in {"", "unknown"} else None,
    )


TRAIT_COLUMNS = "recurso -> 'birthDate', recurso -> 'gender', recurso -> 'name'"
"""What of a stored Patient tells its traits, in SQL: the arguments of `traits_from_columns`."""


def traits_from_columns(birth: Any, sex: Any, name: Any) -> Traits:
    """What a stored Patient says of the person, by the values of `TRAIT_COLUMNS`."""
    return traits_of({"birthDate": birth, "gender": sex, "name": name})


def contradictions(one: Traits, other: Traits) -> tuple[str, ...]:
    """The elements in which two Patients contradict each other, of birth date, name and sex."""
    found = []
    if one.birth and other.birth and not _dates_agree(one.birth, other.birth):
        found.append(BIRTH_DATE)
    if one.words and other.words and not one.words & other.words:
        found.append(NAME)
    if one.sex and other.sex and one.sex != other.sex:
        found.append(SEX)
    return tuple(found)


def kept_apart(one: Traits, other: Traits) -> bool:
    """Whether two Patients contradict each other so much that they do not share a record."""
    return len(contradictions(one, other)) >= CONTRADICTIONS_THAT_SEPARATE


def _names(value: Any) -> Iterator[str]:
    """Every text of HumanNames: given names, surnames and the whole name."""
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
