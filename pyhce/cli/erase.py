"""`pyhce erase`: remove a patient permanently, with a receipt."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import click

from pyhce import api
from pyhce.cli.output import add_row, confirm, console, error_console, new_table, output_option, print_report, progress
from pyhce.cli.target_options import database_options, identity_rules_option
from pyhce.counted import counted
from pyhce.records.erasing.receipt import Erasure, Outcome


@click.command()
@click.argument("document", metavar="DOCUMENTO")
@click.option("--reason", required=True, help="Reason for the receipt; do not write the document in it.")
@click.option(
    "--receipt",
    type=click.Path(path_type=Path, dir_okay=False),
    help="New file for the receipt. Default: erasure-<time>-<number>.json in the current folder.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be erased, with the same hashes. Change nothing.")
@click.option(
    "--retention-years",
    type=click.IntRange(0, 200),
    envvar="PYHCE_RETENTION_YEARS",
    metavar="N",
    help="Years after the last care for which the law requires a record to be kept. Default: 15, as in Colombia.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
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
    """Remove a patient permanently: record, history and references in other rows. Verify the result, write a receipt.

    Rows of others stay, without their references to the patient. An erasure cannot be undone. Before it asks for
    confirmation, it shows the date of the last care and how long the law requires the record to be kept.

    \b
    Examples:
      pyhce erase CC-1032456789 --reason "request 2024-17" --dry-run
      pyhce erase CC-1032456789 --reason "request 2024-17" --receipt request-2024-17.json
    """
    default = Path(f"erasure-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}.json")
    if not dry_run:
        retention = api.retention(document, dsn=dsn, years=retention_years)
        error_console.print(retention.words)
        confirm("Erase this patient permanently? It cannot be undone.", yes=yes, to="erase")
    with progress() as on_progress:
        erasure = api.erase(
            document,
            reason=reason,
            dsn=dsn,
            receipt=receipt or default,
            dry_run=dry_run,
            retention_years=retention_years,
            identity_rules=identity_rules,
            progress=on_progress,
        )
    print_report(erasure, output, lambda: show_erasure(erasure))
    ctx.exit(erasure.exit_code)


def show_erasure(erasure: Erasure) -> None:
    """Print an erasure: rows by table, the outcome, and what a person must still check."""
    dry_run = erasure.outcome is Outcome.DRY_RUN
    table = new_table("what", "table", "type", "rows", "sha256")
    for erased in erasure.record:
        add_row(table, "in the record", erased.table, "", erased.rows, (erased.sha256 or "")[:12])
    for erased in erasure.elsewhere:
        add_row(table, "about the patient, elsewhere", erased.table, "", erased.rows, (erased.sha256 or "")[:12])
    others = {
        "reference removed": erasure.masked,
        "identifier as plain text": erasure.mentions,
        "NOT ERASED": erasure.left,
    }
    for what, rows in others.items():
        for row in rows:
            add_row(table, what, row.table, row.type, row.rows)
    console.print(table)
    console.print(counted(erasure.corrections, "correction of documents", "corrections of documents"))
    if erasure.kept:
        console.print(f"{counted(erasure.kept, 'attachment')} kept: resources of other patients refer to them too")
    if erasure.retention and dry_run:
        console.print(erasure.retention.words)
    erased_rows = f"{counted(erasure.rows, 'row')} {'would be erased' if dry_run else 'erased'}"
    console.print(f"{erased_rows} in {erasure.seconds} s; outcome: {erasure.outcome.value}")
    if erasure.receipt:
        console.print(f"receipt: {erasure.receipt}")
    console.print("outside the reach of an erasure:")
    for what in erasure.beyond_reach:
        console.print(f"  {what}")
