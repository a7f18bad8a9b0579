"""A JSON schema for each resource type of FHIR R4, made from the specification's definitions of the elements.

The rules are those of https://hl7.org/fhir/R4/json.html: an element is a member, a repeating element an array, and a
choice has its type in its name (`valueQuantity`). A primitive may have a second member `_name` with its id and
extensions, with or without the first. No object, array or string is empty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pyhce.schema.r4 import Element, codes_of, elements, is_complex, pattern_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REAL_DATE = {"anyOf": [{"maxLength": 7}, {"format": "date"}, {"format": "date-time"}]}
_PRIMITIVES: dict[str, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "decimal": {"type": "number"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
}
_DATES = frozenset({"date", "dateTime", "instant"})
_NESTED = {"type": "object", "required": ["resourceType"]}
"""A resource within another one; it is checked with the schema of its own type."""


def resource_schema(resource_type: str) -> dict[str, Any]:
    """The JSON schema of a resource type. Of a contained resource it requires `resourceType` only."""
    definitions: dict[str, Any] = {}
    waiting = [resource_type]
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            for path, schema in _definitions(name, resource=name == resource_type):
                definitions[path] = schema
            waiting += sorted(_named(definitions, name) - definitions.keys())
    return {"$schema": DIALECT, "$ref": _ref(resource_type)["$ref"], "$defs": definitions}


def _named(definitions: dict[str, Any], owner: str) -> set[str]:
    """The types to which the definitions of a type refer."""
    mine = [schema for path, schema in definitions.items() if path.split(".")[0] == owner]
    return {ref.rsplit("/", 1)[-1].split(".")[0] for schema in mine for ref in _refs(schema)}


def _refs(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for member in schema.values():
            yield from _refs(member)
    elif isinstance(schema, list):
        for item in schema:
            yield from _refs(item)


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _definitions(owner: str, *, resource: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema of a type, and of each of its elements that has elements of its own, with their paths."""
    groups: dict[str, list[Element]] = defaultdict(list)
    for element in elements(owner):
        parent, _, _ = element.path.rpartition(".")
        groups[parent].append(element)
    for parent, children in groups.items():
        yield f"{owner}.{parent}" if parent else owner, _object(owner, children, resource=resource and not parent)


def _object(owner: str, children: list[Element], *, resource: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    rules: list[dict[str, Any]] = []
    if resource:
        properties["resourceType"] = {"const": owner}
        required.append("resourceType")
    for element in children:
        name = element.path.rpartition(".")[2]
        if name.endswith("[x]"):
            rules.append(_choice(owner, element, name.removesuffix("[x]"), properties))
            continue
        kind = element.types[0] if element.types else "Element"
        properties[name] = _many(element, _one(owner, element, kind), nulls=not _is_object(kind))
        if not _is_object(kind):
            properties["_" + name] = _many(element, _ref("Element"), nulls=True)
        if element.required and not _is_object(kind):
            rules.append({"anyOf": [{"required": [name]}, {"required": ["_" + name]}]})
        elif element.required:
            required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        **({"required": required} if required else {}),
        **({"allOf": rules} if rules else {}),
    }


def _choice(owner: str, element: Element, stem: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Add the members of a choice to the properties.

    Returns:
        The rule that at most one of them, or exactly one if the choice is required, is present.
    """
    names = []
    for kind in element.types:
        name = stem + kind[0].upper() + kind[1:]
        names.append(name)
        properties[name] = _one(owner, element, kind)
        if not _is_object(kind):
            properties["_" + name] = _ref("Element")
    one = [{"required": [name]} for name in names]
    alone = [{"required": ["_" + name]} for name in names if "_" + name in properties]
    none: dict[str, Any] = {"not": {"anyOf": one}}
    if element.required:
        none = {"allOf": [none, {"anyOf": alone}]} if alone else {"not": {}}
    return {"oneOf": [*one, none]}


def _is_object(kind: str) -> bool:
    return kind.startswith("#") or is_complex(kind)


def _many(element: Element, schema: dict[str, Any], *, nulls: bool) -> dict[str, Any]:
    """The schema of a value, or of an array; an array of primitives may have null, where only `_name` has a value."""
    if not element.many:
        return schema
    return {"type": "array", "minItems": 1, "items": _or_null(schema) if nulls else schema}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with null allowed, as one schema, so that an error still names the rule that a value breaks."""
    if "type" not in schema:
        return {"anyOf": [{"type": "null"}, schema]}
    codes = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **codes}


def _one(owner: str, element: Element, kind: str) -> dict[str, Any]:
    if kind.startswith("#"):
        return _ref(f"{owner}.{kind[1:]}")
    if kind in {"BackboneElement", "Element"} and _has_own(owner, element.path):
        return _ref(f"{owner}.{element.path}")
    if kind == "Resource":
        return _NESTED
    if is_complex(kind):
        return _ref(kind)
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    codes = codes_of(owner, element.path) if kind == "code" else ()
    pattern = _spaces_of_xml(pattern_of(kind))
    return {
        "type": "string",
        "minLength": 1,
        **({"enum": list(codes)} if codes else {"pattern": f"^(?:{pattern})$"} if pattern else {}),
        **(_REAL_DATE if kind in _DATES else {}),
    }


def _spaces_of_xml(pattern: str) -> str:
    r"""An XML Schema pattern for a regular expression engine with Unicode white space.

    In XML Schema `\s` is space, tab, CR and LF; U+00A0 belongs to `\S`.

    https://hl7.org/fhir/R4/datatypes.html: the regular expressions are those of XML Schema.
    """
    anything = pattern.replace(r"[ \r\n\t\S]", r"[\s\S]")
    return (
        anything
        if anything != pattern
        else pattern.replace(r"[^\s]", r"[^ \t\r\n]").replace(r"\S", r"[^ \t\r\n]").replace(r"\s", r"[ \t\r\n]")
    )


def _has_own(owner: str, path: str) -> bool:
    return any(element.path.startswith(path + ".") for element in elements(owner))
