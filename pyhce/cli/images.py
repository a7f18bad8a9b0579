"""`pyhce images`: build, load and save the container images."""

from __future__ import annotations

from pathlib import Path

import click

from pyhce.cli.output import console, output_option, print_report, progress
from pyhce.deploy import images
from pyhce.deploy.images import ImagesReport
from pyhce.errors import UsageError


@click.group("images")
def images_group() -> None:
    """Build the two container images, load them into a local cluster, or save them to a file."""


@images_group.command("build")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of wheels to install from instead of a package index.",
)
@click.option(
    "--postgres-base", default=images.POSTGRES_BASE, show_default=True, help="Base image of the database image."
)
@click.option(
    "--registrar-base", default=images.REGISTRAR_BASE, show_default=True, help="Base image of the registrar image."
)
@output_option
def images_build(wheels: Path | None, postgres_base: str, registrar_base: str, output: str) -> None:
    """Build both images with Docker, from a checkout.

    \b
    Examples:
      pyhce images build
      pip wheel --wheel-dir wheels '.[k8s]' hatchling -r postgres-citus/patroni/requirements.txt
      pyhce images build --wheels wheels
    """
    with progress() as on_progress:
        report = images.build(
            wheels=wheels, postgres_base=postgres_base, registrar_base=registrar_base, progress=on_progress
        )
    print_report(report, output, lambda: _show_images("built", report))


@images_group.command("load")
@click.option("--kind", "kind_cluster", metavar="NAME", help="Load them into this kind cluster.")
@click.option("--minikube", metavar="PROFILE", help="Load them into this Minikube profile.")
@click.option(
    "--from",
    "archive",
    type=click.Path(path_type=Path, exists=True),
    help="Read the images from this file, which `pyhce images save` wrote.",
)
@output_option
def images_load(kind_cluster: str | None, minikube: str | None, archive: Path | None, output: str) -> None:
    """Load the images into every node of a kind or Minikube cluster. With --from alone: into Docker.

    \b
    Examples:
      pyhce images load --kind hce-citus
      pyhce images load --minikube minikube --from hce-images.tar
    """
    if not (kind_cluster or minikube or archive):
        raise UsageError("nowhere to load the images", remedy="Give --kind NAME, --minikube PROFILE or --from FILE.")
    with progress() as on_progress:
        report = images.load(kind=kind_cluster, minikube=minikube, archive=archive, progress=on_progress)
    print_report(report, output, lambda: _show_images("loaded", report))


@images_group.command("save")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("hce-images.tar"),
    show_default=True,
    help="File to write to.",
)
@output_option
def images_save(to: Path, output: str) -> None:
    """Save both images to one file.

    \b
    Example:
      pyhce images save --to hce-images.tar
    """
    with progress() as on_progress:
        report = images.save(to, progress=on_progress)
    print_report(report, output, lambda: _show_images("saved", report))


def _show_images(action: str, report: ImagesReport) -> None:
    where = f" ({report.where})" if report.where else ""
    console.print(f"{action}{where} in {report.seconds} s")
    for image in report.images:
        console.print(f"  {image}")
