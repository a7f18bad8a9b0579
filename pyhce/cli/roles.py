"""`pyhce role`: add, list, rotate and drop the login roles of a site."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pyhce import api
from pyhce.api import RoleReport, RolesReport
from pyhce.citus.site_roles import MODEL_ROLES
from pyhce.cli.output import add_row, confirm, console, new_table, output_option, print_report
from pyhce.cli.target_options import Command, database_options
from pyhce.counted import counted
from pyhce.errors import UsageError

PASSWORD_VARIABLE = "PYHCE_ROLE_PASSWORD"  # noqa: S105 - the name of a variable


def _password_options(command: Command) -> Command:
    """Add the options for a given password and for the file of a generated one. No password is on the command line."""
    file = click.option(
        "--password-file",
        type=click.Path(path_type=Path, allow_dash=True),
        help="File whose first line is the password; - is standard input. Default: the variable "
        f"{PASSWORD_VARIABLE}, else a generated password.",
    )
    pgpass = click.option(
        "--pgpass",
        type=click.Path(path_type=Path, dir_okay=False),
        help="libpq password file (mode 600) for a generated password. Default: NAME.pgpass.",
    )
    return file(pgpass(command))


def _given_password(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE) or None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not a UTF-8 text file", remedy="Write the password as its first line.") from None
    return text.split("\n", 1)[0].rstrip("\r")


@click.group("role")
def role_group() -> None:
    """Manage login roles. A role works on every node, and on workers that are added later."""


@role_group.command("add")
@click.argument("name")
@click.option(
    "--like", type=click.Choice(list(MODEL_ROLES)), required=True, help="app: reads and writes; readonly: reads only."
)
@_password_options
@database_options
@output_option
def role_add(
    name: str, like: str, password_file: Path | None, pgpass: Path | None, dsn: str | None, output: str
) -> None:
    """Create a login role. The password is read from a file, standard input or a variable, or generated into a file.

    \b
    Examples:
      pyhce role add lis_reader --like readonly
      PGPASSFILE=lis_reader.pgpass psql -h localhost -p 30007 -U lis_reader hce_distribuida
      pass show lis | pyhce role add lis --like app --password-file -
      pyhce role add lis_reader --like readonly --on kind
    """
    report = api.add_role(name, like=like, password=_given_password(password_file), pgpass=pgpass, dsn=dsn)
    print_report(report, output, lambda: _show_role("added", report))


@role_group.command("list")
@database_options
@output_option
@click.pass_context
def role_list(ctx: click.Context, dsn: str | None, output: str) -> None:
    """Show the login roles of the site, and what each lacks on which node. Exit status 1 if a role lacks something.

    \b
    Example:
      pyhce role list
    """
    report = api.list_roles(dsn=dsn)

    print_report(report, output, lambda: _show_roles(report))
    ctx.exit(report.exit_code)


@role_group.command("rotate")
@click.argument("name")
@_password_options
@database_options
@output_option
def role_rotate(name: str, password_file: Path | None, pgpass: Path | None, dsn: str | None, output: str) -> None:
    """Change the password of a login role on every node at once. Open sessions stay connected.

    \b
    Examples:
      pyhce role rotate lis_reader
      pyhce role rotate lis_reader --pgpass /etc/lis/pgpass
    """
    report = api.rotate_role(name, password=_given_password(password_file), pgpass=pgpass, dsn=dsn)
    print_report(report, output, lambda: _show_role("rotated", report))


@role_group.command("drop")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@database_options
@output_option
def role_drop(name: str, yes: bool, dsn: str | None, output: str) -> None:
    """Remove a login role from every node and end its sessions.

    \b
    Example:
      pyhce role drop lis_reader --yes
    """
    confirm(f"Remove the role {name} and end its sessions?", yes=yes, to="remove the role")
    report = api.drop_role(name, dsn=dsn)
    print_report(report, output, lambda: _show_role("dropped", report))


def _show_roles(report: RolesReport) -> None:
    table = new_table("role", "like", "state")
    for role in report.roles:
        add_row(table, role.name, ", ".join(role.like), "; ".join(role.problems) or "works on every node")
    console.print(table if report.roles else "this site has no login roles of its own")


def _show_role(action: str, report: RoleReport) -> None:
    console.print(f"{action} role {report.name} (like {', '.join(report.like)})")
    if report.pgpass:
        console.print(
            f"  the password is in {report.pgpass} (mode 600), which libpq reads with PGPASSFILE={report.pgpass}"
        )
    if report.sessions:
        console.print(f"  {counted(report.sessions, 'session')} of the role ended")
