"""The options that choose a database: --dsn, or --on and --namespace for one on Kubernetes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from pyhce import api
from pyhce.api import Deployment
from pyhce.cli.output import dsn_option
from pyhce.deploy import NAMESPACE
from pyhce.settings import SUPERUSER

Command = Callable[..., Any]

on_option = click.option(
    "--on",
    "target",
    metavar="kind|CONTEXT",
    help="Use the database on Kubernetes: `kind` for the cluster on this machine, else a context of the kubeconfig.",
)
namespace_option = click.option(
    "--namespace", "-n", default=NAMESPACE, show_default=True, help="Namespace of the database on Kubernetes."
)


identity_rules_option = click.option(
    "--identity-rules",
    metavar="PACKS|FILE",
    help="The identity rules that loads use: names of packs, JSON files, or all. Default: PYHCE_IDENTITY_RULES, "
    "else all.",
)


def deployment_on(target: str, namespace: str, on_progress: Callable[[str], None] = lambda _: None) -> Deployment:
    """The deployment that --on and --namespace name."""
    return Deployment(context=api.kubeconfig_context(target), namespace=namespace, progress=on_progress)


def database_options(command: Command) -> Command:
    """Add --dsn, --on and --namespace to a command, which receives one `dsn`.

    With --on, the DSN leads to the coordinator on Kubernetes, if need be through a port that is forwarded while the
    command runs.
    """

    @wraps(command)
    def with_dsn(*arguments: Any, dsn: str | None, target: str | None, namespace: str, **options: Any) -> Any:
        if target is None:
            return command(*arguments, dsn=dsn, **options)
        with deployment_on(target, namespace) as deployment, deployment.dsn(SUPERUSER) as found:
            return command(*arguments, dsn=found, **options)

    return dsn_option(on_option(namespace_option(with_dsn)))
