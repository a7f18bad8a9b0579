"""Ids that FHIR does not allow: what is wrong with one, and the derived id that replaces it.

An id in FHIR R4 has 1 to 64 letters, digits, hyphens and dots (https://hl7.org/fhir/R4/datatypes.html#id). Systems send
others: `patient_7`, 70 characters, the number 7. The derived id is computed from the type and the original id alone, so
every reader and writer computes the same one, even for a reference that comes before its target. `load` accepts a
resource with such an id only with `--repair-ids`; a reference to such an id always leads to the derived id.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import unquote

from pyhce.records.reading.exact_json import ExactNumber

LONGEST_ID = 64
"""Characters that an id may have."""
_PREFIX = "repaired-"
_SHOWN = 80

is_id = re.compile(rf"[A-Za-z0-9.\-]{{1,{LONGEST_ID}}}\Z").match
"""Whether a string is a FHIR id."""


def derived_id(fhir_type: str, original: str) -> str:
    """The id that replaces one that FHIR does not allow. It has 192 bits, so two of one source do not collide."""
    text = f"{fhir_type}/{original}".encode("utf-8", "surrogatepass")
    return _PREFIX + hashlib.sha256(text).hexdigest()[:48]


def id_in_reference(fhir_type: str, text: str) -> str:
    """The id that a reference names after `Type/`. A reference is a URI, so the id may be percent-encoded."""
    named = unquote(text) if "%" in text else text
    return named if is_id(named) else derived_id(fhir_type, named)


def id_text(resource: dict[str, Any]) -> str | None:
    """The id of a resource as text, a number in its spelling; None if it is missing, blank or of another type."""
    given = resource.get("id")
    text = given.text if isinstance(given, ExactNumber) else given
    return text if isinstance(text, str) and text.strip() else None


def id_of(resource: dict[str, Any]) -> str | None:
    """The id under which a resource is stored, derived if necessary; None if it has no id.

    A number counts as its text, so `Patient/7` leads to the Patient whose id is the number 7.
    """
    text = id_text(resource)
    return text if text is None or is_id(text) else derived_id(resource["resourceType"], text)


def id_problem(resource: dict[str, Any]) -> str | None:
    """What is wrong with the id of a resource; None if FHIR allows it, or if there is none."""
    given = resource.get("id")
    if given is None or (isinstance(given, str) and is_id(given)):
        return None
    if isinstance(given, ExactNumber):
        return f"the id is the number {given.text[:_SHOWN]}, not a string"
    if not isinstance(given, str):
        kinds = {bool: "a boolean", list: "an array", dict: "an object"}
        return f"the id is {kinds.get(type(given), type(given).__name__)}, not a string"
    if not given.strip():
        return "the id is empty"
    if odd := re.sub(r"[A-Za-z0-9.\-]", "", given):
        return f"the id {given[:_SHOWN]!r} contains {odd[0]!r}: an id has only letters A to Z, digits, hyphens and dots"
    return f"the id {given[:_SHOWN]!r} has {len(given)} characters; FHIR allows {LONGEST_ID}"


def can_be_repaired(resource: dict[str, Any]) -> bool:
    """Whether an id that FHIR does not allow has a derived id: not a boolean, an array or an object."""
    return isinstance(resource.get("id"), str | ExactNumber)
