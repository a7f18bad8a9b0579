"""verify, status."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pyhce import api
from pyhce.cli.kubernetes import show_deployment
from pyhce.cli.output import dsn_option, output_option, print_report, progress
from pyhce.cli.target_options import deployment_on, namespace_option, on_option
from pyhce.cli.verification import show_status, show_verification
from pyhce.deploy import GROUP as KUBERNETES
from pyhce.verify import GROUPS, junit


class Duration(click.ParamType[float]):
    """A length of time such as 90s, 5m or 1h, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", str(value).strip())
        if not found:
            self.fail(f"{value!r} is no length of time: write 90s, 5m or 1h", param, ctx)
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"]


@click.command()
@click.option("--wait", type=Duration(), default=0.0, help="Go on looking until all is right, at most so long (5m).")
@click.option(
    "--group", "groups", multiple=True, type=click.Choice((*GROUPS, KUBERNETES)), help="This group of checks only."
)
@click.option(
    "--identity-rules",
    metavar="PACKS|FILE",
    help="The rules that loads are done by: packs, JSON files, all. Default: PYHCE_IDENTITY_RULES, else all.",
)
@click.option("--short", is_flag=True, help="Only what is not all right.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path, dir_okay=False), help="A JUnit file too.")
@dsn_option
@on_option
@namespace_option
@output_option
@click.pass_context
def verify(
    ctx: click.Context,
    wait: float,
    groups: tuple[str, ...],
    identity_rules: str | None,
    short: bool,
    junit_file: Path | None,
    dsn: str | None,
    target: str | None,
    namespace: str,
    output: str,
) -> None:
    """Look whether everything is as the declaration says. Exit 0: yes; 1: something failed; 2: could not look.

    \b
    Examples:
      pyhce verify --short
      pyhce verify --wait 5m --junit report.xml
      pyhce verify --group nodes --output json
      pyhce verify --on kind
    """
    with progress() as say:
        if target is not None:
            with deployment_on(target, namespace, say) as deployment:
                report = deployment.verify(groups=groups or None, wait=wait)
        else:
            report = api.verify(dsn, groups=groups or None, identity_rules=identity_rules, wait=wait, progress=say)
    if junit_file:
        junit_file.write_text(junit(report), encoding="utf-8")
    print_report(report, output, lambda: show_verification(report, short=short))
    ctx.exit(report.exit_code)


@click.command()
@dsn_option
@on_option
@namespace_option
@output_option
@click.pass_context
def status(ctx: click.Context, dsn: str | None, target: str | None, namespace: str, output: str) -> None:
    """A quick overview: nodes, versions, sizes, counts; on Kubernetes the release and its pods too.

    \b
    Examples:
      pyhce status
      pyhce status --on kind
    """
    if target is not None:
        with deployment_on(target, namespace) as deployment:
            there = deployment.status()
        print_report(there, output, lambda: show_deployment(there))
        ctx.exit(there.exit_code)
    report = api.status(dsn)
    print_report(report, output, lambda: show_status(report))


COMMANDS: tuple[click.Command, ...] = (verify, status)
