"""load, export, erase; `pyhce patient` is in a module of its own."""

from __future__ import annotations

import gc
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pyhce import api
from pyhce.cli.load_files import show_files
from pyhce.cli.output import (
    add_row,
    confirm,
    console,
    counted_progress,
    error_console,
    new_table,
    output_option,
    print_report,
    progress,
)
from pyhce.cli.patient import patient
from pyhce.cli.target_options import database_options, identity_rules_option
from pyhce.errors import UsageError
from pyhce.records.erasing.receipt import Erasure, Outcome
from pyhce.records.exporting.export import ExportReport
from pyhce.records.exporting.part_writer import ExportProgress
from pyhce.records.identity.tally import HOW_TO_WRITE_RULES
from pyhce.records.loading.load import DEFAULT_JOBS
from pyhce.records.loading.report import LoadReport
from pyhce.records.reading.finished_export import ExportCheck
from pyhce.records.reading.limits import DEFAULT_MAX_RESOURCE_SIZE, LARGEST_MAX_RESOURCE_SIZE


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--source", default="", envvar="PYHCE_SOURCE", help="The source system: FHIR ids are unique in one only.")
@click.option(
    "--identity-rules",
    metavar="PACKS|FILE",
    help="Which identifiers are documents: packs (colombia,chile), files. Default: PYHCE_IDENTITY_RULES, else all.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("rejected.ndjson"),
    show_default=True,
    help="Where what is not FHIR goes, with its reason: a new file, with a number if the name is taken.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=DEFAULT_JOBS, show_default=True, help="Writers at once.")
@click.option("--strict", is_flag=True, help="Reject what does not fit R4's definitions (pyhce[strict]).")
@click.option(
    "--base",
    "bases",
    multiple=True,
    metavar="URL",
    envvar="PYHCE_BASE",
    help="A base URL of the source itself; may be given again. Ids of other bases are other sources'.",
)
@click.option("--open-documents", is_flag=True, help="File the entries of documents and messages as rows, too.")
@click.option("--repair-ids", is_flag=True, help="Give resources whose id FHIR does not allow a derived one.")
@click.option(
    "--max-resource-size",
    type=click.IntRange(DEFAULT_MAX_RESOURCE_SIZE, LARGEST_MAX_RESOURCE_SIZE),
    default=DEFAULT_MAX_RESOURCE_SIZE,
    show_default=True,
    metavar="MB",
    help="Reject a resource larger than this; a larger one takes memory, see docs/loading.md.",
)
@click.option("--again", is_flag=True, help="Read files that were loaded whole before, too.")
@database_options
@output_option
@click.pass_context
def load(
    ctx: click.Context,
    paths: tuple[str, ...],
    source: str,
    identity_rules: str | None,
    rejects: Path,
    jobs: int,
    strict: bool,
    bases: tuple[str, ...],
    open_documents: bool,
    repair_ids: bool,
    max_resource_size: int,
    again: bool,
    dsn: str | None,
    output: str,
) -> None:
    """Load FHIR R4 files and folders: bundles, NDJSON, single resources, in any order, as often as you like.

    Plain, .gz or .zst; folders and patterns; - is standard input.

    \b
    Examples:
      pyhce load export/ bundle.json
      pyhce load --source hospital-norte --jobs 4 fhir/*.ndjson.gz
      pyhce load --identity-rules own.json,colombia export/
      pyhce load --source clinic --base https://ehr.example/fhir export/
      pyhce load --source lab --repair-ids lab.ndjson
      pyhce load --max-resource-size 64 scans.ndjson
      zstdcat all.ndjson.zst | pyhce load -
    """
    gc.set_threshold(50_000)  # to look for cycles, of which a load makes few, takes a tenth of its CPU else
    with counted_progress("resources") as say:
        report = api.load(
            paths,
            dsn=dsn,
            source=source,
            identity_rules=identity_rules,
            reject_file=rejects,
            jobs=jobs,
            again=again,
            strict=strict,
            bases=bases,
            open_documents=open_documents,
            repair_ids=repair_ids,
            max_resource_size=max_resource_size,
            progress=lambda state: say(state.read, state.bytes_read, state.bytes_total, state.current_file),
        )
    print_report(report, output, lambda: show_load(report))
    ctx.exit(report.exit_code)


def show_load(report: LoadReport) -> None:
    """A load in a few lines."""
    rate = f", {report.read / report.seconds:.0f}/s" if report.seconds else ""
    console.print(f"{report.read} resources from {report.files} files in {report.seconds} s{rate}")
    counts = {
        "files passed over, loaded before: --again reads them": report.passed_over,
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "superseded (a former version; what is there stays)": report.superseded,
        "moved to another home": report.moved,
        "Patients kept apart by contradictions: pyhce verify --group identity lists them": report.kept_apart,
        "wait in a provisional record: their patient's identifier fits several records": report.ambiguous,
        "deleted": report.deleted,
        "to be deleted, not there": report.not_there,
        "of them put where an export had them": report.restored,
        "former versions and deletions of an export": report.former_versions,
        "corrections of documents of an export": report.corrections,
        "corrections of an export left out, as they are about records that were here: decide by pyhce patient merge, "
        "rekey or split": report.corrections_left,
        "rejected": report.rejected,
    }
    for what, count in counts.items():
        if count:
            console.print(f"  {count:>8} {what}")
    for outcome, count in report.conditional.items():
        console.print(f"  {count:>8} {_CONDITIONAL[outcome]}")
    for what, count in report.skipped.items():
        console.print(f"  {count:>8} {what}, passed over")
    show_files(report)
    for base, count in report.of_other_servers.items():
        told = f"of the server {base} or of its patients; if it is the source itself: --base {base}"
        console.print(f"  {count:>8} {'of other servers' if base == 'others' else told}")
    for kind, count in report.repaired_ids.items():
        told = f"{kind} with a derived id; the original one is kept as an identifier"
        console.print(f"  {count:>8} {told}")
    if report.repaired_references:
        console.print(f"  {report.repaired_references:>8} whose references follow to derived ids")
    for kind, count in report.unreadable_references.items():
        told = f"{kind} in no record: the reference to the patient is not Patient/id, a URL or a urn"
        console.print(f"  {count:>8} {told}")
    if report.documents_without_patient:
        told = "documents and messages in no record: they do not tell whose they are"
        console.print(f"  {report.documents_without_patient:>8} {told}")
    for reason, count in report.by_reason.items():
        console.print(f"  {count:>8} rejected: {reason}, see {report.reject_file}")
    if "invalid-id" in report.by_reason and not report.repaired_ids:
        console.print("  what to do: --repair-ids gives resources with a wrong id a derived one")
    _show_identity(report)


_CONDITIONAL = {
    "created": "conditional entries of bundles that nothing fitted: created",
    "updated": "conditional updates of the resource that fitted",
    "matched": "conditional creates whose resource is there: nothing created, references lead to it",
    "refused": "conditional entries refused",
}


def _show_identity(report: LoadReport) -> None:
    """What has no document, what has no patient, and how to write a rule."""
    for kind, count in report.without_patient.items():
        console.print(f"  {count:>8} {kind} that name no patient: they are in no record")
    if report.waiting:
        console.print(f"  {report.waiting:>8} in provisional records whose Patient is not loaded")
    if report.without_document:
        told = "Patients without a document: their records are provisional"
        console.print(f"  {report.without_document:>8} {told}")
    if report.identifiers:
        console.print("identifiers of Patients that made no document:")
    for entry in report.identifiers:
        console.print(f"  {entry.words}")
    if report.identifiers_rest:
        console.print(f"  {report.identifiers_rest} of other kinds")
    if any(entry.rule for entry in report.identifiers):
        console.print(f"  {HOW_TO_WRITE_RULES}")


@click.command()
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="A new or empty folder.")
@click.option("--source", default=None, help="This source system only.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="This FHIR type only; may be given again.")
@click.option("--patient", "document", metavar="DOCUMENTO", help="This patient's resources only.")
@click.option("--since", metavar="MOMENT", help="What changed or was deleted from this FHIR date or instant on.")
@click.option("--history", is_flag=True, help="Former versions and deletions too, in files of their own.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Connections at once. Default: the processors, at most 4.")
@click.option("--check", type=click.Path(path_type=Path, file_okay=False), help="Compare a finished export's files.")
@database_options
@output_option
def export(to: Path | None, check: Path | None, dsn: str | None, output: str, **asked: Any) -> None:
    """Write every resource as it came in: NDJSON, files by type, and a manifest, as FHIR's Bulk Data does.

    Interrupted and run again it goes on. --since takes the transactionTime of the export before. `pyhce load` of the
    folder into an empty database gives the same records.

    \b
    Examples:
      pyhce export --to /backup/fhir --jobs 4
      pyhce export --to /backup/fhir --history
      pyhce export --to out --type Patient --type Observation
      pyhce export --to changes --since 2024-02-29T10:00:00-05:00
      pyhce export --check /backup/fhir
    """
    if (to is None) == (check is None):
        raise UsageError("neither or both of --to and --check are given", remedy="Give one folder by one of them.")
    if check is not None:
        checked = api.check_export(check)
        print_report(checked, output, lambda: show_check(checked))
        click.get_current_context().exit(checked.exit_code)
    assert to is not None  # noqa: S101 - it is one or the other
    with counted_progress("resources") as say:

        def tell(state: ExportProgress) -> None:
            say(state.resources, state.resources, state.expected, f"{state.bytes / 1e6:.0f} MB")

        report = api.export(to, dsn=dsn, progress=tell, **asked)
    print_report(report, output, lambda: show_export(report))
    missing = sorted(set(asked["types"]) - {file.type for file in report.files})
    if missing and output != "json":
        console.print(f"nothing of the type {', '.join(missing)}")


def show_export(report: ExportReport) -> None:
    """An export as a table."""
    made = new_table("file", "resources", "MB", "sha256")
    for file in (*report.files, *report.deleted):
        add_row(made, file.path, file.count, f"{file.bytes / 1e6:.1f}", file.sha256[:12] + "…")
    console.print(made)
    rate = f", {report.resources / report.seconds:.0f}/s" if report.seconds else ""
    console.print(f"{report.resources} resources to {report.folder} in {report.seconds} s{rate}")
    if report.versions or report.corrections:
        told = f"{report.versions} former versions and deletions, {report.corrections} corrections of documents"
        console.print(f"beside them: {told}")
    if report.kept:
        console.print(f"{report.kept} of them were there from an interrupted export")
    if report.snapshot:
        console.print("one moment: all files show the database as it was at once")
    else:
        console.print(
            f"not one moment: read between {report.start} and {report.end}, {report.changed} files changed meanwhile; "
            "a resource that was given to another patient meanwhile may be missing or there twice",
        )
    console.print(f"next time: --since {report.transaction_time}")


def show_check(report: ExportCheck) -> None:
    """A check in a few lines."""
    for line in report.wrong:
        console.print(line)
    told = f"{len(report.wrong)} of {report.files} files are wrong" if report.wrong else "all as the manifest says"
    console.print(f"{report.files} files, {report.resources} resources, {report.bytes} bytes: {told}")


@click.command()
@click.argument("document", metavar="DOCUMENTO")
@click.option("--reason", required=True, help="Why, for the receipt; without the document.")
@click.option(
    "--receipt",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file for the receipt. Default: erasure-<moment>-<number>.json here.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would go, with the same hashes.")
@click.option(
    "--retention-years",
    type=click.IntRange(0, 200),
    envvar="PYHCE_RETENTION_YEARS",
    metavar="N",
    help="Years that the law has a record kept after the last care. Default: Colombia's 15.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@identity_rules_option
@database_options
@output_option
@click.pass_context
def erase(
    ctx: click.Context,
    document: str,
    reason: str,
    receipt: Path | None,
    dry_run: bool,
    retention_years: int | None,
    identity_rules: str | None,
    yes: bool,
    dsn: str | None,
    output: str,
) -> None:
    """Remove a patient for good: record, history and every row that names them; with a receipt, checked afterwards.

    What others' rows hold stays without the reference to the patient. It cannot be undone. Before it asks, it shows the
    date of the last care and how long the law has the record kept.

    \b
    Examples:
      pyhce erase CC-1032456789 --reason "request 2024-17" --dry-run
      pyhce erase CC-1032456789 --reason "request 2024-17" --receipt request-2024-17.json
    """
    default = Path(f"erasure-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}.json")
    if not dry_run:
        kept = api.retention(document, dsn=dsn, years=retention_years)
        error_console.print(kept.words)
        confirm("Erase this patient for good? It cannot be undone.", yes=yes, to="erase")
    with progress() as say:
        done = api.erase(
            document,
            reason=reason,
            dsn=dsn,
            receipt=receipt or default,
            dry_run=dry_run,
            retention_years=retention_years,
            identity_rules=identity_rules,
            progress=say,
        )
    print_report(done, output, lambda: show_erasure(done))
    ctx.exit(done.exit_code)


def show_erasure(done: Erasure) -> None:
    """An erasure as a table, and what a person must still see to."""
    made = new_table("what", "table", "type", "rows", "sha256")
    for erased in done.record:
        add_row(made, "of the record", erased.table, "", erased.rows, (erased.sha256 or "")[:12])
    for erased in done.elsewhere:
        add_row(made, "about the patient elsewhere", erased.table, "", erased.rows, (erased.sha256 or "")[:12])
    others = {"reference taken out": done.masked, "identifier as plain text": done.mentions, "LEFT": done.left}
    for what, rows in others.items():
        for row in rows:
            add_row(made, what, row.table, row.type, row.rows)
    console.print(made)
    console.print(f"{done.corrections} corrections of documents")
    if done.kept:
        console.print(f"{done.kept} attachments kept: resources of others lead to them too")
    if done.retention and done.outcome is Outcome.DRY_RUN:
        console.print(done.retention.words)
    would = "would be erased" if done.outcome is Outcome.DRY_RUN else "erased"
    console.print(f"{done.rows} rows {would} in {done.seconds} s; outcome: {done.outcome.value}")
    if done.receipt:
        console.print(f"receipt: {done.receipt}")
    console.print("not reached:")
    for what in done.beyond_reach:
        console.print(f"  {what}")


COMMANDS: tuple[click.Command, ...] = (load, export, patient, erase)
