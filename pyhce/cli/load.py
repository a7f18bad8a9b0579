"""`pyhce load`: load FHIR files and print what came of them."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from pyhce import api
from pyhce.citus.failover import RECONNECT_WAIT
from pyhce.cli.duration import Duration
from pyhce.cli.output import console, counted_progress, error_console, output_option, print_report
from pyhce.cli.target_options import database_options
from pyhce.counted import counted
from pyhce.records.identity.tally import HOW_TO_WRITE_RULES
from pyhce.records.loading.load import DEFAULT_JOBS
from pyhce.records.loading.report import FilesNoted, LoadReport
from pyhce.records.reading.limits import DEFAULT_MAX_RESOURCE_SIZE, LARGEST_MAX_RESOURCE_SIZE

_NAMED_FILES = 5
"""How many files of one kind are named in the tables; the JSON report names more."""


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option(
    "--source",
    default="",
    envvar="PYHCE_SOURCE",
    help="Name of the source system. FHIR ids are unique within one source.",
)
@click.option(
    "--identity-rules",
    metavar="PACKS|FILE",
    help="Rules that decide which identifiers are identity documents: names of packs (colombia,chile) and JSON files. "
    "Default: PYHCE_IDENTITY_RULES, else all packs.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("rejected.ndjson"),
    show_default=True,
    help="File for input that is not valid FHIR, with the reason. If it exists, a new file with a number is written.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=DEFAULT_JOBS,
    show_default=True,
    help="Connections that write at once.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Reject resources that do not conform to FHIR R4's definitions (needs pyhce[strict]).",
)
@click.option(
    "--base",
    "bases",
    multiple=True,
    metavar="URL",
    envvar="PYHCE_BASE",
    help="Base URL of the source; may be given again. Ids under another base URL belong to another source.",
)
@click.option(
    "--open-documents", is_flag=True, help="Also store the entries of documents and messages as separate resources."
)
@click.option(
    "--repair-ids",
    is_flag=True,
    help="If FHIR does not allow the id of a resource, store the resource under an id derived from it.",
)
@click.option(
    "--max-resource-size",
    type=click.IntRange(DEFAULT_MAX_RESOURCE_SIZE, LARGEST_MAX_RESOURCE_SIZE),
    default=DEFAULT_MAX_RESOURCE_SIZE,
    show_default=True,
    metavar="MB",
    help="Reject larger resources. A higher limit needs more memory; see docs/loading.md.",
)
@click.option(
    "--reconnect-wait",
    type=Duration(),
    default=f"{RECONNECT_WAIT:.0f}s",
    show_default=True,
    help="After a failover, how long to wait for a node before the load ends; 0 ends it at once.",
)
@click.option("--again", is_flag=True, help="Also read files that an earlier load finished.")
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
    reconnect_wait: float,
    again: bool,
    dsn: str | None,
    output: str,
) -> None:
    """Load FHIR R4 files and folders: bundles, NDJSON and single resources, in any order. Safe to repeat.

    Files may be plain, .gz or .zst. PATHS are files, folders or patterns; - is standard input. After a failover of the
    database the load continues by itself.

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
    gc.set_threshold(
        50_000
    )  # a load makes few cycles; looking for them at the usual threshold takes a tenth of its CPU
    with counted_progress("resource") as advance:
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
            reconnect_wait=reconnect_wait,
            on_wait=error_console.print,
            progress=lambda state: advance(state.read, state.bytes_read, state.bytes_total, state.current_file),
        )
    print_report(report, output, lambda: show_load(report))
    ctx.exit(report.exit_code)


def show_load(report: LoadReport) -> None:
    """Print a load: counts by outcome, files, references, rejects, and identifiers without a document."""
    rate = f", {report.read / report.seconds:.0f}/s" if report.seconds else ""
    console.print(
        f"{counted(report.read, 'resource')} from {counted(report.files, 'file')} in {report.seconds} s{rate}"
    )
    counts: dict[str | tuple[str, str], int] = {
        (
            "file skipped: an earlier load finished it (--again reads it)",
            "files skipped: an earlier load finished them (--again reads them)",
        ): report.passed_over,
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "superseded (older than the stored version, which stays)": report.superseded,
        "moved to another table or record": report.moved,
        (
            "Patient kept apart because it contradicts another one; list it: pyhce verify --group identity",
            "Patients kept apart because they contradict each other; list them: pyhce verify --group identity",
        ): report.kept_apart,
        (
            "in a provisional record: the identifier of its patient fits several records",
            "in provisional records: the identifier of their patient fits several records",
        ): report.ambiguous,
        "deleted": report.deleted,
        ("deletion of a resource that does not exist", "deletions of resources that do not exist"): report.not_there,
        "restored to the table and record of an export, and counted as new": report.restored,
        (
            "former version or deletion restored from an export",
            "former versions and deletions restored from an export",
        ): report.former_versions,
        (
            "correction of documents restored from an export",
            "corrections of documents restored from an export",
        ): report.corrections,
        (
            "correction of an export left out, because this database had its record before; repeat it if it still "
            "applies: pyhce patient merge, rekey or split",
            "corrections of an export left out, because this database had their records before; repeat those that "
            "still apply: pyhce patient merge, rekey or split",
        ): report.corrections_left,
        ("repeated transaction after a failover", "repeated transactions after a failover"): report.reconnections,
        "rejected": report.rejected,
    }
    for what, count in counts.items():
        _show_count(count, what)
    for outcome, count in report.conditional.items():
        _show_count(count, _CONDITIONAL[outcome])
    for what, count in report.skipped.items():
        _show_count(count, f"{what}, skipped")
    show_files(report)
    for base, count in report.of_other_servers.items():
        server = f"from the server {base}, or about its patients; if it is the source itself: --base {base}"
        _show_count(count, "from more servers" if base == "others" else server)
    for fhir_type, count in report.repaired_ids.items():
        _show_count(count, f"{fhir_type} with a derived id; the original id is kept as an identifier")
    _show_count(report.repaired_references, "with references changed to derived ids")
    for fhir_type, count in report.unreadable_references.items():
        _show_count(count, f"{fhir_type} in no record: the reference to the patient is not Patient/id, a URL or a urn")
    in_no_record = (
        "document or message in no record: it does not name its patient",
        "documents and messages in no record: they do not name their patient",
    )
    _show_count(report.documents_without_patient, in_no_record)
    for reason, count in report.by_reason.items():
        _show_count(count, f"rejected: {reason}, see {report.reject_file}")
    if "invalid-id" in report.by_reason and not report.repaired_ids:
        console.print("  what to do: load again with --repair-ids, which gives each of them a derived id")
    _show_identity(report)


_CONDITIONAL = {
    "created": (
        "conditional entry of a bundle that matched no resource: created",
        "conditional entries of bundles that matched no resource: created",
    ),
    "updated": (
        "conditional update that matched a resource: updated",
        "conditional updates that matched a resource: updated",
    ),
    "matched": (
        "conditional create that matched a resource: nothing created, references lead to it",
        "conditional creates that matched a resource: nothing created, references lead to it",
    ),
    "refused": ("conditional entry refused", "conditional entries refused"),
}


def _show_count(count: int, what: str | tuple[str, str]) -> None:
    """Print a count that is not 0, with its words: for any number, or for one and for many."""
    if count:
        words = counted(count, what, what) if isinstance(what, str) else counted(count, *what)
        console.print(f"  {words:>{8 - len(str(count)) + len(words)}}")


def _show_identity(report: LoadReport) -> None:
    """Resources without a patient, Patients without a document, and how to write a rule for their identifiers."""
    for fhir_type, count in report.without_patient.items():
        nameless = (f"{fhir_type} in no record: it names no patient", f"{fhir_type} in no record: they name no patient")
        _show_count(count, nameless)
    waiting = (
        "in a provisional record: its Patient is not loaded",
        "in provisional records: their Patient is not loaded",
    )
    _show_count(report.waiting, waiting)
    provisional = (
        "Patient without a document: its record is provisional",
        "Patients without a document: their records are provisional",
    )
    _show_count(report.without_document, provisional)
    if report.identifiers:
        console.print("identifiers of Patients that gave no document:")
    for entry in report.identifiers:
        console.print(f"  {entry.words}")
    if report.identifiers_rest:
        console.print(f"  {report.identifiers_rest} of other kinds")
    if any(entry.rule for entry in report.identifiers):
        console.print(f"  {HOW_TO_WRITE_RULES}")


def show_files(report: LoadReport) -> None:
    """Files that were not read, files with something to note, and files of another version of FHIR."""
    for noted in report.not_read:
        console.print(f"  {_file_count(noted)} not read: {noted.what} ({_file_names(noted)})")
    for noted in report.noted:
        console.print(f"  {_file_count(noted)} with {noted.what} ({_file_names(noted)})")
    for other in report.other_versions:
        elements = ", ".join(other.elements)
        found = (
            f"of FHIR {other.version} in {other.file} ({elements}): stored unchanged, typed columns may be empty; "
            "convert to R4"
        )
        _show_count(other.resources, (f"resource {found}", f"resources {found}"))
    more = "more file of another version of FHIR", "more files of other versions of FHIR"
    _show_count(report.other_versions_rest, more)


def _file_count(noted: FilesNoted) -> str:
    return f"{noted.count:>8} {'file' if noted.count == 1 else 'files'}"


def _file_names(noted: FilesNoted) -> str:
    names = noted.files[:_NAMED_FILES]
    return ", ".join(names) + (", …" if noted.count > len(names) else "")
