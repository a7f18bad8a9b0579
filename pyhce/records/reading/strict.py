"""Whether a resource is what FHIR R4 says, as far as the specification's own definitions tell.

First its shape: elements, their types and number, required ones, codes and dates, by jsonschema-rs against the JSON
schema that `pyhce.schema.json_schema` makes. If that is right, the rules: invariants and what R4 states in prose, by
`pyhce.records.reading.checks`. docs/strict.md lists what is checked and what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import orjson

from pyhce.errors import UsageError
from pyhce.records.reading.checks.references import types_within
from pyhce.records.reading.checks.resource import broken_rules
from pyhce.records.reading.exact_json import dumps
from pyhce.records.reading.ids import id_problem
from pyhce.records.reading.incoming import resource_problem
from pyhce.schema.json_schema import resource_schema

MOST_PROBLEMS = 20
"""Problems of one resource that are told."""
LARGE = 256 * 1024
"""Above so many bytes only the first problem of the shape is reported: finding all of 180,000 takes 30 s."""

_WITHIN = {
    "Bundle": (("entry", "resource"), ("entry", "response", "outcome")),
    "Parameters": (("parameter", "resource"),),
}
_SAYS: dict[str, Callable[[dict[str, Any]], str]] = {
    "AdditionalProperties": lambda kind: f"R4 has no such element: {', '.join(n[:60] for n in kind['unexpected'][:5])}",
    "Required": lambda kind: f"{kind['property']} is missing",
    "Enum": lambda kind: f"not one of {' | '.join(str(o) for o in kind['options'][:12] if o is not None)}",
    "Type": lambda kind: f"not of the JSON type {' or '.join(t for t in kind['types'] if t != 'null')}",
    "AnyOf": lambda kind: _none_of(kind["context"]),
    "OneOfMultipleValid": lambda _: "of a choice ([x]) more than one is there",
    "OneOfNotValid": lambda kind: _none_of(kind["context"]),
    "Pattern": lambda _: "not in the form that its FHIR type has",
    "MinItems": lambda _: "an array is never empty",
    "MinProperties": lambda _: "an object is never empty",
    "MinLength": lambda _: "a string is never empty",
    "Minimum": lambda kind: f"less than {kind['limit']}",
    "Maximum": lambda kind: f"more than {kind['limit']}",
}


def require_validator() -> None:
    """See whether resources can be validated.

    Raises:
        UsageError: the extra is not installed.
    """
    try:
        import jsonschema_rs  # noqa: F401 - an optional extra
    except ImportError as error:
        raise UsageError(
            "--strict needs a library that is not installed", remedy="pip install 'pyhce[strict]', or load without it."
        ) from error


def r4_problems(resource: dict[str, Any] | str | bytes) -> list[str]:
    """What of a resource is not R4, as `path: what`, without any value of it; empty if nothing is.

    A broken rule has its key behind it, `path: what (obs-7)`. Rules are held against a resource of the right shape.

    Args:
        resource: its JSON text, or its members with numbers as `Number`.

    Raises:
        UsageError: the extra is not installed.
    """
    text = dumps(resource) if isinstance(resource, dict) else resource
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        beyond = "infinity" in error.msg
        return ["a number is too large to be looked at" if beyond else f"no JSON: column {error.colno}"]
    wrong_shape = _limited(_problems(value, "", large=len(text) > LARGE))
    return wrong_shape or _limited(_rules(value, value["resourceType"], types_within(value)))


def _limited(found: Iterator[str]) -> list[str]:
    told: list[str] = []
    for problem in found:
        if len(told) == MOST_PROBLEMS:
            return [*told, "and more"]
        told.append(problem)
    return told


def _problems(resource: Any, place: str, *, large: bool) -> Iterator[str]:
    not_fhir = resource_problem(resource)
    if not_fhir:
        yield f"{place or 'it'}: {not_fhir[1]}"
        return
    kind = resource["resourceType"]
    validator = _validator(kind)
    place = place or kind
    wrong = id_problem(resource)
    if wrong:
        yield f"{place}.id: {wrong}"
    if not validator.is_valid(resource):
        for error in _first(validator, resource) if large else validator.iter_errors(resource):
            yield f"{_path(place, error.instance_path)}: {_said(error.kind)}"
        if large:
            yield "and perhaps more: of a resource over 256 kB the first is told"
            return
    for inner, path in _inner(resource, kind):
        yield from _problems(inner, f"{place}.{path}", large=large)


def _first(validator: Any, resource: Any) -> Iterator[Any]:
    """The first problem of a resource's shape."""
    import jsonschema_rs

    try:
        validator.validate(resource)
    except jsonschema_rs.ValidationError as error:
        yield error


def _rules(resource: dict[str, Any], place: str, within: dict[str, str]) -> Iterator[str]:
    """The rules that a resource of the right shape breaks, and those within it.

    Args:
        within: what `#x` may name in the resource: what `types_within` says of the resource that contains the rest.
    """
    for said in broken_rules(resource, within):
        yield f"{place}{said.place}: {said.text} ({said.rule})"
    for inner, path in _inner(resource, resource["resourceType"]):
        yield from _rules(inner, f"{place}.{path}", within if path.startswith("contained") else types_within(inner))


@cache
def _validator(resource_type: str) -> Any:
    require_validator()
    import jsonschema_rs

    return jsonschema_rs.validator_for(resource_schema(resource_type), validate_formats=True)


def _path(place: str, path: list[str | int]) -> str:
    return place + "".join(f"[{step}]" if isinstance(step, int) else f".{step[:60]}" for step in path)


def _said(kind: Any) -> str:
    name = type(kind).__name__
    return _SAYS[name](kind.as_dict()) if name in _SAYS else f"breaks the rule {name}"


def _none_of(branches: list[list[Any]]) -> str:
    """What is wrong with a value that may be one of several and is none: what is missing, no real date, or else."""
    kinds = [error.kind for branch in branches for error in branch]
    names = [kind.as_dict()["property"] for kind in kinds if type(kind).__name__ == "Required"]
    if missing := [name for name in names if not name.startswith("_")]:
        return f"{' or '.join(missing[:5])}{', or another type of it,' if len(missing) > 5 else ''} is missing"
    if any(type(kind).__name__ == "Format" for kind in kinds):
        return "no date, or no moment, that there is"
    return _said(kinds[-1])


def _inner(resource: dict[str, Any], kind: str) -> Iterator[tuple[Any, str]]:
    """The resources within a resource, with their paths."""
    for path in (("contained",), *_WITHIN.get(kind, ())):
        yield from _at(resource, path, "")


def _at(value: Any, path: tuple[str, ...], place: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _at(item, path, f"{place}[{number}]")
    elif not path:
        yield value, place
    elif isinstance(value, dict):
        if path[0] in value:
            yield from _at(value[path[0]], path[1:], f"{place}.{path[0]}" if place else path[0])
        if path == ("resource",) and "part" in value:  # parameters within parameters
            yield from _at(value["part"], path, f"{place}.part")
