"""Conditional creates, updates and deletes: an entry identifies its resource by a search that the database answers.

https://hl7.org/fhir/R4/http.html, sections 3.1.0.8.1, 3.1.0.4.3 and 3.1.0.7.1. Supported searches are
`identifier=system|value` and `_id`, and several of them joined by `&`. Once a bundle was read to its end, the reader
yields `ConditionsAsked`. The caller answers it before it takes the next item, so that references in the bundle's
entries lead to the resources that were found.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple
from urllib.parse import unquote

from pyhce.records.reading.exact_json import jsonb_text
from pyhce.records.reading.ids import id_of, is_id
from pyhce.records.reading.incoming import ConditionSignal
from pyhce.records.reading.reference import identifier_key, identifiers_of
from pyhce.records.reading.requests import PRESENTATION, Request

MOST_CONDITIONS = 100_000
"""Conditional entries of one bundle that are looked up, at most."""
MOST_CHARACTERS = 32_000_000
"""Characters of these entries that are kept in memory, at most."""
NOT_ANSWERED = (
    f"conditions are looked up by `pyhce load` only, for up to {MOST_CONDITIONS} entries of a bundle, and not for a"
    " bundle within one that has conditions itself"
)
SEVERAL = "more than one resource matches the condition (R4: 412 Precondition Failed)"
OTHER_ID = "the resource that matches the condition has another id than the entry's (R4: 400 Bad Request)"

_TOKEN = re.compile(r"((?:[^\\|]|\\.)*)\|(.*)\Z", re.DOTALL)
_COMMA = re.compile(r"(?:[^\\]|\\.)*?,", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\|,$])")
_CONTROL = re.compile(r"[\x00-\x1f]")


class UnsupportedSearch(ValueError):
    """A search that is not supported. The message contains no value, which may be a patient's document."""


def terms_of(query: str) -> frozenset[str]:
    """The keys that a resource must have to match a search: `identifier=system|value`, its id.

    Raises:
        UnsupportedSearch: the search has other parameters, or none.
    """
    terms = set()
    for part in query.split("&"):
        name, _, spelled = part.partition("=")
        value = unquote(spelled)
        if not part or name in PRESENTATION:
            continue
        if name not in {"identifier", "_id"}:
            raise UnsupportedSearch(f"unsupported search parameter {name[:40]!r}: use identifier=system|value or _id")
        if _COMMA.match(value):
            raise UnsupportedSearch(
                rf"a comma in {name} means `or`, which is not supported; write a literal comma as \,"
            )
        if name == "_id":
            if not is_id(value):
                raise UnsupportedSearch("_id must be 1 to 64 letters, digits, hyphens or dots")
            terms.add(value)
            continue
        token = _TOKEN.match(value)
        if not token or not token[2] or _CONTROL.search(value):
            raise UnsupportedSearch("identifier must be system|value")
        system, own = (_ESCAPED.sub(r"\1", text) for text in token.groups())
        terms.add(jsonb_text(f"identifier={system}|{own}"))
    if not terms:
        raise UnsupportedSearch("the search is empty")
    return frozenset(terms)


class Condition(NamedTuple):
    """What a conditional entry searches for.

    Args:
        base: the base URL of the entry's fullUrl; None without one.
        terms: the keys that the resource must have, all of them.
    """

    base: str | None
    type: str
    terms: frozenset[str]


class ConditionalEntry(NamedTuple):
    """An entry with a condition.

    Args:
        number: the number of the entry, from 1.
        update: whether it is an update, else a create.
        key: the id that its resource gets if no resource matches.
        own_id: the id in the resource itself.
        resource_keys: the keys of its resource, by which conditions of later entries find it.
    """

    number: int
    update: bool
    url: str | None
    condition: Condition
    key: str
    own_id: str | None
    resource_keys: frozenset[str]


class ConditionOutcome(NamedTuple):
    """The outcome of an entry's condition.

    Args:
        key: the id of the resource that the entry stands for.
        outcome: `created`, `updated`, `matched` (a create that found its resource and does nothing) or `refused`.
        detail: why it is refused.
    """

    key: str
    outcome: str
    detail: str = ""


class ConditionsAsked(ConditionSignal):
    """The conditions of a bundle. The caller sets `matches`: the ids in the database that match each condition."""

    def __init__(self, conditional: Sequence[ConditionalEntry], bases: Set[str]) -> None:
        self.conditional, self.bases = conditional, bases
        self.matches: Mapping[Condition, Collection[str]] | None = None

    @property
    def conditions(self) -> set[Condition]:
        """The distinct conditions to look up."""
        return {one.condition for one in self.conditional}

    def decisions(self) -> dict[int, ConditionOutcome]:
        """The outcome of each entry, by its number; empty without an answer."""
        return {} if self.matches is None else condition_outcomes(self.conditional, self.matches)

    def outcomes(self) -> Counter[str]:
        """The number of entries by outcome, without those refused."""
        return Counter(made.outcome for made in self.decisions().values() if made.outcome != "refused")


class ConditionsDone(ConditionSignal):
    """The end of a bundle with conditions: the locks on its conditions can be released."""


def conditional_entry(
    number: int, request: Request, url: str | None, base: str | None, resource: dict[str, Any], key: str
) -> ConditionalEntry | None:
    """A conditional entry; None if it has no condition, or one that is not supported."""
    query = request.condition
    if query is None or request.problem:
        return None
    try:
        condition = Condition(base, resource["resourceType"], terms_of(query))
    except UnsupportedSearch:
        return None
    resource_keys = frozenset({*map(identifier_key, identifiers_of(resource)), key})
    return ConditionalEntry(number, request.method == "PUT", url, condition, key, id_of(resource), resource_keys)


def kept_characters(one: ConditionalEntry) -> int:
    """The characters of an entry that are kept in memory."""
    texts: Iterable[str] = (one.url or "", *one.condition.terms, *one.resource_keys)
    return sum(map(len, texts))


def condition_outcomes(
    conditional: Sequence[ConditionalEntry], found: Mapping[Condition, Collection[str]]
) -> dict[int, ConditionOutcome]:
    """The outcome of each conditional entry of a bundle, in order: a later one finds what an earlier one creates.

    Args:
        found: the ids in the database that match each condition.
    """
    decided: dict[int, ConditionOutcome] = {}
    by_condition: dict[Condition, str] = {}
    carrying: dict[tuple[str | None, str, str], set[str]] = defaultdict(set)
    for one in conditional:
        condition = one.condition
        fitting = set(found.get(condition, ()))
        if condition in by_condition:
            fitting.add(by_condition[condition])
        here = [carrying.get((*condition[:2], term), set()) for term in condition.terms]
        fitting |= set.intersection(*here)
        decided[one.number] = _decision(one, fitting)
        if decided[one.number].outcome == "created":
            by_condition[condition] = one.key
            for term in one.resource_keys:
                carrying[*condition[:2], term].add(one.key)
    return decided


def _decision(one: ConditionalEntry, fitting: set[str]) -> ConditionOutcome:
    if len(fitting) > 1:
        return ConditionOutcome(one.key, "refused", SEVERAL)
    if not fitting:
        return ConditionOutcome(one.key, "created")
    (key,) = fitting
    if not one.update:
        return ConditionOutcome(key, "matched")
    if one.own_id not in (None, key):
        return ConditionOutcome(one.key, "refused", OTHER_ID)
    return ConditionOutcome(key, "updated")
