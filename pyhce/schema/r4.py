"""The elements of FHIR R4 (4.0.1), from the specification's definitions; `tools/make_r4_elements.py` writes the table.

FHIR's specification is in the public domain (CC0): https://hl7.org/fhir/R4/license.html.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class Element(NamedTuple):
    """An element of a resource or data type.

    Args:
        path: its path, joined by dots, relative to the resource or data type.
        types: its FHIR types; several for a choice.
        many: whether it is an array.
        required: whether its minimum cardinality is 1.
        targets: the resource types to which a Reference may refer, `("Resource",)` for any; empty for another type.
    """

    path: str
    types: tuple[str, ...]
    many: bool
    required: bool
    targets: tuple[str, ...]


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(gzip.decompress(files("pyhce.schema").joinpath("r4.json.gz").read_bytes()))
    return table


RESOURCE_TYPES: frozenset[str] = frozenset(_table()["resources"])
"""Every concrete resource type."""


@cache
def element(resource_type: str, path: str) -> Element | None:
    """The element at a path, None if R4 has no such element.

    A choice is found as `value[x]` and by its member `valueQuantity`, which has that one type. A path into a primitive
    gives None.
    """
    walked = _walk(resource_type, path)
    return walked[-1][1]._replace(path=path) if walked else None


@cache
def json_path(resource_type: str, path: str) -> tuple[tuple[str, bool], ...]:
    """The JSON members on the path to an element, each with whether it is an array; empty if R4 has no such path."""
    return tuple((name, found.many) for name, found in _walk(resource_type, path))


@cache
def choice_types(resource_type: str, path: str) -> tuple[str, ...]:
    """The types of a choice (`effective[x]`); empty if R4 has no such path."""
    found = element(resource_type, path)
    return found.types if found else ()


def patient_parameters(resource_type: str) -> dict[str, str]:
    """The search parameters of a type that may refer to a patient, with their FHIRPath expressions."""
    return dict(_table()["patient_parameters"].get(resource_type, {}))


@cache
def patient_compartment() -> dict[str, tuple[str, ...]]:
    """The resource types of the Patient compartment, each with the search parameters that put a resource into it.

    `patient_parameters` has the FHIRPath expressions. Source: https://hl7.org/fhir/R4/compartmentdefinition-patient.html
    """
    return {name: tuple(codes) for name, codes in _table()["patient_compartment"].items()}


def elements(resource_type: str) -> Iterator[Element]:
    """Every element at any depth of the resource or data type, not inside its data types."""
    for path, raw in _table()["elements"].get(resource_type, {}).items():
        yield _element(path, raw)


@cache
def choice_members(stem: str) -> frozenset[str]:
    """The JSON members of all choices with a name: `value` gives `valueQuantity` …; empty without such a choice."""
    return frozenset(
        stem + kind[0].upper() + kind[1:]
        for owned in _table()["elements"].values()
        for path, raw in owned.items()
        if path.rpartition(".")[2] == stem + "[x]"
        for kind in raw[0]
    )


def is_complex(fhir_type: str) -> bool:
    """Whether a type is a JSON object: a complex data type or a resource type, not a primitive."""
    return fhir_type in _table()["elements"]


def codes_of(owner: str, path: str) -> tuple[str, ...]:
    """The codes that an element of type code may have; empty if any code is allowed."""
    table = _table()
    return tuple(table["codes"].get(table["bindings"].get(owner, {}).get(path), ()))


def pattern_of(primitive: str) -> str:
    """The regular expression for the whole text of a primitive; empty if FHIR defines none."""
    found: str = _table()["patterns"].get(primitive, "")
    return found


def _element(path: str, raw: list[Any]) -> Element:
    types, many, required, targets = raw
    return Element(path, tuple(types), bool(many), bool(required), tuple(targets))


def _walk(resource_type: str, path: str) -> list[tuple[str, Element]]:
    """The JSON member and the element of each step of a path; empty if R4 does not have one of them."""
    walked: list[tuple[str, Element]] = []
    owner, prefix = resource_type, ""
    for name in path.split("."):
        found = _member(owner, prefix, name)
        if found is None:
            return []
        inside, step = found
        walked.append((name, step))
        kind = step.types[0] if len(step.types) == 1 else ""
        if kind.startswith("#"):
            prefix = kind[1:] + "."
        elif kind in {"BackboneElement", "Element"}:
            prefix = inside + "."
        else:
            owner, prefix = kind, ""
    return walked


@cache
def _member(owner: str, prefix: str, name: str) -> tuple[str, Element] | None:
    """A direct member of a type or of a backbone element, with its path; the member of a choice has one type."""
    owned = _table()["elements"].get(owner, {})
    if prefix + name in owned:
        return prefix + name, _element(prefix + name, owned[prefix + name])
    for path, raw in owned.items():
        stem = path.removesuffix("[x]")
        if path.endswith("[x]") and path.startswith(prefix) and "." not in stem[len(prefix) :]:
            short = stem[len(prefix) :]
            for kind in raw[0]:
                if name == short + kind[0].upper() + kind[1:]:
                    return path, _element(path, [[kind], *raw[1:]])
    return None
