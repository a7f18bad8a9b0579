"""What the request of a bundle's entry asks for: https://hl7.org/fhir/R4/http.html#transaction.

Only of a transaction or a batch is it an instruction. In a history it says what was done once, and the entry's resource
is what came of it: https://hl7.org/fhir/R4/http.html#history.
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
"""Parameters that say how a server is to answer: nothing depends on them here."""
_READING = frozenset({"GET", "HEAD"})
_PATCHES = frozenset({"Binary", "Parameters"})
_PATCH = "a PATCH says how to change a resource, not what it is"


class Request(NamedTuple):
    """The request of an entry.

    Args:
        type, id: as the URL names them, if it does.
        query: what follows `?` in the URL, None without.
        condition: the search that names the resource, None if there is none.
        reads: whether it is a GET or HEAD: nothing is to be stored.
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
    """Type, id and query of a request's URL, relative or absolute, with or without a version."""
    if not isinstance(url, str):
        return None, None, None
    path, mark, query = url.partition("?")
    found = _TARGET.search(path)
    kind, key = (found["type"], found["id"]) if found else (None, None)
    return kind, key, query if mark else None


def url_target_with_derived_id(url: Any) -> tuple[str | None, str | None]:
    """Type and id that a request's URL names, of an id that is not FHIR's the derived one."""
    kind, key, query = url_target(url)
    if kind is None and query is None and isinstance(url, str) and (odd := target_with_derived_id(url)):
        return odd[1:]
    return kind, key


def version_number(text: Any) -> int | None:
    """A version as a number, None if it is not one."""
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 19 else None


def history_version(entry: dict[str, Any]) -> int | None:
    """The number of the version that an entry of a history is, by its URL or its ETag."""
    response = entry.get("response")
    etag = response.get("etag") if isinstance(response, dict) else None
    for text, form in ((entry["request"].get("url"), _VERSION), (etag, _ETAG)):
        if isinstance(text, str) and (found := form.search(text)):
            return int(found[1])
    return None


def request_of(entry: dict[str, Any], *, history: bool = False) -> Request:
    """What is asked of an entry with a resource.

    Args:
        history: whether the entry is of a history, and reports what was done.
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
        return _POST  # most entries are so
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
        return made._replace(problem=("condition", "ifNoneExist is a search, in the request of a POST"))
    head, mark, rest = search.partition("?")  # some write the whole URL; an identifier may hold a ?
    if not mark or "=" in head:
        return made._replace(condition=search)
    if url_target(head)[0] not in (None, said):
        return made._replace(problem=("condition", "ifNoneExist searches another type than the resource's"))
    return made._replace(condition=rest)


def _problem(
    request: dict[str, Any], made: Request, url: Any, said: str | None, given: str | None
) -> tuple[str, str] | None:
    """Why a request is not carried out, by what the members of the entry say."""
    if precondition := next((name for name in _PRECONDITIONS if name in request), None):
        return "unsupported", f"{precondition} asks for a version of the server that the bundle was written for"
    if made.method == "POST" and isinstance(url, str) and _OPERATION.search(url.partition("?")[0]):
        return "unsupported", "the request calls an operation, it creates nothing"
    names = {part.partition("=")[0] for part in (made.query or "").split("&")}
    if made.method == "POST" and names - PRESENTATION - {""}:
        return "unsupported", "a POST with a search in its URL: that of a conditional create is in ifNoneExist"
    if made.type and said and made.type != said:
        return "unsupported", f"the request is about {made.type}, its resource is {said[:80]!r}"
    if made.method == "PUT" and made.id and given is not None and given != made.id:
        return "unsupported", "the id in the URL of the request is not the resource's (R4: 400 Bad Request)"
    return None
