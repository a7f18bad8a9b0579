"""Counts identifiers from which no document was made, and suggests the rule that would make one.

The counts are by reason, code system, code and system, never by value.
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
"""The system of the identifier that keeps the original of a repaired id; for a source `ORIGINAL_ID:<source>`."""
SHOWN = 20
"""Kinds of identifiers that are listed."""
HOW_TO_WRITE_RULES = (
    "If these identifiers are documents, write their rules to rules.json as a JSON list and load the same input again"
    " with --identity-rules rules.json,all"
)
_KINDS = 1000
"""Kinds that are counted separately; further kinds are counted together."""
_LONGEST = 200
"""Characters that are shown of a system or a code."""
_HL7 = "http://terminology.hl7.org/CodeSystem/v2-0203"


class IdentifierKind(NamedTuple):
    """Identifiers of one type and one system from which no document was made for one reason."""

    why: str
    code_system: str | None
    code: str | None
    system: str | None


class IdentifierCount(Frozen):
    """The number of identifiers of a kind from which no document was made.

    Args:
        why: the reason.
        code_system, code: of the identifiers' type, None without one.
        system: of the identifiers, None without one.
        identifiers: the number of identifiers.
        provisional: how many of them belong to Patients without a document.
        rule: the rule, as JSON, that would make documents of them; None if a rule fits already or they have no system.
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
        """The count as one line."""
        type_words = f", type {self.code} of {self.code_system or 'no code system'}" if self.code else ", no type"
        system_words = f", system {self.system}" if self.system else ", no system"
        rule = f"; if they are documents: {self.rule}" if self.rule else ""
        counts = f"{self.identifiers} ({self.provisional} of Patients without a document)"
        return f"{counts}: {self.why}{type_words}{system_words}{rule}"


class IdentifierTally:
    """Counts identifiers from which no document was made.

    Attributes:
        without_document: the number of Patients without a document.
    """

    def __init__(self) -> None:
        self.without_document = 0
        self._identifiers: Counter[IdentifierKind] = Counter()
        self._provisional: Counter[IdentifierKind] = Counter()
        self._beyond = 0

    def add(self, patient: dict[str, Any], rules: RuleSet) -> None:
        """Count the identifiers of a Patient."""
        judged = evaluated_identifiers(patient, rules)
        provisional = not any(found.document for _, found in judged)
        self.without_document += provisional
        for identifier, found in judged:
            if found.document is None:
                kind = _kind(found, system_of(identifier), codings_of(identifier), rules)
                self.count(kind, 1, provisional=provisional)

    def count(self, kind: IdentifierKind, number: int, *, provisional: bool) -> None:
        """Count identifiers of a kind, except those that `pyhce load --repair-ids` made."""
        if kind.system and kind.system.startswith(ORIGINAL_ID):
            return
        if kind not in self._identifiers and len(self._identifiers) >= _KINDS:
            self._beyond += number
            return
        self._identifiers[kind] += number
        if provisional:
            self._provisional[kind] += number

    def merge(self, other: IdentifierTally) -> None:
        """Add the counts of another tally."""
        self.without_document += other.without_document
        self._beyond += other._beyond
        for kind, number in other._identifiers.items():
            provisional = other._provisional[kind]
            self.count(kind, number - provisional, provisional=False)
            self.count(kind, provisional, provisional=True)

    @property
    def provisional(self) -> int:
        """The number of counted identifiers that belong to Patients without a document."""
        return self._provisional.total()

    def largest(self, shown: int = SHOWN) -> tuple[IdentifierCount, ...]:
        """Return the largest counts, those of Patients without a document first."""
        ordered = sorted(
            self._identifiers, key=lambda kind: (-self._provisional[kind], -self._identifiers[kind], *map(str, kind))
        )
        return tuple(
            IdentifierCount(
                **{name: text and text[:_LONGEST] for name, text in kind._asdict().items()},
                identifiers=self._identifiers[kind],
                provisional=self._provisional[kind],
                rule=rule_for(kind),
            )
            for kind in ordered[:shown]
        )

    def rest(self, shown: int = SHOWN) -> int:
        """Return the number of identifiers that `largest` leaves out."""
        return self._identifiers.total() + self._beyond - sum(entry.identifiers for entry in self.largest(shown))


def kind_without_rule(system: str | None, codings: Codings, rules: RuleSet) -> IdentifierKind | None:
    """Return the kind of an identifier to which no rule applies; None if one does."""
    if rules.first_match(system, codings) is not None:
        return None
    return _kind(EvaluatedIdentifier(None, None, NoDocumentReason.NO_RULE), system, codings, rules)


def _kind(found: EvaluatedIdentifier, system: str | None, codings: Codings, rules: RuleSet) -> IdentifierKind:
    """Return the kind of an identifier. Of several types it has the one of its rule, else one that is not HL7's."""
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
    """Return a rule that makes issued documents of a kind to which no rule applies; None if that is not possible."""
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
