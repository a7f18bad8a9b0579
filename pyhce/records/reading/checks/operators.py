"""The operators of FHIRPath that R4's invariants use; http://hl7.org/fhirpath/N1/#operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyhce.records.reading.checks.collection import (
    ABSENT,
    Collection,
    boolean,
    distinct,
    equality_key,
    equality_keys,
    truth,
)
from pyhce.records.reading.checks.dates import surely_after

Operator = Callable[[Collection, Collection], Collection]


def _and(left: Collection, right: Collection) -> Collection:
    one, other = truth(left), truth(right)
    return boolean(False if one is False or other is False else None if one is None or other is None else True)


def _or(left: Collection, right: Collection) -> Collection:
    one, other = truth(left), truth(right)
    return boolean(True if one or other else None if one is None or other is None else False)


def _xor(left: Collection, right: Collection) -> Collection:
    one, other = truth(left), truth(right)
    return boolean(None if one is None or other is None else one != other)


def _implies(left: Collection, right: Collection) -> Collection:
    one, other = truth(left), truth(right)
    return boolean(True if one is False or other else None if one is None or other is None else False)


def _equal(left: Collection, right: Collection) -> bool | None:
    if not left or not right or ABSENT in (left[0], right[0]):
        return None
    return [equality_key(item) for item in left] == [equality_key(item) for item in right]


def _not_equal(left: Collection, right: Collection) -> Collection:
    equal = _equal(left, right)
    return boolean(None if equal is None else not equal)


def _greater(one: Any, other: Any) -> bool | None:
    """Whether a value is certainly greater; None if the two cannot be compared."""
    if isinstance(one, str) and isinstance(other, str):
        return surely_after(one, other)
    if isinstance(one, dict) and isinstance(other, dict):  # quantities
        same = all(one.get(name) == other.get(name) for name in ("unit", "code", "system"))
        return _greater(one.get("value"), other.get("value")) if same else False
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (one, other)):
        return None
    return bool(one > other)


def _compared(greater: bool, expected: bool) -> Operator:
    """A comparison: whether left > right (`greater`) or right > left is `expected`."""

    def operator(left: Collection, right: Collection) -> Collection:
        if len(left) != 1 or len(right) != 1:
            return []
        answer = _greater(*((left[0], right[0]) if greater else (right[0], left[0])))
        return boolean(None if answer is None else answer is expected)

    return operator


def _add(left: Collection, right: Collection) -> Collection:
    return [left[0] + right[0]] if len(left) == len(right) == 1 else []


def _join(left: Collection, right: Collection) -> Collection:
    return ["".join(str(side[0]) for side in (left, right) if side and side[0] is not ABSENT)]


def _in(left: Collection, right: Collection) -> Collection:
    if not left:
        return []
    return boolean(equality_key(left[0]) in equality_keys(right))


OPERATORS: tuple[dict[str, Operator | None], ...] = (
    {"implies": _implies},
    {"or": _or, "xor": _xor},
    {"and": _and},
    {"in": _in, "contains": lambda left, right: _in(right, left)},
    {"=": lambda left, right: boolean(_equal(left, right)), "!=": _not_equal},
    {
        "<=": _compared(True, False),
        ">=": _compared(False, False),
        "<": _compared(False, True),
        ">": _compared(True, True),
    },
    {"|": lambda left, right: distinct([*left, *right])},
    {"is": None, "as": None},
    {"+": _add, "&": _join},
)
"""By precedence, lowest first. None: an operator whose right side is the name of a type."""
