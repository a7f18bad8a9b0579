"""What identifiers made no document, counted by what they are, and the rule that would make documents of them.

Counts are by reason, code system, code and system; never by value.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NamedTuple

from pyhce.records.identity.documents import (
    EvaluatedIdentifier,
    NoDocumentReason,
    codings_of,
    evaluated_identifiers,
    system_of,
)
from pyhce.records.identity.grammar import PROVISIONAL, TYPE
from pyhce.records.identity.rules import Codings, RuleSet
from pyhce.schema.model import Frozen

ORIGINAL_ID = "urn:pyhce:original-id"
"""The system of the identifier that keeps an id which was repaired, for a source `ORIGINAL_ID:<source>`."""
SHOWN = 20
"""Kinds that are listed one by one."""
HOW_TO_WRITE_RULES = (
    "To make documents of them, put their rules into a JSON list, rules.json, and load the same input again with"
    " --identity-rules rules.json,all"
)
_KINDS = 1000
"""Kinds of identifier that are counted one by one; further ones are counted together."""
_LONGEST = 200
"""Characters of a system or a code that are shown."""
_HL7 = "http://terminology.hl7.org/CodeSystem/v2-0203"


class IdentifierKind(NamedTuple):
    """Identifiers that made no document for one reason, of one type and one system."""

    why: str
    code_system: str | None
    code: str | None
    system: str | None


class IdentifierCount(Frozen):
    """How many identifiers of a kind made no document.

    Args:
        why: the reason.
        code_system, code: of the identifiers' type, None if they have none.
        system: of the identifiers, None if they have none.
        identifiers: how many there are.
        provisional: how many of them are of Patients that have no document.
        rule: the rule, as JSON, that would make documents of them, where no rule fits and they say who issued them.
    """

    why: str
    code_system: str | None
    code: str | None
    system: str | None
    identifiers: int
    provisional: int
    rule: str | None = None

    @property
    def words(self) -> str:
        """One line on it."""
        type_words = f", type {self.code} of {self.code_system or 'no code system'}" if self.code else ", no type"
        system_words = f", system {self.system}" if self.system else ", no system"
        rule = f"; if they are documents: {self.rule}" if self.rule else ""
        counts = f"{self.identifiers} ({self.provisional} of Patients without a document)"
        return f"{counts}: {self.why}{type_words}{system_words}{rule}"


class IdentifierTally:
    """Counts of identifiers that made no document.

    Attributes:
        without_document: Patients that have none.
    """

    def __init__(self) -> None:
        self.without_document = 0
        self._identifiers: Counter[IdentifierKind] = Counter()
        self._provisional: Counter[IdentifierKind] = Counter()
        self._beyond = 0

    def add(self, patient: dict[str, Any], rules: RuleSet) -> None:
        """Count a Patient's identifiers."""
        judged = evaluated_identifiers(patient, rules)
        provisional = not any(found.document for _, found in judged)
        self.without_document += provisional
        for identifier, found in judged:
            if found.document is None:
                kind = _kind(found, system_of(identifier), codings_of(identifier), rules)
                self.count(kind, 1, provisional=provisional)

    def count(self, kind: IdentifierKind, number: int, *, provisional: bool) -> None:
        """Count identifiers of a kind; those that `pyhce load --repair-ids` made are no documents to anybody."""
        if kind.system and kind.system.startswith(ORIGINAL_ID):
            return
        if kind not in self._identifiers and len(self._identifiers) >= _KINDS:
            self._beyond += number
            return
        self._identifiers[kind] += number
        if provisional:
            self._provisional[kind] += number

    def merge(self, other: IdentifierTally) -> None:
        """Add what another one counted."""
        self.without_document += other.without_document
        self._beyond += other._beyond
        for kind, number in other._identifiers.items():
            held = other._provisional[kind]
            self.count(kind, number - held, provisional=False)
            self.count(kind, held, provisional=True)

    @property
    def provisional(self) -> int:
        """Identifiers that made no document, of Patients that have none."""
        return self._provisional.total()

    def largest(self, shown: int = SHOWN) -> tuple[IdentifierCount, ...]:
        """The largest counts, first those whose Patients have no document."""
        ordered = sorted(
            self._identifiers, key=lambda kind: (-self._provisional[kind], -self._identifiers[kind], *map(str, kind))
        )
        return tuple(
            IdentifierCount(
                **{name: held and held[:_LONGEST] for name, held in kind._asdict().items()},
                identifiers=self._identifiers[kind],
                provisional=self._provisional[kind],
                rule=rule_for(kind),
            )
            for kind in ordered[:shown]
        )

    def rest(self, shown: int = SHOWN) -> int:
        """Identifiers that `largest` leaves out."""
        return self._identifiers.total() + self._beyond - sum(entry.identifiers for entry in self.largest(shown))


def kind_without_rule(system: str | None, codings: Codings, rules: RuleSet) -> IdentifierKind | None:
    """The kind of an identifier that no rule fits; None if one does."""
    if rules.first_match(system, codings) is not None:
        return None
    return _kind(EvaluatedIdentifier(None, None, NoDocumentReason.NO_RULE), system, codings, rules)


def _kind(found: EvaluatedIdentifier, system: str | None, codings: Codings, rules: RuleSet) -> IdentifierKind:
    """The kind of an identifier; of several types the one that its rule names, else one that is not HL7's own."""
    rule = rules[found.rule] if found.rule is not None else None
    why = str(found.why)
    if rule is not None and rule.none:
        why = f"no document: {rule.none}"
    of_rule = [
        coding for coding in codings if rule is not None and rule.code is not None and rule.fits(system, (coding,))
    ]
    others = [coding for coding in codings if coding[0] != _HL7]
    code_system, code = next(iter([*of_rule, *others, *codings]), (None, None))
    return IdentifierKind(why, code_system, code, system)


def rule_for(kind: IdentifierKind) -> str | None:
    """A rule that makes documents, with their issuer, of identifiers of a kind that no rule fits."""
    if (
        kind.why != NoDocumentReason.NO_RULE
        or not kind.system
        or not kind.system.strip()
        or len(kind.system) > _LONGEST
    ):
        return None
    code = re.sub("[^A-Z0-9]", "", (kind.code or "").upper())
    usable = TYPE.match(code) is not None and f"{code}-" != PROVISIONAL
    return json.dumps({"type": code if usable else "ID", "system": kind.system, "national": False}, ensure_ascii=False)
