"""`pyhce repair`: repair what `pyhce verify` finds."""

from __future__ import annotations

import sys

import click

from pyhce import api
from pyhce.cli.output import console, error_console, output_option, print_report, progress
from pyhce.cli.target_options import database_options
from pyhce.counted import counted
from pyhce.records.repair import RepairReport


@click.group()
def repair() -> None:
    """Repair what `pyhce verify` finds.

    \b
    Example:
      pyhce repair identities --dry-run
    """


@repair.command("identities")
@click.option(
    "--keep",
    metavar="SOURCE/Patient/ID",
    multiple=True,
    help="If the records of two patients hold copies of a resource, keep this Patient's copy; may be given again.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask: keep the newest copy, even between two patients.")
@click.option("--dry-run", is_flag=True, help="Show what would be done. Change nothing.")
@database_options
@output_option
def identities(keep: tuple[str, ...], yes: bool, dry_run: bool, dsn: str | None, output: str) -> None:
    """Merge the copies of resources that are stored more than once (HCE0401, HCE0402).

    The copy with the newest meta.lastUpdated is kept; if several have the same, the one written last; then the one
    whose record is not provisional. The other copies are moved to its history: nothing is lost. If the copies are in
    the records of two patients, you are asked which is right; without a terminal they are listed and not changed.

    \b
    Examples:
      pyhce repair identities --dry-run
      pyhce repair identities
      pyhce repair identities --keep hospital-norte/Patient/4711
      pyhce repair identities --yes
    """
    interactive = sys.stdin.isatty() and output == "table" and not (yes or dry_run)
    ask = _choose_patient if interactive else None
    with progress() as on_progress:
        report = api.repair_identities(dsn=dsn, keep=keep, newest=yes, dry_run=dry_run, ask=ask, progress=on_progress)
    print_report(report, output, lambda: show_repair(report))
    sys.exit(report.exit_code)


def _choose_patient(patients: tuple[str, ...], resources: int) -> int | None:
    """Ask which Patient's copies to keep: its index, or None to leave all copies as they are."""
    error_console.print(
        f"{counted(resources, 'resource is', 'resources are')} in the records of several patients. "
        "Whose copies are right?"
    )
    for number, patient in enumerate(patients, 1):
        error_console.print(f"  {number}  {patient}")
    answers = [*(str(number) for number in range(1, len(patients) + 1)), "s"]
    answer = click.prompt("Number, or s to skip them", type=click.Choice(answers), default="s", err=True)
    return None if answer == "s" else int(answer) - 1


def show_repair(report: RepairReport) -> None:
    """Print what a repair did, or would do."""
    if not report.found:
        console.print("every resource is stored once")
        return
    done = "would be merged" if report.dry_run else "merged"
    console.print(
        f"{counted(report.found, 'resource is', 'resources are')} stored more than once, {report.joined} {done}"
    )
    for waiting in report.waiting:
        console.print(
            f"{counted(len(waiting.resources), 'needs', 'need')} your decision between "
            f"{' and '.join(waiting.patients)}, for example {waiting.resources[0]}",
        )
    if report.waiting:
        console.print(
            "what to do: pyhce repair identities --keep SOURCE/Patient/ID, or run it in a terminal and answer"
        )
