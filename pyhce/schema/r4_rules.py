"""The rules of FHIR R4 (4.0.1) beyond the shape of its elements; `tools/make_r4_rules.py` wrote them.

Read only by `load --strict`. FHIR's specification is in the public domain (CC0): https://hl7.org/fhir/R4/license.html.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class Invariant(NamedTuple):
    """A rule that every element of its kind keeps.

    Args:
        key: R4's own name of the rule, such as `obs-7`.
        text: what it demands, in R4's words.
        expression: the same in FHIRPath: true where the rule is kept.
    """

    key: str
    text: str
    expression: str


@cache
def _table() -> dict[str, Any]:
    held: dict[str, Any] = json.loads(gzip.decompress(files("pyhce.schema").joinpath("r4_rules.json.gz").read_bytes()))
    return held


def invariants(owner: str, path: str) -> tuple[Invariant, ...]:
    """The rules of an element of a type; of the type itself if the path is empty."""
    return tuple(Invariant(*held) for held in _table()["invariants"].get(owner, {}).get(path, ()))


def canonical_targets(owner: str, path: str) -> frozenset[str]:
    """The types of definition that a canonical URL may name; empty for any."""
    return frozenset(_table()["canonicals"].get(owner, {}).get(path, ()))


def required_codes(owner: str, path: str) -> dict[str, list[str]]:
    """The codes, by system, of which a Coding or CodeableConcept must have one; empty if it may have any."""
    table = _table()
    held: dict[str, list[str]] = table["sets"].get(table["required"].get(owner, {}).get(path), {})
    return held


@cache
def codes_of_system(system: str) -> frozenset[str]:
    """All codes of a code system of the specification's own; empty for any other system."""
    return frozenset(_table()["systems"].get(system, ()))


def extension(url: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The value types of an extension of the specification's own, and the elements it is for; None for any other.

    No value types: it has extensions within. No elements: the specification gives its place in another way.
    """
    held = _table()["extensions"].get(url)
    return (frozenset(held[0]), frozenset(held[1])) if held else None


def search_parameter(url: str) -> tuple[str, frozenset[str]] | None:
    """The type and the resource types of a search parameter of the specification's own; None for any other."""
    held = _table()["search_parameters"].get(url)
    return (held[0], frozenset(held[1])) if held else None
