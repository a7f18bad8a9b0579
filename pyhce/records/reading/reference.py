"""How a FHIR Reference names a resource: the same rules as the SQL helper `hce.clave`.

https://hl7.org/fhir/R4/references.html: literal (relative, absolute, urn:uuid), conditional, logical, contained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyhce.records.reading.spelling import fitting_text

_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?\Z")
_URN = re.compile(r"^urn:(?:uuid|oid):")


class Named(NamedTuple):
    """What a reference names; `type` is None where it does not say."""

    type: str | None
    key: str


def named(reference: Any) -> Named | None:
    """The type and key that a Reference names; None for a contained or an empty one."""
    if not isinstance(reference, dict):
        return None
    said = reference.get("type") if isinstance(reference.get("type"), str) else None
    text = reference.get("reference")
    if isinstance(text, str):
        return literal(text, said)
    identifier = reference.get("identifier")
    if isinstance(identifier, dict) and isinstance(identifier.get("value"), str):
        return Named(said, identifier_key(identifier))
    return None


def literal(text: str, said: str | None = None) -> Named | None:
    """What the string of a reference names."""
    if text.startswith("#"):
        return None
    text = fitting_text(text)  # keys are compared with those that SQL reads from jsonb
    if urn := _URN.match(text):
        return Named(said, text[urn.end() :])
    head, mark, query = text.partition("?")
    if mark:
        return Named(head.rsplit("/", 1)[-1], query) if query else None
    found = _LITERAL.search(text)
    return Named(found[1], found[2]) if found else None


def identifier_key(identifier: dict[str, Any]) -> str:
    """`identifier=system|value`, as a conditional reference spells it."""
    system = identifier.get("system")
    return fitting_text(f"identifier={system if isinstance(system, str) else ''}|{identifier['value']}")


def value_of_key(key: str) -> str:
    """The value of `identifier=system|value`: a system is a URI and has no bar, a value may."""
    return key.partition("|")[2]


def key_of(reference: Any, fhir_type: str, *, untyped: bool = True) -> str | None:
    """The key by which a Reference names a resource of the type, None if it names another.

    Args:
        untyped: whether one that does not say its type counts, as `pyhce.schema.expression.untyped_names` tells.
    """
    found = named(reference)
    return found.key if found and (found.type == fhir_type or (untyped and found.type is None)) else None


def own_keys(resource: dict[str, Any], resource_id: str) -> list[str]:
    """Every key by which a Reference may name this resource, as `hce.claves_propias`."""
    listed = resource.get("identifier")
    identifiers = listed if isinstance(listed, list) else [listed]
    found = [identifier_key(i) for i in identifiers if isinstance(i, dict) and isinstance(i.get("value"), str)]
    return [*found, resource_id]


def at_path(resource: Any, path: str, *, arrays: bool = True) -> Iterator[Any]:
    """Every value at a dotted path, arrays opened on the way where there may be some."""
    if isinstance(resource, list):
        for item in resource if arrays else ():
            yield from at_path(item, path)
    elif not path:
        yield resource
    elif isinstance(resource, dict):
        name, _, rest = path.partition(".")
        if name in resource:
            yield from at_path(resource[name], rest, arrays=arrays)


def every_reference(value: Any) -> Iterator[dict[str, Any]]:
    """Every object with a string member `reference`, at any depth."""
    waiting = [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            if isinstance(held.get("reference"), str):
                yield held
            waiting += [member for member in held.values() if isinstance(member, dict | list)]
        elif isinstance(held, list):
            waiting += [item for item in held if isinstance(item, dict | list)]
