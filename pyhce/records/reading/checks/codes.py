"""Codes: whether the specification lists them; for SNOMED CT whether their format is valid.

https://hl7.org/fhir/R4/terminologies.html. No terminology server is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyhce.records.reading.checks.problems import RuleProblem, object_items
from pyhce.schema.r4_rules import codes_of_system

is_absolute = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S").match
"""Whether a URI has a scheme."""
_FORMS = {
    # a concept id, or an expression, which contains a space, an operator or a term
    "http://snomed.info/sct": re.compile(r"[0-9]{6,18}\Z|[0-9]{6,18}[ |:+=,{}()].*\Z|[=<(].*\Z", re.DOTALL).match,
}


def check_coding(coding: dict[str, Any]) -> Iterator[RuleProblem]:
    """Check that a Coding's system is an absolute URL of a code system and, if R4 lists its codes, has the code."""
    system, code = coding.get("system"), coding.get("code")
    if not isinstance(system, str):
        return
    yield from check_system(system)
    if isinstance(code, str):
        yield from check_code(system, code)


def check_system(system: str) -> Iterator[RuleProblem]:
    """Check the URL of a code system."""
    if not is_absolute(system):
        yield RuleProblem("coding-system", "the URL of the code system must be absolute", ".system")
    elif system.startswith("http://hl7.org/fhir/ValueSet/"):
        yield RuleProblem("coding-system", "this is the URL of a value set, not of a code system", ".system")


def check_code(system: str, code: str) -> Iterator[RuleProblem]:
    """Check a code of a code system."""
    known = codes_of_system(system)
    form = _FORMS.get(system)
    if known and code not in known:
        yield RuleProblem("code-unknown", f"R4's code system {system} has no such code", ".code")
    elif form is not None and not form(code):
        yield RuleProblem("code-form", f"not the format of a code of {system}", ".code")


def check_required(value: dict[str, Any], required: dict[str, list[str]]) -> Iterator[RuleProblem]:
    """Check a Coding or CodeableConcept with a required binding. An extension may give a reason for a missing code."""
    codings = list(object_items(value.get("coding"))) if "coding" in value or "text" in value else [value]
    if "extension" in value or any("extension" in coding for coding in codings):
        return
    if not any(coding.get("code") in required.get(str(coding.get("system")), ()) for coding in codings):
        systems = ", ".join(sorted(required))
        yield RuleProblem("required-binding", f"a code of {systems} is required")
