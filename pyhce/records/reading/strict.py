"""Validate resources against the definitions of FHIR R4, for `--strict`.

First the structure (elements, their types and cardinality, required elements, codes, dates): jsonschema-rs checks it
against the JSON schema from `pyhce.schema.json_schema`. If it is valid, the rules: R4's invariants, and rules that R4
states in prose, by `pyhce.records.reading.checks`. docs/strict.md lists what is checked and what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import orjson

from pyhce.errors import UsageError
from pyhce.records.reading.checks.references import types_within
from pyhce.records.reading.checks.resource import broken_rules
from pyhce.records.reading.exact_json import TOO_DEEP, dumps, is_too_deep
from pyhce.records.reading.ids import id_problem
from pyhce.records.reading.incoming import resource_problem
from pyhce.schema.json_schema import resource_schema

MOST_PROBLEMS = 20
"""Problems that are reported for one resource, at most."""
LARGE = 256 * 1024
"""Bytes above which only the first structural problem is reported: finding all of 180,000 takes 30 s."""

_WITHIN = {
    "Bundle": (("entry", "resource"), ("entry", "response", "outcome")),
    "Parameters": (("parameter", "resource"),),
}
_MESSAGES: dict[str, Callable[[dict[str, Any]], str]] = {
    "AdditionalProperties": lambda kind: f"unknown element in R4: {', '.join(n[:60] for n in kind['unexpected'][:5])}",
    "Required": lambda kind: f"{kind['property']} is missing",
    "Enum": lambda kind: f"not one of {' | '.join(str(o) for o in kind['options'][:12] if o is not None)}",
    "Type": lambda kind: f"not of the JSON type {' or '.join(t for t in kind['types'] if t != 'null')}",
    "AnyOf": lambda kind: _none_of(kind["context"]),
    "OneOfMultipleValid": lambda _: "more than one value for a choice element ([x])",
    "OneOfNotValid": lambda kind: _none_of(kind["context"]),
    "Pattern": lambda _: "does not match the format of its FHIR type",
    "MinItems": lambda _: "the array is empty",
    "MinProperties": lambda _: "the object is empty",
    "MinLength": lambda _: "the string is empty",
    "Minimum": lambda kind: f"less than {kind['limit']}",
    "Maximum": lambda kind: f"more than {kind['limit']}",
}


def require_validator() -> None:
    """Check that the validator is installed.

    Raises:
        UsageError: the extra is not installed.
    """
    try:
        import jsonschema_rs  # noqa: F401 - an optional extra
    except ImportError as error:
        raise UsageError(
            "--strict requires a library that is not installed",
            remedy="Run pip install 'pyhce[strict]', or load without --strict.",
        ) from error


def r4_problems(resource: dict[str, Any] | str | bytes) -> list[str]:
    """Where a resource does not conform to R4, as `path: problem`, without any value; empty if it conforms.

    A broken rule is followed by its key: `path: problem (obs-7)`. Rules are checked only if the structure is valid.

    Args:
        resource: its JSON text, or its members with numbers as `ExactNumber`.

    Raises:
        UsageError: the extra is not installed.
    """
    if is_too_deep(resource):  # dumps would fail
        return [f"resource: {TOO_DEEP}"]
    text = dumps(resource) if isinstance(resource, dict) else resource
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return [_not_read(error)]
    if is_too_deep(value):  # the validator and equality_key would fail
        return [f"resource: {TOO_DEEP}"]
    wrong_shape = _limited(_problems(value, "", large=len(text) > LARGE))
    return wrong_shape or _limited(_rules(value, value["resourceType"], types_within(value)))


def _not_read(error: orjson.JSONDecodeError) -> str:
    """Why orjson did not read a text. It reads 1024 levels."""
    if "depth" in error.msg:
        return f"resource: {TOO_DEEP}"
    return "a number is too large to be checked" if "infinity" in error.msg else f"invalid JSON at column {error.colno}"


def _limited(found: Iterator[str]) -> list[str]:
    reported: list[str] = []
    for problem in found:
        if len(reported) == MOST_PROBLEMS:
            return [*reported, "and more"]
        reported.append(problem)
    return reported


def _problems(resource: Any, place: str, *, large: bool) -> Iterator[str]:
    not_fhir = resource_problem(resource)
    if not_fhir:
        yield f"{place or 'resource'}: {not_fhir[1]}"
        return
    kind = resource["resourceType"]
    validator = _validator(kind)
    place = place or kind
    wrong = id_problem(resource)
    if wrong:
        yield f"{place}.id: {wrong}"
    if not validator.is_valid(resource):
        for error in _first(validator, resource) if large else validator.iter_errors(resource):
            yield f"{_path(place, error.instance_path)}: {_message(error.kind)}"
        if large:
            yield "there may be more: for a resource over 256 kB only the first problem is reported"
            return
    for inner, path in _inner(resource, kind):
        yield from _problems(inner, f"{place}.{path}", large=large)


def _first(validator: Any, resource: Any) -> Iterator[Any]:
    """The first structural problem of a resource."""
    import jsonschema_rs

    try:
        validator.validate(resource)
    except jsonschema_rs.ValidationError as error:
        yield error


def _rules(resource: dict[str, Any], place: str, within: dict[str, str]) -> Iterator[str]:
    """The rules that a resource of valid structure breaks, and the resources within it.

    Args:
        within: the types that `#x` may name in the resource: `types_within` of the containing resource.
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


def _message(kind: Any) -> str:
    name = type(kind).__name__
    return _MESSAGES[name](kind.as_dict()) if name in _MESSAGES else f"breaks the rule {name}"


def _none_of(branches: list[list[Any]]) -> str:
    """The problem of a value that fits none of several alternatives: a missing element, an invalid date, or other."""
    kinds = [error.kind for branch in branches for error in branch]
    names = [kind.as_dict()["property"] for kind in kinds if type(kind).__name__ == "Required"]
    if missing := [name for name in names if not name.startswith("_")]:
        return f"{' or '.join(missing[:5])}{', or another type of it,' if len(missing) > 5 else ''} is missing"
    if any(type(kind).__name__ == "Format" for kind in kinds):
        return "not a valid date or time"
    return _message(kinds[-1])


def _inner(resource: dict[str, Any], kind: str) -> Iterator[tuple[Any, str]]:
    """The resources directly within a resource, with their paths."""
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
