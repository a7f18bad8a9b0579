"""JSON that keeps the spelling of numbers: `72.50` stays `72.50`.

jsonb keeps a number's digits, but neither an exponent nor a minus sign before zero, and it cannot hold NUL or half a
surrogate pair (https://www.postgresql.org/docs/current/datatype-json.html). A resource that jsonb would change is
stored together with its exact text.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_128_hexdigest

MAX_DEPTH = 253
"""Levels of nesting below the resource itself: as many as orjson writes. FHIR resources have about twenty."""

TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
"""What is wrong with a deeper value."""

_ODD_NUMBER = re.compile(r"[eE]|^-0(\.0*)?$|^-?\d{300}|\.\d{300}")
_ODD_TEXT = re.compile("[\x00\ud800-\udfff]")


class ExactNumber:
    """A JSON number in its original spelling."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactNumber) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


class InvalidJson(ValueError):
    """A text that is not valid JSON for FHIR. The message says where and why."""


class StoredJson(NamedTuple):
    """A resource as it is stored.

    Args:
        recurso: the text for jsonb.
        original: the exact text; None if jsonb keeps it.
        fingerprint: of both.
    """

    recurso: str
    original: str | None
    fingerprint: str


def fingerprint(text: bytes) -> str:
    """A 128-bit hash of a text, hexadecimal. It is not cryptographic (https://xxhash.com)."""
    return xxh3_128_hexdigest(text)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(f"duplicate member {twice!r} in an object")
    return found


def _constant(name: str) -> Any:
    raise InvalidJson(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(
    parse_float=ExactNumber, parse_int=ExactNumber, parse_constant=_constant, object_pairs_hook=_members
)


def parse(text: str | bytes) -> Any:
    """A JSON text as Python values, its numbers as `ExactNumber`.

    Raises:
        InvalidJson: it is not UTF-8, not JSON, has a duplicate member, or is nested too deeply.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
        value = _DECODER.decode(decoded)
        if decoded.count("[") + decoded.count("{") > MAX_DEPTH and is_too_deep(value):
            raise InvalidJson(TOO_DEEP)
        return value
    except UnicodeDecodeError as error:
        raise InvalidJson(f"byte {error.start} is not valid UTF-8") from error
    except json.JSONDecodeError as error:
        raise InvalidJson(f"line {error.lineno} column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise InvalidJson(TOO_DEEP) from error


def is_too_deep(value: Any) -> bool:
    """Whether a value has more than MAX_DEPTH levels of nesting below it. It may have any depth."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH + 1):
        members = (member for outer in level for member in (outer.values() if isinstance(outer, dict) else outer))
        level = [member for member in members if isinstance(member, dict | list)]
        if not level:
            return False
    return True


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, ExactNumber):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)


def dumps(value: Any) -> str:
    """Compact JSON with every number in its original spelling. Characters that UTF-8 cannot hold are escaped."""
    try:
        return orjson.dumps(value, default=_fragment).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return _write(value)


def _write(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_write(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_write(member) for member in value) + "]"
    return value.text if isinstance(value, ExactNumber) else json.dumps(value)


def canonical(value: Any) -> str:
    """The same text for the same value: members sorted, no white space, numbers in their original spelling."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(n)}:{canonical(value[n])}" for n in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(member) for member in value) + "]"
    return value.text if isinstance(value, ExactNumber) else json.dumps(value)


def stored_json(resource: Any, exact: Any | None = None) -> StoredJson:
    """What is stored of a resource.

    Args:
        exact: the resource as it came, if `resource` differs from it by resolved references.

    Raises:
        InvalidJson: it is nested too deeply.
    """
    fitting = _jsonb_value(resource, 0)
    changed = fitting is not resource
    keep = exact if exact is not None else resource if changed else None
    recurso, original = dumps(fitting), None if keep is None else canonical(keep)
    whole = recurso if original is None else f"{recurso}\0{original}"
    return StoredJson(recurso, original, fingerprint(whole.encode()))


def jsonb_text(text: str) -> str:
    """A text that jsonb can hold: NUL and halves of surrogate pairs are replaced by U+FFFD."""
    return text if text.isascii() and "\x00" not in text else _ODD_TEXT.sub("\ufffd", text)


def _jsonb_value(value: Any, depth: int) -> Any:
    """A value that jsonb can hold: the same object if nothing had to change."""
    if depth > MAX_DEPTH + 1:
        raise InvalidJson(TOO_DEEP)
    if isinstance(value, str):
        return jsonb_text(value)
    if isinstance(value, ExactNumber):
        return _jsonb_number(value)
    if isinstance(value, dict):
        names = {name: _jsonb_value(name, depth) for name in value}
        members = {names[name]: _jsonb_value(member, depth + 1) for name, member in value.items()}
        same = all(new is old for new, old in zip(members.values(), value.values(), strict=False))
        return value if same and all(new is old for old, new in names.items()) else members
    if isinstance(value, list):
        items = [_jsonb_value(item, depth + 1) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _jsonb_number(number: ExactNumber) -> Any:
    if not _ODD_NUMBER.search(number.text):
        return number
    mantissa, _, exponent = number.text.lower().partition("e")
    if len(mantissa) > 300 or len(exponent) > 4 or abs(int(exponent or 0)) > 300:
        return number.text  # beyond numeric: stored as a string, so that typed columns are NULL
    return ExactNumber(number.text)
