"""A check and what it finds; the report of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from pyhce.schema.model import Frozen

GROUPS = (
    "nodes", "schema", "placement", "identity", "typed columns", "routing", "round trip", "settings", "standbys",
)  # fmt: skip
"""The groups of checks. Their codes begin, in this order, with HCE01 to HCE08 and HCE10; Kubernetes has HCE09."""


NEEDS_SUPERUSER = "needs a superuser"
"""Why a check is skipped for another role."""


class Result(StrEnum):
    """How a check ended. A warning does not fail a verification. A check is skipped if it cannot run here."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Frozen):
    """What a probe found.

    Args:
        found: one line, with numbers. Never a patient's document.
        details: every problem, or the first of many.
    """

    result: Result
    found: str
    details: tuple[str, ...] = ()


def ok(found: str, details: Sequence[str] = ()) -> Finding:
    """A finding without a problem."""
    return Finding(result=Result.OK, found=found, details=tuple(details))


def skipped(why: str) -> Finding:
    """A finding of a check that cannot run here, with the reason."""
    return Finding(result=Result.SKIPPED, found=why)


def ok_unless(problems: Sequence[str], holds: str, *, severity: Result = Result.FAILED) -> Finding:
    """A finding that is OK if there are no problems.

    Args:
        problems: one sentence for each.
        holds: what holds if there are none.
        severity: the result if there are some.
    """
    if not problems:
        return ok(holds)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Finding(result=severity, found=problems[0] + more, details=tuple(problems))


class Check(Protocol):
    """Something to verify: what should hold, how to find out, and what to do if it does not."""

    @property
    def code(self) -> str:
        """A code such as HCE0101, whose meaning never changes."""
        ...

    @property
    def group(self) -> str:
        """One of `GROUPS`, or a group of another package, such as `kubernetes`."""
        ...

    @property
    def title(self) -> str:
        """What is checked, as a sentence that should be true."""
        ...

    @property
    def remedy(self) -> str:
        """What to do if it is not true: a command if there is one. Empty if the check only reports numbers."""
        ...

    def probe(self, context: Any) -> Finding:
        """Find out, with the connections of a context."""
        ...


@dataclass(frozen=True)
class FunctionCheck:
    """A check whose probe is a function."""

    code: str
    group: str
    title: str
    remedy: str
    function: Callable[[Any], Finding]

    def probe(self, context: Any) -> Finding:
        """Call the function."""
        return self.function(context)


class CheckResult(Frozen):
    """A check and how it ended. `remedy` is None if there is nothing to do."""

    code: str
    group: str
    title: str
    result: Result
    found: str
    details: tuple[str, ...] = ()
    remedy: str | None = None
    seconds: float


class VerificationReport(Frozen):
    """The results of all checks of one verification.

    Args:
        engine: the versions of PostgreSQL and Citus, and the number of workers.
        schema_version: the newest migration that is applied, 0 if none.
        installation: the id of the installation, None if the schema is missing.
        started_at: ISO 8601.
    """

    engine: str
    schema_version: int
    installation: str | None
    started_at: str
    seconds: float
    checks: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.result is Result.FAILED)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def exit_code(self) -> int:
        """0 if no check failed, else 1."""
        return 0 if self.ok else 1
