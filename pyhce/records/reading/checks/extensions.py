"""Extensions: their structure; for the specification's own, where they are allowed and their value type.

https://hl7.org/fhir/R4/extensibility.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pyhce.records.reading.checks.codes import is_absolute
from pyhce.records.reading.checks.problems import Frame, RuleProblem
from pyhce.schema.r4_rules import extension

_REPEATED = re.compile(r"(\.[A-Za-z]+)\1+\Z")
_INDEX = re.compile(r"\[\d+\]")


def check_extension(value: dict[str, Any], frames: Sequence[Frame], resource_type: str) -> Iterator[RuleProblem]:
    """Check an extension: a value or extensions, and the place and value type of the specification's own."""
    values = [name for name in value if name.lstrip("_").startswith("value")]
    url = value.get("url")
    if bool(values) == ("extension" in value):
        yield RuleProblem("ext-1", "an extension must have either a value or nested extensions")
    inner = len(frames) > 1 and frames[-2].type == "Extension"
    if not isinstance(url, str):
        return
    if not inner and not is_absolute(url):
        yield RuleProblem("extension-url", "the URL of an extension must be absolute", ".url")
    known = extension(url)
    if known is None:
        return
    types, places = known
    kinds = {name.lstrip("_").removeprefix("value") for name in values}
    if kinds and not kinds <= _members(types):
        expected = " or ".join("value" + kind for kind in sorted(_members(types))) or "nested extensions"
        yield RuleProblem("extension-value", f"this extension must have {expected[:120]}")
    if places and not inner and not _paths(frames[:-1], resource_type) & _plain(places):
        yield RuleProblem("extension-place", f"this extension is allowed in {', '.join(sorted(places))[:120]} only")


@cache
def _members(types: frozenset[str]) -> frozenset[str]:
    return frozenset(kind[0].upper() + kind[1:] for kind in types)


@cache
def _plain(places: frozenset[str]) -> frozenset[str]:
    """The places, with a repeated element (`item.item`) only once."""
    return frozenset(_REPEATED.sub(r"\1", place).removesuffix("[x]") for place in places)


def _paths(frames: Sequence[Frame], resource_type: str) -> set[str]:
    """Every path that the element with the extension is known by."""
    names = [resource_type, *(_INDEX.sub("", frame.step).lstrip("_") for frame in frames)]
    whole = _REPEATED.sub(r"\1", ".".join(names))
    if not frames:
        return {whole, "Resource", "DomainResource", "Element"}
    last = frames[-1]
    found = {whole, last.declared.removesuffix("[x]"), last.type, "Element"}
    return found | ({"Quantity"} if last.type in ("Age", "Count", "Distance", "Duration", "Money") else set())
