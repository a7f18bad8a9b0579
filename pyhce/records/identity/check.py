"""HCE0430: identifiers from which no document was made, in the whole database; `pyhce.verify` describes checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyhce.counted import counted
from pyhce.records.identity.documents import codings_of
from pyhce.records.identity.grammar import PROVISIONAL
from pyhce.records.identity.packs import DEFAULT_RULES
from pyhce.records.identity.rules import RuleSet
from pyhce.records.identity.tally import HOW_TO_WRITE_RULES, IdentifierTally, kind_without_rule
from pyhce.verify.context import Context
from pyhce.verify.model import Finding, Result, ok

SHOWN = 50
_ROWS_PER_FETCH = 2000
_MAX_PATIENTS = 200_000
"""Patients with a provisional record that are read at most."""

_OF_THE_OTHERS = """
    SELECT i ->> 'system', i -> 'type' -> 'coding', count(*)
    FROM paciente AS p, jsonb_array_elements(
        CASE WHEN jsonb_typeof(p.recurso -> 'identifier') = 'array' THEN p.recurso -> 'identifier' ELSE '[]' END
    ) AS i
    WHERE NOT starts_with(p.documento_id, %(provisional)s)
        AND jsonb_typeof(i) = 'object' AND i ->> 'use' IS DISTINCT FROM 'old' AND i ->> 'value' ~ '\\S'
    GROUP BY 1, 2
"""
_PROVISIONAL = """
    SELECT jsonb_build_object('identifier', recurso -> 'identifier', 'extension', recurso -> 'extension')
    FROM paciente WHERE starts_with(documento_id, %(provisional)s) LIMIT %(most)s
"""
_VALUES = {"provisional": PROVISIONAL, "most": _MAX_PATIENTS}


class IdentifierCheck:
    """Counts the identifiers from which no document was made, by reason; a warning if their Patients have no document.

    The Patients without a document are read one by one. For Patients with a document, the database counts their
    identifiers by system and type, and only those to which no rule applies are reported.

    Args:
        rules: the identity rules of the loads.
    """

    code = "HCE0430"
    group = "identity"
    title = "Every Patient with an identifier has a document"
    remedy = (
        f"{HOW_TO_WRITE_RULES}. If a check digit is wrong, correct the number in the source system and load it again."
        " docs/identity.md describes the members of a rule. `pyhce verify` takes --identity-rules too."
    )

    def __init__(self, rules: RuleSet = DEFAULT_RULES) -> None:
        self._rules = rules

    def probe(self, context: Context) -> Finding:
        """Count the identifiers."""
        tally = IdentifierTally()
        for patient in _rows(context, _PROVISIONAL):
            tally.add(patient[0], self._rules)
        for system, codings, number in _rows(context, _OF_THE_OTHERS):
            kind = kind_without_rule(system, codings_of({"type": {"coding": codings}}), self._rules)
            if kind is not None:
                tally.count(kind, number, provisional=False)
        listed = [entry.words for entry in tally.largest(SHOWN)]
        if rest := tally.rest(SHOWN):
            listed.append(f"{rest} of other kinds")
        if not tally.provisional:
            others = sum(entry.identifiers for entry in tally.largest(SHOWN)) + rest
            return ok(f"no rule applies to {counted(others, 'identifier')} of Patients with another document", listed)
        found = f"no document was made from {counted(tally.provisional, 'identifier')} of Patients without a document"
        return Finding(result=Result.WARNING, found=found, details=tuple(listed))


def _rows(context: Context, query: str) -> Iterator[Any]:
    """Yield the rows of a query, fetched in batches."""
    with context.conn.transaction(), context.conn.cursor(name="pyhce_identifiers") as cursor:
        cursor.itersize = _ROWS_PER_FETCH
        cursor.execute(query, _VALUES)
        yield from cursor
