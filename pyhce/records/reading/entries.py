"""The entries of a bundle: a resource whose references by fullUrl are resolved, or a deletion.

https://hl7.org/fhir/R4/bundle.html, https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyhce.records.reading.bases import split_url, target_with_derived_id
from pyhce.records.reading.conditions import (
    NOT_ANSWERED,
    ConditionsAsked,
    ConditionsDone,
    UnsupportedSearch,
    conditional_entry,
    terms_of,
)
from pyhce.records.reading.exact_json import InvalidJson, canonical, parse
from pyhce.records.reading.ids import id_in_reference, id_of
from pyhce.records.reading.incoming import (
    Deletion,
    Incoming,
    InputLocation,
    ReadItem,
    Rejected,
    Skipped,
    content_id,
    resource_problem,
)
from pyhce.records.reading.reference import every_reference, json_copy, literal_target
from pyhce.records.reading.requests import Request, history_version, request_of, url_target_with_derived_id
from pyhce.records.reading.spool import FullUrls
from pyhce.schema.r4 import RESOURCE_TYPES

KEPT_WHOLE = frozenset({"document", "message"})
"""Types of bundles that are stored as one resource."""
EMPTY_BUNDLE = "a bundle without entries"
HISTORY = "history"
RESPONSES = frozenset({"transaction-response", "batch-response"})

_URN = re.compile(r"^urn:(?:uuid|oid):([A-Za-z0-9.\-]{1,64})$", re.IGNORECASE)
_FULL_URL = re.compile(r"/([A-Z][A-Za-z]+)/([^/?#]+)(?:/_history/[^/]+)?$")


def is_unpacked(bundle: Any) -> bool:
    """Whether a value is a bundle whose entries are loaded one by one; the bundle itself is not stored."""
    return (
        isinstance(bundle, dict)
        and bundle.get("resourceType") == "Bundle"
        and str(bundle.get("type")) not in KEPT_WHOLE
        and isinstance(bundle.get("entry"), list)
    )


def is_newest_first(bundle: dict[str, Any]) -> bool:
    """Whether a bundle is a history, whose last entry is the oldest: https://hl7.org/fhir/R4/http.html#history."""
    return bundle.get("type") == HISTORY


def parse_or_none(data: bytes) -> Any:
    """The value of a JSON text; None if it is not valid."""
    try:
        return parse(data)
    except InvalidJson:
        return None


def note_entry(full_urls: FullUrls, entry: Any, number: int, text: bytes | None = None) -> None:
    """Remember which resource an entry's fullUrl names, if the URL itself does not tell, and its condition.

    Args:
        number: the number of the entry, from 1.
        text: the entry as it came, if the numbers in `entry` have lost their spelling.
    """
    if not isinstance(entry, dict):
        return
    url, resource, request = entry.get("fullUrl"), entry.get("resource"), entry.get("request")
    conditional = False
    if isinstance(request, dict):
        method = request.get("method")
        if method == "DELETE":
            full_urls.deletes = True
        conditional = "ifNoneExist" in request or (method == "PUT" and "?" in str(request.get("url")))
    url = url if isinstance(url, str) else None
    if (url is None and not conditional) or not isinstance(resource, dict) or resource_problem(resource):
        return
    kind = resource["resourceType"]
    base = base_of_url(url, kind)
    if base:
        full_urls.bases.add(base)
    if kind == "Bundle":
        return
    given = resource.get("id")
    key = (id_of(resource) if isinstance(given, str) else None) or _id_of(entry, kind)
    if key is None or not isinstance(given, str | None):
        exact = entry if text is None else parse_or_none(text)
        if exact is None:
            return
        key = id_of(exact["resource"]) or key or content_id(exact["resource"])
    if conditional and (one := conditional_entry(number, request_of(entry), url, base, resource, key)):
        full_urls.add_conditional(one)
    if url is not None and tuple(literal_target(url) or ()) != (kind, key):
        full_urls.add(url, kind, key)


def read_entry(where: InputLocation, entry: Any, full_urls: FullUrls, number: int) -> Iterator[ReadItem]:
    """Read an entry of a bundle.

    Args:
        full_urls: what the fullUrls of the bundle name.
        number: the number of the entry, from 1.
    """
    if not isinstance(entry, dict):
        yield Rejected(where, "not-an-entry", "an entry must be a JSON object", canonical(entry))
        return
    resource = entry.get("resource")
    request = request_of(entry, history=full_urls.kind == HISTORY)
    if request.method == "DELETE":
        yield _read_deletion(where, entry, request, full_urls)
    elif resource is None:
        if request.problem and request.method == "PATCH":
            yield Rejected(where, *request.problem, text=canonical(entry))
        else:
            yield Skipped(where, f"entry without a resource ({(request.method or 'response')[:20]})")
    elif request.reads:
        yield Skipped(where, f"entry that reads ({request.method})")
    elif about := _outcome_subject(entry, full_urls.kind):
        yield Skipped(where, f"OperationOutcome about {about}")
    elif request.problem:
        yield Rejected(where, *request.problem, text=canonical(entry))
    elif request.condition is not None and isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
        yield Rejected(where, "condition", "a Bundle cannot have a condition", canonical(entry))
    elif is_unpacked(resource):
        yield from read_entries(where, resource)
    elif problem := resource_problem(resource):
        yield Rejected(where, *problem, text=canonical(resource))
    elif resource["resourceType"] == "Bundle":
        key = id_of(resource) or content_id(resource)
        base = base_of_url(entry.get("fullUrl"), "Bundle")
        yield Incoming(where, "Bundle", key, resource, base=base, bases=full_urls.bases)
    else:
        url = entry.get("fullUrl")
        kind = resource["resourceType"]
        key = id_of(resource) or _id_of(entry, kind) or content_id(resource)
        if request.condition is not None:
            decision = full_urls.decisions.get(number)
            if decision is None or decision.outcome == "refused":
                detail = decision.detail if decision else _why_not_looked_up(request.condition)
                yield Rejected(where, "condition", detail, canonical(entry))
                return
            if decision.outcome == "matched":
                return
            key = decision.key
        came = Incoming(where, kind, key, resource, base=base_of_url(url, kind), bases=full_urls.bases)
        yield with_resolved_references(came, full_urls)


def _outcome_subject(entry: dict[str, Any], kind: str) -> str | None:
    """What an OperationOutcome reports on, if it is not a stored resource: a search, a transaction or a batch.

    https://hl7.org/fhir/R4/search.html#outcome, https://hl7.org/fhir/R4/http.html#transaction-response
    """
    resource, search = entry["resource"], entry.get("search")
    if not isinstance(resource, dict) or resource.get("resourceType") != "OperationOutcome":
        return None
    mode = search.get("mode") if isinstance(search, dict) else None
    if mode == "outcome" or (kind == "searchset" and mode is None):
        return "a search"
    return f"a {kind.removesuffix('-response')}" if kind in RESPONSES else None


def _why_not_looked_up(condition: str) -> str:
    try:
        terms_of(condition)
    except UnsupportedSearch as error:
        return str(error)
    return NOT_ANSWERED


def read_entries(where: InputLocation, bundle: dict[str, Any]) -> Iterator[ReadItem]:
    """Read the entries of a bundle that is in memory."""
    entries = list(enumerate(bundle["entry"], 1))
    if not entries:
        yield Skipped(where, EMPTY_BUNDLE)
    with FullUrls() as full_urls:
        full_urls.kind = str(bundle.get("type"))
        for number, entry in entries:
            note_entry(full_urls, entry, number)
        if is_newest_first(bundle):
            entries.reverse()
        elif deletes_first(full_urls):
            entries.sort(key=lambda numbered: not is_deletion(numbered[1]))
        asked = None
        for number, entry in entries:
            if asked is None and not is_deletion(entry) and (asked := conditions_asked(full_urls)):
                yield asked
                full_urls.answer(asked)
            yield from read_entry(where if where.entry else where._replace(entry=number), entry, full_urls, number)
        if asked:
            yield ConditionsDone()


def is_deletion(entry: Any) -> bool:
    """Whether an entry is a deletion."""
    request = entry.get("request") if isinstance(entry, dict) else None
    return isinstance(request, dict) and request.get("method") == "DELETE"


def deletes_first(full_urls: FullUrls) -> bool:
    """Whether the deletions of a bundle are carried out first: https://hl7.org/fhir/R4/http.html#trules."""
    return full_urls.kind == "transaction" and full_urls.deletes


def conditions_asked(full_urls: FullUrls) -> ConditionsAsked | None:
    """The conditions to look up before a bundle's entries are read; None without any, and for a history."""
    return full_urls.asked() if full_urls.kind != HISTORY else None


def _id_of(entry: dict[str, Any], kind: str) -> str | None:
    """The id of a resource without one: from its request's URL (`PUT Type/id`), else from its entry's fullUrl."""
    request = entry.get("request")
    if isinstance(request, dict) and request.get("method") != "POST":
        named, key = url_target_with_derived_id(request.get("url"))
        if key and named == kind:
            return key
    return id_from_url(entry.get("fullUrl"), kind)


def id_from_url(url: Any, kind: str) -> str | None:
    """The id that a fullUrl gives to a resource without one; None if it gives none."""
    if not isinstance(url, str):
        return None
    if urn := _URN.match(url):
        return urn[1].lower() if url[:9].lower() == "urn:uuid:" else urn[1]
    found = _FULL_URL.search(url)
    return id_in_reference(kind, found[2]) if found and found[1] == kind else None


def base_of_url(url: Any, kind: str) -> str | None:
    """The base of a fullUrl; None if it is not the http URL of a resource of this type."""
    found = split_url(url) if isinstance(url, str) else None
    return found[0] if found and found[1] == kind and found[0].startswith("http") else None


def _read_deletion(
    where: InputLocation, entry: dict[str, Any], request: Request, full_urls: FullUrls
) -> Deletion | Rejected:
    """A deletion: `Type/id`, or `Type?identifier=system|value`: https://hl7.org/fhir/R4/http.html#delete."""
    url, kind, key = entry["request"].get("url"), request.type, request.id
    if request.problem:
        return Rejected(where, *request.problem, text=canonical(entry))
    if not kind and isinstance(url, str) and (odd := target_with_derived_id(url)):
        base, kind, key = odd
        return Deletion(where, kind, key, base or base_of_url(entry.get("fullUrl"), kind), full_urls.bases)
    if not kind or not (key or request.query):
        return Rejected(where, "unsupported", "a DELETE must name Type/id or Type?identifier=…", canonical(entry))
    if kind not in RESOURCE_TYPES:
        return Rejected(where, "unknown-type", f"FHIR R4 has no resource type {kind!r}", canonical(entry))
    named = split_url(url.partition("?")[0])  # of a relative URL the fullUrl has the base
    base = named[0] if named else base_of_url(entry.get("fullUrl"), kind)
    if not key and full_urls.kind == HISTORY:
        key = id_from_url(entry.get("fullUrl"), kind)  # the resource that the condition matched
    if key:
        version = history_version(entry) if full_urls.kind == HISTORY else None
        return Deletion(where, kind, key, base, full_urls.bases, version)
    try:
        terms = terms_of(request.query or "")
    except UnsupportedSearch as error:
        return Rejected(where, "unsupported", f"conditional DELETE: {error}", canonical(entry))
    return Deletion(where, kind, "\n".join(sorted(terms)), base, full_urls.bases)


def with_resolved_references(came: Incoming, full_urls: FullUrls) -> Incoming:
    """Replace references by fullUrl with `Type/id`, as a FHIR server does for a transaction (R4 http.html, 3.1.0.11.2).

    They are stored and exported that way: outside of its bundle a `urn:uuid:` means nothing.
    """
    resource = came.resource
    if not full_urls or not any(
        _resolved_reference(r["reference"], came, full_urls) for r in every_reference(resource)
    ):
        return came
    literal_form = json_copy(resource)
    for reference in every_reference(literal_form):
        resolved = _resolved_reference(reference["reference"], came, full_urls)
        if resolved:
            reference["reference"] = resolved
    return came._replace(resource=literal_form)


def _resolved_reference(text: str, came: Incoming, full_urls: FullUrls) -> str | None:
    """The `Type/id` that a reference names in the bundle; None if it names nothing there, or says it by itself.

    In a bundle with entries of several servers the result contains the base: an id alone would be taken for one of the
    referring entry's server.
    """
    found = full_urls.get(text)
    if found is None or tuple(literal_target(text) or ()) == found:
        return None
    target = base_of_url(text, found[0])
    if len(came.bases) < 2 or target == came.base:
        return "/".join(found)
    return "/".join((target, *found)) if target else None
