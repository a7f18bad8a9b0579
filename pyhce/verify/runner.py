"""All checks, one after the other; again until all is right, where there is time to wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from pyhce.citus.connection import Progress, no_progress
from pyhce.citus.migrate import applied_migrations
from pyhce.citus.nodes import installation_id
from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.schema.model import Schema
from pyhce.verify import (
    identity_checks,
    node_checks,
    person_checks,
    placement_checks,
    reference_checks,
    round_trip_checks,
    routing_checks,
    schema_checks,
    settings_checks,
    typed_column_checks,
)
from pyhce.verify.context import CITUS_VERSION, Context
from pyhce.verify.model import (
    GROUPS,
    NEEDS_SUPERUSER,
    Check,
    CheckResult,
    Finding,
    Result,
    VerificationReport,
    skipped,
)

CHECKS: tuple[Check, ...] = (
    *node_checks.CHECKS,
    *schema_checks.CHECKS,
    *placement_checks.CHECKS,
    *identity_checks.CHECKS,
    *reference_checks.CHECKS,
    *person_checks.CHECKS,
    *typed_column_checks.CHECKS,
    *routing_checks.CHECKS,
    *round_trip_checks.CHECKS,
    *settings_checks.CHECKS,
)
_PAUSE = 1.0


def verify(
    dsn: str,
    *,
    schema: Schema,
    groups: Sequence[str] | None = None,
    extra_checks: Sequence[Check] = (),
    wait: float = 0.0,
    progress: Progress = no_progress,
) -> VerificationReport:
    """Look whether a database is what the declaration says. Nothing is changed.

    Args:
        dsn: the coordinator, as a superuser.
        groups: only these; all if None.
        extra_checks: of the platform around the database; they get the same context.
        wait: seconds to go on looking until all is right.

    Raises:
        ConnectionFailed: nobody answers, in the time there is to wait.
        UsageError: there is no such group.
    """
    _refuse_unknown(groups, extra_checks)
    start, begun = time.monotonic(), datetime.now(UTC)
    report = repeat_until_ok(lambda: _once(dsn, schema, groups, extra_checks, progress), wait=wait, progress=progress)
    seconds = round(time.monotonic() - start, 2)
    return report.model_copy(update={"started_at": begun.isoformat(timespec="seconds"), "seconds": seconds})


def repeat_until_ok(
    look: Callable[[], VerificationReport],
    *,
    wait: float,
    progress: Progress,
    pause: float = _PAUSE,
    forgiven: type[HceError] = ConnectionFailed,
) -> VerificationReport:
    """Look again and again until all is right or the time to wait is over; the last report.

    Args:
        wait: seconds to go on looking.
        forgiven: failures to look that are waited out too; the last one is raised.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            report = look()
        except forgiven as error:
            if time.monotonic() >= deadline:
                raise
            progress(f"waiting: {error.wrong.splitlines()[0]}")
        else:
            if report.ok or time.monotonic() >= deadline:
                return report
            progress(f"waiting: {report.failed[0].code} {report.failed[0].found}")
        time.sleep(max(0.0, min(pause, deadline - time.monotonic())))


def _refuse_unknown(groups: Sequence[str] | None, extra: Sequence[Check]) -> None:
    known = dict.fromkeys((*GROUPS, *(check.group for check in extra)))
    for group in groups or ():
        if group not in known:
            raise UsageError(f"there is no group of checks {group!r}", remedy=f"Choose of: {', '.join(known)}.")


def _once(
    dsn: str, schema: Schema, groups: Sequence[str] | None, extra: Sequence[Check], progress: Progress
) -> VerificationReport:
    context = Context(dsn, schema)
    try:
        done = run_checks([c for c in (*CHECKS, *extra) if groups is None or c.group in groups], context, progress)
        engine = f"PostgreSQL {context.conn.info.parameter_status('server_version')}"
        if context.citus:
            engine += f" with Citus {context.value(CITUS_VERSION)}, {len(context.workers)} workers"
        return VerificationReport(
            engine=engine,
            schema_version=_version(context),
            installation=_installation(context),
            started_at="",
            seconds=0.0,
            checks=done,
        )
    finally:
        context.close()


def run_checks(checks: Sequence[Check], context: Any, progress: Progress = no_progress) -> tuple[CheckResult, ...]:
    """Look at each; what they look at is the context that they were made for.

    Raises:
        ConnectionFailed: the connection broke midway.
    """
    done = []
    for check in checks:
        progress(f"{check.code} {check.title}")
        done.append(_run(check, context))
    return tuple(done)


def _version(context: Context) -> int:
    """The newest migration that the database has had, 0 if none."""
    try:
        return max(applied_migrations(context.conn), default=0)
    except psycopg.Error:
        return 0


def _installation(context: Context) -> str | None:
    try:
        return installation_id(context.conn)
    except psycopg.Error:
        return None


def _run(check: Check, context: Any) -> CheckResult:
    """One check; a probe that cannot finish has failed, and says why; one that needs a superuser is skipped."""
    start = time.monotonic()
    context.unreachable_nodes.clear()
    try:
        finding = check.probe(context)
    except psycopg.Error as error:
        said = str(error.diag.message_primary or error).strip().splitlines() or [type(error).__name__]
        finding = Finding(result=Result.FAILED, found=f"could not look: {said[0][:200]}")
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and not context.superuser:
            finding = skipped(NEEDS_SUPERUSER)
        if context.conn.closed:
            raise ConnectionFailed(
                f"the connection broke while checking {check.code}: {said[0]}",
                remedy="Look again when the server is back (--wait 1m).",
            ) from error
    except HceError as error:
        finding = Finding(result=Result.FAILED, found=error.wrong)
    fine = finding.result in {Result.OK, Result.SKIPPED}
    return CheckResult(
        code=check.code,
        group=check.group,
        title=check.title,
        result=finding.result,
        found=finding.found
        + (
            f"; not reached from here: {', '.join(sorted(context.unreachable_nodes))}"
            if context.unreachable_nodes
            else ""
        ),
        details=finding.details,
        remedy=None if fine or not check.remedy else check.remedy,
        seconds=round(time.monotonic() - start, 3),
    )
