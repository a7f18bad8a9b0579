"""up, down, psql, env, register, generate."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from pyhce import api, local
from pyhce.cli.output import console, folder_option, output_option, progress, show
from pyhce.cli.records import show_load, show_patient
from pyhce.cli.tables import show_failures
from pyhce.errors import HceError, UsageError
from pyhce.settings import DEFAULT_SHARD_COUNT, DEFAULT_TIME_ZONE, DEFAULT_WORKERS, LOGIN_ROLES, NODE_PORT, SUPERUSER


@click.command()
@click.option("--on", "target", type=click.Choice(["local"]), default="local", show_default=True, help="Where.")
@click.option("--pg-config", type=click.Path(path_type=Path), help="pg_config of the PostgreSQL to use.")
@click.option("--citus/--no-citus", default=None, help="Insist on Citus, or do without. Default: use it where it is.")
@click.option("--workers", type=int, default=DEFAULT_WORKERS, show_default=True, help="Workers, where there is Citus.")
@click.option("--port", type=int, default=NODE_PORT, show_default=True, help="The coordinator's port.")
@click.option(
    "--shards", type=int, default=DEFAULT_SHARD_COUNT, show_default=True, help="Shards, when tables are made."
)
@click.option("--time-zone", default=DEFAULT_TIME_ZONE, show_default=True, help="Of dates without one; fixed at birth.")
@click.option("--sample", is_flag=True, help="Load the synthetic patients that ship, and show one.")
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
    folder: Path | None,
    output: str,
) -> None:
    """Start the database, bring its schema up to date, verify it.

    \b
    Examples:
      pyhce up --sample
      pyhce up --pg-config /usr/lib/postgresql/15/bin/pg_config --workers 2
      pyhce up --port 5433 --folder ~/hce
    """
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
        console.print(f"[bold]{report.database}[/] at [bold]{report.host}:{report.port}[/]", end="")
        console.print(" (it was running)" if report.already_running else " (started)")
        console.print(f"  {report.engine}", markup=False)
        console.print(f"  data in {report.folder}", markup=False)
        show_failures(report.verification)
        if report.load:
            show_load(report.load)
        if report.patient:
            show_patient(report.patient, rows=15)
        where = f" --folder {folder}" if folder else ""
        console.print(
            f"Connect:  pyhce psql{where}\n"
            f'          eval "$(pyhce env{where})"   then any PostgreSQL program\n'
            f"Stop:     pyhce down{where}",
            markup=False,
        )

    show(report, output, people)
    ctx.exit(report.exit_code)


@click.command()
@click.option("--delete", is_flag=True, help="Remove the data folder too, after saying what goes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@folder_option
@output_option
def down(delete: bool, yes: bool, folder: Path | None, output: str) -> None:
    """Stop the database on this machine; its data stays unless --delete is given.

    \b
    Examples:
      pyhce down
      pyhce down --delete --yes
    """
    if not delete:
        report = api.down(folder)
        show(report, output, lambda: console.print(_stopped(report.stopped), markup=False))
        return
    place = folder or local.default_folder()
    goes = local.contents(place)
    if output == "table":
        console.print(f"{goes.summary}", markup=False)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody is there to say yes", remedy="Give --yes to delete without being asked.")
        try:
            click.confirm("Delete it for good?", abort=True)
        except click.Abort:
            console.print("nothing was deleted")
            raise click.exceptions.Exit(1) from None
    gone = api.delete(folder)
    show(gone, output, lambda: console.print(f"deleted {place}", markup=False))


def _stopped(names: tuple[str, ...]) -> str:
    return f"stopped {', '.join(names)}; the data stays" if names else "nothing was running; the data stays"


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--role", type=click.Choice(LOGIN_ROLES), default=SUPERUSER, show_default=True, help="Log in as.")
@folder_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(role: str, folder: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the database of `pyhce up`; more arguments go to psql.

    \b
    Examples:
      pyhce psql
      pyhce psql --role hce_readonly
      pyhce psql -- -c "SELECT count(*) FROM paciente"
    """
    variables = api.environment(folder, role)
    program = local.psql_program(folder or local.default_folder()) or shutil.which("psql")
    if program is None:
        raise HceError("there is no psql on this machine", remedy="Install PostgreSQL's client, or use `pyhce env`.")
    os.execve(str(program), ["psql", *arguments], {**os.environ, **variables})  # noqa: S606 - psql itself


@click.command()
@click.option("--role", type=click.Choice(LOGIN_ROLES), default=SUPERUSER, show_default=True, help="Log in as.")
@click.option("--pgpass", is_flag=True, help="Print the lines for ~/.pgpass instead: these hold the passwords.")
@folder_option
def env(role: str, pgpass: bool, folder: Path | None) -> None:
    """Print shell lines that lead any PostgreSQL program to the database of `pyhce up`.

    The password stays in a file of mode 600; the lines only say where.

    \b
    Examples:
      eval "$(pyhce env)"
      pyhce env --pgpass >> ~/.pgpass
    """
    variables = api.environment(folder, role)
    if pgpass:
        click.echo(Path(variables["PGPASSFILE"]).read_text(), nl=False)
        return
    for name, value in variables.items():
        click.echo(f"export {name}='{value}'")


@click.command()
@click.option("--dsn", metavar="DSN", help="The coordinator, as a superuser. Default: PYHCE_DSN, else PG* variables.")
@click.option("--worker", "workers", multiple=True, metavar="HOST[:PORT]", envvar="PYHCE_WORKERS", help="Each worker.")
@click.option("--coordinator", metavar="HOST[:PORT]", envvar="PYHCE_COORDINATOR", help="Its name for the workers.")
@click.option("--shards", type=int, default=DEFAULT_SHARD_COUNT, show_default=True, envvar="PYHCE_SHARDS")
@click.option("--time-zone", default=DEFAULT_TIME_ZONE, show_default=True, envvar="HCE_TIME_ZONE")
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds to wait for nodes.")
@output_option
def register(
    dsn: str | None,
    workers: tuple[str, ...],
    coordinator: str | None,
    shards: int,
    time_zone: str,
    timeout: float,
    output: str,
) -> None:
    """Make a cluster what the declaration says: nodes, schema, homes of tables. Changes only what differs.

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
            progress=say,
        )

    def people() -> None:
        for line in (*report.nodes, *(f"migration {n}" for n in report.migrations), *report.settings):
            console.print(line, markup=False)
        if report.distributed:
            console.print(f"{len(report.distributed)} tables to their homes", markup=False)
        console.print("nothing to change" if not report.changed else f"done in {report.seconds} s")

    show(report, output, people)


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


COMMANDS: tuple[click.Command, ...] = (up, down, psql, env, register, generate)
