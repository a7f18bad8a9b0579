"""Base URLs: the server that an absolute reference or a `fullUrl` belongs to.

The base is the part before `Type/id` (https://hl7.org/fhir/R4/http.html#general). The bases of a source are configured.
A resource under another base belongs to another server: it is stored under a source of its own, named by that base.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from pyhce.errors import UsageError
from pyhce.records.reading.ids import id_in_reference, is_id
from pyhce.schema.later_helpers import shortened_for_index
from pyhce.schema.r4 import RESOURCE_TYPES

_ABSOLUTE = re.compile(
    r"(?P<base>.*[^/])/+(?P<type>[A-Z][A-Za-z]{1,63})/(?P<id>[A-Za-z0-9.\-]{1,64})"
    r"(?P<version>/_history/[A-Za-z0-9.\-]{1,64})?/?\Z",
    re.DOTALL,
)
_ODD_ID = r"(?P<id>[^/?#\s](?:[^/?#]*[^/?#\s])?)(?P<version>/_history/[A-Za-z0-9.\-]{1,64})?/?\Z"
_ODD_ABSOLUTE = re.compile(r"(?P<base>(?i:https?)://[^\s?#]*[^\s?#/])/+(?P<type>[A-Z][A-Za-z]{1,63})/" + _ODD_ID)
_ODD_RELATIVE = re.compile(r"/?(?P<type>[A-Z][A-Za-z]{1,63})/" + _ODD_ID)
_BASE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^/?#@\s:]+|\[[0-9A-Fa-f:.]+\])(?P<port>:\d+)?(?P<path>/[^?#\s]*)?\Z", re.I
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def split_url(text: str) -> tuple[str, str, str, str] | None:
    """Base, type, id and version (`/_history/…` or "") of a resource's absolute URL; None if it is not one.

    An id that FHIR does not allow is replaced by its derived id.
    """
    found = _ABSOLUTE.match(text) or _ODD_ABSOLUTE.match(text)
    if found is None or found["type"] not in RESOURCE_TYPES:
        return None
    key = id_in_reference(found["type"], found["id"])
    return canonical_base(found["base"]), found["type"], key, found["version"] or ""


def relative_with_derived_id(text: str) -> str | None:
    """`Type/id` with the derived id, for a relative reference whose id FHIR does not allow; else None."""
    found = _ODD_RELATIVE.match(text)
    if found is None or found["type"] not in RESOURCE_TYPES:
        return None
    return f"{found['type']}/{id_in_reference(found['type'], found['id'])}{found['version'] or ''}"


def target_with_derived_id(text: str) -> tuple[str | None, str, str] | None:
    """Base (None if relative), type and derived id of a reference whose id FHIR does not allow; else None."""
    if odd := relative_with_derived_id(text):
        kind, key, *_ = odd.split("/")
        return None, kind, key
    url = split_url(text)
    return url[:3] if url else None


def with_repaired_id(text: str, own: Container[str]) -> str:
    """The string of a reference, with its id replaced by the derived id if FHIR does not allow it.

    Args:
        own: the bases of the source. References to other servers stay as they are.
    """
    found = _ODD_RELATIVE.match(text) or _ODD_ABSOLUTE.match(text)
    if found is None or found["type"] not in RESOURCE_TYPES or is_id(found["id"]):
        return text
    if "base" in found.groupdict() and canonical_base(found["base"]) not in own:
        return text
    return text[: found.start("id")] + id_in_reference(found["type"], found["id"]) + text[found.end("id") :]


def canonical_base(text: str) -> str:
    """A base in the form that is compared: scheme and host in lower case, no default port, no final slash.

    See RFC 3986, 6.2.2. The result names a source and is part of primary keys, so one of more than 1,000 bytes is
    shortened.
    """
    found = _BASE.match(text)
    if found is None:
        return shortened_for_index(text)
    scheme = found["scheme"].lower()
    port = "" if found["port"] == _DEFAULT_PORTS[scheme] else found["port"] or ""
    return shortened_for_index(f"{scheme}://{found['host'].lower()}{port}{(found['path'] or '').rstrip('/')}")


def own_bases(given: Iterable[str], fuente: str = "") -> frozenset[str]:
    """The bases of a source: those given, and the source's name if it is a base URL.

    Raises:
        UsageError: a given base is not an http or https URL.
    """
    found = {canonical_base(base) for base in given if _check_base(base)}
    return frozenset({*found, fuente} if _BASE.match(fuente) else found)


def _check_base(base: str) -> bool:
    if not _BASE.match(base):
        raise UsageError(
            f"the base {base!r} is not an http or https URL without query and user name",
            remedy="Give the part before Type/id of the source's URLs, for example --base https://ehr.example/fhir.",
        )
    return True
