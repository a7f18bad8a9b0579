"""up, down, psql, env, register, generate."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from pyhce import api, local
from pyhce.cli.database import Duration
from pyhce.cli.kubernetes import (
    set_option,
    show_installed,
    show_outcome,
    show_uninstalled,
    values_option,
)
from pyhce.cli.output import confirm, console, folder_option, output_option, print_report, progress
from pyhce.cli.target_options import deployment_on, namespace_option, on_option
from pyhce.deploy import kind
from pyhce.deploy.sizing import BYTES_A_RESOURCE, RESOURCES_A_PATIENT, Platform
from pyhce.errors import HceError, UsageError
from pyhce.settings import DEFAULT_SHARD_COUNT, DEFAULT_TIME_ZONE, DEFAULT_WORKERS, LOGIN_ROLES, NODE_PORT, SUPERUSER


@click.command()
@click.option(
    "--on",
    "target",
    metavar="local|kind|CONTEXT",
    default="local",
    show_default=True,
    help="Processes on this machine, a kind cluster on it, or a context of the kubeconfig.",
)
@click.option("--pg-config", type=click.Path(path_type=Path), help="pg_config of the PostgreSQL to use.")
@click.option("--citus/--no-citus", default=None, help="Insist on Citus, or do without. Default: use it where it is.")
@click.option("--workers", type=int, default=DEFAULT_WORKERS, show_default=True, help="Workers, where there is Citus.")
@click.option("--port", type=int, default=NODE_PORT, show_default=True, help="The coordinator's port.")
@click.option(
    "--shards", type=int, default=DEFAULT_SHARD_COUNT, show_default=True, help="Shards, when tables are made."
)
@click.option("--time-zone", default=DEFAULT_TIME_ZONE, show_default=True, help="Of dates without one; fixed at birth.")
@click.option("--sample", is_flag=True, help="Load the synthetic patients that ship, and show one.")
@click.option("--kind-image", metavar="IMAGE", help="kind's node image. Default: Docker's newest kindest/node.")
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
    workers: int,
    port: int,
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
    """Start the database, bring its schema up to date, verify it.

    On Kubernetes: a kind cluster is made if it is missing, the images are built and loaded, the chart is installed.

    \b
    Examples:
      pyhce up --sample
      pyhce up --pg-config /usr/lib/postgresql/15/bin/pg_config --workers 2
      pyhce up --port 5433 --folder ~/hce
      pyhce up --on kind --sample
    """
    if target != "local":
        with progress() as say:
            there = api.up_on_kubernetes(
                target,
                values=api.merge_values(api.read_chart_values(files, assignments), _named(ctx)),
                port=port,
                kind_image=kind_image,
                kind_workers=kind_nodes - 1,
                namespace=namespace,
                with_sample=sample,
                progress=say,
            )
        print_report(there, output, lambda: show_installed(there))
        ctx.exit(there.exit_code)
    with progress() as say:
        report = api.up(
            folder=folder,
            pg_config=pg_config,
            citus=citus,
            workers=workers,
            port=port,
            shard_count=shards,
            time_zone=time_zone,
            with_sample=sample,
            progress=say,
        )

    def people() -> None:
        for sentence in report.recovered:
            console.print(f"mended: {sentence}")
        place = f"{report.host}:{report.port}"
        console.print(Text.assemble((report.database, "bold"), " at ", (place, "bold")), end="")
        console.print(" (it was running)" if report.already_running else " (started)")
        console.print(f"  {report.engine}")
        console.print(f"  data in {report.folder}")
        show_outcome(report)
        where = f" --folder {folder}" if folder else ""
        console.print(
            f"Connect:  pyhce psql{where}\n"
            f'          eval "$(pyhce env{where})"   then any PostgreSQL program\n'
            f"Stop:     pyhce down{where}",
        )

    print_report(report, output, people)
    ctx.exit(report.exit_code)


def _named(ctx: click.Context) -> dict[str, Any]:
    """The options that are values of the chart too, where the user gave them."""
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
@click.option("--delete", is_flag=True, help="Remove the data too, after saying what goes; of kind, the whole cluster.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@folder_option
@output_option
def down(target: str | None, namespace: str, delete: bool, yes: bool, folder: Path | None, output: str) -> None:
    """Stop the database on this machine; its data stays unless --delete is given.

    On Kubernetes: uninstall the release, volumes and passwords stay; with --delete, delete the kind cluster.

    \b
    Examples:
      pyhce down
      pyhce down --delete --yes
      pyhce down --on kind
    """
    if target is not None and delete:
        if target != api.KIND:
            raise UsageError(
                f"pyhce does not delete data in {target}",
                remedy="pyhce uninstall, then delete the namespace with kubectl if you mean it.",
            )
        _confirm("Delete the kind cluster with every volume in it?", yes)
        kind.delete()
        console.print(f"deleted the kind cluster {kind.NAME}")
        return
    if target is not None:
        with progress() as say, deployment_on(target, namespace, say) as deployment:
            gone = deployment.uninstall()
        print_report(gone, output, lambda: show_uninstalled(gone))
        return
    if not delete:
        report = api.down(folder)
        print_report(report, output, lambda: console.print(_stopped(report.stopped)))
        return
    place = folder or local.default_folder()
    goes = local.contents(place)
    if output == "table":
        console.print(f"{goes.summary}")
    _confirm("Delete it for good?", yes)
    deleted = api.delete(folder)
    print_report(deleted, output, lambda: console.print(f"deleted {place}"))


def _confirm(question: str, yes: bool) -> None:
    try:
        confirm(question, yes=yes, to="delete")
    except click.Abort:
        console.print("nothing was deleted")
        raise click.exceptions.Exit(1) from None


def _stopped(names: tuple[str, ...]) -> str:
    return f"stopped {', '.join(names)}; the data stays" if names else "nothing was running; the data stays"


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--role", type=click.Choice(LOGIN_ROLES), default=SUPERUSER, show_default=True, help="Log in as.")
@on_option
@namespace_option
@folder_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(role: str, target: str | None, namespace: str, folder: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the database of `pyhce up`; more arguments go to psql.

    \b
    Examples:
      pyhce psql
      pyhce psql --role hce_readonly
      pyhce psql -- -c "SELECT count(*) FROM paciente"
      pyhce psql --on kind
    """
    program = (None if target else local.psql_program(folder or local.default_folder())) or shutil.which("psql")
    if program is None:
        raise HceError("there is no psql on this machine", remedy="Install PostgreSQL's client, or use `pyhce env`.")
    if target is not None:
        with deployment_on(target, namespace) as deployment, api.forwarded_environment(deployment, role) as variables:
            command = [str(program), *arguments]
            raise click.exceptions.Exit(subprocess.run(command, env={**os.environ, **variables}).returncode)  # noqa: S603
    variables = api.environment(folder, role)
    os.execve(str(program), ["psql", *arguments], {**os.environ, **variables})  # noqa: S606 - psql itself


@click.command()
@click.option("--role", type=click.Choice(LOGIN_ROLES), default=SUPERUSER, show_default=True, help="Log in as.")
@click.option("--pgpass", is_flag=True, help="Print the lines for ~/.pgpass instead: these hold the passwords.")
@on_option
@namespace_option
@folder_option
def env(role: str, pgpass: bool, target: str | None, namespace: str, folder: Path | None) -> None:
    """Print shell lines that lead any PostgreSQL program to the database of `pyhce up`.

    The password stays in a file of mode 600; the lines only say where.

    \b
    Examples:
      eval "$(pyhce env)"
      pyhce env --pgpass >> ~/.pgpass
      eval "$(pyhce env --on kind)"
    """
    variables = _environment(target, namespace, folder, role)
    if pgpass:
        click.echo(Path(variables["PGPASSFILE"]).read_text(), nl=False)
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _environment(target: str | None, namespace: str, folder: Path | None, role: str) -> dict[str, str]:
    if target is None:
        return api.environment(folder, role)
    with deployment_on(target, namespace) as deployment:
        return api.environment_on_kubernetes(deployment, role)


@click.command()
@click.option("--dsn", metavar="DSN", help="The coordinator, as a superuser. Default: PYHCE_DSN, else PG* variables.")
@click.option("--worker", "workers", multiple=True, metavar="HOST[:PORT]", envvar="PYHCE_WORKERS", help="Each worker.")
@click.option("--coordinator", metavar="HOST[:PORT]", envvar="PYHCE_COORDINATOR", help="Its name for the workers.")
@click.option("--shards", type=int, default=DEFAULT_SHARD_COUNT, show_default=True, envvar="PYHCE_SHARDS")
@click.option("--time-zone", default=DEFAULT_TIME_ZONE, show_default=True, envvar="HCE_TIME_ZONE")
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds to wait for nodes.")
@click.option(
    "--lock-wait",
    type=Duration(),
    default="4h",
    show_default=True,
    help="How long a migration goes on trying while others, such as an export, hold a table.",
)
@click.option(
    "--identity-rules",
    envvar="PYHCE_IDENTITY_RULES",
    metavar="PACKS|FILE",
    help="Those of `pyhce load`, if it is given any: a migration may compute documents anew.",
)
@output_option
def register(
    dsn: str | None,
    workers: tuple[str, ...],
    coordinator: str | None,
    shards: int,
    time_zone: str,
    timeout: float,
    lock_wait: float,
    identity_rules: str | None,
    output: str,
) -> None:
    """Make a cluster what the declaration says: nodes, schema, homes of tables, stored rows. Changes only what differs.

    A migration is applied while applications read and write. Where it needs a table that an export holds, it tries
    again for --lock-wait and lets readers pass meanwhile. Interrupted, the same command goes on.

    Passwords of hce_app and hce_readonly come from PYHCE_APP_PASSWORD and PYHCE_READONLY_PASSWORD, if set.

    \b
    Examples:
      pyhce register --dsn postgresql://postgres@citus-coordinator/hce_distribuida \\
        --worker citus-worker-0.citus-nodes --worker citus-worker-1.citus-nodes
    """
    given = {"hce_app": os.environ.get("PYHCE_APP_PASSWORD"), "hce_readonly": os.environ.get("PYHCE_READONLY_PASSWORD")}
    with progress() as say:
        report = api.register(
            dsn,
            workers=workers,
            coordinator=coordinator,
            passwords={role: password for role, password in given.items() if password},
            shard_count=shards,
            time_zone=time_zone,
            timeout=timeout,
            lock_wait=lock_wait,
            identity_rules=identity_rules,
            progress=say,
        )

    def people() -> None:
        for line in (*report.nodes, *(f"migration {n}" for n in report.migrations), *report.settings):
            console.print(line)
        if report.distributed:
            console.print(f"{len(report.distributed)} tables to their homes")
        for step in report.data_steps:
            counts = ", ".join(f"{count} {name}" for name, count in step.counts.items()) or "nothing to change"
            console.print(f"migration {step.migration}, {step.name}: {counts}")
            for line in step.notes:
                console.print(f"  {line}")
        for line in report.not_mended:
            console.print(f"not mended: {line}")
        console.print("nothing to change" if not report.changed else f"done in {report.seconds} s")

    print_report(report, output, people)


@click.group()
def generate() -> None:
    """Write files made from the declaration of the schema."""


@generate.command("sql")
@click.option("--to", type=click.Path(path_type=Path), default=Path("postgres-citus/init"), show_default=True)
def generate_sql(to: Path) -> None:
    """The image's init scripts.

    \b
    Example:
      pyhce generate sql
    """
    for path in api.generate_sql(to):
        click.echo(path)


@generate.command("docs")
@click.option("--to", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
def generate_docs(to: Path) -> None:
    """The data dictionary, in English and in Spanish, and the list of checks.

    \b
    Example:
      pyhce generate docs
    """
    for path in api.generate_docs(to):
        click.echo(path)


@generate.command("values")
@click.option("--patients", type=int, required=True, help="How many there will be.")
@click.option("--platform", type=click.Choice([p.value for p in Platform]), required=True, help="Where it will run.")
@click.option(
    "--resources-per-patient", type=int, default=RESOURCES_A_PATIENT, show_default=True, help="FHIR resources."
)
@click.option("--bytes-per-resource", type=int, default=BYTES_A_RESOURCE, show_default=True, help="Indexes included.")
@click.option("--clients", type=int, default=100, show_default=True, help="Connections of applications at one time.")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="A file; else standard output.")
def generate_values(
    patients: int, platform: str, resources_per_patient: int, bytes_per_resource: int, clients: int, to: Path | None
) -> None:
    """A values file for the chart: workers, shards, volumes, memory, connections, each with where it comes from.

    \b
    Examples:
      pyhce generate values --patients 5000000 --platform production --to values.yaml
      pyhce generate values --patients 1000 --platform kind
    """
    text = api.generate_values(
        patients,
        platform,
        resources_a_patient=resources_per_patient,
        bytes_a_resource=bytes_per_resource,
        clients=clients,
    )
    if to is None:
        click.echo(text, nl=False)
        return
    to.write_text(text, encoding="utf-8")
    click.echo(to)


COMMANDS: tuple[click.Command, ...] = (up, down, psql, env, register, generate)
