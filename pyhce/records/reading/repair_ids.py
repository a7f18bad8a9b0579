"""`--repair-ids`: a resource whose id FHIR does not allow gets its derived id and keeps the original as an identifier.

References to such ids are rewritten, in the exported text too: relative ones, and absolute ones with a base of the
source. References that contain no id stay: `urn:uuid:…`, `#contained`, `Patient?identifier=…`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Set
from typing import Any, NamedTuple
from urllib.parse import quote

from pyhce.records.identity.tally import ORIGINAL_ID
from pyhce.records.reading.bases import with_repaired_id
from pyhce.records.reading.exact_json import canonical
from pyhce.records.reading.ids import can_be_repaired, id_problem, id_text
from pyhce.records.reading.incoming import Incoming, Rejected
from pyhce.records.reading.prepared import source_and_bases
from pyhce.records.reading.reference import every_reference, json_copy
from pyhce.schema.r4 import json_path

REMEDY = "load it with --repair-ids: it gets an id that FHIR allows"

_CODE = re.compile(r"[^\s]+( [^\s]+)*\Z")
_BINARY = re.compile(rb'"url"\s*:\s*"[^"]*Binary/(?![A-Za-z0-9.\-]{1,64}["/?#])')

may_link_to_odd_binary = _BINARY.search
"""Whether the text of a resource may link to a Binary whose id FHIR does not allow, by a `url`."""


class AdmittedResource(NamedTuple):
    """A resource with an id that FHIR allows, or without one.

    Args:
        repaired: whether its id was replaced.
        references: whether references in it were rewritten.
    """

    item: Incoming
    repaired: bool = False
    references: bool = False


def admit(item: Incoming, own: Set[str], fuente: str, *, repair: bool) -> AdmittedResource | Rejected:
    """Check the id of a resource, and repair it if asked to.

    Args:
        own: the configured bases of the source.
        fuente: the source that is loaded.
        repair: whether to replace ids that FHIR does not allow, and rewrite references to them.
    """
    wrong = id_problem(item.resource)
    if wrong and not (repair and can_be_repaired(item.resource)):
        detail = f"{wrong}; {REMEDY}" if not repair and can_be_repaired(item.resource) else wrong
        return Rejected(item.where, "invalid-id", detail, canonical(item.exact or item.resource))
    if "id" in item.resource and item.resource["id"] is None:  # null: there is no id
        item = item._replace(resource=_without_id(item.resource), exact=item.exact and _without_id(item.exact))
    if not repair:
        return AdmittedResource(item)
    other, bases = source_and_bases(item, own)
    source = fuente if other is None else other
    resource, rewritten = _repaired(item.resource, item, bases, source, wrong)
    exact, exact_rewritten = None, False
    if item.exact is not None:
        exact, exact_rewritten = _repaired(item.exact, item, bases, source, wrong)
    return AdmittedResource(item._replace(resource=resource, exact=exact), bool(wrong), rewritten or exact_rewritten)


def _without_id(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in resource.items() if name != "id"}


def _repaired(
    resource: dict[str, Any], item: Incoming, own: Container[str], source: str, wrong: str | None
) -> tuple[dict[str, Any], bool]:
    """A resource with its id and references repaired, the same object if nothing had to change.

    Returns:
        The resource, and whether a reference was rewritten.
    """
    refers = any(with_repaired_id(holder[name], own) != holder[name] for holder, name in _links(resource))
    if not wrong and not refers:
        return resource, False
    made: dict[str, Any] = json_copy(resource)
    for holder, name in _links(made):
        holder[name] = with_repaired_id(holder[name], own)
    if wrong:
        original = id_text(resource)
        if original is None:
            del made["id"]  # a blank id counts as none
        else:
            made["id"] = item.id
            if original != item.id:
                _add_original_id(made, item.type, original, source)
    return made, refers


def _links(resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each object with the name of its member that may contain an id: `reference`, or `url` of an attachment.

    A Bundle that is kept whole may be signed, so nothing in it is changed.
    """
    if resource.get("resourceType") == "Bundle":
        return
    for reference in every_reference(resource):
        yield reference, "reference"
    waiting: list[Any] = [resource]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            url = current.get("url")
            if isinstance(url, str) and "Binary/" in url:
                yield current, "url"
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current


def _add_original_id(resource: dict[str, Any], kind: str, original: str, source: str) -> None:
    """Add the original id as an identifier, or as a tag in `meta` if the type has no room for an identifier."""
    system = f"{ORIGINAL_ID}:{quote(source, safe='')}" if source else ORIGINAL_ID
    identifier = {"system": system, "value": original}
    steps, there = json_path(kind, "identifier"), resource.get("identifier")
    if steps and steps[0][1] and isinstance(there, list | None):
        resource["identifier"] = [*(there or []), identifier]
    elif steps and not steps[0][1] and there is None:
        resource["identifier"] = identifier
    else:
        meta = resource.get("meta")
        meta = dict(meta) if isinstance(meta, dict) else {}
        tags = meta.get("tag")
        said = {"code" if _CODE.match(original) else "display": original}
        meta["tag"] = [*(tags if isinstance(tags, list) else []), {"system": system, **said}]
        resource["meta"] = meta
