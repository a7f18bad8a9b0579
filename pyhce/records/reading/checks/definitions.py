"""Rules that R4 states in prose for definitions (ValueSet, CodeSystem, SearchParameter …)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from pyhce.records.reading.checks.codes import check_code, is_absolute
from pyhce.records.reading.checks.problems import RuleProblem, array_items, object_items
from pyhce.records.reading.checks.structure import ObjectKind, members
from pyhce.schema.r4 import RESOURCE_TYPES, element
from pyhce.schema.r4_rules import search_parameter

_LEADING = re.compile(r"\s*\(*\s*([A-Z][A-Za-z]+)\.")

_ANY = frozenset({"Resource", "DomainResource"})


def check_definition(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    """Check a definition; other resources have no problems."""
    kind = resource["resourceType"]
    declared = element(kind, "url") if "url" in resource else None
    if declared and declared.types == ("uri",) and not is_absolute(str(resource["url"])):
        yield RuleProblem("canonical-url", "the URL of a definition must be absolute", ".url")
    check = _CHECKS.get(kind)
    if check:
        yield from check(resource)


def _value_set(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    compose = resource.get("compose")
    if not isinstance(compose, dict):
        return
    for name in ("include", "exclude"):
        for number, included in enumerate(object_items(compose.get(name))):
            place = f".compose.{name}[{number}]"
            system = included.get("system")
            if not isinstance(system, str):
                continue
            if not is_absolute(system):
                yield RuleProblem("valueset-system", "the URL of the code system must be absolute", place + ".system")
            for at, concept in enumerate(object_items(included.get("concept"))):
                for said in check_code(system, str(concept.get("code"))):
                    yield said._replace(place=f"{place}.concept[{at}].code")


def _code_system(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    if "supplements" in resource and resource.get("content") != "supplement":
        yield RuleProblem("supplement", "a CodeSystem with supplements must have the content supplement", ".content")
    seen: set[Any] = set()
    for number, declared in enumerate(object_items(resource.get("property"))):
        if declared.get("code") in seen:
            yield RuleProblem("property-code", "another property has the same code", f".property[{number}].code")
        seen.add(declared.get("code"))


def _search_parameter(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    kind, bases = resource.get("type"), {base for base in array_items(resource.get("base")) if isinstance(base, str)}
    if kind == "composite" and len(array_items(resource.get("component"))) < 2:
        yield RuleProblem("search-composite", "a composite search parameter needs two components or more", ".component")
    parts = map(_LEADING.match, str(resource.get("expression", "")).split("|"))
    leading = {match[1] for match in parts if match} & RESOURCE_TYPES
    if leading - bases and not bases & _ANY:
        yield RuleProblem("search-base", "the expression begins with a type that is not in base", ".expression")
    known = search_parameter(str(resource.get("derivedFrom", "")).split("|")[0])
    if known and known[0] != kind:
        yield RuleProblem("search-derived", f"the parameter that it is derived from has the type {known[0]}", ".type")
    if known and not bases <= known[1] and not known[1] & _ANY:
        yield RuleProblem("search-derived", "the parameter that it is derived from does not have these bases", ".base")


def _capabilities(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    for at, rest in enumerate(object_items(resource.get("rest"))):
        for number, supported in enumerate(object_items(rest.get("resource"))):
            for index, parameter in enumerate(object_items(supported.get("searchParam"))):
                known = search_parameter(str(parameter.get("definition", "")).split("|")[0])
                if known and known[0] != parameter.get("type"):
                    place = f".rest[{at}].resource[{number}].searchParam[{index}].type"
                    yield RuleProblem("search-type", f"the definition of this parameter has the type {known[0]}", place)


def _structure_definition(resource: dict[str, Any]) -> Iterator[RuleProblem]:
    kind = resource.get("type")
    if resource.get("derivation") != "constraint" or kind not in RESOURCE_TYPES:
        return
    names = {member.path for member in members(ObjectKind(kind, "")).values()} | members(ObjectKind(kind, "")).keys()
    for view in ("differential", "snapshot"):
        view_value = resource.get(view)
        for number, entry in enumerate(
            object_items(view_value.get("element") if isinstance(view_value, dict) else None)
        ):
            steps = str(entry.get("path", "")).split(".")
            if len(steps) > 1 and steps[0] == kind and steps[1] not in names:
                place = f".{view}.element[{number}].path"
                yield RuleProblem("profile-path", f"{kind} has no such element in R4", place)


_CHECKS: dict[str, Callable[[dict[str, Any]], Iterator[RuleProblem]]] = {
    "CapabilityStatement": _capabilities,
    "CodeSystem": _code_system,
    "SearchParameter": _search_parameter,
    "StructureDefinition": _structure_definition,
    "ValueSet": _value_set,
}
