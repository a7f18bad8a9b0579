"""A check and what it finds; the report of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from pyhce.schema.model import Frozen

GROUPS = ("nodes", "schema", "placement", "identity", "typed columns", "routing", "round trip", "settings")
"""Codes: 01xx nodes, 02xx schema … 08xx settings, in this order; 09xx is Kubernetes'."""


NEEDS_SUPERUSER = "needs a superuser"
"""Why a check is skipped for another role."""


class Result(StrEnum):
    """How a check ended. A warning is worth a look and fails nothing; skipped says why it could not look."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Frozen):
    """What a probe found, never naming a patient's document."""

    result: Result
    found: str
    details: tuple[str, ...] = ()


def ok(found: str, details: Sequence[str] = ()) -> Finding:
    """All right."""
    return Finding(result=Result.OK, found=found, details=tuple(details))


def skipped(why: str) -> Finding:
    """Could not look here, and why."""
    return Finding(result=Result.SKIPPED, found=why)


def ok_unless(problems: Sequence[str], fine: str, *, severity: Result = Result.FAILED) -> Finding:
    """All right with no problem, else as severe as said, with every problem."""
    if not problems:
        return ok(fine)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Finding(result=severity, found=problems[0] + more, details=tuple(problems))


class Check(Protocol):
    """One thing to look at."""

    @property
    def code(self) -> str:
        """Stable, such as HCE0101."""
        ...

    @property
    def group(self) -> str:
        """One of `GROUPS`, or a group that joins later."""
        ...

    @property
    def title(self) -> str:
        """What should hold."""
        ...

    @property
    def remedy(self) -> str:
        """What to do if it does not."""
        ...

    def probe(self, context: Any) -> Finding:
        """Look."""
        ...


@dataclass(frozen=True)
class FunctionCheck:
    """A check whose probe is a function."""

    code: str
    group: str
    title: str
    remedy: str
    look: Callable[[Any], Finding]

    def probe(self, context: Any) -> Finding:
        """Look."""
        return self.look(context)


class CheckResult(Frozen):
    """A check and how it ended."""

    code: str
    group: str
    title: str
    result: Result
    found: str
    details: tuple[str, ...] = ()
    remedy: str | None = None
    seconds: float


class VerificationReport(Frozen):
    """What was found."""

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
        """0 if all is right, 1 if something failed."""
        return 0 if self.ok else 1
