"""`pyhce verify` and `pyhce status`."""

from __future__ import annotations

from pathlib import Path

import click

from pyhce import api
from pyhce.cli.duration import Duration
from pyhce.cli.install import show_deployment
from pyhce.cli.output import dsn_option, output_option, print_report, progress
from pyhce.cli.target_options import deployment_on, identity_rules_option, namespace_option, on_option
from pyhce.cli.verify_tables import show_status, show_verification
from pyhce.deploy import GROUP as KUBERNETES
from pyhce.verify import GROUPS, junit


@click.command()
@click.option(
    "--wait", type=Duration(), default=0.0, help="Repeat the checks until none fails, at most this long (5m)."
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=click.Choice((*GROUPS, KUBERNETES)),
    help="Run only this group of checks; may be given again.",
)
@identity_rules_option
@click.option("--short", is_flag=True, help="Show only warnings and failures.")
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the report to this file, as JUnit XML.",
)
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
    """Check nodes, schema and data against the declaration. Changes nothing.

    Exit status: 0 no check failed, 1 a check failed, 2 the checks could not run.

    \b
    Examples:
      pyhce verify --short
      pyhce verify --wait 5m --junit report.xml
      pyhce verify --group nodes --output json
      pyhce verify --on kind
    """
    with progress() as on_progress:
        if target is not None:
            with deployment_on(target, namespace, on_progress) as deployment:
                report = deployment.verify(groups=groups or None, wait=wait)
        else:
            report = api.verify(
                dsn, groups=groups or None, identity_rules=identity_rules, wait=wait, progress=on_progress
            )
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
    """Show nodes, versions, sizes and counts; on Kubernetes the release and its pods too.

    \b
    Examples:
      pyhce status
      pyhce status --on kind
    """
    if target is not None:
        with deployment_on(target, namespace) as deployment:
            deployed = deployment.status()
        print_report(deployed, output, lambda: show_deployment(deployed))
        ctx.exit(deployed.exit_code)
    report = api.status(dsn)
    print_report(report, output, lambda: show_status(report))
