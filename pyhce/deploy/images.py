"""The two container images: build them, load them into a local cluster, save them for a site without internet."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pyhce.citus.connection import Progress, no_progress
from pyhce.deploy.programs import ProgramFailed, run_program
from pyhce.errors import HceError, UsageError, printable
from pyhce.schema.model import Frozen
from pyhce.version import __version__

POSTGRES = f"hce-citus/postgres-citus:{__version__}"
REGISTRAR = f"hce-citus/registrar:{__version__}"
IMAGES = (POSTGRES, REGISTRAR)
POSTGRES_BASE = "citusdata/citus:12.1"
REGISTRAR_BASE = "python:3.11-slim"
WHEELS_COMMAND = "pip wheel --wheel-dir FOLDER '.[k8s]' hatchling -r postgres-citus/patroni/requirements.txt"
"""How to get the wheels of both images into a folder."""
_BUILD_CONTEXT_FILES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "charts", "pyhce", "registrar")
_POSTGRES_CONTEXT_FILES = ("postgres-citus",)


class ImagesReport(Frozen):
    """Which images were built, loaded or saved.

    Args:
        images: their names with tags.
        where: the cluster or the file they went to, "" after a build.
        seconds: how long it took.
    """

    images: tuple[str, ...]
    where: str = ""
    seconds: float


def checkout_root() -> Path | None:
    """The root of the checkout that this package runs from, None if it was installed from a wheel."""
    root = Path(__file__).parents[2]
    return root if (root / "registrar" / "Dockerfile").is_file() else None


def build(
    *,
    root: Path | None = None,
    wheels: Path | None = None,
    postgres_base: str = POSTGRES_BASE,
    registrar_base: str = REGISTRAR_BASE,
    progress: Progress = no_progress,
) -> ImagesReport:
    """Build both images from a checkout, with Docker and its cache.

    Args:
        root: the checkout; the one that this package runs from if None.
        wheels: a folder of wheels to use in place of a package index; see `WHEELS_COMMAND`.
        postgres_base, registrar_base: the images to build on.
        progress: called with a line on what is being built.

    Raises:
        UsageError: there is no checkout, or no wheel in the folder.
        HceError: Docker failed; the text holds its last output lines.
    """
    start = time.monotonic()
    checkout = root or checkout_root()
    if checkout is None or not (checkout / "registrar" / "Dockerfile").is_file():
        raise UsageError(
            f"{checkout or 'this installation of pyhce'} is not a checkout of hce-citus: it has no Dockerfiles",
            remedy="Build the images in a clone of the project, or load built ones: pyhce images load --from FILE",
        )
    offline = ("--build-arg", "PIP_NO_INDEX=1") if wheels else ()
    progress(f"building {POSTGRES} from {postgres_base}")
    with _build_context(checkout, wheels, _POSTGRES_CONTEXT_FILES, "postgres-citus/wheels") as context:
        run_program(
            "docker", "build", "-q", "-t", POSTGRES, "--build-arg", f"BASE={postgres_base}",
            "--build-arg", f"PYTHON={registrar_base}", *offline, str(context / "postgres-citus"),
        )  # fmt: skip
    progress(f"building {REGISTRAR} from {registrar_base}")
    with _build_context(checkout, wheels, _BUILD_CONTEXT_FILES, "registrar/wheels") as context:
        run_program(
            "docker", "build", "-q", "-t", REGISTRAR, "-f", str(context / "registrar" / "Dockerfile"),
            "--build-arg", f"BASE={registrar_base}", *offline, str(context),
        )  # fmt: skip
    return ImagesReport(images=IMAGES, seconds=round(time.monotonic() - start, 2))


@contextmanager
def _build_context(root: Path, wheels: Path | None, names: Sequence[str], folder_of_wheels: str) -> Iterator[Path]:
    """The build context of an image: the checkout, or a copy of the files it needs with the wheels added."""
    if wheels is None:
        yield root
        return
    files = sorted(wheels.glob("*.whl")) if wheels.is_dir() else []
    if not files:
        raise UsageError(
            f"there are no wheels in {wheels}",
            remedy=f"Build them in a checkout where a package index is reachable: {WHEELS_COMMAND}",
        )
    with tempfile.TemporaryDirectory(prefix="pyhce-images-") as folder:
        context = Path(folder)
        for name in names:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, context / name)
        for wheel in files:
            shutil.copy2(wheel, context / folder_of_wheels)
        yield context


def missing_images(images: Sequence[str] = IMAGES) -> list[str]:
    """Those of the images that Docker does not have."""
    absent = []
    for image in images:
        try:
            run_program("docker", "image", "inspect", image)
        except ProgramFailed:
            absent.append(image)
    return absent


def load(
    *,
    kind: str | None = None,
    minikube: str | None = None,
    archive: Path | None = None,
    progress: Progress = no_progress,
) -> ImagesReport:
    """Load both images into every node of a kind or Minikube cluster, as far as a node does not have them.

    Args:
        kind: the name of a kind cluster.
        minikube: a Minikube profile.
        archive: a file that `save` wrote, to load into Docker first.
        progress: called with a line on what is being loaded.

    Raises:
        HceError: Docker has no such image, or one of the programs failed.
    """
    start = time.monotonic()
    if archive is not None:
        progress(f"loading {archive} into Docker")
        run_program("docker", "load", "-i", str(archive))
    _refuse_missing()
    if kind:
        progress(f"loading the images into the kind cluster {kind}")
        run_program("kind", "load", "docker-image", *IMAGES, "--name", kind)
    if minikube:
        for image in IMAGES:
            progress(f"loading {image} into the Minikube cluster {minikube}")
            run_program("minikube", "image", "load", image, "-p", minikube)
    where = f"kind {kind}" if kind else f"minikube {minikube}" if minikube else "docker"
    return ImagesReport(images=IMAGES, where=where, seconds=round(time.monotonic() - start, 2))


def save(to: Path, *, progress: Progress = no_progress) -> ImagesReport:
    """Write both images to one file, for a site without internet. An interrupted run leaves no file.

    Raises:
        HceError: Docker has no such image, or could not write the file.
    """
    start = time.monotonic()
    _refuse_missing()
    progress(f"writing {to}")
    part = to.with_name(to.name + ".part")
    try:
        run_program("docker", "save", "-o", str(part), *IMAGES)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return ImagesReport(images=IMAGES, where=printable(to), seconds=round(time.monotonic() - start, 2))


def _refuse_missing() -> None:
    absent = missing_images()
    if absent:
        raise HceError(
            f"Docker does not have the image {', '.join(absent)}",
            remedy="Build the images in a checkout (pyhce images build), or load saved ones "
            "(pyhce images load --from FILE).",
        )
