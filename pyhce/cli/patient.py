"""`pyhce patient`: one patient's record, and the corrections that a person makes."""

from __future__ import annotations

import click
from rich.text import Text

from pyhce import api
from pyhce.cli.output import add_row, console, new_table, output_option, print_report
from pyhce.cli.target_options import database_options, identity_rules_option
from pyhce.records.patient import CorrectionReport, PatientRecord


class PatientGroup(click.Group):
    """`pyhce patient DOCUMENTO` beside `pyhce patient rekey|merge|split`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is no subcommand is a document."""
        known = {"-h", "--help", *self.commands}
        if args and not known & set(args):
            args.insert(0, "show")
        return super().parse_args(ctx, args)


@click.group(cls=PatientGroup)
def patient() -> None:
    """One patient's record, and corrections of documents.

    \b
    Examples:
      pyhce patient CC-1032456789
      pyhce patient rekey CC-123 CC-132
      pyhce patient merge TI-99 CC-1032456789
      pyhce patient split CC-1032456789 --patient hospital-norte/4711 --to TI-99
    """


@patient.command("show")
@click.argument("document", metavar="DOCUMENTO")
@click.option("--rows", type=int, default=40, show_default=True, help="Rows to show at most.")
@database_options
@output_option
def show_command(document: str, rows: int, dsn: str | None, output: str) -> None:
    """Show one patient's record: everything under one document, newest first.

    \b
    Example:
      pyhce patient CC-1032456789 --rows 10
    """
    record = api.patient(document, dsn=dsn)
    print_report(record, output, lambda: show_patient(record, rows))


def show_patient(record: PatientRecord, rows: int) -> None:
    """A record as a table."""
    nameless = "(no name)" if "Patient" in record.counts else "(no Patient yet)"
    console.print(Text.assemble((record.name or nameless, "bold"), f"  {record.document}"), end="")
    console.print(f"  {record.sex}  {record.birth}" + ("  (provisional)" if record.provisional else ""))
    made = new_table("date", "resource", "code", "status", "value", "id")
    for entry in record.entries[:rows]:
        add_row(made, entry.date, entry.type, entry.code, entry.status, entry.value, entry.id)
    console.print(made)
    counts = ", ".join(f"{kind} {count}" for kind, count in record.counts.items())
    hidden = f"; {len(record.entries) - rows} more rows" if len(record.entries) > rows else ""
    console.print(f"{len(record.entries)} resources: {counts}{hidden}")
    if record.former_versions:
        console.print(f"{record.former_versions} former versions in historia")


dry_run_option = click.option("--dry-run", is_flag=True, help="Only tell what would be done.")


@patient.command("rekey")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@identity_rules_option
@dry_run_option
@database_options
@output_option
def rekey(old: str, new: str, identity_rules: str | None, dry_run: bool, dsn: str | None, output: str) -> None:
    """Give a record another document; the source may go on sending the old one.

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
    """Bring two records of one person together; later loads under FROM go to INTO too.

    A record is named by its document, or by a Patient in it as `pyhce verify` lists it: SOURCE/Patient/ID. Two
    Patients of one record are confirmed to be one person, whatever they contradict each other in.

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
    help="A Patient that leaves the record, with all that names it; may be given again.",
)
@click.option("--to", "new", metavar="NEW", required=True, help="The document that it gets; no record has it.")
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
    """Undo a wrong merge: take Patients out of a record into one of their own, history included.

    Merge, then split with the Patients of the former record, gives the former tables. What was saved for these
    Patients since goes with them.

    \b
    Examples:
      pyhce patient split CC-1032456789 --patient hospital-norte/4711 --to TI-1032456789 --dry-run
      pyhce patient split CC-1032456789 --patient a/17 --patient b/Patient/9 --to CC-52100200
    """
    report = api.split(document, patients=patients, to=new, dsn=dsn, identity_rules=identity_rules, dry_run=dry_run)
    print_report(report, output, lambda: show_correction(report))


def show_correction(report: CorrectionReport) -> None:
    """A correction in a line or two."""
    would = "would be moved" if report.dry_run else "moved"
    console.print(f"{report.moved} resources of {report.patients} patient keys {would}")
    if report.returned:
        would = "would leave" if report.dry_run else "left"
        told = "their provisional records: their patient's identifier fits one record by now"
        console.print(f"{report.returned} resources {would} {told}")
    if report.confirmed:
        would = "would be confirmed" if report.dry_run else "confirmed"
        console.print(f"{report.confirmed} pairs of Patients that contradict each other {would} as one person")
