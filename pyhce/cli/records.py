"""load, export, patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pyhce import api
from pyhce.cli.output import add_row, console, output_option, progress, show, table
from pyhce.cli.where import reaching
from pyhce.errors import UsageError
from pyhce.records.export import ExportReport
from pyhce.records.export_copy import ExportProgress
from pyhce.records.export_manifest import ExportCheck
from pyhce.records.load import LoadReport
from pyhce.records.patient import PatientRecord


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", default="", envvar="PYHCE_SOURCE", help="The source system: FHIR ids are unique in one only.")
@click.option("--identity-rules", type=click.Path(path_type=Path), help="JSON: which identifiers are documents.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("rejected.ndjson"),
    show_default=True,
    help="Where what is no FHIR goes, with its reason.",
)
@reaching
@output_option
@click.pass_context
def load(
    ctx: click.Context,
    paths: tuple[Path, ...],
    source: str,
    identity_rules: Path | None,
    rejects: Path,
    dsn: str | None,
    output: str,
) -> None:
    """Load FHIR R4 files and folders: bundles, NDJSON, single resources, in any order, as often as you like.

    Plain, .gz or .zst; folders and patterns; - is standard input.

    \b
    Examples:
      pyhce load export/ bundle.json
      pyhce load --source hospital-norte fhir/*.ndjson.gz
      zstdcat all.ndjson.zst | pyhce load -
    """
    with progress() as say:
        report = api.load(
            paths,
            dsn=dsn,
            source=source,
            rules_file=identity_rules,
            reject_file=rejects,
            progress=lambda state: say(f"{state.read} resources, {state.current_file}"),
        )
    show(report, output, lambda: show_load(report))
    ctx.exit(report.exit_code)


def show_load(report: LoadReport) -> None:
    """A load in a few lines."""
    rate = f", {report.read / report.seconds:.0f}/s" if report.seconds else ""
    console.print(f"{report.read} resources from {report.files} files in {report.seconds} s{rate}", markup=False)
    counts = {
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "superseded (a former version; what is there stays)": report.superseded,
        "moved to another home": report.moved,
        "rejected": report.rejected,
    }
    for what, count in counts.items():
        if count:
            console.print(f"  {count:>8} {what}", markup=False)
    for what, count in report.skipped.items():
        console.print(f"  {count:>8} {what}, passed over", markup=False)
    for reason, count in report.by_reason.items():
        console.print(f"  {count:>8} rejected: {reason}, see {report.reject_file}", markup=False)


@click.command()
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="A new or empty folder.")
@click.option("--source", default=None, help="This source system only.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="This FHIR type only; may be given again.")
@click.option("--patient", "document", metavar="DOCUMENTO", help="This patient's resources only.")
@click.option("--since", metavar="MOMENT", help="What changed or was deleted from this FHIR date or instant on.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Connections at once. Default: the processors, at most 4.")
@click.option("--check", type=click.Path(path_type=Path, file_okay=False), help="Compare a finished export's files.")
@reaching
@output_option
def export(to: Path | None, check: Path | None, dsn: str | None, output: str, **asked: Any) -> None:
    """Write every resource as it came in: NDJSON, files by type, and a manifest, as FHIR's Bulk Data does.

    Interrupted and run again it goes on. --since takes the transactionTime of the export before.

    \b
    Examples:
      pyhce export --to /backup/fhir --jobs 4
      pyhce export --to out --type Patient --type Observation
      pyhce export --to changes --since 2024-02-29T10:00:00-05:00
      pyhce export --check /backup/fhir
    """
    if (to is None) == (check is None):
        raise UsageError("neither or both of --to and --check are given", remedy="Give one folder by one of them.")
    if check is not None:
        checked = api.check_export(check)
        show(checked, output, lambda: show_check(checked))
        click.get_current_context().exit(checked.exit_code)
    assert to is not None  # noqa: S101 - it is one or the other
    with progress() as say:
        report = api.export(to, dsn=dsn, progress=lambda state: say(export_words(state)), **asked)
    show(report, output, lambda: show_export(report))


def export_words(state: ExportProgress) -> str:
    """How far an export is, in one line."""
    rate = state.resources / state.seconds if state.seconds else 0
    left = (state.expected - state.resources) / rate if rate else 0
    return (
        f"{state.resources} of about {state.expected} resources, {state.bytes / 1e6:.0f} MB, {rate:.0f}/s, "
        f"about {left:.0f} s left"
    )


def show_export(report: ExportReport) -> None:
    """An export as a table."""
    made = table("file", "resources", "MB", "sha256")
    for file in (*report.files, *report.deleted):
        add_row(made, file.path, file.count, f"{file.bytes / 1e6:.1f}", file.sha256[:12] + "…")
    console.print(made)
    rate = f", {report.resources / report.seconds:.0f}/s" if report.seconds else ""
    console.print(f"{report.resources} resources to {report.folder} in {report.seconds} s{rate}", markup=False)
    if report.kept:
        console.print(f"{report.kept} of them were there from an interrupted export", markup=False)
    if report.snapshot:
        console.print("one moment: all files show the database as it was at once")
    else:
        console.print(
            f"not one moment: read between {report.start} and {report.end}, {report.changed} files changed meanwhile; "
            "a resource that was given to another patient meanwhile may be missing or there twice",
            markup=False,
        )
    console.print(f"next time: --since {report.transaction_time}", markup=False)


def show_check(report: ExportCheck) -> None:
    """A check in a few lines."""
    for line in report.wrong:
        console.print(line, markup=False)
    told = f"{len(report.wrong)} of {report.files} files are wrong" if report.wrong else "all as the manifest says"
    console.print(f"{report.files} files, {report.resources} resources, {report.bytes} bytes: {told}", markup=False)


class PatientGroup(click.Group):
    """`pyhce patient DOCUMENTO` beside `pyhce patient rekey|merge`."""

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
    """


@patient.command("show")
@click.argument("document", metavar="DOCUMENTO")
@click.option("--rows", type=int, default=40, show_default=True, help="Rows to show at most.")
@reaching
@output_option
def show_command(document: str, rows: int, dsn: str | None, output: str) -> None:
    """Show one patient's record: everything under one document, newest first.

    \b
    Example:
      pyhce patient CC-1032456789 --rows 10
    """
    record = api.patient(document, dsn=dsn)
    show(record, output, lambda: show_patient(record, rows))


def show_patient(record: PatientRecord, rows: int) -> None:
    """A record as a table."""
    console.print(f"[bold]{record.name or '(no Patient yet)'}[/]  {record.document}", end="")
    console.print(f"  {record.sex}  {record.birth}" + ("  (provisional)" if record.provisional else ""))
    made = table("date", "resource", "code", "status", "value", "id")
    for entry in record.entries[:rows]:
        add_row(made, entry.date, entry.type, entry.code, entry.status, entry.value, entry.id)
    console.print(made)
    counts = ", ".join(f"{kind} {count}" for kind, count in record.counts.items())
    hidden = f"; {len(record.entries) - rows} more rows" if len(record.entries) > rows else ""
    console.print(f"{len(record.entries)} resources: {counts}{hidden}", markup=False)
    if record.former_versions:
        console.print(f"{record.former_versions} former versions in historia", markup=False)


@patient.command("rekey")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@reaching
@output_option
def rekey(old: str, new: str, dsn: str | None, output: str) -> None:
    """Give a record another document; the source may go on sending the old one.

    \b
    Example:
      pyhce patient rekey CC-1032456780 CC-1032456789
    """
    report = api.rekey(old, new, dsn=dsn)
    show(report, output, lambda: console.print(f"{report.moved} resources, {report.patients} Patients moved"))


@patient.command("merge")
@click.argument("source", metavar="FROM")
@click.argument("into", metavar="INTO")
@reaching
@output_option
def merge(source: str, into: str, dsn: str | None, output: str) -> None:
    """Bring two records of one person together; later loads under FROM go to INTO too.

    \b
    Example:
      pyhce patient merge TI-1032456789 CC-1032456789
    """
    report = api.merge(source, into, dsn=dsn)
    show(report, output, lambda: console.print(f"{report.moved} resources, {report.patients} Patients moved"))


COMMANDS: tuple[click.Command, ...] = (load, export, patient)
