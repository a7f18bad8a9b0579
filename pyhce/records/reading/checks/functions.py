"""The functions of FHIRPath that R4's invariants call; http://hl7.org/fhirpath/N1/#functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from pyhce.records.reading.checks.collection import (
    ABSENT,
    Collection,
    Scope,
    boolean,
    children,
    descendants,
    distinct,
    equality_key,
    equality_keys,
    is_of_type,
    truth,
)

Expression = Callable[[Collection, Scope], Collection]
Function = Callable[[Collection, Sequence[Expression], Scope], Collection]


def _each(focus: Collection, criterion: Expression, scope: Scope) -> list[Collection]:
    return [criterion([item], scope._replace(this=item)) for item in focus]


def _where(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    answers = _each(focus, given[0], scope)
    return [item for item, answer in zip(focus, answers, strict=True) if truth(answer)]


def _exists(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    return boolean(bool(_where(focus, given, scope) if given else focus))


def _all(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    return boolean(all(truth(answer) for answer in _each(focus, given[0], scope)))


def _select(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    return [item for answer in _each(focus, given[0], scope) for item in answer]


def _not(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    value = truth(focus)
    return boolean(None if value is None else not value)


def _has_value(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    return boolean(len(focus) == 1 and focus[0] is not ABSENT and not isinstance(focus[0], dict))


def _iif(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    if truth(given[0](focus, scope)):
        return given[1](focus, scope)
    return given[2](focus, scope) if len(given) > 2 else []


def _distinct(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    return boolean(len({equality_key(item) for item in focus}) == len(focus))


def _intersect(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    others = equality_keys(given[0]([scope.this], scope))
    return [item for item in distinct(focus) if equality_key(item) in others]


def _combine(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    return [*focus, *given[0]([scope.this], scope)]


def _text(focus: Collection) -> str | None:
    return focus[0] if len(focus) == 1 and isinstance(focus[0], str) else None


def _of_text(done: Callable[..., Any]) -> Function:
    """A function of a string, whose arguments are strings."""

    def function(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
        text = _text(focus)
        arguments = [_text(argument([scope.this], scope)) for argument in given]
        if text is None or None in arguments:
            return []
        answer = done(text, *arguments)
        return [] if answer is None else [answer]

    return function


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


def _matches(text: str, pattern: str) -> bool:
    return _pattern(pattern).search(text) is not None


def _to_integer(focus: Collection, given: Sequence[Expression], scope: Scope) -> Collection:
    text = _text(focus)
    return [int(text)] if text is not None and re.fullmatch(r"[+-]?[0-9]{1,18}", text) else []


FUNCTIONS: dict[str, Function] = {
    "all": _all,
    "as": lambda focus, given, scope: [item for item in focus if is_of_type(item, str(given[0]([], scope)[0]))],
    "children": lambda focus, given, scope: children(focus),
    "combine": _combine,
    "contains": _of_text(lambda text, other: other in text),
    "count": lambda focus, given, scope: [len(focus)],
    "descendants": lambda focus, given, scope: descendants(focus),
    "empty": lambda focus, given, scope: boolean(not focus),
    "exists": _exists,
    "first": lambda focus, given, scope: focus[:1],
    "hasValue": _has_value,
    "iif": _iif,
    "intersect": _intersect,
    "is": lambda focus, given, scope: [is_of_type(item, str(given[0]([], scope)[0])) for item in focus[:1]],
    "isDistinct": _distinct,
    "matches": _of_text(_matches),
    "not": _not,
    "replaceMatches": _of_text(lambda text, pattern, new: _pattern(pattern).sub(new, text)),
    "select": _select,
    "startsWith": _of_text(lambda text, other: text.startswith(other)),
    "tail": lambda focus, given, scope: focus[1:],
    "toInteger": _to_integer,
    "toString": lambda focus, given, scope: [str(item) for item in focus[:1] if item is not ABSENT],
    "trace": lambda focus, given, scope: focus,
    "where": _where,
}
