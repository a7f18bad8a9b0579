"""`pyhce switchover`, `reinit` and `pause`: change which member leads, copy a standby's data again, stop failovers."""

from __future__ import annotations

from pathlib import Path

import click

from pyhce import api
from pyhce.cli.duration import Duration
from pyhce.cli.output import add_row, confirm, console, folder_option, new_table, output_option, print_report, progress
from pyhce.cli.target_options import deployment_on, namespace_option, on_option
from pyhce.patroni import GroupState

yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@click.command()
@click.argument("group")
@click.option("--to", metavar="MEMBER", help="The standby that becomes the leader. Default: a synchronous one.")
@click.option(
    "--timeout", type=Duration(), default=60.0, help="How long to wait for the new leader, and then for the former one."
)
@yes_option
@on_option
@namespace_option
@folder_option
@output_option
def switchover(
    group: str,
    to: str | None,
    timeout: float,
    yes: bool,
    target: str | None,
    namespace: str,
    folder: Path | None,
    output: str,
) -> None:
    """Hand the leadership of a GROUP over to a standby. No write is lost; clients of the leader are disconnected.

    Ends when the new leader accepts writes and the former one follows it in sync.

    \b
    Examples:
      pyhce switchover citus-worker-0
      pyhce switchover citus-coordinator --to coordinator-b --yes
      pyhce switchover citus-worker-0 --on kind
    """
    confirm(f"Hand over {group}? Its clients are disconnected for some seconds.", yes=yes, to="hand over")
    with progress() as on_progress:
        if target is not None:
            with deployment_on(target, namespace, on_progress) as deployment:
                report = deployment.switchover(group, to=to, timeout=timeout)
        else:
            report = api.switchover(group, to=to, folder=folder, timeout=timeout, progress=on_progress)
    print_report(
        report,
        output,
        lambda: console.print(
            f"{report.leader} leads {report.group} in place of {report.former}: writable after {report.seconds} s, "
            f"in sync after {report.in_sync_seconds} s",
            style="bold green",
        ),
    )


@click.command()
@click.argument("member")
@click.option("--timeout", type=Duration(), default=600.0, help="How long to wait until it is in sync.")
@yes_option
@on_option
@namespace_option
@folder_option
@output_option
def reinit(
    member: str, timeout: float, yes: bool, target: str | None, namespace: str, folder: Path | None, output: str
) -> None:
    """Let a standby, MEMBER of a group, delete its data and copy the leader's again. Refused for a leader.

    \b
    Examples:
      pyhce reinit worker-0-b
      pyhce reinit citus-worker-b-0 --on kind --yes
    """
    confirm(f"Delete the data of {member} and copy the leader's?", yes=yes, to="reinitialize it")
    with progress() as on_progress:
        if target is not None:
            with deployment_on(target, namespace, on_progress) as deployment:
                report = deployment.reinit(member, timeout=timeout)
        else:
            report = api.reinit(member, folder=folder, timeout=timeout, progress=on_progress)
    print_report(
        report,
        output,
        lambda: console.print(
            f"{report.member} follows the leader of {report.group} in sync after {report.seconds} s",
            style="bold green",
        ),
    )


@click.command()
@click.option("--off", is_flag=True, help="End the pause.")
@yes_option
@on_option
@namespace_option
@folder_option
@output_option
def pause(off: bool, yes: bool, target: str | None, namespace: str, folder: Path | None, output: str) -> None:
    """Let Patroni do nothing by itself: no failover, no restart. For maintenance, and before standbys are removed.

    While it is paused, a leader that fails is not replaced.

    \b
    Examples:
      pyhce pause --on kind
      pyhce pause --off --on kind
    """
    if not off:
        confirm("Pause Patroni? A leader that fails is not replaced meanwhile.", yes=yes, to="pause it")
    with progress() as on_progress:
        if target is not None:
            with deployment_on(target, namespace, on_progress) as deployment:
                report = deployment.pause(paused=not off)
        else:
            report = api.pause(paused=not off, folder=folder, progress=on_progress)
    state = "does nothing by itself in" if report.paused else "works again on"
    print_report(report, output, lambda: console.print(f"Patroni {state} {', '.join(report.groups)}"))


def show_groups(groups: tuple[GroupState, ...]) -> None:
    """Print the members of every group."""
    table = new_table("group", "member", "role", "state", "timeline", "lag", "restart")
    for group in groups:
        for member in group.members:
            add_row(
                table,
                group.name + (" (paused)" if group.paused else ""),
                member.name,
                member.role,
                member.state,
                member.timeline,
                "" if member.lag is None else f"{member.lag} B",
                "pending" if member.pending_restart else "",
            )
    console.print(table)
