"""Run all checks, one after the other, and repeat them until none fails if there is time to wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from pyhce.citus.connection import Progress, no_progress
from pyhce.citus.migrate import applied_migrations
from pyhce.citus.nodes import installation_id
from pyhce.counted import counted
from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.patroni import Standbys
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
    standby_checks,
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
    *standby_checks.CHECKS,
)
_PAUSE = 1.0
logger = logging.getLogger(__name__)


def verify(
    dsn: str,
    *,
    schema: Schema,
    groups: Sequence[str] | None = None,
    extra_checks: Sequence[Check] = (),
    standbys: Standbys | None = None,
    wait: float = 0.0,
    progress: Progress = no_progress,
) -> VerificationReport:
    """Check a database against the declaration. Nothing is changed.

    Args:
        dsn: the coordinator. Some checks are skipped if the role is not a superuser.
        groups: run only these groups of checks; None runs all.
        extra_checks: checks of other packages, which get the same context.
        standbys: the groups of a database with standbys.
        wait: seconds to repeat the checks until none fails.

    Raises:
        ConnectionFailed: the coordinator does not answer within `wait`.
        UsageError: a group does not exist.
    """
    _refuse_unknown(groups, extra_checks)
    start, begun = time.monotonic(), datetime.now(UTC)
    report = repeat_until_ok(
        lambda: _once(dsn, schema, groups, extra_checks, standbys, progress), wait=wait, progress=progress
    )
    seconds = round(time.monotonic() - start, 2)
    return report.model_copy(update={"started_at": begun.isoformat(timespec="seconds"), "seconds": seconds})


def repeat_until_ok(
    verify_once: Callable[[], VerificationReport],
    *,
    wait: float,
    progress: Progress,
    pause: float = _PAUSE,
    forgiven: type[HceError] = ConnectionFailed,
) -> VerificationReport:
    """Verify repeatedly until no check fails or the time is over, and return the last report.

    Args:
        verify_once: runs the checks once.
        wait: seconds to repeat them.
        pause: seconds between two repetitions.
        forgiven: an error of `verify_once` that counts as a failed check. If it lasts until the end, it is raised.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            report = verify_once()
        except forgiven as error:
            if time.monotonic() >= deadline:
                raise
            reason = error.wrong.splitlines()[0]
        else:
            if report.ok or time.monotonic() >= deadline:
                return report
            reason = f"{report.failed[0].code} {report.failed[0].found}"
        progress(f"waiting: {reason}")
        logger.info("verifying again in %.1f s: %s", pause, reason)
        time.sleep(max(0.0, min(pause, deadline - time.monotonic())))


def _refuse_unknown(groups: Sequence[str] | None, extra: Sequence[Check]) -> None:
    known = dict.fromkeys((*GROUPS, *(check.group for check in extra)))
    for group in groups or ():
        if group not in known:
            raise UsageError(f"there is no group of checks {group!r}", remedy=f"Choose one of: {', '.join(known)}.")


def _once(
    dsn: str,
    schema: Schema,
    groups: Sequence[str] | None,
    extra: Sequence[Check],
    standbys: Standbys | None,
    progress: Progress,
) -> VerificationReport:
    context = Context(dsn, schema, standbys)
    try:
        done = run_checks([c for c in (*CHECKS, *extra) if groups is None or c.group in groups], context, progress)
        engine = f"PostgreSQL {context.conn.info.parameter_status('server_version')}"
        if context.citus:
            engine += f" with Citus {context.value(CITUS_VERSION)}, {counted(len(context.workers), 'worker')}"
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
    """Run checks, one after the other.

    Args:
        context: what the checks' probes take.

    Raises:
        ConnectionFailed: the connection was lost during a check.
    """
    done = []
    for check in checks:
        progress(f"{check.code} {check.title}")
        done.append(_run(check, context))
        logger.debug("%s: %s in %.3f s", check.code, done[-1].result.value, done[-1].seconds)
    return tuple(done)


def _version(context: Context) -> int:
    """The newest migration that is applied, 0 if none."""
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
    """Run one check. An error of its probe is a failure; missing privileges of an ordinary role skip the check."""
    start = time.monotonic()
    context.unreachable_nodes.clear()
    try:
        finding = check.probe(context)
    except psycopg.Error as error:
        message = str(error.diag.message_primary or error).strip().splitlines() or [type(error).__name__]
        finding = Finding(result=Result.FAILED, found=f"the check could not run: {message[0][:200]}")
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and not context.superuser:
            finding = skipped(NEEDS_SUPERUSER)
        if context.conn.closed:
            raise ConnectionFailed(
                f"lost the connection during the check {check.code}: {message[0]}",
                remedy="Verify again when the server is back: pyhce verify --wait 1m",
            ) from error
    except HceError as error:
        finding = Finding(result=Result.FAILED, found=error.wrong)
    nothing_to_do = finding.result in {Result.OK, Result.SKIPPED}
    return CheckResult(
        code=check.code,
        group=check.group,
        title=check.title,
        result=finding.result,
        found=finding.found
        + (
            f"; not reachable from here: {', '.join(sorted(context.unreachable_nodes))}"
            if context.unreachable_nodes
            else ""
        ),
        details=finding.details,
        remedy=None if nothing_to_do or not check.remedy else check.remedy,
        seconds=round(time.monotonic() - start, 3),
    )
