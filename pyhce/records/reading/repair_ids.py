"""`--repair-ids`: a resource whose id is not FHIR's gets its derived id and keeps the original one as an identifier.

The references to such ids follow, in the text that is exported too: relative ones, and absolute ones of the source's
own bases. What names a resource by something else stays: `urn:uuid:…`, `#contained`, `Patient?identifier=…`.
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
"""Whether the text of a resource perhaps links to a Binary whose id is not FHIR's; other references say so anyhow."""


class AdmittedResource(NamedTuple):
    """A resource whose id is FHIR's.

    Args:
        repaired: whether it came with another one.
        references: whether references in it were rewritten.
    """

    item: Incoming
    repaired: bool = False
    references: bool = False


def admit(item: Incoming, own: Set[str], fuente: str, *, repair: bool) -> AdmittedResource | Rejected:
    """A resource that came in, if its id is FHIR's or can be repaired.

    Args:
        own: the bases of the source, as configured.
        fuente: the source that is loaded.
        repair: whether to repair ids and the references to them.
    """
    wrong = id_problem(item.resource)
    if wrong and not (repair and can_be_repaired(item.resource)):
        detail = f"{wrong}; {REMEDY}" if not repair and can_be_repaired(item.resource) else wrong
        return Rejected(item.where, "invalid-id", detail, canonical(item.exact or item.resource))
    if "id" in item.resource and item.resource["id"] is None:  # JSON's way to say that there is none
        item = item._replace(resource=_without_id(item.resource), exact=item.exact and _without_id(item.exact))
    if not repair:
        return AdmittedResource(item)
    other, bases = source_and_bases(item, own)
    source = fuente if other is None else other
    resource = _repaired(item.resource, item, bases, source, wrong)
    exact = None if item.exact is None else _repaired(item.exact, item, bases, source, wrong)
    followed = _refers(item.resource, bases) or (item.exact is not None and _refers(item.exact, bases))
    return AdmittedResource(item._replace(resource=resource, exact=exact), bool(wrong), followed)


def _without_id(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: held for name, held in resource.items() if name != "id"}


def _refers(resource: dict[str, Any], own: Container[str]) -> bool:
    """Whether a resource refers to an id that is not FHIR's."""
    return any(with_repaired_id(holder[name], own) != holder[name] for holder, name in _links(resource))


def _repaired(
    resource: dict[str, Any], item: Incoming, own: Container[str], source: str, wrong: str | None
) -> dict[str, Any]:
    """A resource with its derived id and those of what it refers to: the very same object if nothing had to change."""
    if not wrong and not _refers(resource, own):
        return resource
    made: dict[str, Any] = json_copy(resource)
    for holder, name in _links(made):
        holder[name] = with_repaired_id(holder[name], own)
    if wrong:
        original = id_text(resource)
        if original is None:
            del made["id"]  # an empty one says nothing: as if there were none
        else:
            made["id"] = item.id
            if original != item.id:
                _keep(made, item.type, original, source)
    return made


def _links(resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each object and its member that names a resource: `reference`, and `url` of an attachment kept as a Binary.

    A Bundle that is kept whole is a signed snapshot: nothing within it changes.
    """
    if resource.get("resourceType") == "Bundle":
        return
    for reference in every_reference(resource):
        yield reference, "reference"
    waiting: list[Any] = [resource]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            url = held.get("url")
            if isinstance(url, str) and "Binary/" in url:
                yield held, "url"
            waiting += held.values()
        elif isinstance(held, list):
            waiting += held


def _keep(resource: dict[str, Any], kind: str, original: str, source: str) -> None:
    """Note the id that a resource came with: as an identifier, as a tag where its type has none to spare."""
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
