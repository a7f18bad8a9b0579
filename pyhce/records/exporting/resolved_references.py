"""Replaces references by `urn:` in the lines of an export with the references that the loader resolved them to.

A `urn:uuid:` has no meaning outside of its bundle (https://hl7.org/fhir/R4/bundle.html#references). Releases up to 1.0
stored the text of a transaction unchanged in `original`, and the resolved reference only in `recurso`:

    original  {"subject": {"reference": "urn:uuid:1b9d"}}
    recurso   {"subject": {"reference": "Patient/p1"}}
    exported  {"subject": {"reference": "Patient/p1"}}
"""

from __future__ import annotations

from typing import Any

import orjson

from pyhce.records.reading.exact_json import canonical, parse


def with_resolved_references(line: bytes, kept: bytes) -> bytes:
    """Return a resource's line with its resolved references.

    Args:
        line: the exact text of the resource.
        kept: the rest of the row, as `pyhce.records.reading.exported_rows` reads it.
    """
    stored = orjson.loads(kept)[-2]
    if stored is None:
        return line
    exact = parse(line)
    return canonical(exact).encode() if _resolve(exact, orjson.loads(stored)) else line


def _resolve(exact: Any, stored: Any) -> bool:
    """Copy resolved references from the stored value into the exact one; whether there were any."""
    found = False
    if isinstance(exact, dict) and isinstance(stored, dict):
        text, instead = exact.get("reference"), stored.get("reference")
        if isinstance(text, str) and isinstance(instead, str) and _is_resolved(text, instead):
            exact["reference"] = instead
            found = True
        for name, member in exact.items():
            found |= _resolve(member, stored.get(name))
    elif isinstance(exact, list) and isinstance(stored, list):
        for one, other in zip(exact, stored, strict=False):
            found |= _resolve(one, other)
    return found


def _is_resolved(text: str, stored: str) -> bool:
    return text[:4].lower() == "urn:" and stored[:4].lower() != "urn:" and "?" not in stored
