"""Which database a command talks to: a DSN, or one on Kubernetes."""

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
    help="The database on Kubernetes: `kind` is this machine's cluster, else a context of the kubeconfig.",
)
namespace_option = click.option(
    "--namespace", "-n", default=NAMESPACE, show_default=True, help="The database's, on Kubernetes."
)


identity_rules_option = click.option(
    "--identity-rules",
    metavar="PACKS|FILE",
    help="The rules that loads are done by: packs, JSON files, all. Default: PYHCE_IDENTITY_RULES, else all.",
)


def deployment_on(target: str, namespace: str, say: Callable[[str], None] = lambda _: None) -> Deployment:
    """The deployment that --on names."""
    return Deployment(context=api.kubeconfig_context(target), namespace=namespace, progress=say)


def database_options(command: Command) -> Command:
    """Give a command --dsn, --on and --namespace; it receives the DSN, which reaches Kubernetes while it runs."""

    @wraps(command)
    def wrapped(*arguments: Any, dsn: str | None, target: str | None, namespace: str, **options: Any) -> Any:
        if target is None:
            return command(*arguments, dsn=dsn, **options)
        with deployment_on(target, namespace) as deployment, deployment.dsn(SUPERUSER) as found:
            return command(*arguments, dsn=found, **options)

    return dsn_option(on_option(namespace_option(wrapped)))
