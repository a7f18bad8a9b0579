"""Verification: is the database what the declaration says?"""

from pyhce.verify.checks_document import checks_document
from pyhce.verify.cluster_status import NodeStatus, StatusReport, status
from pyhce.verify.junit import junit
from pyhce.verify.model import GROUPS, Check, CheckResult, Finding, Result, VerificationReport
from pyhce.verify.runner import CHECKS, repeat_until_ok, run_checks, verify

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
    "repeat_until_ok",
    "run_checks",
    "status",
    "verify",
]
