"""`pyhce drill`: break a part of the database on purpose and time its recovery."""

from __future__ import annotations

import click

from pyhce.cli.output import add_row, confirm, console, new_table, output_option, print_report, progress
from pyhce.cli.target_options import deployment_on, namespace_option
from pyhce.counted import counted
from pyhce.deploy.drill import Action, DrillReport, pod_failure


@click.group()
def drill() -> None:
    """Break a part of the database on purpose, and time each step of its recovery."""


@drill.command("pod-failure")
@click.option("--on", "target", metavar="kind|CONTEXT", required=True, help="Where the database runs.")
@namespace_option
@click.option(
    "--action",
    "actions",
    multiple=True,
    type=click.Choice([a.value for a in Action]),
    help="Do only this to each pod. Default: both, but only delete if the cluster is not a kind cluster.",
)
@click.option("--timeout", type=float, default=180.0, show_default=True, help="Seconds that a pod may take to recover.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
@click.pass_context
def drill_pod_failure(
    ctx: click.Context,
    target: str,
    namespace: str,
    actions: tuple[str, ...],
    timeout: float,
    yes: bool,
    output: str,
) -> None:
    """Kill PostgreSQL in each pod, then delete each pod, one at a time, while a thread inserts rows.

    Queries fail for some seconds each time. Exit status 0: no acknowledged row was lost and every node kept its name.

    \b
    Example:
      pyhce drill pod-failure --on kind --yes
    """
    question = f"Break every pod in the namespace {namespace} on {target}, one at a time?"
    confirm(question, yes=yes, to="start the drill")
    with progress() as on_progress, deployment_on(target, namespace, on_progress) as deployment:
        chosen = tuple(Action(action) for action in actions)
        report = pod_failure(deployment, actions=chosen, timeout=timeout, progress=on_progress)
    print_report(report, output, lambda: _show_drill(report))
    ctx.exit(report.exit_code)


def _show_drill(report: DrillReport) -> None:
    table = new_table("pod", "action", "out of Service", "restarted", "query succeeds", "in Service", "restarts")
    for step in report.steps:
        restarts = "new pod" if step.new_pod else step.restarts
        add_row(
            table,
            step.pod,
            step.action.value,
            f"{step.out} s",
            f"{step.gone} s",
            f"{step.answers} s",
            f"{step.back} s",
            restarts,
        )
    console.print(table)
    inserts = report.writer
    console.print(
        f"{counted(inserts.acknowledged, 'insert')} acknowledged, {inserts.lost} of them lost, "
        f"{inserts.refused} failed with an error; "
        f"longest gap {inserts.longest_silence} s; {inserts.seconds} s in total",
        style="bold green" if report.ok else "bold red",
    )
    same = report.names_before == report.names_after
    console.print(f"{counted(len(report.names_after), 'node')}, names {'unchanged' if same else 'CHANGED'}")
