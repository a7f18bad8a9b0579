"""Print a verification or a status as tables."""

from __future__ import annotations

from rich.text import Text

from pyhce.cli.output import add_row, console, new_table
from pyhce.cli.standbys import show_groups
from pyhce.counted import counted
from pyhce.verify import Result, StatusReport, VerificationReport

_STYLES = {Result.OK: "green", Result.FAILED: "bold red", Result.WARNING: "yellow", Result.SKIPPED: "dim"}


def show_verification(report: VerificationReport, *, short: bool) -> None:
    """Print every check, or with `short` only warnings and failures; then their details and remedies."""
    shown = [check for check in report.checks if not short or check.result in {Result.FAILED, Result.WARNING}]
    if shown:
        table = new_table("check", "title", "result", "found")
        for check in shown:
            style = _STYLES[check.result]
            table.add_row(check.code, check.title, Text(check.result.value, style=style), Text(check.found))
        console.print(table)
    for check in report.checks:
        if check.result in {Result.FAILED, Result.WARNING}:
            console.print(f"{check.code} {check.title}", style=_STYLES[check.result])
            for detail in check.details[:10]:
                console.print(f"    {detail}")
            if len(check.details) > 10:
                console.print(f"    … and {len(check.details) - 10} more")
            if check.remedy:
                console.print(f"    what to do: {check.remedy}")
    console.print(summary(report), style="bold red" if report.exit_code else "bold green")


def show_failures(report: VerificationReport) -> None:
    """Print warnings and failures, and a summary."""
    show_verification(report, short=True)


def summary(report: VerificationReport) -> str:
    """A verification in one line: how many checks ended in each result."""
    counts = {result: sum(check.result is result for check in report.checks) for result in Result}
    numbers = ", ".join(f"{count} {result.value}" for result, count in counts.items() if count)
    return f"{'not verified' if report.exit_code else 'verified'}: {numbers} ({report.seconds:.1f} s)"


def show_status(report: StatusReport) -> None:
    """Print nodes, sizes and counts."""
    console.print(f"{report.engine}, schema {report.schema_version}, {report.database_size}")
    table = new_table("node", "role", "state", "shards", "size")
    for node in report.nodes:
        add_row(table, node.name, node.role, node.state, node.shards, node.size)
    console.print(table)
    if report.standbys:
        show_groups(report.standbys)
    if report.patients is None:
        console.print(
            "counts are unknown: a node does not answer (pyhce verify --group nodes shows which)", style="yellow"
        )
        return
    console.print(
        f"{counted(report.patients, 'patient')}, {counted(report.provisional or 0, 'provisional record')}, "
        f"{counted(report.resources or 0, 'resource')}",
    )
