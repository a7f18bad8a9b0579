"""role add, list, rotate, drop: a site's own login roles."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pyhce import api
from pyhce.api import RoleReport
from pyhce.citus.site_roles import MODEL_ROLES
from pyhce.cli.output import add_row, confirm, console, new_table, output_option, print_report
from pyhce.cli.target_options import Command, database_options
from pyhce.errors import UsageError

PASSWORD = "PYHCE_ROLE_PASSWORD"  # noqa: S105 - the name of a variable


def _password_options(command: Command) -> Command:
    """Where a password comes from and where a generated one goes; never the command line."""
    file = click.option(
        "--password-file",
        type=click.Path(path_type=Path, allow_dash=True),
        help=f"A file whose first line is the password, - for standard input. Default: {PASSWORD}, else generated.",
    )
    pgpass = click.option(
        "--pgpass",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where a generated password goes, as a libpq password file of mode 600. Default: NAME.pgpass.",
    )
    return file(pgpass(command))


def _given(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD) or None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not text", remedy="Its first line is the password.") from None
    return text.split("\n", 1)[0].rstrip("\r")


@click.group("role")
def role_group() -> None:
    """Login roles of a site: each works on every node, and on workers that are added later."""


@role_group.command("add")
@click.argument("name")
@click.option("--like", type=click.Choice(list(MODEL_ROLES)), required=True, help="Writes and reads, or reads only.")
@_password_options
@database_options
@output_option
def role_add(
    name: str, like: str, password_file: Path | None, pgpass: Path | None, dsn: str | None, output: str
) -> None:
    """Make a login role. Its password is generated into a file, or comes from a file, standard input or a variable.

    \b
    Examples:
      pyhce role add lis_reader --like readonly
      PGPASSFILE=lis_reader.pgpass psql -h localhost -p 30007 -U lis_reader hce_distribuida
      pass show lis | pyhce role add lis --like app --password-file -
      pyhce role add lis_reader --like readonly --on kind
    """
    report = api.add_role(name, like=like, password=_given(password_file), pgpass=pgpass, dsn=dsn)
    print_report(report, output, lambda: _told("added", report))


@role_group.command("list")
@database_options
@output_option
@click.pass_context
def role_list(ctx: click.Context, dsn: str | None, output: str) -> None:
    """Show the login roles of the site, and what each lacks on which node. Exit status 1 if one lacks something.

    \b
    Example:
      pyhce role list
    """
    report = api.list_roles(dsn=dsn)

    def people() -> None:
        made = new_table("role", "like", "state")
        for role in report.roles:
            add_row(made, role.name, ", ".join(role.like), "; ".join(role.problems) or "works on every node")
        console.print(made if report.roles else "there are no login roles of this site")

    print_report(report, output, people)
    ctx.exit(report.exit_code)


@role_group.command("rotate")
@click.argument("name")
@_password_options
@database_options
@output_option
def role_rotate(name: str, password_file: Path | None, pgpass: Path | None, dsn: str | None, output: str) -> None:
    """Give a login role another password, on every node at once. Open sessions go on.

    \b
    Examples:
      pyhce role rotate lis_reader
      pyhce role rotate lis_reader --pgpass /etc/lis/pgpass
    """
    report = api.rotate_role(name, password=_given(password_file), pgpass=pgpass, dsn=dsn)
    print_report(report, output, lambda: _told("rotated", report))


@role_group.command("drop")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_options
@output_option
def role_drop(name: str, yes: bool, dsn: str | None, output: str) -> None:
    """Remove a login role from every node and end its sessions.

    \b
    Example:
      pyhce role drop lis_reader --yes
    """
    confirm(f"Remove the role {name} and end its sessions?", yes=yes, to="remove it")
    report = api.drop_role(name, dsn=dsn)
    print_report(report, output, lambda: _told("dropped", report))


def _told(did: str, report: RoleReport) -> None:
    kind = f" (like {', '.join(report.like)})"
    console.print(f"{did} role {report.name}{kind}")
    if report.pgpass:
        console.print(f"  its password is in {report.pgpass} (mode 600); libpq reads it: PGPASSFILE={report.pgpass}")
    if report.sessions:
        console.print(f"  {report.sessions} of its sessions were ended")


COMMANDS: tuple[click.Command, ...] = (role_group,)
