"""`pyhce up` and `pyhce down`: start and stop a database on this machine or on Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pyhce import api, local
from pyhce.api import UpReport
from pyhce.cli.install import set_option, show_installed, show_outcome, show_uninstalled, values_option
from pyhce.cli.output import confirm, console, folder_option, output_option, print_report, progress
from pyhce.cli.target_options import deployment_on, namespace_option, on_option
from pyhce.deploy import kind
from pyhce.errors import UsageError
from pyhce.settings import DEFAULT_SHARD_COUNT, DEFAULT_TIME_ZONE, DEFAULT_WORKERS, NODE_PORT


@click.command()
@click.option(
    "--on",
    "target",
    metavar="local|kind|CONTEXT",
    default="local",
    show_default=True,
    help="Where to run: on this machine, in a kind cluster on it, or in the cluster of a kubeconfig context.",
)
@click.option("--pg-config", type=click.Path(path_type=Path), help="Path of the pg_config of the PostgreSQL to use.")
@click.option("--citus/--no-citus", default=None, help="Require Citus, or do not use it. Default: use it if installed.")
@click.option(
    "--workers", type=int, help=f"Number of workers, with Citus. Default: as many as there are, else {DEFAULT_WORKERS}."
)
@click.option(
    "--standbys",
    type=int,
    help="Standbys of each node, with Citus, etcd and pyhce[ha]. A standby takes over when its leader fails.",
)
@click.option("--port", type=int, help=f"Port of the coordinator. Default: the present one, else {NODE_PORT}.")
@click.option(
    "--shards",
    type=int,
    default=DEFAULT_SHARD_COUNT,
    show_default=True,
    help="Number of shards, set when the tables are created.",
)
@click.option(
    "--time-zone",
    default=DEFAULT_TIME_ZONE,
    show_default=True,
    help="Time zone for dates that carry none; cannot be changed later.",
)
@click.option("--sample", is_flag=True, help="Load the synthetic sample patients and show one.")
@click.option("--kind-image", metavar="IMAGE", help="Node image for kind. Default: Docker's newest kindest/node.")
@click.option("--kind-nodes", type=int, default=1, show_default=True, help="Kubernetes nodes of a new kind cluster.")
@values_option
@set_option
@namespace_option
@folder_option
@output_option
@click.pass_context
def up(
    ctx: click.Context,
    target: str,
    pg_config: Path | None,
    citus: bool | None,
    workers: int | None,
    standbys: int | None,
    port: int | None,
    shards: int,
    time_zone: str,
    sample: bool,
    kind_image: str | None,
    kind_nodes: int,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    namespace: str,
    folder: Path | None,
    output: str,
) -> None:
    """Start the database, bring its schema up to date and verify it.

    With --on kind: create the kind cluster if it is missing, build and load the images, and install the chart.

    \b
    Examples:
      pyhce up --sample
      pyhce up --pg-config /usr/lib/postgresql/15/bin/pg_config --workers 2
      pyhce up --port 5433 --folder ~/hce
      pyhce up --on kind --sample
    """
    if target != "local":
        with progress() as on_progress:
            installed = api.up_on_kubernetes(
                target,
                values=api.merge_values(api.read_chart_values(files, assignments), _chart_values(ctx)),
                port=NODE_PORT if port is None else port,
                kind_image=kind_image,
                kind_workers=kind_nodes - 1,
                namespace=namespace,
                with_sample=sample,
                progress=on_progress,
            )
        print_report(installed, output, lambda: show_installed(installed))
        ctx.exit(installed.exit_code)
    with progress() as on_progress:
        report = api.up(
            folder=folder,
            pg_config=pg_config,
            citus=citus,
            workers=workers,
            standbys=standbys,
            port=port,
            shard_count=shards,
            time_zone=time_zone,
            with_sample=sample,
            progress=on_progress,
        )
    print_report(report, output, lambda: _show_up(report, folder))
    ctx.exit(report.exit_code)


def _show_up(report: UpReport, folder: Path | None) -> None:
    for sentence in report.recovered:
        console.print(f"repaired: {sentence}")
    address = f"{report.host}:{report.port}"
    console.print(Text.assemble((report.database, "bold"), " at ", (address, "bold")), end="")
    console.print(" (already running)" if report.already_running else " (started)")
    console.print(f"  {report.engine}")
    console.print(f"  data in {report.folder}")
    show_outcome(report)
    option = f" --folder {folder}" if folder else ""
    console.print(
        f"Connect:  pyhce psql{option}\n"
        f'          eval "$(pyhce env{option})"   then any PostgreSQL program\n'
        f"Stop:     pyhce down{option}",
    )


def _chart_values(ctx: click.Context) -> dict[str, Any]:
    """Values of the chart from the options that were given on the command line and have a value in the chart."""
    options = {"workers": "worker.replicas", "shards": "shards", "time_zone": "timeZone"}
    return api.merge_values(
        *(
            api.nested_value(path, ctx.params[option])
            for option, path in options.items()
            if ctx.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE
        )
    )


@click.command()
@on_option
@namespace_option
@click.option(
    "--delete",
    is_flag=True,
    help="Also delete the data, after showing what is deleted. With --on kind: delete the cluster.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@folder_option
@output_option
def down(target: str | None, namespace: str, delete: bool, yes: bool, folder: Path | None, output: str) -> None:
    """Stop the database on this machine. Its data stays unless --delete is given.

    With --on: uninstall the release; volumes and passwords stay. With --on kind --delete: delete the kind cluster.

    \b
    Examples:
      pyhce down
      pyhce down --delete --yes
      pyhce down --on kind
    """
    if target is not None and delete:
        if target != api.KIND:
            raise UsageError(
                f"pyhce does not delete data in the context {target}",
                remedy=f"Uninstall the release: pyhce down --on {target} -n {namespace}. Then delete the data with its "
                f"namespace: kubectl --context {target} delete namespace {namespace}",
            )
        _confirm_deletion("Delete the kind cluster with every volume in it?", yes)
        kind.delete()
        console.print(f"deleted the kind cluster {kind.NAME}")
        return
    if target is not None:
        with progress() as on_progress, deployment_on(target, namespace, on_progress) as deployment:
            uninstalled = deployment.uninstall()
        print_report(uninstalled, output, lambda: show_uninstalled(uninstalled))
        return
    if not delete:
        report = api.down(folder)
        print_report(report, output, lambda: console.print(_stopped(report.stopped)))
        return
    path = folder or local.default_folder()
    contents = local.contents(path)
    if output == "table":
        console.print(f"{contents.summary}")
    _confirm_deletion("Delete it permanently?", yes)
    deleted = api.delete(folder)
    print_report(deleted, output, lambda: console.print(f"deleted {path}"))


def _confirm_deletion(question: str, yes: bool) -> None:
    try:
        confirm(question, yes=yes, to="delete")
    except click.Abort:
        console.print("nothing was deleted")
        raise click.exceptions.Exit(1) from None


def _stopped(names: tuple[str, ...]) -> str:
    return f"stopped {', '.join(names)}; the data stays" if names else "nothing was running; the data stays"
