"""`pyhce psql` and `pyhce env`: connect PostgreSQL programs to the database of `pyhce up`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import click

from pyhce import api, local
from pyhce.citus.connection import psql_connection
from pyhce.cli.output import folder_option
from pyhce.cli.target_options import deployment_on, namespace_option, on_option
from pyhce.errors import HceError, UsageError
from pyhce.settings import LOGIN_ROLES, SUPERUSER

role_option = click.option(
    "--role", type=click.Choice(LOGIN_ROLES), default=SUPERUSER, show_default=True, help="Role to log in as."
)


@click.command(context_settings={"ignore_unknown_options": True})
@role_option
@click.option(
    "--dsn", metavar="DSN", help="Connection string of the server. Default: PYHCE_DSN, else the database of `pyhce up`."
)
@on_option
@namespace_option
@folder_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def psql(
    ctx: click.Context,
    role: str,
    dsn: str | None,
    target: str | None,
    namespace: str,
    folder: Path | None,
    arguments: tuple[str, ...],
) -> None:
    """Open psql on the database of `pyhce up`, or another one. All other arguments go to psql.

    \b
    Examples:
      pyhce psql
      pyhce psql --role hce_readonly
      pyhce psql -- -c "SELECT count(*) FROM paciente"
      pyhce psql --on kind
      pyhce psql --dsn postgresql://postgres@db.example:5432/hce_distribuida
    """
    if dsn is not None and (target or folder):
        raise UsageError("--dsn, --on and --folder each name a database", remedy="Give one of them.")
    dsn = dsn or (None if target or folder else os.environ.get("PYHCE_DSN"))
    role_given = ctx.get_parameter_source("role") is click.core.ParameterSource.COMMANDLINE
    if dsn is not None and role_given:
        raise UsageError("--role is for the database of `pyhce up`", remedy="Name the user in the DSN: user=hce_app")
    program = (None if target else local.psql_program(folder or local.default_folder())) or shutil.which("psql")
    if program is None:
        raise HceError(
            "psql is not installed on this machine",
            remedy='Install PostgreSQL\'s client, or connect another program: eval "$(pyhce env)"',
        )
    if target is not None:
        with deployment_on(target, namespace) as deployment, api.forwarded_environment(deployment, role) as variables:
            command = [str(program), *arguments]
            raise click.exceptions.Exit(subprocess.run(command, env={**os.environ, **variables}).returncode)  # noqa: S603
    if dsn is not None:
        conninfo, password = psql_connection(dsn)
        os.execve(str(program), ["psql", "--dbname", conninfo, *arguments], {**os.environ, **password})  # noqa: S606
    variables = api.environment(folder, role)
    os.execve(str(program), ["psql", *arguments], {**os.environ, **variables})  # noqa: S606 - psql itself


@click.command()
@role_option
@click.option("--pgpass", is_flag=True, help="Print the lines for ~/.pgpass instead. They contain the passwords.")
@on_option
@namespace_option
@folder_option
def env(role: str, pgpass: bool, target: str | None, namespace: str, folder: Path | None) -> None:
    """Print shell lines that connect any PostgreSQL program to the database of `pyhce up`.

    The password stays in a file of mode 600; the lines contain its path only.

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
