"""What commands print: reports as tables or JSON on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pyhce.counted import counted
from pyhce.errors import HceError, UsageError

_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
# No markup: what is printed is data, such as a patient called `[/b]`.
console = Console(soft_wrap=True, highlight=False, emoji=False, markup=False, width=_WIDTH)
error_console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)
PLAIN_PROGRESS_SECONDS = 5.0
"""Seconds between two lines of progress if standard error is not a terminal."""


def _note_output(ctx: click.Context, _: click.Parameter, value: str) -> str:
    ctx.meta["pyhce.output"] = value
    return value


output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    callback=_note_output,
    is_eager=True,
    help="Print tables, or the report as JSON.",
)
dsn_option = click.option(
    "--dsn",
    metavar="DSN",
    help="Connection string of the coordinator: postgresql://… or host=… port=…. Default: PYHCE_DSN, else libpq's PG* "
    "variables, else the database of `pyhce up`.",
)
folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder. Default: PYHCE_HOME, else /var/lib/pyhce for root and ~/.local/share/pyhce for other users.",
)


def print_error(error: HceError, *, json_output: bool) -> None:
    """Print an error and its remedy: as text on standard error, or as JSON on standard output."""
    if json_output:
        click.echo(json.dumps({"error": error.wrong, "remedy": error.remedy, "exit_code": error.exit_code}))
        return
    error_console.print(Text.assemble(("error:", "bold red"), f" {error.wrong}"))
    error_console.print(Text.assemble(("what to do:", "bold"), f" {error.remedy}"))


def print_report(report: BaseModel, output: str, print_tables: Callable[[], None]) -> None:
    """Print a report as JSON if `output` is "json", else by calling `print_tables`."""
    if output == "json":
        click.echo(report.model_dump_json(indent=2))
    else:
        print_tables()


def new_table(*columns: str, title: str | None = None) -> Table:
    """An empty table with these column headings."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *values: Any) -> None:
    """Add a row of values. A value is printed as it is, never read as markup; None is an empty cell."""
    table.add_row(*(Text(str(value)) if value is not None else "" for value in values))


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Give a function that shows what is being done, on standard error.

    On a terminal each call replaces the line of the last one; elsewhere each call prints a line.
    """
    if not error_console.is_terminal:
        yield lambda line: error_console.print(Text(line), style="dim")
        return
    with error_console.status("…") as status:
        yield lambda line: status.update(Text(line))


@contextmanager
def counted_progress(unit: str) -> Iterator[Callable[[int, int, int, str], None]]:
    """Give a function that shows how much is done, how fast, and how much is left, on standard error.

    On a terminal it moves a bar; elsewhere it prints a line every `PLAIN_PROGRESS_SECONDS`. Its arguments: units done,
    bytes done, bytes in total (0 if not known), and the name of what is being read or written.

    Args:
        unit: the noun of a unit, in the singular.
    """
    start = time.monotonic()
    last = start - PLAIN_PROGRESS_SECONDS
    bar = Progress(
        TextColumn("{task.fields[summary]}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=error_console,
        transient=True,
        disable=not error_console.is_terminal,
    )
    task = bar.add_task("", total=None, summary="…")

    def advance(units: int, done: int, total: int, current: str) -> None:
        nonlocal last
        now = time.monotonic()
        summary = f"{counted(units, unit)}, {units / max(now - start, 0.001):.0f}/s"
        if error_console.is_terminal:
            bar.update(task, completed=done, total=total or None, summary=f"{summary}, {current}"[:100])
        elif now - last >= PLAIN_PROGRESS_SECONDS:
            last = now
            share = done / total if total else 0.0
            left = f", {share:.0%}, about {(now - start) * (1 - share) / share:.0f} s left" if share else ""
            error_console.print(f"{summary}{left}, {current}", style="dim")

    with bar:
        yield advance


def confirm(question: str, *, yes: bool, to: str) -> None:
    """Ask before an action that cannot be undone, unless --yes was given.

    Args:
        to: the action, for the error's remedy: "Pass --yes to …".

    Raises:
        UsageError: standard input is not a terminal.
        click.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("no terminal to confirm on", remedy=f"Pass --yes to {to} without confirmation.")
    click.confirm(question, abort=True)
