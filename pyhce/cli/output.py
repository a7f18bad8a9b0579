"""How reports are shown: tables for people, JSON for programs, progress on standard error."""

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

from pyhce.errors import HceError, UsageError

_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
# No markup: what is printed is data, such as a patient called `[/b]`.
console = Console(soft_wrap=True, highlight=False, emoji=False, markup=False, width=_WIDTH)
error_console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)
PLAIN_PROGRESS_SECONDS = 5.0
"""Seconds between lines of progress where there is no terminal."""


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
    help="For people, or the report's JSON.",
)
dsn_option = click.option(
    "--dsn",
    metavar="DSN",
    help="The coordinator: postgresql://… or host=… port=…. Default: PYHCE_DSN, else libpq's PG* variables, "
    "else the database of `pyhce up`.",
)
folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The data folder. Default: PYHCE_HOME, else /var/lib/pyhce for root and ~/.local/share/pyhce for others.",
)


def print_error(error: HceError, *, json_output: bool) -> None:
    """An error on standard error: what is wrong, what to do; as JSON on standard output where that was asked for."""
    if json_output:
        click.echo(json.dumps({"error": error.wrong, "remedy": error.remedy, "exit_code": error.exit_code}))
        return
    error_console.print(Text.assemble(("error:", "bold red"), f" {error.wrong}"))
    error_console.print(Text.assemble(("what to do:", "bold"), f" {error.remedy}"))


def print_report(report: BaseModel, output: str, people: Callable[[], None]) -> None:
    """Print a report as asked."""
    if output == "json":
        click.echo(report.model_dump_json(indent=2))
    else:
        people()


def new_table(*columns: str, title: str | None = None) -> Table:
    """An empty table."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def add_row(made: Table, *values: Any) -> None:
    """A row of values that are not markup."""
    made.add_row(*(Text(str(value)) if value is not None else "" for value in values))


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """One line on standard error that says what is done or waited for; plain lines where that is no terminal."""
    if not error_console.is_terminal:
        yield lambda line: error_console.print(Text(line), style="dim")
        return
    with error_console.status("…") as status:
        yield lambda line: status.update(Text(line))


@contextmanager
def counted_progress(unit: str) -> Iterator[Callable[[int, int, int, str], None]]:
    """What is done, how fast, what is left, on standard error: a bar; a line at times where it is no terminal.

    It is called with the units done, the bytes done and those in all (0 if that is not known), and what is at work now.
    """
    start = time.monotonic()
    last = start - PLAIN_PROGRESS_SECONDS
    bar = Progress(
        TextColumn("{task.fields[words]}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=error_console,
        transient=True,
        disable=not error_console.is_terminal,
    )
    task = bar.add_task("", total=None, words="…")

    def say(done: int, reached: int, total: int, now: str) -> None:
        nonlocal last
        moment = time.monotonic()
        rate = done / max(moment - start, 0.001)
        words = f"{done} {unit}, {rate:.0f}/s"
        if error_console.is_terminal:
            bar.update(task, completed=reached, total=total or None, words=f"{words}, {now}"[:100])
        elif moment - last >= PLAIN_PROGRESS_SECONDS:
            last = moment
            share = reached / total if total else 0.0
            left = f", {share:.0%}, some {(moment - start) * (1 - share) / share:.0f} s left" if share else ""
            error_console.print(f"{words}{left}, {now}", style="dim")

    with bar:
        yield say


def confirm(question: str, *, yes: bool, to: str) -> None:
    """Ask before something is done that cannot be undone; not if the user said yes on the command line.

    Raises:
        UsageError: nobody is there to be asked.
        click.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to say yes", remedy=f"Give --yes to {to} without being asked.")
    click.confirm(question, abort=True)
