"""What a load reports about identity: Patients without a document and why, resources without a patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.records.identity import PROVISIONAL, DocumentRule, RuleSet
from pyhce.records.identity.tally import IdentifierCount, IdentifierTally
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.writing.assign import AssignedBatch
from pyhce.schema.model import Schema

_WAITING = 200_000
"""Provisional records that are remembered until the end. Beyond this number the count is a lower bound."""
_AT_ONCE = 5000


class IdentityCounts:
    """Counts of one load, or of one batch of it.

    Attributes:
        tally: identifiers of Patients from which no document follows.
        without_patient: resources that could name a patient and name none, by type.
        waiting: resources in provisional records whose Patient is not loaded.
        identifiers: the largest counts of the tally, and `identifiers_rest` the sum of the others.

    `settle` computes the last three.
    """

    def __init__(self) -> None:
        self.tally = IdentifierTally()
        self.without_patient: Counter[str] = Counter()
        self.waiting = 0
        self.identifiers: tuple[IdentifierCount, ...] = ()
        self.identifiers_rest = 0
        self._provisional: Counter[str] = Counter()

    def merge(self, other: IdentityCounts) -> None:
        """Add the counts of a batch."""
        self.tally.merge(other.tally)
        self.without_patient.update(other.without_patient)
        for document, number in other._provisional.items():
            if document in self._provisional or len(self._provisional) < _WAITING:
                self._provisional[document] += number

    def settle(self, conn: Connection[TupleRow]) -> None:
        """Look up which provisional records have no Patient at the end of the load, and order the counts."""
        self.identifiers, self.identifiers_rest = self.tally.largest(), self.tally.rest()
        self.waiting = 0
        documents = sorted(self._provisional)
        for first in range(0, len(documents), _AT_ONCE):
            some = documents[first : first + _AT_ONCE]
            left = conn.execute(
                "SELECT e.documento_id FROM expediente e LEFT JOIN paciente p USING (documento_id)"
                " WHERE e.documento_id = ANY(%s) AND p.documento_id IS NULL",
                (some,),
            )
            self.waiting += sum(self._provisional[document] for (document,) in left)


def count_identities(
    schema: Schema, rules: tuple[DocumentRule, ...], batch: Sequence[PreparedResource], found: AssignedBatch
) -> IdentityCounts:
    """The counts of a batch that is committed."""
    counted = IdentityCounts()
    indexed = rules if isinstance(rules, RuleSet) else RuleSet(rules)
    for prepared in batch:
        if prepared.resource is not None and prepared.identity[0] == "Patient":
            counted.tally.add(prepared.resource, indexed)
    nameless = Counter([prepared.identity[0] for prepared in batch if prepared.patient_key is None])
    counted.without_patient.update({kind: count for kind, count in nameless.items() if schema.patient_paths_of(kind)})
    places = [(place.document, len(rows)) for part in (found.unchanged, found.new) for place, rows in part.items()]
    places += [(row.location.document, 1) for row in found.to_merge]
    for document, number in places:
        if document is not None and document.startswith(PROVISIONAL):
            counted._provisional[document] += number
    return counted
