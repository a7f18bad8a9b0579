"""`pyhce patient`: show one patient's record, or correct its document."""

from __future__ import annotations

import click
from rich.text import Text

from pyhce import api
from pyhce.cli.output import add_row, console, new_table, output_option, print_report
from pyhce.cli.target_options import database_options, identity_rules_option
from pyhce.counted import counted
from pyhce.records.patient import CorrectionReport, PatientRecord


class PatientGroup(click.Group):
    """`pyhce patient DOCUMENTO` beside `pyhce patient rekey|merge|split`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Treat arguments without a subcommand as those of `show`."""
        known = {"-h", "--help", *self.commands}
        if args and not known & set(args):
            args.insert(0, "show")
        return super().parse_args(ctx, args)


@click.group(cls=PatientGroup)
def patient() -> None:
    """Show one patient's record, or correct its identity document.

    \b
    Examples:
      pyhce patient CC-1032456789
      pyhce patient rekey CC-123 CC-132
      pyhce patient merge TI-99 CC-1032456789
      pyhce patient split CC-1032456789 --patient hospital-norte/4711 --to TI-99
    """


@patient.command("show")
@click.argument("document", metavar="DOCUMENTO")
@click.option("--rows", type=int, default=40, show_default=True, help="Show at most this many resources.")
@database_options
@output_option
def show_command(document: str, rows: int, dsn: str | None, output: str) -> None:
    """Show one patient's record: every resource under one document, newest first.

    \b
    Example:
      pyhce patient CC-1032456789 --rows 10
    """
    record = api.patient(document, dsn=dsn)
    print_report(record, output, lambda: show_patient(record, rows))


def show_patient(record: PatientRecord, rows: int) -> None:
    """Print a record: the patient, then its resources."""
    no_name = "(no name)" if "Patient" in record.counts else "(no Patient yet)"
    console.print(Text.assemble((record.name or no_name, "bold"), f"  {record.document}"), end="")
    console.print(f"  {record.sex}  {record.birth}" + ("  (provisional)" if record.provisional else ""))
    shown = new_table("date", "resource", "code", "status", "value", "id")
    for entry in record.entries[:rows]:
        add_row(shown, entry.date, entry.type, entry.code, entry.status, entry.value, entry.id)
    console.print(shown)
    counts = ", ".join(f"{fhir_type} {count}" for fhir_type, count in record.counts.items())
    hidden = f"; {len(record.entries) - rows} not shown (--rows)" if len(record.entries) > rows else ""
    console.print(f"{counted(len(record.entries), 'resource')}: {counts}{hidden}")
    if record.former_versions:
        console.print(f"{counted(record.former_versions, 'former version')} in the table historia")


dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done. Change nothing.")


@patient.command("rekey")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@identity_rules_option
@dry_run_option
@database_options
@output_option
def rekey(old: str, new: str, identity_rules: str | None, dry_run: bool, dsn: str | None, output: str) -> None:
    """Give a record another document. Later loads under the old document go to the new one.

    \b
    Example:
      pyhce patient rekey CC-1032456780 CC-1032456789
    """
    report = api.rekey(old, new, dsn=dsn, identity_rules=identity_rules, dry_run=dry_run)
    print_report(report, output, lambda: show_correction(report))


@patient.command("merge")
@click.argument("source", metavar="FROM")
@click.argument("into", metavar="INTO")
@identity_rules_option
@dry_run_option
@database_options
@output_option
def merge(source: str, into: str, identity_rules: str | None, dry_run: bool, dsn: str | None, output: str) -> None:
    """Merge two records of one person. Later loads under FROM go to INTO too.

    Name each record by its document, or by a Patient in it as `pyhce verify` lists it: SOURCE/Patient/ID. If both
    Patients are in one record already, they are confirmed to be one person, even if they contradict each other.

    \b
    Examples:
      pyhce patient merge TI-1032456789 CC-1032456789
      pyhce patient merge hospital-sur/Patient/88 hospital-norte/Patient/4711
    """
    report = api.merge(source, into, dsn=dsn, identity_rules=identity_rules, dry_run=dry_run)
    print_report(report, output, lambda: show_correction(report))


@patient.command("split")
@click.argument("document", metavar="DOCUMENTO")
@click.option(
    "--patient",
    "patients",
    metavar="SOURCE/ID",
    multiple=True,
    required=True,
    help="Patient to take out of the record, with every resource that names it; may be given again.",
)
@click.option(
    "--to", "new", metavar="NEW", required=True, help="Document of the new record; no record may have it yet."
)
@identity_rules_option
@dry_run_option
@database_options
@output_option
def split(
    document: str,
    patients: tuple[str, ...],
    new: str,
    identity_rules: str | None,
    dry_run: bool,
    dsn: str | None,
    output: str,
) -> None:
    """Undo a wrong merge: move Patients out of a record into a new one, with their history.

    A merge followed by a split of the same Patients restores the tables. What was saved for these Patients after the
    merge moves with them.

    \b
    Examples:
      pyhce patient split CC-1032456789 --patient hospital-norte/4711 --to TI-1032456789 --dry-run
      pyhce patient split CC-1032456789 --patient a/17 --patient b/Patient/9 --to CC-52100200
    """
    report = api.split(document, patients=patients, to=new, dsn=dsn, identity_rules=identity_rules, dry_run=dry_run)
    print_report(report, output, lambda: show_correction(report))


def show_correction(report: CorrectionReport) -> None:
    """Print what a correction did, or would do."""
    dry_run = report.dry_run
    done = "would be moved" if dry_run else "moved"
    console.print(f"{counted(report.moved, 'resource')} of {counted(report.patients, 'Patient')} {done}")
    if report.returned:
        done = "would leave" if dry_run else "left"
        resources = counted(report.returned, "resource")
        console.print(f"{resources} {done} provisional records: the identifier now fits one record")
    if report.confirmed:
        done = "would be confirmed" if dry_run else "confirmed"
        console.print(f"{counted(report.confirmed, 'pair')} of contradicting Patients {done} to be one person")
