"""What an entry of a bundle carries: a resource with its references by fullUrl resolved, or a deletion.

https://hl7.org/fhir/R4/bundle.html, https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pyhce.records.reading.bases import split_url
from pyhce.records.reading.incoming import Deleted, Found, Incoming, Rejected, Skipped, Where, content_id, problem_of
from pyhce.records.reading.reference import copied, every_reference, literal
from pyhce.records.reading.spelling import NotJson, canonical, fitting_text, parse
from pyhce.records.reading.spool import Places
from pyhce.schema.r4 import RESOURCE_TYPES

KEPT_WHOLE = frozenset({"document", "message"})
"""Bundles that are one thing."""
EMPTY = "a bundle without entries"

_URN = re.compile(r"^urn:(?:uuid|oid):([A-Za-z0-9.\-]{1,64})$", re.IGNORECASE)
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
    if base := base_of(url, kind):
        places.bases.add(base)
    if kind == "Bundle":
        return
    key = resource.get("id") or id_by(url, kind)
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
        yield _deleted(where, entry, places)
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
        key = resource.get("id") or content_id(resource)
        base = base_of(entry.get("fullUrl"), "Bundle")
        yield Incoming(where, "Bundle", key, resource, base=base, bases=places.bases)
    else:
        url = entry.get("fullUrl")
        kind = resource["resourceType"]
        key = resource.get("id") or id_by(url, kind) or content_id(resource)
        came = Incoming(where, kind, key, resource, base=base_of(url, kind), bases=places.bases)
        yield resolved(came, places)


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


def id_by(url: Any, kind: str) -> str | None:
    """The id that an entry's fullUrl gives to a resource that has none."""
    if not isinstance(url, str):
        return None
    if urn := _URN.match(url):
        return urn[1].lower() if url[:9].lower() == "urn:uuid:" else urn[1]
    found = _FULL_URL.search(url)
    return found[2] if found and found[1] == kind else None


def base_of(url: Any, kind: str) -> str | None:
    """What stands before `Type/id` in an entry's fullUrl; None if it is no URL of a resource of this type."""
    found = split_url(url) if isinstance(url, str) else None
    return found[0] if found and found[1] == kind and found[0].startswith("http") else None


def _deleted(where: Where, entry: dict[str, Any], places: Places) -> Deleted | Rejected:
    """A deletion: `Type/id`, or `Type?identifier=system|value`: https://hl7.org/fhir/R4/http.html#delete."""
    url = entry["request"].get("url")
    found = _DELETED.search(url) if isinstance(url, str) else None
    if not found:
        return Rejected(where, "unsupported", "a DELETE names Type/id or Type?identifier=…", canonical(entry))
    kind, key, query = found.groups()
    if kind not in RESOURCE_TYPES:
        return Rejected(where, "unknown-type", f"FHIR R4 has no resource type {kind!r}", canonical(entry))
    if key:
        named = split_url(url)  # an absolute URL says itself whose it is, else the entry's fullUrl does
        base = named[0] if named else base_of(entry.get("fullUrl"), kind)
        return Deleted(where, kind, key, base, places.bases)
    query = fitting_text(unquote(query)) if "&" not in query else ""
    if not query.startswith("identifier=") or query.endswith(("=", "|")):
        detail = "a conditional DELETE is carried out by one identifier only"
        return Rejected(where, "unsupported", detail, canonical(entry))
    return Deleted(where, kind, query)


def resolved(came: Incoming, places: Places) -> Incoming:
    """References by fullUrl made literal, as a FHIR server does on a transaction (R4 http.html, 3.1.0.11.2)."""
    resource = came.resource
    if not places or not any(_needs(r["reference"], came, places) for r in every_reference(resource)):
        return came
    literal_form = copied(resource)
    for reference in every_reference(literal_form):
        place = _needs(reference["reference"], came, places)
        if place:
            reference["reference"] = place
    return came._replace(resource=literal_form, exact=resource)


def _needs(text: str, came: Incoming, places: Places) -> str | None:
    """What a reference names in the bundle, if it does not say that itself.

    Among entries of several servers an id alone would be taken for one of the referring entry's own server.
    """
    found = places.get(text)
    if found is None or tuple(literal(text) or ()) == found:
        return None
    target = base_of(text, found[0])
    if len(came.bases) < 2 or target == came.base:
        return "/".join(found)
    return "/".join((target, *found)) if target else None
