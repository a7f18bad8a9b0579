"""What an entry of a bundle carries: a resource with its references by fullUrl resolved, or a deletion.

https://hl7.org/fhir/R4/bundle.html, https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pyhce.records.reading.incoming import Deleted, Found, Incoming, Rejected, Skipped, Where, content_id, problem_of
from pyhce.records.reading.reference import every_reference, literal
from pyhce.records.reading.spelling import NotJson, canonical, fitting_text, parse
from pyhce.records.reading.spool import Places
from pyhce.schema.r4 import RESOURCE_TYPES

KEPT_WHOLE = frozenset({"document", "message"})
"""Bundles that are one thing."""
EMPTY = "a bundle without entries"

_URN = re.compile(r"^urn:(?:uuid|oid):([A-Za-z0-9.\-]{1,64})$")
_FULL_URL = re.compile(r"/([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?$")
_DELETED = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})(?:/([A-Za-z0-9.\-]{1,64})|/?\?([^#]+))\Z")


def is_unpacked(bundle: Any) -> bool:
    """Whether a value is a bundle that is taken apart; whatever its own id is, it is not kept."""
    return (
        isinstance(bundle, dict)
        and bundle.get("resourceType") == "Bundle"
        and str(bundle.get("type")) not in KEPT_WHOLE
        and isinstance(bundle.get("entry"), list)
    )


def is_newest_first(bundle: dict[str, Any]) -> bool:
    """Whether the last entry of a bundle is the oldest: https://hl7.org/fhir/R4/http.html#history."""
    return bundle.get("type") == "history"


def parsed(data: bytes) -> Any:
    """What a text says, None if it is no JSON."""
    try:
        return parse(data)
    except NotJson:
        return None


def note(places: Places, entry: Any, text: bytes | None = None) -> None:
    """Keep which resource an entry's fullUrl names, unless it names that by itself.

    Args:
        text: the entry as it came, if its numbers have lost their spelling.
    """
    if not isinstance(entry, dict):
        return
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if not isinstance(url, str) or not isinstance(resource, dict) or problem_of(resource):
        return
    kind = resource["resourceType"]
    if kind == "Bundle":
        return
    key = resource.get("id") or _id_by(url, kind)
    if key is None:
        exact = entry if text is None else parsed(text)
        if exact is None:
            return
        key = content_id(exact["resource"])
    if tuple(literal(url) or ()) != (kind, key):
        places.add(url, kind, key)


def entry_of(where: Where, entry: Any, places: Places) -> Iterator[Found]:
    """What an entry of a bundle carries."""
    if not isinstance(entry, dict):
        yield Rejected(where, "not-an-entry", "an entry is a JSON object", canonical(entry))
        return
    request, resource = entry.get("request"), entry.get("resource")
    method = request.get("method") if isinstance(request, dict) else None
    if method == "DELETE":
        yield _deleted(where, entry)
    elif method == "PATCH":
        yield Rejected(where, "unsupported", "a PATCH says how to change a resource, not what it is", canonical(entry))
    elif resource is None:
        what = method if isinstance(method, str) and method else "response"
        yield Skipped(where, f"entry without a resource ({what[:20]})")
    elif is_unpacked(resource):
        yield from entries_in(where, resource)
    elif problem := problem_of(resource):
        yield Rejected(where, *problem, text=canonical(resource))
    elif resource["resourceType"] == "Bundle":
        yield Incoming(where, "Bundle", resource.get("id") or content_id(resource), resource)
    else:
        url = entry.get("fullUrl")
        kind = resource["resourceType"]
        key = resource.get("id") or _id_by(url, kind) or content_id(resource)
        yield _resolved(where, kind, key, resource, places)


def entries_in(where: Where, bundle: dict[str, Any]) -> Iterator[Found]:
    """What the entries of a bundle carry that is in memory already."""
    entries = list(enumerate(bundle["entry"], 1))
    if not entries:
        yield Skipped(where, EMPTY)
    with Places() as places:
        for _, entry in entries:
            note(places, entry)
        for number, entry in reversed(entries) if is_newest_first(bundle) else entries:
            yield from entry_of(where if where.entry else where._replace(entry=number), entry, places)


def _id_by(url: Any, kind: str) -> str | None:
    """The id that an entry's fullUrl gives to a resource that has none."""
    if not isinstance(url, str):
        return None
    if urn := _URN.match(url):
        return urn[1]
    found = _FULL_URL.search(url)
    return found[2] if found and found[1] == kind else None


def _deleted(where: Where, entry: dict[str, Any]) -> Deleted | Rejected:
    """A deletion: `Type/id`, or `Type?identifier=system|value`: https://hl7.org/fhir/R4/http.html#delete."""
    url = entry["request"].get("url")
    found = _DELETED.search(url) if isinstance(url, str) else None
    if not found:
        return Rejected(where, "unsupported", "a DELETE names Type/id or Type?identifier=…", canonical(entry))
    kind, key, query = found.groups()
    if kind not in RESOURCE_TYPES:
        return Rejected(where, "unknown-type", f"FHIR R4 has no resource type {kind!r}", canonical(entry))
    if key:
        return Deleted(where, kind, key)
    query = fitting_text(unquote(query)) if "&" not in query else ""
    if not query.startswith("identifier=") or query.endswith(("=", "|")):
        detail = "a conditional DELETE is carried out by one identifier only"
        return Rejected(where, "unsupported", detail, canonical(entry))
    return Deleted(where, kind, query)


def _resolved(where: Where, kind: str, key: str, resource: dict[str, Any], places: Places) -> Incoming:
    """References by fullUrl made literal, as a FHIR server does on a transaction (R4 http.html, 3.1.0.11.2)."""
    if not places or not any(_needs(r["reference"], places) for r in every_reference(resource)):
        return Incoming(where, kind, key, resource)
    literal_form = copy.deepcopy(resource)
    for reference in every_reference(literal_form):
        place = _needs(reference["reference"], places)
        if place:
            reference["reference"] = "/".join(place)
    return Incoming(where, kind, key, literal_form, exact=resource)


def _needs(text: str, places: Places) -> tuple[str, str] | None:
    """The type and id that a reference names, if it does not say them itself."""
    found = places.get(text)
    return found if found is not None and tuple(literal(text) or ()) != found else None
