"""Countries that resources state: ISO 3166-1 codes in letters or digits, of an identifier or a nationality."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

_COUNTRY_SYSTEM = re.compile("3166|pais|country", re.IGNORECASE)
_NATIONALITY = re.compile("(nationality|citizenship)$", re.IGNORECASE)


@cache
def _alpha2() -> dict[str, str]:
    text = files(__package__).joinpath("packs", "countries.txt").read_text("utf-8")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return {spelled: row[0] for row in rows for spelled in row}


def country_of(code: object) -> str | None:
    """Return the alpha-2 code for an alpha-2, alpha-3 or numeric code; None for anything else."""
    return _alpha2().get(code.strip().upper()) if isinstance(code, str) else None


def stated_country(patient: dict[str, Any], identifier: dict[str, Any]) -> str | None:
    """Return the country that issued a document, as a Patient states it; None if it states none or several.

    The country is in an extension of the identifier or of its type. Without one it is the Patient's nationality: HL7's
    `patient-nationality` or `patient-citizenship`, or Colombia's `ExtensionPatientNationality`.
    """
    own = {*_countries(identifier), *_countries(identifier.get("type"))}
    if not own:
        own = {
            country
            for extension in _extensions(patient)
            if isinstance(extension.get("url"), str) and _NATIONALITY.search(extension["url"])
            for country in _countries_in(extension, named=False)
        }
    return own.pop() if len(own) == 1 else None


def _extensions(held: Any) -> Iterator[dict[str, Any]]:
    listed = held.get("extension") if isinstance(held, dict) else None
    yield from (one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict))


def _countries(held: Any) -> Iterator[str]:
    for extension in _extensions(held):
        yield from _countries_in(extension, named=True)


def _countries_in(extension: dict[str, Any], *, named: bool) -> Iterator[str]:
    """Yield the countries in an extension; with `named`, only codings whose system is one of countries."""
    concept = extension.get("valueCodeableConcept")
    listed = concept.get("coding") if isinstance(concept, dict) else None
    for coding in [*(listed if isinstance(listed, list) else []), extension.get("valueCoding")]:
        if isinstance(coding, dict) and (country := country_of(coding.get("code"))):
            system = coding.get("system")
            if not named or (isinstance(system, str) and _COUNTRY_SYSTEM.search(system)):
                yield country
    for inner in _extensions(extension):
        yield from _countries_in(inner, named=named)
