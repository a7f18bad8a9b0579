"""`pyhce install`, `pyhce upgrade` and `pyhce uninstall`: the release of the chart on Kubernetes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pyhce import api
from pyhce.api import Deployment, KubernetesReport, UpReport
from pyhce.cli.load import show_load
from pyhce.cli.output import add_row, console, new_table, output_option, print_report, progress
from pyhce.cli.patient import show_patient
from pyhce.cli.target_options import Command, namespace_option
from pyhce.cli.verify_tables import show_failures, show_status
from pyhce.counted import counted
from pyhce.deploy import NAMESPACE, RELEASE, DeploymentStatus, UninstallReport

context_option = click.option(
    "--context",
    metavar="CONTEXT",
    help="Context of the kubeconfig; `kind` for the cluster on this machine. Default: the current context.",
)
release_option = click.option("--release", default=RELEASE, show_default=True, help="Name of the release.")
values_option = click.option(
    "--values",
    "-f",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Values file for the chart; may be given again, later files override earlier ones.",
)
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Set one value of the chart; may be given again."
)
chart_option = click.option("--chart", metavar="CHART", help="Chart to install instead of the one that pyhce contains.")
no_verify_option = click.option("--no-verify", is_flag=True, help="Skip the verification at the end.")


def _chart_command(apply: Command) -> click.Command:
    """A command that applies values to a deployment and prints its report: install or upgrade."""

    @wraps(apply)
    @click.pass_context
    def command(
        ctx: click.Context,
        context: str | None,
        namespace: str,
        release: str,
        files: tuple[Path, ...],
        assignments: tuple[str, ...],
        chart: str | None,
        no_verify: bool,
        output: str,
    ) -> None:
        values = api.read_chart_values(files, assignments)
        with progress() as on_progress, _deployment(context, namespace, release, chart, on_progress) as deployment:
            report = apply(deployment, values, verify=not no_verify)
        print_report(report, output, lambda: show_installed(report))
        ctx.exit(report.exit_code)

    options = (context_option, namespace_option, release_option, values_option, set_option, chart_option)
    decorated: Command = command
    for option in reversed((*options, no_verify_option, output_option)):
        decorated = option(decorated)
    return click.command()(decorated)


@_chart_command
def install(deployment: Deployment, values: dict[str, Any], *, verify: bool) -> KubernetesReport:
    """Install the chart, or upgrade an existing release to these values; then verify. Safe to repeat and to interrupt.

    \b
    Examples:
      pyhce install
      pyhce install --context kind -f values/kind.yaml
      pyhce install -n ehr --set worker.replicas=4 --set coordinator.service.nodePort=30017
    """
    return api.install(deployment, values, verify=verify)


@_chart_command
def upgrade(deployment: Deployment, values: dict[str, Any], *, verify: bool) -> KubernetesReport:
    """Change values of the release, or bring it to this version's chart; then verify. Values set earlier are kept.

    \b
    Examples:
      pyhce upgrade --set worker.replicas=3
      pyhce upgrade -f values/production.yaml
    """
    return api.upgrade(deployment, values, verify=verify)


@click.command()
@context_option
@namespace_option
@release_option
@output_option
def uninstall(context: str | None, namespace: str, release: str, output: str) -> None:
    """Uninstall the release. Namespace, passwords, certificates and volumes stay for the next installation.

    \b
    Example:
      pyhce uninstall
    """
    with progress() as on_progress, _deployment(context, namespace, release, None, on_progress) as deployment:
        report = deployment.uninstall()
    print_report(report, output, lambda: show_uninstalled(report))


def show_uninstalled(report: UninstallReport) -> None:
    """Print what was uninstalled and which volumes stay."""
    what = f"uninstalled {report.release}" if report.removed else f"no release {report.release} found"
    console.print(f"{what}; {counted(len(report.volumes), 'volume stays', 'volumes stay')} in {report.namespace}")
    for volume in report.volumes:
        console.print(f"  {volume}")


def _deployment(
    context: str | None, namespace: str, release: str, chart: str | None, on_progress: Callable[[str], None]
) -> Deployment:
    return Deployment(
        context=api.kubeconfig_context(context),
        namespace=namespace,
        release=release,
        chart_path=chart,
        progress=on_progress,
    )


def show_installed(report: KubernetesReport) -> None:
    """Print an installation or upgrade, and how to connect."""
    done = report.install
    summary = (
        f" in {done.namespace} of {done.context}: release {done.release}, "
        f"revision {done.revision}, {counted(done.workers, 'worker')} ({done.seconds} s)"
    )
    console.print(Text.assemble((report.database, "bold"), summary))
    if done.kept:
        console.print(f"  pods that kept running: {', '.join(done.kept)}")
        console.print(f"  new pods: {', '.join(done.new) or 'none'}")
    show_outcome(report)
    on = f"--on {done.context}" + (f" -n {done.namespace}" if done.namespace != NAMESPACE else "")
    if report.host:
        console.print(f"At {report.host}:{report.port}. Connect:  pyhce psql {on}")
        console.print(f'          eval "$(pyhce env {on})"   then any PostgreSQL program, pyhce load too')
    else:
        console.print(
            f"Connect:  kubectl --context {done.context} -n {done.namespace} port-forward svc/citus-coordinator 5432",
        )


def show_outcome(report: UpReport | KubernetesReport) -> None:
    """Print warnings and failures of the verification, the sample's load and the sample patient, if any."""
    if report.verification:
        show_failures(report.verification)
    if report.load:
        show_load(report.load)
    if report.patient:
        show_patient(report.patient, rows=15)


def show_deployment(report: DeploymentStatus) -> None:
    """Print the release, its pods and the database's status."""
    release = report.release
    console.print(
        f"release {release.name} in {release.namespace}, revision {release.revision}, {release.status}, {release.chart}"
        if release
        else f"no release in {report.namespace}",
    )
    table = new_table("pod", "state", "restarts", "node")
    for pod in report.pods:
        state = "done" if pod.phase == "Succeeded" else pod.words
        add_row(table, pod.name, state, pod.restarts, pod.node)
    console.print(table)
    if report.database:
        show_status(report.database)
    else:
        console.print(f"the database does not answer: {report.silent}", style="bold red")
