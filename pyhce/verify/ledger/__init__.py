"""A ledger: writers that run while parts of the database fail, and account for every acknowledged write."""

from pyhce.verify.ledger.accounts import LaneReport, LedgerReport, Outcome, Silence, Write
from pyhce.verify.ledger.ledger import Ledger
from pyhce.verify.ledger.lines import LaneCounts, LedgerLine

__all__ = ["LaneCounts", "LaneReport", "Ledger", "LedgerLine", "LedgerReport", "Outcome", "Silence", "Write"]
