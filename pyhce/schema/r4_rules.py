"""The rules of FHIR R4 (4.0.1) that `pyhce load --strict` checks besides the structure of the elements.

`tools/make_r4_rules.py` writes the table; only `--strict` reads it.
FHIR's specification is in the public domain (CC0): https://hl7.org/fhir/R4/license.html.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class Invariant(NamedTuple):
    """An invariant of R4.

    Args:
        key: R4's name of the rule, such as `obs-7`.
        text: the rule in R4's words.
        expression: the rule in FHIRPath; true for a valid element.
    """

    key: str
    text: str
    expression: str


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(gzip.decompress(files("pyhce.schema").joinpath("r4_rules.json.gz").read_bytes()))
    return table


def invariants(owner: str, path: str) -> tuple[Invariant, ...]:
    """The invariants of an element of a type; of the type itself if the path is empty."""
    return tuple(Invariant(*raw) for raw in _table()["invariants"].get(owner, {}).get(path, ()))


def canonical_targets(owner: str, path: str) -> frozenset[str]:
    """The resource types to which a canonical URL may refer; empty for any type."""
    return frozenset(_table()["canonicals"].get(owner, {}).get(path, ()))


def required_codes(owner: str, path: str) -> dict[str, list[str]]:
    """The codes, by code system, that a Coding or CodeableConcept may have; empty if any code is allowed."""
    table = _table()
    codes: dict[str, list[str]] = table["sets"].get(table["required"].get(owner, {}).get(path), {})
    return codes


@cache
def codes_of_system(system: str) -> frozenset[str]:
    """All codes of a code system that the specification defines; empty for any other system."""
    return frozenset(_table()["systems"].get(system, ()))


def extension(url: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The value types of an extension, and the elements that may have it; None if the specification does not define it.

    No value types: the extension has extensions instead of a value. No elements: the specification does not give the
    elements by their paths.
    """
    found = _table()["extensions"].get(url)
    return (frozenset(found[0]), frozenset(found[1])) if found else None


def search_parameter(url: str) -> tuple[str, frozenset[str]] | None:
    """The type and the resource types of a search parameter; None if the specification does not define it."""
    found = _table()["search_parameters"].get(url)
    return (found[0], frozenset(found[1])) if found else None
