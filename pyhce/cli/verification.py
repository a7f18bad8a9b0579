"""Verification and status as tables."""

from __future__ import annotations

from rich.text import Text

from pyhce.cli.output import add_row, console, new_table
from pyhce.verify import Result, StatusReport, VerificationReport

_STYLES = {Result.OK: "green", Result.FAILED: "bold red", Result.WARNING: "yellow", Result.SKIPPED: "dim"}


def show_verification(report: VerificationReport, *, short: bool) -> None:
    """Every check, or with `short` only those that are not all right."""
    shown = [check for check in report.checks if not short or check.result in {Result.FAILED, Result.WARNING}]
    if shown:
        made = new_table("check", "title", "result", "found")
        for check in shown:
            style = _STYLES[check.result]
            made.add_row(check.code, check.title, Text(check.result.value, style=style), Text(check.found))
        console.print(made)
    for check in report.checks:
        if check.result in {Result.FAILED, Result.WARNING}:
            console.print(f"{check.code} {check.title}", style=_STYLES[check.result])
            for detail in check.details[:10]:
                console.print(f"    {detail}")
            if len(check.details) > 10:
                console.print(f"    … {len(check.details) - 10} more")
            if check.remedy:
                console.print(f"    what to do: {check.remedy}")
    console.print(summary(report), style="bold red" if report.exit_code else "bold green")


def show_failures(report: VerificationReport) -> None:
    """The failures, and one line for the rest."""
    show_verification(report, short=True)


def summary(report: VerificationReport) -> str:
    """One line on a verification."""
    counts = {result: sum(check.result is result for check in report.checks) for result in Result}
    told = ", ".join(f"{count} {result.value}" for result, count in counts.items() if count)
    return f"{'not verified' if report.exit_code else 'verified'}: {told} ({report.seconds:.1f} s)"


def show_status(report: StatusReport) -> None:
    """Nodes and counts."""
    console.print(f"{report.engine}, schema {report.schema_version}, {report.database_size}")
    made = new_table("node", "role", "state", "shards", "size")
    for node in report.nodes:
        add_row(made, node.name, node.role, node.state, node.shards, node.size)
    console.print(made)
    if report.patients is None:
        console.print("not counted: a node does not answer; pyhce verify says more", style="yellow")
        return
    console.print(
        f"{report.patients} patients, {report.provisional} provisional records, {report.resources} resources",
    )
