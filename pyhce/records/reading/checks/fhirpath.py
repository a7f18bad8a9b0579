"""R4's invariants in FHIRPath, compiled into Python functions.

It covers the part of FHIRPath (http://hl7.org/fhirpath/N1) that the invariants of R4 4.0.1 use; compiling anything else
is an error. Why no library from PyPI: fhirpathpy 2.2 lacks `hasValue`, its `trace` prints patients' data, and it needs
an older python-dateutil than the Kubernetes client; fhirpathrs 0.1 parses the expression again for every element.
"""

from __future__ import annotations

import re
from functools import cache

from pyhce.errors import DeclarationError
from pyhce.records.reading.checks.collection import Collection, ReusedCollection, Scope, is_of_type, member
from pyhce.records.reading.checks.functions import FUNCTIONS, Expression
from pyhce.records.reading.checks.operators import OPERATORS, Operator
from pyhce.schema.r4 import RESOURCE_TYPES

_TOKEN = re.compile(
    r"\s*('(?:[^'\\]|\\.)*'|`[^`]*`|[$%][A-Za-z]+|[0-9]+|[A-Za-z_][A-Za-z0-9_]*|<=|>=|!=|[=<>|&+().,{}])"
)
_ESCAPES = re.compile(r"\\(.)", re.DOTALL)
_TYPED = frozenset({"is", "as"})
UCUM = "http://unitsofmeasure.org"


@cache
def compiled(expression: str) -> Expression:
    """Compile an expression.

    Raises:
        DeclarationError: the expression uses FHIRPath that this module does not support.
    """
    return _Parser(expression).whole()


class _Parser:
    """A recursive descent parser that turns an expression into nested functions.

    Each method parses what it is named after, from the next token on. `a.b = 'x' and c.exists()` becomes an `and` of
    two functions: an `=` of the path `a.b` and a constant, and a call.
    """

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens = self._tokens(text)

    def _tokens(self, text: str) -> list[str]:
        found, place = [], 0
        while place < len(text.rstrip()):
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._error(text[place : place + 10])
            found.append(match[1])
            place = match.end()
        return found

    def _error(self, what: str) -> DeclarationError:
        return DeclarationError(
            f"unsupported {what!r} in the FHIRPath expression {self.text!r}",
            remedy="Add it to pyhce/records/reading/checks, or write the rule in Python.",
        )

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise self._error(token)

    def whole(self) -> Expression:
        """Parse the whole text."""
        found = self._binary(0)
        if self._next():
            raise self._error(self._next())
        return found

    def _binary(self, level: int) -> Expression:
        if level == len(OPERATORS):
            return self._path()
        left = self._binary(level + 1)
        while self._next() in OPERATORS[level]:
            token = self._take()
            operator = OPERATORS[level][token]
            if operator is None:
                left = _called(left, token, [_constant([self._take()])])
            else:
                left = _operated(operator, left, self._binary(level + 1))
        return left

    def _path(self) -> Expression:
        fixed = self._next() in ("%resource", "%context")
        start = self.at
        found = self._term()
        while self._next() == ".":
            self._take()
            found = self._step(found)
        return _remembered(found) if fixed and "$this" not in self.tokens[start : self.at] else found

    def _term(self) -> Expression:
        word = self._take()
        if word == "(":
            found = self._binary(0)
            self._expect(")")
            return found
        if word == "{":
            self._expect("}")
            return _constant([])
        if word.startswith("'"):
            return _constant([_ESCAPES.sub(lambda match: match[1], word[1:-1])])
        if word.isdigit():
            return _constant([int(word)])
        if word in ("true", "false"):
            return _constant([word == "true"])
        if word in _NAMED:
            return _NAMED[word]
        if word in RESOURCE_TYPES:
            return lambda focus, scope: [item for item in focus if is_of_type(item, word)]
        self.at -= 1
        return self._step(lambda focus, scope: focus)

    def _step(self, before: Expression) -> Expression:
        """A member of the preceding value, or a function called on it."""
        name = self._take().strip("`")
        if not name.isidentifier():
            raise self._error(name)
        if self._next() != "(":
            return lambda focus, scope: member(before(focus, scope), name)
        self._take()
        given: list[Expression] = []
        while self._next() != ")":
            given.append(_constant([self._take()]) if name in _TYPED else self._binary(0))
            if self._next() == ",":
                self._take()
        self._take()
        if name not in FUNCTIONS:
            raise self._error(name)
        return _called(before, name, given)


def _constant(value: Collection) -> Expression:
    return lambda focus, scope: value


def _called(before: Expression, name: str, given: list[Expression]) -> Expression:
    function = FUNCTIONS[name]
    return lambda focus, scope: function(before(focus, scope), given, scope)


def _operated(operator: Operator, left: Expression, right: Expression) -> Expression:
    return lambda focus, scope: operator(left(focus, scope), right(focus, scope))


def _remembered(found: Expression) -> Expression:
    """A function whose result depends on the resource only: computed once for each element."""

    def function(focus: Collection, scope: Scope) -> Collection:
        result = scope.memory.get(id(found))
        if result is None:
            result = scope.memory[id(found)] = ReusedCollection(found(focus, scope))
        return result

    return function


_NAMED: dict[str, Expression] = {
    "$this": lambda focus, scope: [scope.this],
    "%resource": lambda focus, scope: [scope.resource],
    "%context": lambda focus, scope: [scope.context],
    "%ucum": _constant([UCUM]),
}


def holds(expression: str, element: object, resource: dict[str, object]) -> bool:
    """Whether an expression is true for an element of a resource."""
    scope = Scope(resource, element, element, {})
    return compiled(expression)([element], scope) == [True]
