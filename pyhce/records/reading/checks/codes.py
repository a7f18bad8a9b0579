"""Codes that the specification itself lists, and the form of those that it does not.

https://hl7.org/fhir/R4/terminologies.html. No terminology server is asked: of SNOMED CT only the form of a code is
looked at.
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
    # a concept's number, or an expression, which has a space, an operator or a term in it
    "http://snomed.info/sct": re.compile(r"[0-9]{6,18}\Z|[0-9]{6,18}[ |:+=,{}()].*\Z|[=<(].*\Z", re.DOTALL).match,
}


def check_coding(coding: dict[str, Any]) -> Iterator[RuleProblem]:
    """A Coding's system is absolute and a code system, and has the code if the specification lists its codes."""
    system, code = coding.get("system"), coding.get("code")
    if not isinstance(system, str):
        return
    yield from check_system(system)
    if isinstance(code, str):
        yield from check_code(system, code)


def check_system(system: str) -> Iterator[RuleProblem]:
    """What is wrong with the URL of a code system."""
    if not is_absolute(system):
        yield RuleProblem(
            "coding-system", "the code system's URL is relative: an absolute URL or URN is required", ".system"
        )
    elif system.startswith("http://hl7.org/fhir/ValueSet/"):
        yield RuleProblem("coding-system", "the URL of a value set is given in place of a code system's", ".system")


def check_code(system: str, code: str) -> Iterator[RuleProblem]:
    """What is wrong with a code of a system."""
    known = codes_of_system(system)
    form = _FORMS.get(system)
    if known and code not in known:
        yield RuleProblem("code-unknown", f"the code system {system} of R4 has no such code", ".code")
    elif form is not None and not form(code):
        yield RuleProblem("code-form", f"{system} has no code of that form", ".code")


def check_required(value: dict[str, Any], required: dict[str, list[str]]) -> Iterator[RuleProblem]:
    """A Coding or CodeableConcept with a required binding has one of its codes; its absence may have a reason."""
    codings = list(object_items(value.get("coding"))) if "coding" in value or "text" in value else [value]
    if "extension" in value or any("extension" in coding for coding in codings):
        return
    if not any(coding.get("code") in required.get(str(coding.get("system")), ()) for coding in codings):
        systems = ", ".join(sorted(required))
        yield RuleProblem("required-binding", f"a code of {systems} is required")
