"""install, upgrade, uninstall, images, drill: the database on Kubernetes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pyhce import api
from pyhce.api import Deployment, KubernetesReport, UpReport
from pyhce.cli.output import add_row, confirm, console, new_table, output_option, print_report, progress
from pyhce.cli.patient import show_patient
from pyhce.cli.records import show_load
from pyhce.cli.target_options import Command, deployment_on, namespace_option
from pyhce.cli.verification import show_failures, show_status
from pyhce.deploy import NAMESPACE, RELEASE, DeploymentStatus, UninstallReport, images
from pyhce.deploy.drill import Action, DrillReport, pod_failure
from pyhce.deploy.images import ImagesReport
from pyhce.errors import UsageError

context_option = click.option(
    "--context",
    metavar="CONTEXT",
    help="Of the kubeconfig; `kind` is this machine's cluster. Default: the current one.",
)
release_option = click.option("--release", default=RELEASE, show_default=True, help="The release's name.")
values_option = click.option(
    "--values",
    "-f",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A values file; the later wins.",
)
set_option = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One value of the chart.")
chart_option = click.option("--chart", metavar="CHART", help="A chart other than the one that comes with pyhce.")
no_verify_option = click.option("--no-verify", is_flag=True, help="Do not verify at the end.")


def _applying(deed: Command) -> click.Command:
    """A command that gives a deployment values and shows what came of it: installing, or upgrading."""

    @wraps(deed)
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
        given = api.read_chart_values(files, assignments)
        with progress() as say, _deployment(context, namespace, release, chart, say) as deployment:
            report = deed(deployment, given, verify=not no_verify)
        print_report(report, output, lambda: show_installed(report))
        ctx.exit(report.exit_code)

    options = (context_option, namespace_option, release_option, values_option, set_option, chart_option)
    taking: Command = command
    for option in reversed((*options, no_verify_option, output_option)):
        taking = option(taking)
    return click.command()(taking)


@_applying
def install(deployment: Deployment, values: dict[str, Any], *, verify: bool) -> KubernetesReport:
    """Install the chart, or upgrade what is there to these values; then verify. Safe to repeat and to interrupt.

    \b
    Examples:
      pyhce install
      pyhce install --context kind -f values/kind.yaml
      pyhce install -n ehr --set worker.replicas=4 --set coordinator.service.nodePort=30017
    """
    return api.install(deployment, values, verify=verify)


@_applying
def upgrade(deployment: Deployment, values: dict[str, Any], *, verify: bool) -> KubernetesReport:
    """Change values of what is installed, or bring it to this release's chart; then verify. Former values stay.

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
    """Uninstall the release. Namespace, passwords, certificates and volumes stay: installing again finds the rows.

    \b
    Example:
      pyhce uninstall
    """
    with progress() as say, _deployment(context, namespace, release, None, say) as deployment:
        report = deployment.uninstall()
    print_report(report, output, lambda: show_uninstalled(report))


def show_uninstalled(report: UninstallReport) -> None:
    """What went and what stays."""
    did = "uninstalled" if report.removed else "there was no release"
    console.print(f"{did} {report.release}; {len(report.volumes)} volumes stay in {report.namespace}")
    for volume in report.volumes:
        console.print(f"  {volume}")


def _deployment(
    context: str | None, namespace: str, release: str, chart: str | None, say: Callable[[str], None]
) -> Deployment:
    return Deployment(
        context=api.kubeconfig_context(context), namespace=namespace, release=release, chart_path=chart, progress=say
    )


def show_installed(report: KubernetesReport) -> None:
    """An installation in a few lines."""
    done = report.install
    told = (
        f" in {done.namespace} of {done.context}: release {done.release}, "
        f"revision {done.revision}, {done.workers} workers ({done.seconds} s)"
    )
    console.print(Text.assemble((report.database, "bold"), told))
    if done.kept:
        console.print(f"  went on running: {', '.join(done.kept)}")
        console.print(f"  made, or made anew: {', '.join(done.new) or 'none'}")
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
    """What was found wrong, what was loaded, and the patient that is shown, as far as there are any."""
    if report.verification:
        show_failures(report.verification)
    if report.load:
        show_load(report.load)
    if report.patient:
        show_patient(report.patient, rows=15)


def show_deployment(report: DeploymentStatus) -> None:
    """Release, pods, database."""
    held = report.release
    console.print(
        f"release {held.name} in {held.namespace}, revision {held.revision}, {held.status}, {held.chart}"
        if held
        else f"no release in {report.namespace}",
    )
    made = new_table("pod", "state", "restarts", "node")
    for pod in report.pods:
        state = "done" if pod.phase == "Succeeded" else pod.words
        add_row(made, pod.name, state, pod.restarts, pod.node)
    console.print(made)
    if report.database:
        show_status(report.database)
    else:
        console.print(f"the database does not answer: {report.silent}", style="bold red")


@click.group("images")
def images_group() -> None:
    """Build the two images, load them into a cluster of this machine, save them for a site without internet."""


@images_group.command("build")
@click.option("--wheels", type=click.Path(path_type=Path, file_okay=False), help="Wheels instead of a package index.")
@click.option("--postgres-base", default=images.POSTGRES_BASE, show_default=True, help="Base of the database image.")
@click.option("--registrar-base", default=images.REGISTRAR_BASE, show_default=True, help="Base of the registrar image.")
@output_option
def images_build(wheels: Path | None, postgres_base: str, registrar_base: str, output: str) -> None:
    """Build both images in a checkout, with Docker.

    \b
    Examples:
      pyhce images build
      pip wheel --wheel-dir wheels . hatchling && pyhce images build --wheels wheels
    """
    with progress() as say:
        report = images.build(wheels=wheels, postgres_base=postgres_base, registrar_base=registrar_base, progress=say)
    print_report(report, output, lambda: _show_images("built", report))


@images_group.command("load")
@click.option("--kind", "kind_cluster", metavar="NAME", help="A kind cluster.")
@click.option("--minikube", metavar="PROFILE", help="A Minikube profile.")
@click.option("--from", "archive", type=click.Path(path_type=Path, exists=True), help="A file of `images save`.")
@output_option
def images_load(kind_cluster: str | None, minikube: str | None, archive: Path | None, output: str) -> None:
    """Give the images to every node of a kind or Minikube cluster.

    \b
    Examples:
      pyhce images load --kind hce-citus
      pyhce images load --minikube minikube --from hce-images.tar
    """
    if not (kind_cluster or minikube or archive):
        raise UsageError("nowhere to load the images", remedy="Give --kind NAME, --minikube PROFILE or --from FILE.")
    with progress() as say:
        report = images.load(kind=kind_cluster, minikube=minikube, archive=archive, progress=say)
    print_report(report, output, lambda: _show_images("loaded", report))


@images_group.command("save")
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), default=Path("hce-images.tar"), show_default=True
)
@output_option
def images_save(to: Path, output: str) -> None:
    """Write both images to one file.

    \b
    Example:
      pyhce images save --to hce-images.tar
    """
    with progress() as say:
        report = images.save(to, progress=say)
    print_report(report, output, lambda: _show_images("saved", report))


def _show_images(did: str, report: ImagesReport) -> None:
    where = f" ({report.where})" if report.where else ""
    console.print(f"{did}{where} in {report.seconds} s")
    for image in report.images:
        console.print(f"  {image}")


@click.group()
def drill() -> None:
    """Break something on purpose, watch it heal, and time each step."""


@drill.command("pod-failure")
@click.option("--on", "target", metavar="kind|CONTEXT", required=True, help="Where the database runs.")
@namespace_option
@click.option(
    "--action",
    "actions",
    multiple=True,
    type=click.Choice([a.value for a in Action]),
    help="Default: both, or delete where the nodes are not kind's.",
)
@click.option("--timeout", type=float, default=180.0, show_default=True, help="Seconds for each pod to be back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
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
    """Kill PostgreSQL in every pod, then delete every pod, one by one, while a writer counts what is acknowledged.

    Queries fail for some seconds each time. Exit status 0: nothing acknowledged was lost, every node kept its name.

    \b
    Example:
      pyhce drill pod-failure --on kind --yes
    """
    confirm(f"Break every pod of {namespace} on {target} once or twice?", yes=yes, to="break things")
    with progress() as say, deployment_on(target, namespace, say) as deployment:
        chosen = tuple(Action(action) for action in actions)
        report = pod_failure(deployment, actions=chosen, timeout=timeout, progress=say)
    print_report(report, output, lambda: _show_drill(report))
    ctx.exit(report.exit_code)


def _show_drill(report: DrillReport) -> None:
    made = new_table("pod", "what", "out of the Service", "restarted", "queries answer", "in the Service", "restarts")
    for step in report.steps:
        seen = "new pod" if step.new_pod else step.restarts
        add_row(
            made,
            step.pod,
            step.action.value,
            f"{step.out} s",
            f"{step.gone} s",
            f"{step.answers} s",
            f"{step.back} s",
            seen,
        )
    console.print(made)
    written = report.writer
    console.print(
        f"{written.acknowledged} inserts acknowledged, {written.lost} lost, {written.refused} refused and told so; "
        f"longest silence {written.longest_silence} s; {written.seconds} s in all",
        style="bold green" if report.ok else "bold red",
    )
    same = report.names_before == report.names_after
    console.print(f"{len(report.names_after)} nodes, {'the same names' if same else 'OTHER NAMES'} as before")


COMMANDS: tuple[click.Command, ...] = (install, upgrade, uninstall, images_group, drill)
