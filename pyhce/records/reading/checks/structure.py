"""R4's definition of each member of an object, computed once for each kind of object."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pyhce.schema.r4 import Element, elements, is_complex
from pyhce.schema.r4_rules import Invariant, canonical_targets, invariants, required_codes


class ObjectKind(NamedTuple):
    """A kind of object: a data type, a resource type, or an element with elements of its own.

    Args:
        owner: the data type or resource type.
        path: the element in it, "" for the type itself.
    """

    owner: str
    path: str


class Member(NamedTuple):
    """A member of an object.

    Args:
        path: its path in the type that declares it, `[x]` included.
        type: its FHIR type.
        inside: its kind of object; None for a primitive and for a resource.
        targets: the resource types that a Reference may name.
        rules: the invariants of the element and of its type.
        canonical: the types of definition that a canonical URL may name.
        required: the codes, by system, that a Coding or CodeableConcept must have one of.
    """

    path: str
    type: str
    inside: ObjectKind | None
    targets: frozenset[str]
    rules: tuple[Invariant, ...]
    canonical: frozenset[str]
    required: dict[str, list[str]]


@cache
def members(kind: ObjectKind) -> dict[str, Member]:
    """The members of a kind of object by their names in JSON; of a choice, one for each type."""
    prefix = kind.path + "." if kind.path else ""
    found: dict[str, Member] = {}
    for element in elements(kind.owner):
        name = element.path.removeprefix(prefix)
        if not element.path.startswith(prefix) or "." in name:
            continue
        stem = name.removesuffix("[x]")
        for fhir_type in element.types or ("Element",):
            key = stem + fhir_type[0].upper() + fhir_type[1:] if stem != name else name
            found[key] = _member(kind.owner, element, fhir_type)
    return found


def _member(owner: str, element: Element, fhir_type: str) -> Member:
    inside: ObjectKind | None = None
    at = element.path
    if fhir_type.startswith("#"):
        inside = ObjectKind(owner, fhir_type[1:])
        at = inside.path  # it has the rules of the element that it refers to
    elif fhir_type in ("BackboneElement", "Element"):
        inside = ObjectKind(owner, element.path)
    elif is_complex(fhir_type) and fhir_type != "Resource":
        inside = ObjectKind(fhir_type, "")
    return Member(
        path=element.path,
        type="BackboneElement" if fhir_type.startswith("#") else fhir_type,
        inside=inside,
        targets=frozenset(element.targets),
        rules=invariants(owner, at) + (invariants(fhir_type, "") if inside and not inside.path else ()),
        canonical=canonical_targets(owner, element.path),
        required=required_codes(owner, element.path),
    )


ELEMENT = ObjectKind("Element", "")
"""The object beside a primitive (`_name`): its id and extensions."""
