"""`pyhce drill`: break a part of the database on purpose and time its recovery."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pyhce.cli.drill_report import print_event, show_report
from pyhce.cli.duration import Duration
from pyhce.cli.output import add_row, confirm, console, new_table, output_option, print_report, progress
from pyhce.cli.target_options import deployment_on, namespace_option
from pyhce.counted import counted
from pyhce.deploy import drills
from pyhce.deploy.drill import Action, DrillReport, pod_failure

Drill = Callable[..., drills.FaultReport]

_group_option = click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="Only this group, such as citus-worker-0; give it once for each.",
)
_seconds_help = "How long it stays broken at least."


@click.group()
def drill() -> None:
    """Break a part of the database on purpose, and time each step of its recovery."""


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every drill has."""
    for option in reversed(
        (
            click.option("--on", "target", metavar="kind|CONTEXT", required=True, help="Where the database runs."),
            namespace_option,
            click.option("--times", type=click.IntRange(1), default=1, show_default=True, help="How often."),
            click.option(
                "--timeout",
                type=float,
                default=drills.TIMEOUT,
                show_default=True,
                help="Seconds that a recovery may take.",
            ),
            click.option(
                "--html",
                type=click.Path(path_type=Path, dir_okay=False),
                help="Write the report as a page of HTML too, with pictures of the time lines.",
            ),
            click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
            output_option,
        )
    ):
        command = option(command)
    return command


def _run(
    drill_function: Drill,
    question: str,
    *,
    target: str,
    namespace: str,
    html: Path | None,
    yes: bool,
    output: str,
    **options: Any,
) -> None:
    """Ask, run a drill, print its time line as it happens and then its report; end with its exit status."""
    confirm(question.format(f"the namespace {namespace} on {target}"), yes=yes, to="start the drill")
    on_event = print_event(output)
    with progress() as on_progress, deployment_on(target, namespace, on_progress) as deployment:
        report = drill_function(deployment, progress=on_progress, on_event=on_event, **options)
    if html is not None:
        html.write_text(drills.html_page(report), encoding="utf-8")
    print_report(report, output, lambda: show_report(report))
    click.get_current_context().exit(report.exit_code)


@drill.command("pod-failure")
@_group_option
@click.option(
    "--action",
    "actions",
    multiple=True,
    type=click.Choice([a.value for a in Action]),
    help="Do only this to each pod. Default: both, but only delete if the cluster is not a kind cluster.",
)
@_shared_options
def drill_pod_failure(
    target: str,
    namespace: str,
    groups: tuple[str, ...],
    actions: tuple[str, ...],
    **options: Any,
) -> None:
    """Kill PostgreSQL in each pod, then delete each pod, one at a time, while clients write.

    Without standbys, queries fail for some seconds each time. With standbys (ha.enabled), every member of every group
    is broken in turn, and a ledger in a pod writes to every node and accounts for each write.

    Exit status 0: no acknowledged row was lost, no transaction was stored in part, and everything recovered.

    \b
    Examples:
      pyhce drill pod-failure --on kind --yes
      pyhce drill pod-failure --on kind --group citus-worker-0 --action delete --times 5 --html drill.html
    """
    question = "Break every pod in {}, one at a time?"
    chosen = tuple(Action(action) for action in actions)
    if not (groups or options["html"] or options["times"] > 1):
        with deployment_on(target, namespace) as deployment:
            simple = not deployment.has_standbys()
        if simple:
            _run_without_standbys(target, namespace, chosen, **options)
    _run(drills.pod_failure, question, target=target, namespace=namespace, groups=groups, actions=chosen, **options)


def _run_without_standbys(
    target: str,
    namespace: str,
    actions: tuple[Action, ...],
    timeout: float,
    yes: bool,
    output: str,
    **_: object,
) -> None:
    question = f"Break every pod in the namespace {namespace} on {target}, one at a time?"
    confirm(question, yes=yes, to="start the drill")
    with progress() as on_progress, deployment_on(target, namespace, on_progress) as deployment:
        report = pod_failure(deployment, actions=actions, timeout=timeout, progress=on_progress)
    print_report(report, output, lambda: _show_drill(report))
    click.get_current_context().exit(report.exit_code)


@drill.command("switchover")
@_group_option
@_shared_options
def drill_switchover(**options: Any) -> None:
    """Hand the leadership of each group over to its standby, as for planned work on a machine.

    It runs `pyhce switchover` in a pod while a ledger writes. It needs standbys (ha.enabled).

    \b
    Example:
      pyhce drill switchover --on kind --times 5 --yes
    """
    _run(drills.switchover, "Hand every group over in {}?", **options)


@drill.command("machine")
@_group_option
@click.option("--seconds", type=Duration(), default="30s", show_default=True, help=_seconds_help)
@_shared_options
def drill_machine(**options: Any) -> None:
    """Kill a machine of a kind cluster (docker kill) that holds leaders, and start it again when the writes go on.

    Without --group it is the machine that holds most leaders. It is started again when every client writes again and
    --seconds have passed, also after Ctrl-C. If this command is killed itself, the next drill starts the machine.

    \b
    Example:
      pyhce drill machine --on kind --times 5 --yes --html machine.html
    """
    _run(drills.machine, "Kill machines under {}?", **options)


@drill.command("network")
@_group_option
@click.option("--seconds", type=Duration(), default="30s", show_default=True, help=_seconds_help)
@_shared_options
def drill_network(**options: Any) -> None:
    """Cut a machine of a kind cluster that holds leaders off the network, and connect it again when the writes go on.

    It chooses and restores the machine as `pyhce drill machine` does.

    \b
    Example:
      pyhce drill network --on kind --group citus-worker-0 --yes
    """
    _run(drills.network, "Cut machines under {} off the network?", **options)


@drill.command("freeze")
@_group_option
@click.option("--seconds", type=Duration(), default="30s", show_default=True, help=_seconds_help)
@_shared_options
def drill_freeze(**options: Any) -> None:
    """Stop every process of each leader in a kind cluster (SIGSTOP), and continue them when the writes go on.

    A frozen server keeps its connections open and never answers, so clients notice only by their own time limits.

    \b
    Example:
      pyhce drill freeze --on kind --group citus-coordinator --yes
    """
    _run(drills.freeze, "Freeze the leaders in {}, one at a time?", **options)


@drill.command("api-server")
@click.option("--seconds", type=Duration(), default="80s", show_default=True, help=_seconds_help)
@_shared_options
def drill_api_server(**options: Any) -> None:
    """Stop the API server of a kind cluster, and start it again. The database must not notice.

    \b
    Example:
      pyhce drill api-server --on kind --seconds 80s --yes
    """
    _run(drills.api_server, "Stop the API server of the cluster of {}?", **options)


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
