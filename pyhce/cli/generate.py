"""`pyhce generate`: write the files that are made from the declaration of the schema."""

from __future__ import annotations

from pathlib import Path

import click

from pyhce import api
from pyhce.deploy.sizing import BYTES_A_RESOURCE, RESOURCES_A_PATIENT, Platform


@click.group()
def generate() -> None:
    """Write the files that are generated from the declaration of the schema."""


@generate.command("sql")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path("postgres-citus/init"),
    show_default=True,
    help="Folder to write to.",
)
def generate_sql(to: Path) -> None:
    """Write the init scripts of the database image.

    \b
    Example:
      pyhce generate sql
    """
    for path in api.generate_sql(to):
        click.echo(path)


@generate.command("docs")
@click.option(
    "--to", type=click.Path(path_type=Path), default=Path("docs"), show_default=True, help="Folder to write to."
)
def generate_docs(to: Path) -> None:
    """Write the data dictionary, in English and Spanish, and the list of checks.

    \b
    Example:
      pyhce generate docs
    """
    for path in api.generate_docs(to):
        click.echo(path)


@generate.command("values")
@click.option("--patients", type=int, required=True, help="Expected number of patients.")
@click.option(
    "--platform", type=click.Choice([p.value for p in Platform]), required=True, help="Where the database will run."
)
@click.option(
    "--resources-per-patient",
    type=int,
    default=RESOURCES_A_PATIENT,
    show_default=True,
    help="Expected FHIR resources of a patient.",
)
@click.option(
    "--bytes-per-resource",
    type=int,
    default=BYTES_A_RESOURCE,
    show_default=True,
    help="Expected size of a resource, with its indexes.",
)
@click.option("--clients", type=int, default=100, show_default=True, help="Connections that applications open at once.")
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), help="File to write to. Default: standard output."
)
def generate_values(
    patients: int, platform: str, resources_per_patient: int, bytes_per_resource: int, clients: int, to: Path | None
) -> None:
    """Write a values file for the chart: workers, shards, volumes, memory, connections, each with its calculation.

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
