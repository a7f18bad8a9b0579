"""`pyhce repair`: what `pyhce verify` finds and a command can mend."""

from __future__ import annotations

import sys

import click

from pyhce import api
from pyhce.cli.output import console, error_console, output_option, print_report, progress
from pyhce.cli.target_options import database_options
from pyhce.records.repair import RepairReport


@click.group()
def repair() -> None:
    """Mend what `pyhce verify` finds.

    \b
    Example:
      pyhce repair identities --dry-run
    """


@repair.command("identities")
@click.option(
    "--keep",
    metavar="SOURCE/Patient/ID",
    multiple=True,
    help="Where two patients' records hold a resource, the copy of this Patient is right; may be given again.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask: between two patients keep the newest copy.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@database_options
@output_option
def identities(keep: tuple[str, ...], yes: bool, dry_run: bool, dsn: str | None, output: str) -> None:
    """Give each resource that is stored in several places one place (HCE0401, HCE0402).

    The copy with the newest meta.lastUpdated is kept, of those alike the one written last, then the one whose record
    is not provisional. The other copies join its history: nothing is lost. Where the copies are in the records of two
    patients you are asked which is right; without a terminal they are listed and stay.

    \b
    Examples:
      pyhce repair identities --dry-run
      pyhce repair identities
      pyhce repair identities --keep hospital-norte/Patient/4711
      pyhce repair identities --yes
    """
    may_ask = sys.stdin.isatty() and output == "table" and not (yes or dry_run)
    asked = _ask if may_ask else None
    with progress() as say:
        report = api.repair_identities(dsn=dsn, keep=keep, newest=yes, dry_run=dry_run, ask=asked, progress=say)
    print_report(report, output, lambda: show_repair(report))
    sys.exit(report.exit_code)


def _ask(patients: tuple[str, ...], resources: int) -> int | None:
    """Which of several Patients is right."""
    error_console.print(f"{resources} resources are in the records of several patients. Whose are they?")
    for number, patient in enumerate(patients, 1):
        error_console.print(f"  {number}  {patient}")
    answers = [*(str(number) for number in range(1, len(patients) + 1)), "s"]
    answer = click.prompt("Number, or s to leave them", type=click.Choice(answers), default="s", err=True)
    return None if answer == "s" else int(answer) - 1


def show_repair(report: RepairReport) -> None:
    """What a repair did, in lines."""
    if not report.found:
        console.print("every identity is in one place")
        return
    done = "could be brought together" if report.dry_run else "brought together"
    console.print(f"{report.found} identities in several places, {report.joined} {done}")
    for waiting in report.waiting:
        console.print(
            f"{len(waiting.resources)} wait for your decision between {' and '.join(waiting.patients)}, such as "
            f"{waiting.resources[0]}",
        )
    if report.waiting:
        console.print("what to do: pyhce repair identities --keep SOURCE/Patient/ID, or in a terminal answer")


COMMANDS: tuple[click.Command, ...] = (repair,)
