"""`pyhce register`: bring a cluster to the declared state."""

from __future__ import annotations

import os

import click

from pyhce import api
from pyhce.citus.register import RegistrationReport
from pyhce.cli.duration import Duration
from pyhce.cli.output import console, output_option, print_report, progress
from pyhce.counted import counted
from pyhce.settings import DEFAULT_SHARD_COUNT, DEFAULT_TIME_ZONE


@click.command()
@click.option(
    "--dsn",
    metavar="DSN",
    help="Connection string of the coordinator, as a superuser. Default: PYHCE_DSN, else libpq's PG* variables, else "
    "the database of `pyhce up`.",
)
@click.option(
    "--worker",
    "workers",
    multiple=True,
    metavar="HOST[:PORT]",
    envvar="PYHCE_WORKERS",
    help="Address of a worker; give it once for each worker.",
)
@click.option(
    "--coordinator",
    metavar="HOST[:PORT]",
    envvar="PYHCE_COORDINATOR",
    help="Address at which workers reach the coordinator.",
)
@click.option(
    "--secondary",
    "secondaries",
    multiple=True,
    metavar="PRIMARY=HOST[:PORT]",
    envvar="PYHCE_SECONDARIES",
    help="Address of the standbys of a node, for reads from standbys; PRIMARY is the node's address. With --worker, "
    "secondary nodes that are not named are removed.",
)
@click.option(
    "--shards",
    type=int,
    default=DEFAULT_SHARD_COUNT,
    show_default=True,
    envvar="PYHCE_SHARDS",
    help="Number of shards, set when the tables are distributed.",
)
@click.option(
    "--time-zone",
    default=DEFAULT_TIME_ZONE,
    show_default=True,
    envvar="HCE_TIME_ZONE",
    help="Time zone for dates that carry none; cannot be changed later.",
)
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds to wait for the nodes.")
@click.option(
    "--lock-wait",
    type=Duration(),
    default="4h",
    show_default=True,
    help="How long a migration retries to lock a table that another session uses, such as an export.",
)
@click.option(
    "--identity-rules",
    envvar="PYHCE_IDENTITY_RULES",
    metavar="PACKS|FILE",
    help="The identity rules that loads use, if any are set: a migration may compute documents again.",
)
@click.option(
    "--roll",
    is_flag=True,
    help="First replace the pods that have standbys and an outdated template, standbys first. Runs only in the "
    "registrar's Job of the chart, with ha.enabled.",
)
@output_option
def register(
    dsn: str | None,
    workers: tuple[str, ...],
    coordinator: str | None,
    secondaries: tuple[str, ...],
    shards: int,
    time_zone: str,
    timeout: float,
    lock_wait: float,
    identity_rules: str | None,
    roll: bool,
    output: str,
) -> None:
    """Bring a cluster to the declared state: nodes, migrations, distribution, grants. Changes only what differs.

    Applications can read and write while a migration is applied. If a migration needs a table that an export uses, it
    retries for --lock-wait and lets readers proceed between attempts. If it is interrupted, run the same command again.

    The passwords of hce_app and hce_readonly come from PYHCE_APP_PASSWORD and PYHCE_READONLY_PASSWORD, if set.

    \b
    Examples:
      pyhce register --dsn postgresql://postgres@citus-coordinator/hce_distribuida \\
        --worker citus-worker-0.citus-nodes --worker citus-worker-1.citus-nodes
    """
    passwords = {
        "hce_app": os.environ.get("PYHCE_APP_PASSWORD"),
        "hce_readonly": os.environ.get("PYHCE_READONLY_PASSWORD"),
    }
    with progress() as on_progress:
        report = api.register(
            dsn,
            workers=workers,
            coordinator=coordinator,
            secondaries=secondaries,
            passwords={role: password for role, password in passwords.items() if password},
            shard_count=shards,
            time_zone=time_zone,
            timeout=timeout,
            lock_wait=lock_wait,
            identity_rules=identity_rules,
            roll=roll,
            progress=on_progress,
        )
    print_report(report, output, lambda: _show_registration(report))


def _show_registration(report: RegistrationReport) -> None:
    for line in (*report.pods, *report.nodes, *(f"migration {n}" for n in report.migrations), *report.settings):
        console.print(line)
    if report.distributed:
        console.print(f"{counted(len(report.distributed), 'table')} distributed or replicated as declared")
    for step in report.data_steps:
        counts = ", ".join(f"{name} {count}" for name, count in step.counts.items()) or "nothing to change"
        console.print(f"migration {step.migration}, {step.name}: {counts}")
        for line in step.notes:
            console.print(f"  {line}")
    for line in report.not_mended:
        console.print(f"not repaired: {line}")
    console.print("nothing to change" if not report.changed else f"done in {report.seconds} s")
