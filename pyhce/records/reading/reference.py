"""The resource that a FHIR Reference names, by the same rules as the SQL helper `hce.clave`.

https://hl7.org/fhir/R4/references.html: literal (relative, absolute, urn:uuid), conditional, logical, contained.
`hce.clave` reads what writers store, and they store what `reading.stored_references` makes of a reference:
`Patient/7` of another server is stored as `Patient?https://other.example/fhir/Patient/7`, and both read the whole URL
as its key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pyhce.records.identity import split_key
from pyhce.records.reading.exact_json import jsonb_text

_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?\Z")
_URN = re.compile(r"^urn:(?:uuid|oid):")
_FOREIGN = re.compile(r"(https?://[^\s?#]*[^\s?#/])/Patient/([A-Za-z0-9.\-]{1,64})\Z")


class ReferenceTarget(NamedTuple):
    """The resource that a reference names; `type` is None if the reference does not state it."""

    type: str | None
    key: str


def reference_target(reference: Any) -> ReferenceTarget | None:
    """The type and key that a Reference names; None for a contained resource or an empty reference."""
    if not isinstance(reference, dict):
        return None
    said = reference.get("type") if isinstance(reference.get("type"), str) else None
    text = reference.get("reference")
    if isinstance(text, str):
        return literal_target(text, said)
    identifier = reference.get("identifier")
    if isinstance(identifier, dict) and isinstance(identifier.get("value"), str):
        return ReferenceTarget(said, identifier_key(identifier))
    return None


def literal_target(text: str, said: str | None = None) -> ReferenceTarget | None:
    """The type and key that a reference's string names; None for a contained resource.

    Args:
        said: the type that the Reference states.
    """
    if text.startswith("#"):
        return None
    text = jsonb_text(text)  # keys are compared with keys that SQL reads from jsonb
    if urn := _URN.match(text):
        return ReferenceTarget(said, text[urn.end() :])
    head, mark, query = text.partition("?")
    if mark:
        return ReferenceTarget(head.rsplit("/", 1)[-1], query) if query else None
    found = _LITERAL.search(text)
    return ReferenceTarget(found[1], found[2]) if found else None


def identifier_key(identifier: dict[str, Any]) -> str:
    """`identifier=system|value`, as in a conditional reference."""
    system = identifier.get("system")
    return jsonb_text(f"identifier={system if isinstance(system, str) else ''}|{identifier['value']}")


def value_of_key(key: str) -> str:
    """The value in `identifier=system|value`. A system is a URI without a bar; a value may contain bars."""
    return split_key(key)[0].partition("|")[2]


def source_and_key(fuente: str, key: str) -> tuple[str, str]:
    """The source and key of the patient that a key names: a whole URL names a patient of another server.

    `https://other.example/fhir/Patient/7` is Patient 7 of the source `https://other.example/fhir`, whatever the source
    of the resource that names it.

    Args:
        fuente: the source of the resource that names the patient.
    """
    if key.startswith("http") and (found := _FOREIGN.match(key)):
        return found[1], found[2]
    return fuente, key


def keys_in_other_sources(fuente: str, keys: Sequence[str]) -> list[str]:
    """The keys by which resources of other sources name patients of a source: whole URLs, if the source is a base URL.

    Args:
        keys: the keys in their own source; only ids have a URL.
    """
    if not fuente.startswith("http"):
        return []
    urls = (f"{fuente}/Patient/{key}" for key in keys)
    return [url for url, key in zip(urls, keys, strict=True) if source_and_key("", url) == (fuente, key)]


def key_of(reference: Any, fhir_type: str, *, untyped: bool = True) -> str | None:
    """The key by which a Reference names a resource of the type, None if it names another.

    Args:
        untyped: whether one that does not say its type counts, as
            `pyhce.schema.expression.untyped_reference_names` tells.
    """
    found = reference_target(reference)
    return found.key if found and (found.type == fhir_type or (untyped and found.type is None)) else None


def own_keys(resource: dict[str, Any], resource_id: str) -> list[str]:
    """Every key by which a Reference may name this resource, as `hce.claves_propias`."""
    return [*map(identifier_key, identifiers_of(resource)), resource_id]


def identifiers_of(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The identifiers of a resource that have a value."""
    listed = resource.get("identifier")
    identifiers = listed if isinstance(listed, list) else [listed]
    return [i for i in identifiers if isinstance(i, dict) and isinstance(i.get("value"), str)]


def at_path(resource: Any, path: str, *, arrays: bool = True) -> Iterator[Any]:
    """Every value at a dotted path, through arrays if `arrays`."""
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
        current = waiting.pop()
        if isinstance(current, dict):
            if isinstance(current.get("reference"), str):
                yield current
            waiting += [member for member in current.values() if isinstance(member, dict | list)]
        elif isinstance(current, list):
            waiting += [item for item in current if isinstance(item, dict | list)]


def json_copy(value: Any) -> Any:
    """A deep copy of a JSON value. Strings and numbers are not copied."""
    if isinstance(value, dict):
        return {name: json_copy(member) for name, member in value.items()}
    return [json_copy(item) for item in value] if isinstance(value, list) else value
