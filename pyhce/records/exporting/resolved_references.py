"""References by fullUrl in the lines of an export, written as what they were resolved to.

Outside of its bundle a `urn:uuid:` means nothing (https://hl7.org/fhir/R4/bundle.html#references). Releases up to 1.0
kept the text of a transaction as it came in `original`, and the resolved reference in `recurso` only.
"""

from __future__ import annotations

from typing import Any

import orjson

from pyhce.records.reading.exact_json import canonical, parse


def with_resolved_references(line: bytes, kept: bytes) -> bytes:
    """A resource's line in which no reference that the loader resolved is by `urn:`.

    Args:
        kept: what else the row holds, as `pyhce.records.reading.exported_rows` reads it.
    """
    stored = orjson.loads(kept)[-2]
    if stored is None:
        return line
    exact = parse(line)
    return canonical(exact).encode() if _resolve(exact, orjson.loads(stored)) else line


def _resolve(exact: Any, stored: Any) -> bool:
    """Give the references of a value those of the stored one; whether there was any to give."""
    found = False
    if isinstance(exact, dict) and isinstance(stored, dict):
        text, instead = exact.get("reference"), stored.get("reference")
        if isinstance(text, str) and isinstance(instead, str) and _is_resolved(text, instead):
            exact["reference"] = instead
            found = True
        for name, held in exact.items():
            found |= _resolve(held, stored.get(name))
    elif isinstance(exact, list) and isinstance(stored, list):
        for one, other in zip(exact, stored, strict=False):
            found |= _resolve(one, other)
    return found


def _is_resolved(text: str, stored: str) -> bool:
    return text[:4].lower() == "urn:" and stored[:4].lower() != "urn:" and "?" not in stored
