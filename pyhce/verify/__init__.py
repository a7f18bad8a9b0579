"""Verification: is the database what the declaration says?"""

from pyhce.verify.document import checks_document
from pyhce.verify.junit import junit
from pyhce.verify.model import GROUPS, Check, CheckResult, Finding, Result, VerificationReport
from pyhce.verify.overview import NodeStatus, StatusReport, status
from pyhce.verify.runner import CHECKS, run, until_right, verify

__all__ = [
    "CHECKS",
    "GROUPS",
    "Check",
    "CheckResult",
    "Finding",
    "NodeStatus",
    "Result",
    "StatusReport",
    "VerificationReport",
    "checks_document",
    "junit",
    "run",
    "status",
    "until_right",
    "verify",
]
