"""`pyhce ledger`: the writers of a drill, which runs this command in a pod; hidden from the list of commands."""

from __future__ import annotations

import signal
import threading

import click

from pyhce import api
from pyhce.cli.duration import Duration
from pyhce.cli.output import dsn_option
from pyhce.verify.ledger import LedgerLine


@click.command(hidden=True)
@dsn_option
@click.option("--for", "seconds", type=Duration(), default="2h", show_default=True, help="How long to write at most.")
@click.option("--pause", type=float, default=0.05, show_default=True, help="Seconds between two writes of a lane.")
@click.pass_context
def ledger(ctx: click.Context, dsn: str | None, seconds: float, pause: float) -> None:
    """Write to every node until SIGTERM or Ctrl-C, then report what became of every acknowledged write.

    It prints a JSON line for each event, the report in the last one. `pyhce drill` runs it in a pod.

    \b
    Example:
      pyhce ledger --for 30s
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def print_line(line: LedgerLine) -> None:
        click.echo(line.model_dump_json(exclude_defaults=True))

    report = api.ledger(dsn, stopping=stopping, seconds=seconds, pause=pause, on_line=print_line)
    ctx.exit(0 if report.ok else 1)
