"""The `request` of a bundle's entry: https://hl7.org/fhir/R4/http.html#transaction.

In a transaction or a batch it is an instruction. In a history it reports what was done, and the entry's resource is the
result: https://hl7.org/fhir/R4/http.html#history.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pyhce.records.reading.bases import target_with_derived_id
from pyhce.records.reading.ids import id_of

_TARGET = re.compile(
    r"(?:^|/)(?P<type>[A-Z][A-Za-z]{1,63})(?:/(?P<id>[A-Za-z0-9.\-]{1,64})(?P<version>/_history/[^/]+)?)?/?\Z"
)
_VERSION = re.compile(r"/_history/([0-9]{1,18})/?\Z")
_ETAG = re.compile(r'^(?:W/)?"([0-9]{1,18})"\Z')
_OPERATION = re.compile(r"(?:^|/)(?:\$[^/]+|_search)/?\Z")
_PRECONDITIONS = ("ifMatch", "ifNoneMatch", "ifModifiedSince")
PRESENTATION = frozenset({"_format", "_pretty"})
"""Search parameters that only change the form of a server's answer: ignored."""
_READING = frozenset({"GET", "HEAD"})
_PATCHES = frozenset({"Binary", "Parameters"})
_PATCH = "PATCH is not supported: it describes changes and does not contain the resource"


class Request(NamedTuple):
    """The request of an entry.

    Args:
        type, id: from the URL.
        query: the part of the URL after `?`; None without one.
        condition: the search that identifies the resource; None without one.
        reads: whether it is a GET or HEAD, which stores nothing.
        problem: why it is not carried out: reason code and detail.
    """

    method: str | None = None
    type: str | None = None
    id: str | None = None
    query: str | None = None
    condition: str | None = None
    reads: bool = False
    problem: tuple[str, str] | None = None


NO_REQUEST = Request()
_POST = Request("POST")


def url_target(url: Any) -> tuple[str | None, str | None, str | None]:
    """Type, id and query of a request's URL, which may be relative or absolute, with or without a version."""
    if not isinstance(url, str):
        return None, None, None
    path, mark, query = url.partition("?")
    found = _TARGET.search(path)
    kind, key = (found["type"], found["id"]) if found else (None, None)
    return kind, key, query if mark else None


def url_target_with_derived_id(url: Any) -> tuple[str | None, str | None]:
    """Type and id of a request's URL; an id that FHIR does not allow is replaced by its derived id."""
    kind, key, query = url_target(url)
    if kind is None and query is None and isinstance(url, str) and (odd := target_with_derived_id(url)):
        return odd[1:]
    return kind, key


def version_number(text: Any) -> int | None:
    """A version as a number; None if it is not a number."""
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 19 else None


def history_version(entry: dict[str, Any]) -> int | None:
    """The version number of an entry of a history, from its URL or its ETag."""
    response = entry.get("response")
    etag = response.get("etag") if isinstance(response, dict) else None
    for text, form in ((entry["request"].get("url"), _VERSION), (etag, _ETAG)):
        if isinstance(text, str) and (found := form.search(text)):
            return int(found[1])
    return None


def request_of(entry: dict[str, Any], *, history: bool = False) -> Request:
    """The request of an entry that has a resource.

    Args:
        history: whether the entry belongs to a history.
    """
    request = entry.get("request")
    if not isinstance(request, dict):
        return NO_REQUEST
    method, url = request.get("method"), request.get("url")
    method = method if isinstance(method, str) else None
    resource = entry.get("resource")
    said = resource.get("resourceType") if isinstance(resource, dict) else None
    said = said if isinstance(said, str) else None
    if url == said and method == "POST" and len(request) == 2:
        return _POST  # the commonest form
    kind, key, query = url_target(url)
    made = Request(method, kind, key, query)
    if history:
        bad = method == "PATCH" and (said != kind if kind else said in _PATCHES)
        return made._replace(problem=("unsupported", _PATCH)) if bad else made
    if method in _READING:
        return made._replace(reads=True)
    if method == "PATCH":
        return made._replace(problem=("unsupported", _PATCH))
    if method == "PUT" and kind is None:
        kind, key = url_target_with_derived_id(url)
        made = made._replace(type=kind, id=key)
    given = id_of(resource) if isinstance(resource, dict) and said else None
    if problem := _problem(request, made, url, said, given):
        return made._replace(problem=problem)
    if method == "PUT" and key is None and query is not None:
        return made._replace(condition=query)
    if "ifNoneExist" not in request:
        return made
    search = request["ifNoneExist"]
    if method != "POST" or not isinstance(search, str):
        return made._replace(problem=("condition", "ifNoneExist must be a search, in the request of a POST"))
    head, mark, rest = search.partition("?")  # some senders write the whole URL; an identifier may contain ?
    if not mark or "=" in head:
        return made._replace(condition=search)
    if url_target(head)[0] not in (None, said):
        return made._replace(problem=("condition", "ifNoneExist searches for another type than the resource's"))
    return made._replace(condition=rest)


def _problem(
    request: dict[str, Any], made: Request, url: Any, said: str | None, given: str | None
) -> tuple[str, str] | None:
    """Why a request cannot be carried out; None if it can."""
    if precondition := next((name for name in _PRECONDITIONS if name in request), None):
        return "unsupported", f"{precondition} refers to a version on the server that the bundle was written for"
    if made.method == "POST" and isinstance(url, str) and _OPERATION.search(url.partition("?")[0]):
        return "unsupported", "the request calls an operation and creates no resource"
    names = {part.partition("=")[0] for part in (made.query or "").split("&")}
    if made.method == "POST" and names - PRESENTATION - {""}:
        return "unsupported", "a POST with a search in its URL: a conditional create has its search in ifNoneExist"
    if made.type and said and made.type != said:
        return "unsupported", f"the request's URL names {made.type}, but the resource is {said[:80]!r}"
    if made.method == "PUT" and made.id and given is not None and given != made.id:
        return "unsupported", "the id in the request's URL differs from the resource's id (R4: 400 Bad Request)"
    return None
