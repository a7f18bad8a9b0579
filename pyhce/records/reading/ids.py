"""Ids that are not FHIR's: what is wrong with one, and the id under which its resource is known all the same.

An id in FHIR R4 is 1 to 64 letters, digits, hyphens and dots (https://hl7.org/fhir/R4/datatypes.html#id). Systems send
others: `patient_7`, 70 characters, the number 7. Each of them has one derived id, always the same for the same type and
text, so that every reader and writer gives the same one, a reference too that comes before its target. `load` takes
a resource with such an id with `--repair-ids` only; a reference to one leads to the derived id in any case.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import unquote

from pyhce.records.reading.exact_json import ExactNumber

LONGEST_ID = 64
"""Characters of an id."""
_PREFIX = "repaired-"
_SHOWN = 80

is_id = re.compile(rf"[A-Za-z0-9.\-]{{1,{LONGEST_ID}}}\Z").match
"""Whether a string is a FHIR id."""


def derived_id(fhir_type: str, original: str) -> str:
    """The id of a resource whose own id is not FHIR's: of 192 bits, so that no two of a source meet."""
    text = f"{fhir_type}/{original}".encode("utf-8", "surrogatepass")
    return _PREFIX + hashlib.sha256(text).hexdigest()[:48]


def id_in_reference(fhir_type: str, text: str) -> str:
    """The id that the part of a reference after `Type/` names; a reference is a URI, so it may be percent-encoded."""
    named = unquote(text) if "%" in text else text
    return named if is_id(named) else derived_id(fhir_type, named)


def id_text(resource: dict[str, Any]) -> str | None:
    """The id of a resource as text: a number as it is spelled; None if it has none, or one that cannot be read."""
    given = resource.get("id")
    text = given.text if isinstance(given, ExactNumber) else given
    return text if isinstance(text, str) and text.strip() else None


def id_of(resource: dict[str, Any]) -> str | None:
    """The id under which a resource is known; None if it has none.

    A number counts as the text that it is spelled as, so `Patient/7` leads to the Patient whose id is the number 7.
    """
    text = id_text(resource)
    return text if text is None or is_id(text) else derived_id(resource["resourceType"], text)


def id_problem(resource: dict[str, Any]) -> str | None:
    """What is wrong with the id of a resource, None if it is FHIR's or if there is none."""
    given = resource.get("id")
    if given is None or (isinstance(given, str) and is_id(given)):
        return None
    if isinstance(given, ExactNumber):
        return f"the id is the number {given.text[:_SHOWN]}, not text"
    if not isinstance(given, str):
        kinds = {bool: "a boolean", list: "an array", dict: "an object"}
        return f"the id is {kinds.get(type(given), type(given).__name__)}, not text"
    if not given.strip():
        return "the id is empty"
    if odd := re.sub(r"[A-Za-z0-9.\-]", "", given):
        return f"the id {given[:_SHOWN]!r} contains {odd[0]!r}: an id has only letters A to Z, digits, hyphens and dots"
    return f"the id {given[:_SHOWN]!r} has {len(given)} characters, the longest that FHIR has is {LONGEST_ID}"


def can_be_repaired(resource: dict[str, Any]) -> bool:
    """Whether there is a derived id for a resource with a wrong id: not for a boolean, an array or an object."""
    return isinstance(resource.get("id"), str | ExactNumber)
