"""Rules that say which identifiers are identity documents: one rule, many of them in order, and reading them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Self

import orjson
from pydantic import ValidationError, model_validator

from pyhce.errors import UsageError
from pyhce.records.identity.check_digits import CHECKS
from pyhce.records.identity.countries import country_of
from pyhce.records.identity.grammar import PROVISIONAL, TYPE
from pyhce.schema.model import Frozen

ANY_CODE = "*"
EXAMPLE = '[{"type": "MR", "system": "http://hospital.example/mrn", "national": false}]'
_LISTS = ("system", "code", "code_system")
_KEPT = 10_000
"""Systems, and systems with types of identifiers, whose rule is remembered."""

Codings = tuple[tuple[str | None, str], ...]
"""The codings of an identifier's type: code system and code."""


class DocumentRule(Frozen):
    """Which identifiers are identity documents of one kind, and how the document is made.

    Args:
        type: what the document begins with, such as CC; None if these identifiers make no document.
        none: why they make none, in a few words; of `type` and `none` a rule has one.
        country: ISO 3166-1 alpha-2 of a national number; None for Colombia.
        system: the identifier's system, exactly.
        system_pattern: a regular expression that the whole system matches.
        code: a code of the identifier's type, `*` for any; needs `code_system` unless there is a system.
        code_system: the system of that code.
        national: whether the number is unique in the country; if not, the document carries its issuer.
        stated_country: a national number that has no country but the one that the Patient states; see `countries`.
        fold: fold an issued value as a national number is.
        check: the check digit, one of `check_digits.CHECKS`.
    """

    type: str | None = None
    none: str | None = None
    country: str | None = None
    system: str | None = None
    system_pattern: str | None = None
    code: str | None = None
    code_system: str | None = None
    national: bool = True
    stated_country: bool = False
    fold: bool = False
    check: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problem = next(_problems(self), None)
        if problem:
            raise ValueError(problem)
        return self

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.system_pattern) if self.system_pattern is not None else None

    def fits_system(self, system: str | None) -> bool:
        """Whether an identifier's system is of this kind, as far as the rule says."""
        if self.system is not None:
            return system == self.system
        return self._pattern is None or (system is not None and self._pattern.fullmatch(system) is not None)

    def fits(self, system: str | None, codings: Codings) -> bool:
        """Whether an identifier with this system and these codings of its type (code system, code) is of this kind."""
        if not self.fits_system(system):
            return False
        return self.code is None or any(
            self.code in (code, ANY_CODE) and self.code_system in (code_system, None) for code_system, code in codings
        )


def _problems(rule: DocumentRule) -> Iterator[str]:
    """What is wrong with a rule, as sentences."""
    if (rule.type is None) == (rule.none is None):
        yield "a rule has either a type or, for identifiers that are no document, `none` with the reason"
    if rule.type is not None and (not TYPE.match(rule.type) or f"{rule.type}-" == PROVISIONAL):
        yield f"the type {rule.type!r} is not 1 to 16 capital letters and digits that begin with a letter, or is PROV"
    if rule.country is not None and country_of(rule.country) != rule.country:
        yield f"the country {rule.country!r} is not an ISO 3166-1 alpha-2 code in capitals"
    if rule.system is None and rule.system_pattern is None and rule.code_system is None:
        yield "a rule names a system, or a code with its code_system: a code alone means something else to each sender"
    if rule.code_system is not None and rule.code is None:
        yield f"the code_system {rule.code_system!r} has no code"
    if not rule.national and (rule.country or rule.stated_country or rule.check):
        yield "country, stated_country and check are of national numbers only"
    if rule.national and rule.fold:
        yield "fold is for issued documents: a national number is always folded"
    if rule.check is not None and rule.check not in CHECKS:
        yield f"the check {rule.check!r} is not one of {', '.join(CHECKS)}"
    if rule.system_pattern is not None:
        try:
            re.compile(rule.system_pattern)
        except re.error as error:
            yield f"the system_pattern {rule.system_pattern!r} is no regular expression: {error}"


class RuleSet(tuple[DocumentRule, ...]):
    """Rules in order, found by system and by code: a Patient is not held against every rule."""

    @cached_property
    def _by_system(self) -> Mapping[str, list[int]]:
        found = defaultdict(list)
        for at, rule in enumerate(self):
            if rule.system is not None:
                found[rule.system].append(at)
        return dict(found)

    @cached_property
    def _by_code(self) -> Mapping[tuple[str | None, str], list[int]]:
        found = defaultdict(list)
        for at, rule in enumerate(self):
            if rule.system is None and rule.system_pattern is None and rule.code is not None:
                found[rule.code_system, rule.code].append(at)
        return dict(found)

    @cached_property
    def _by_pattern(self) -> list[int]:
        return [at for at, rule in enumerate(self) if rule.system_pattern is not None]

    @cached_property
    def _systems(self) -> dict[str, list[int]]:
        return {}

    @cached_property
    def _kinds(self) -> dict[tuple[str | None, Codings], int | None]:
        return {}

    def rules_for_system(self, system: str) -> list[int]:
        """The positions of the rules that name this system, in order."""
        found = self._systems.get(system)
        if found is None:
            if len(self._systems) >= _KEPT:
                self._systems.clear()
            by_pattern = [at for at in self._by_pattern if self[at].fits_system(system)]
            found = self._systems[system] = sorted([*self._by_system.get(system, ()), *by_pattern])
        return found

    def first_match(self, system: str | None, codings: Codings) -> int | None:
        """The position of the first rule that fits an identifier with this system and these codings of its type."""
        kind = system, codings
        try:
            return self._kinds[kind]
        except KeyError:
            found = self._first(system, codings)
        if len(self._kinds) >= _KEPT:
            self._kinds.clear()
        self._kinds[kind] = found
        return found

    def _first(self, system: str | None, codings: Codings) -> int | None:
        candidates = list(self.rules_for_system(system)) if system is not None else []
        for code_system, code in codings:
            for wanted in (code, ANY_CODE):
                candidates += self._by_code.get((code_system, wanted), ())
        return min((at for at in candidates if self[at].fits(system, codings)), default=None)


def parse_rules(data: bytes, name: str) -> RuleSet:
    """The rules of a JSON text: a list of objects with the members of `DocumentRule`, or `{"rules": [...]}`.

    `system`, `code` and `code_system` may be lists; where there is a code and no type, the code is the type.

    Args:
        name: of the file, for errors.

    Raises:
        UsageError: it is not that.
    """
    try:
        held = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _refused(name, f"it is not JSON: {error}") from error
    if isinstance(held, dict) and "rules" in held:
        held = held["rules"]
    if not isinstance(held, list) or not held:
        raise _refused(name, "it is not a list of rules")
    found: list[DocumentRule] = []
    for number, entry in enumerate(held, 1):
        if not isinstance(entry, dict):
            raise _refused(name, f"rule {number} is not an object")
        try:
            found += [DocumentRule.model_validate(single) for single in _singles(entry)]
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            member = ".".join(str(part) for part in first["loc"])
            said = first["msg"].removeprefix("Value error, ")
            raise _refused(name, f"rule {number}: {f'{member}: ' if member else ''}{said}") from error
    return RuleSet(found)


def _refused(name: str, wrong: str) -> UsageError:
    return UsageError(
        f"{name}: {wrong}", remedy=f"Write a JSON list such as {EXAMPLE}; docs/identity.md has the members."
    )


def _singles(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A rule for each combination of what is given as a list."""
    lists = {name: entry[name] for name in _LISTS if isinstance(entry.get(name), list)}
    code_first = sorted(lists, key=lambda name: name != "code")
    for values in product(*(lists[name] for name in code_first)):
        single = {**entry, **dict(zip(code_first, values, strict=True))}
        if "type" not in single and "none" not in single and "code" in single:
            single["type"] = single["code"]
        yield single


def read_rules(path: Path) -> RuleSet:
    """The rules of a file; see `rules_in`.

    Raises:
        UsageError: the file is not there, or has no rules.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="Give a readable file of identity rules.") from error
    return parse_rules(data, str(path))
