"""Identity rules, which decide what identifiers are identity documents: one rule, an ordered set, and reading them."""

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
_CACHED = 10_000
"""Systems, and systems with types, whose rule is cached."""

Codings = tuple[tuple[str | None, str], ...]
"""The codings of an identifier's type: code system and code."""


class DocumentRule(Frozen):
    """Decides which identifiers are identity documents of one kind, and how the document is made.

    Args:
        type: the type of the document, such as CC; None if no document is made from these identifiers.
        none: why no document is made, in a few words. A rule has either `type` or `none`.
        country: the ISO 3166-1 alpha-2 code of a national number; None for Colombia.
        system: the exact system of the identifier.
        system_pattern: a regular expression that must match the whole system.
        code: a code of the identifier's type, `*` for any. Without a system it needs `code_system`.
        code_system: the system of that code.
        national: whether the number is unique in its country. If not, the document holds its issuer.
        stated_country: whether the country of a national number is the one that the Patient states; see `countries`.
        fold: whether an issued value is folded like a national number.
        check: the name of a check of the number, from `check_digits.CHECKS`.
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
        """Whether the rule applies to this system, or does not restrict the system."""
        if self.system is not None:
            return system == self.system
        return self._pattern is None or (system is not None and self._pattern.fullmatch(system) is not None)

    def fits(self, system: str | None, codings: Codings) -> bool:
        """Whether the rule applies to an identifier with this system and these codings of its type."""
        if not self.fits_system(system):
            return False
        return self.code is None or any(
            self.code in (code, ANY_CODE) and self.code_system in (code_system, None) for code_system, code in codings
        )


def _problems(rule: DocumentRule) -> Iterator[str]:
    """Yield what is wrong with a rule."""
    if (rule.type is None) == (rule.none is None):
        yield "a rule has either a type or, for identifiers that are not documents, `none` with the reason"
    if rule.type is not None and (not TYPE.match(rule.type) or f"{rule.type}-" == PROVISIONAL):
        yield f"the type {rule.type!r} is not 1 to 16 capital letters and digits beginning with a letter, or is PROV"
    if rule.country is not None and country_of(rule.country) != rule.country:
        yield f"the country {rule.country!r} is not an ISO 3166-1 alpha-2 code in capitals"
    if rule.system is None and rule.system_pattern is None and rule.code_system is None:
        yield "a rule names a system, or a code with its code_system: each sender may use a code with another meaning"
    if rule.code_system is not None and rule.code is None:
        yield f"the code_system {rule.code_system!r} has no code"
    if not rule.national and (rule.country or rule.stated_country or rule.check):
        yield "country, stated_country and check are for national numbers only"
    if rule.national and rule.fold:
        yield "fold is for issued documents: a national number is always folded"
    if rule.check is not None and rule.check not in CHECKS:
        yield f"the check {rule.check!r} is not one of {', '.join(CHECKS)}"
    if rule.system_pattern is not None:
        try:
            re.compile(rule.system_pattern)
        except re.error as error:
            yield f"the system_pattern {rule.system_pattern!r} is not a regular expression: {error}"


class RuleSet(tuple[DocumentRule, ...]):
    """Identity rules in order, with an index by system and by code so that not every rule is tried."""

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
        """Return the positions of the rules that name this system, in order."""
        found = self._systems.get(system)
        if found is None:
            if len(self._systems) >= _CACHED:
                self._systems.clear()
            by_pattern = [at for at in self._by_pattern if self[at].fits_system(system)]
            found = self._systems[system] = sorted([*self._by_system.get(system, ()), *by_pattern])
        return found

    def first_match(self, system: str | None, codings: Codings) -> int | None:
        """Return the position of the first rule that fits a system and the codings of a type; None if no rule fits."""
        kind = system, codings
        try:
            return self._kinds[kind]
        except KeyError:
            found = self._first(system, codings)
        if len(self._kinds) >= _CACHED:
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
    """Read rules from JSON: a list of objects with the members of `DocumentRule`, or `{"rules": [...]}`.

    `system`, `code` and `code_system` may be lists. A rule with a code and without a type has the code as its type.

    Args:
        data: the JSON text.
        name: the name of the file, for errors.

    Raises:
        UsageError: the text is not JSON, or a rule is not valid.
    """
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _refused(name, f"not JSON: {error}") from error
    if isinstance(content, dict) and "rules" in content:
        content = content["rules"]
    if not isinstance(content, list) or not content:
        raise _refused(name, "not a list of rules")
    found: list[DocumentRule] = []
    for number, entry in enumerate(content, 1):
        if not isinstance(entry, dict):
            raise _refused(name, f"rule {number} is not an object")
        try:
            found += [DocumentRule.model_validate(single) for single in _singles(entry)]
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            member = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise _refused(name, f"rule {number}: {f'{member}: ' if member else ''}{message}") from error
    return RuleSet(found)


def _refused(name: str, wrong: str) -> UsageError:
    return UsageError(
        f"{name}: {wrong}", remedy=f"Write a JSON list such as {EXAMPLE}; docs/identity.md describes the members."
    )


def _singles(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a rule for each combination of the members that are lists."""
    lists = {name: entry[name] for name in _LISTS if isinstance(entry.get(name), list)}
    code_first = sorted(lists, key=lambda name: name != "code")
    for values in product(*(lists[name] for name in code_first)):
        single = {**entry, **dict(zip(code_first, values, strict=True))}
        if "type" not in single and "none" not in single and "code" in single:
            single["type"] = single["code"]
        yield single


def read_rules(path: Path) -> RuleSet:
    """Read the rules of a file; see `parse_rules`.

    Raises:
        UsageError: the file cannot be read, or has no valid rules.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="Give a readable JSON file of identity rules.") from error
    return parse_rules(data, str(path))
