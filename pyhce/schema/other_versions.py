"""Types and members that other versions of FHIR have and R4 does not; `tools/make_other_versions.py` writes the table.

A resource does not name its FHIR version, but its type and members may show it: only R5 has the type `Transport`, and
`Encounter.class` is an object in R4 and an array in R5.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any

_DECLARES_A_VERSION = frozenset({"CapabilityStatement", "StructureDefinition"})
_PUBLISHED = {"1.0": "DSTU2", "3.0": "STU3", "4.0": "R4", "4.3": "R4B", "5.0": "R5"}
"""http://hl7.org/fhir/directory.html"""


@cache
def _table() -> dict[str, Any]:
    packed = files("pyhce.schema").joinpath("other_versions.json.gz").read_bytes()
    table: dict[str, Any] = json.loads(gzip.decompress(packed))
    return table


def versions_with_type(resource_type: str) -> tuple[str, ...]:
    """The versions of FHIR that have a resource type which R4 does not have; empty for a type of R4."""
    return tuple(_table()["types"].get(resource_type, ()))


def signs_of_other_versions(resource: dict[str, Any]) -> dict[str, frozenset[str]]:
    """The members of a resource that R4 does not have, or not in this JSON form, but other versions have.

    Returns:
        Each member with those versions, such as `{"Encounter.class": {"R5"}}`. Empty for a resource of
        R4, and for one that fits no version.
    """
    kind = resource["resourceType"]
    elsewhere = _table()["members"].get(kind, {})
    found: dict[str, frozenset[str]] = {}
    for member in elsewhere.keys() & resource.keys():
        if versions := elsewhere[member].get(_shape(resource[member])):
            found[f"{kind}.{member}"] = frozenset(versions)
    declared = resource.get("fhirVersion") if kind in _DECLARES_A_VERSION else None
    version = _PUBLISHED.get(declared[:3]) if isinstance(declared, str) else None
    if version and version != "R4":
        found[f"{kind}.fhirVersion"] = frozenset({version})
    return dict(sorted(found.items()))


def _shape(value: Any) -> str:
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "value"
