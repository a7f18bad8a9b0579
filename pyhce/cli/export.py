"""`pyhce export`: write every resource to files, and compare finished files with their manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pyhce import api
from pyhce.cli.output import add_row, console, counted_progress, new_table, output_option, print_report
from pyhce.cli.target_options import database_options
from pyhce.counted import counted
from pyhce.errors import UsageError
from pyhce.records.exporting.export import ExportReport
from pyhce.records.exporting.part_writer import ExportProgress
from pyhce.records.reading.finished_export import ExportCheck


@click.command()
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to: new or empty.")
@click.option("--source", default=None, help="Export this source system only.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Export this FHIR type only; may be given again.")
@click.option("--patient", "document", metavar="DOCUMENTO", help="Export this patient's resources only.")
@click.option("--since", metavar="TIME", help="Export what changed or was deleted since this FHIR date or instant.")
@click.option("--history", is_flag=True, help="Also export former versions and deletions, in separate files.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Connections that read at once. Default: the number of processors, at most 4.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, file_okay=False),
    help="Compare the files of a finished export with its manifest instead.",
)
@database_options
@output_option
def export(to: Path | None, check: Path | None, dsn: str | None, output: str, **selection: Any) -> None:
    """Export every resource unchanged: NDJSON by type and a manifest, as in FHIR Bulk Data.

    If it is interrupted, run the same command again. Give --since the transactionTime of the previous export.
    `pyhce load` of the folder into an empty database restores the same records.

    \b
    Examples:
      pyhce export --to /backup/fhir --jobs 4
      pyhce export --to /backup/fhir --history
      pyhce export --to out --type Patient --type Observation
      pyhce export --to changes --since 2024-02-29T10:00:00-05:00
      pyhce export --check /backup/fhir
    """
    if (to is None) == (check is None):
        given = "neither --to nor --check is given" if to is None else "both --to and --check are given"
        raise UsageError(given, remedy="Give one of them: --to FOLDER writes an export, --check FOLDER compares one.")
    if check is not None:
        checked = api.check_export(check)
        print_report(checked, output, lambda: show_check(checked))
        click.get_current_context().exit(checked.exit_code)
    assert to is not None  # noqa: S101 - checked above
    with counted_progress("resource") as advance:

        def on_progress(state: ExportProgress) -> None:
            advance(state.resources, state.resources, state.expected, f"{state.bytes / 1e6:.0f} MB")

        report = api.export(to, dsn=dsn, progress=on_progress, **selection)
    print_report(report, output, lambda: show_export(report))
    missing = sorted(set(selection["types"]) - {file.type for file in report.files})
    if missing and output != "json":
        console.print(f"no resources of type {', '.join(missing)}")


def show_export(report: ExportReport) -> None:
    """Print an export: its files, whether they are one snapshot, and the time for the next --since."""
    table = new_table("file", "resources", "MB", "sha256")
    for file in (*report.files, *report.deleted):
        add_row(table, file.path, file.count, f"{file.bytes / 1e6:.1f}", file.sha256[:12] + "…")
    console.print(table)
    rate = f", {report.resources / report.seconds:.0f}/s" if report.seconds else ""
    console.print(f"{counted(report.resources, 'resource')} to {report.folder} in {report.seconds} s{rate}")
    if report.versions or report.corrections:
        versions = counted(report.versions, "former version or deletion", "former versions and deletions")
        corrections = counted(report.corrections, "correction of documents", "corrections of documents")
        console.print(f"also {versions}, {corrections}")
    if report.kept:
        console.print(
            f"{report.kept} of the resources {'was' if report.kept == 1 else 'were'} written by an "
            "interrupted export before"
        )
    if report.snapshot:
        console.print("consistent snapshot: all files show the database at the same moment")
    else:
        console.print(
            f"not a consistent snapshot: read between {report.start} and {report.end}, "
            f"{counted(report.changed, 'file')} changed meanwhile; a resource that moved to another patient meanwhile "
            "may be missing or duplicated",
        )
    console.print(f"for the next export: --since {report.transaction_time}")


def show_check(report: ExportCheck) -> None:
    """Print the comparison of an export's files with its manifest."""
    for line in report.wrong:
        console.print(line)
    sizes = ((report.files, "file"), (report.resources, "resource"), (report.bytes, "byte"))
    differ = counted(len(report.wrong), "file differs from the manifest", "files differ from the manifest")
    result = differ if report.wrong else "as the manifest says"
    console.print(f"{', '.join(counted(number, noun) for number, noun in sizes)}: {result}")
