"""The elements of FHIR R4 (4.0.1), from the specification's own definitions; `tools/make_r4_elements.py` wrote them.

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
    """An element of a resource.

    Args:
        path: dotted, relative to the resource.
        types: FHIR type codes; several for a choice.
        many: whether it is an array.
        required: whether its cardinality begins at 1.
        targets: the resource types that a Reference may name, ("Resource",) for any; empty without a Reference.
    """

    path: str
    types: tuple[str, ...]
    many: bool
    required: bool
    targets: tuple[str, ...]


@cache
def _table() -> dict[str, Any]:
    held: dict[str, Any] = json.loads(gzip.decompress(files("pyhce.schema").joinpath("r4.json.gz").read_bytes()))
    return held


RESOURCE_TYPES: frozenset[str] = frozenset(_table()["resources"])
"""Every concrete resource type."""


@cache
def element(resource_type: str, path: str) -> Element | None:
    """The element at a path, None if R4 has none.

    A choice may be named as such (`value[x]`) or by its member (`valueQuantity`); a primitive has nothing inside.
    """
    walked = _walk(resource_type, path)
    return walked[-1][1]._replace(path=path) if walked else None


@cache
def json_path(resource_type: str, path: str) -> tuple[tuple[str, bool], ...]:
    """The JSON members on the way to an element, each with whether it is an array; empty if there is no such path."""
    return tuple((name, found.many) for name, found in _walk(resource_type, path))


@cache
def choice_types(resource_type: str, path: str) -> tuple[str, ...]:
    """The types that a choice (`effective[x]`) may have; empty if there is no such path."""
    found = element(resource_type, path)
    return found.types if found else ()


def patient_parameters(resource_type: str) -> dict[str, str]:
    """The search parameters of a type that may name a patient, with their FHIRPath expressions."""
    return dict(_table()["patient_parameters"].get(resource_type, {}))


@cache
def patient_compartment() -> dict[str, tuple[str, ...]]:
    """The types of the Patient compartment, each with the parameters that put a resource into it.

    A parameter's FHIRPath expression is in `patient_parameters`. https://hl7.org/fhir/R4/compartmentdefinition-patient.html
    """
    return {name: tuple(codes) for name, codes in _table()["patient_compartment"].items()}


@cache
def reference_elements(resource_type: str) -> tuple[Element, ...]:
    """The elements of type Reference at any depth of the resource's own structure."""
    return tuple(
        _element(path, held)
        for path, held in _table()["elements"].get(resource_type, {}).items()
        if "Reference" in held[0]
    )


def elements(resource_type: str) -> Iterator[Element]:
    """Every element of the resource's own structure."""
    for path, held in _table()["elements"].get(resource_type, {}).items():
        yield _element(path, held)


@cache
def choice_members(stem: str) -> frozenset[str]:
    """The members that the choices of a name (`value`) have in JSON (`valueQuantity`); empty if no element is one."""
    return frozenset(
        stem + kind[0].upper() + kind[1:]
        for held in _table()["elements"].values()
        for path, raw in held.items()
        if path.rpartition(".")[2] == stem + "[x]"
        for kind in raw[0]
    )


def is_complex(fhir_type: str) -> bool:
    """Whether a data type, or a resource type, has elements of its own in JSON."""
    return fhir_type in _table()["elements"]


def codes_of(owner: str, path: str) -> tuple[str, ...]:
    """The codes that an element of a type must have one of; empty if it may have any."""
    table = _table()
    return tuple(table["codes"].get(table["bindings"].get(owner, {}).get(path), ()))


def pattern_of(primitive: str) -> str:
    """The regular expression that the text of a primitive matches as a whole; empty if FHIR gives none."""
    found: str = _table()["patterns"].get(primitive, "")
    return found


def _element(path: str, held: list[Any]) -> Element:
    types, many, required, targets = held
    return Element(path, tuple(types), bool(many), bool(required), tuple(targets))


def _walk(resource_type: str, path: str) -> list[tuple[str, Element]]:
    """Each step's JSON member and element; empty if a step is not there."""
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
    """A direct member of a type or of a backbone, with its path there; a choice's member has that one type."""
    held = _table()["elements"].get(owner, {})
    if prefix + name in held:
        return prefix + name, _element(prefix + name, held[prefix + name])
    for path, raw in held.items():
        stem = path.removesuffix("[x]")
        if path.endswith("[x]") and path.startswith(prefix) and "." not in stem[len(prefix) :]:
            short = stem[len(prefix) :]
            for kind in raw[0]:
                if name == short + kind[0].upper() + kind[1:]:
                    return path, _element(path, [[kind], *raw[1:]])
    return None
