"""The two images: build them, give them to a cluster of this machine, save them for a site without internet."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pyhce.citus.connection import Progress, silent
from pyhce.deploy.programs import ProgramFailed, run_program
from pyhce.errors import HceError, UsageError, printable
from pyhce.schema.model import Frozen
from pyhce.version import __version__

POSTGRES = f"hce-citus/postgres-citus:{__version__}"
REGISTRAR = f"hce-citus/registrar:{__version__}"
IMAGES = (POSTGRES, REGISTRAR)
POSTGRES_BASE = "citusdata/citus:12.1"
REGISTRAR_BASE = "python:3.11-slim"
_BUILD_CONTEXT_FILES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "charts", "pyhce", "registrar")


class ImagesReport(Frozen):
    """What was built, loaded or saved.

    Args:
        images: their names with tags.
        where: the cluster or the file, "" after a build.
    """

    images: tuple[str, ...]
    where: str = ""
    seconds: float


def checkout_root() -> Path | None:
    """The root of the checkout that this package runs from, None where it was installed from a wheel."""
    root = Path(__file__).parents[2]
    return root if (root / "registrar" / "Dockerfile").is_file() else None


def build(
    *,
    root: Path | None = None,
    wheels: Path | None = None,
    postgres_base: str = POSTGRES_BASE,
    registrar_base: str = REGISTRAR_BASE,
    progress: Progress = silent,
) -> ImagesReport:
    """Build both images from a checkout; Docker's cache makes a repetition quick.

    Args:
        root: the checkout; the one that this package runs from if not given.
        wheels: a folder of wheels to use instead of a package index (pip wheel --wheel-dir FOLDER . hatchling).

    Raises:
        UsageError: there is no checkout, or no such folder.
        HceError: Docker failed, with its last words.
    """
    start = time.monotonic()
    place = root or checkout_root()
    if place is None or not (place / "registrar" / "Dockerfile").is_file():
        raise UsageError(
            f"{place or 'this installation'} is no checkout of hce-citus: there are no Dockerfiles to build from",
            remedy="Run it in a clone of the project, or take built images: pyhce images load --from FILE.",
        )
    progress(f"building {POSTGRES} from {postgres_base}")
    run_program(
        "docker", "build", "-q", "-t", POSTGRES, "--build-arg", f"BASE={postgres_base}", str(place / "postgres-citus")
    )
    progress(f"building {REGISTRAR} from {registrar_base}")
    with _build_context(place, wheels) as context:
        offline = ("--build-arg", "PIP_NO_INDEX=1") if wheels else ()
        run_program(
            "docker", "build", "-q", "-t", REGISTRAR, "-f", str(context / "registrar" / "Dockerfile"),
            "--build-arg", f"BASE={registrar_base}", *offline, str(context),
        )  # fmt: skip
    return ImagesReport(images=IMAGES, seconds=round(time.monotonic() - start, 2))


@contextmanager
def _build_context(root: Path, wheels: Path | None) -> Iterator[Path]:
    """The registrar's build context: the checkout, or a copy of what it needs with the wheels beside."""
    if wheels is None:
        yield root
        return
    found = sorted(wheels.glob("*.whl")) if wheels.is_dir() else []
    if not found:
        raise UsageError(
            f"there are no wheels in {wheels}",
            remedy="Make them where there is a package index: pip wheel --wheel-dir FOLDER . hatchling",
        )
    with tempfile.TemporaryDirectory(prefix="pyhce-images-") as made:
        context = Path(made)
        for name in _BUILD_CONTEXT_FILES:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, context / name)
        for wheel in found:
            shutil.copy2(wheel, context / "registrar" / "wheels")
        yield context


def missing_images(images: Sequence[str] = IMAGES) -> list[str]:
    """The images that Docker does not have."""
    absent = []
    for image in images:
        try:
            run_program("docker", "image", "inspect", image)
        except ProgramFailed:
            absent.append(image)
    return absent


def load(
    *, kind: str | None = None, minikube: str | None = None, archive: Path | None = None, progress: Progress = silent
) -> ImagesReport:
    """Give the images to every node of a kind or Minikube cluster; one that has them is left alone.

    Args:
        kind: a kind cluster's name.
        minikube: a Minikube profile.
        archive: a file that `save` wrote, read into Docker first.

    Raises:
        HceError: an image is missing, or the program failed.
    """
    start = time.monotonic()
    if archive is not None:
        progress(f"reading {archive}")
        run_program("docker", "load", "-i", str(archive))
    _refuse_missing()
    if kind:
        progress(f"loading the images into the kind cluster {kind}")
        run_program("kind", "load", "docker-image", *IMAGES, "--name", kind)
    if minikube:
        for image in IMAGES:
            progress(f"loading {image} into Minikube's {minikube}")
            run_program("minikube", "image", "load", image, "-p", minikube)
    where = f"kind {kind}" if kind else f"minikube {minikube}" if minikube else "docker"
    return ImagesReport(images=IMAGES, where=where, seconds=round(time.monotonic() - start, 2))


def save(to: Path, *, progress: Progress = silent) -> ImagesReport:
    """Write both images to one file, for a site without internet; a cut-off run leaves no file.

    Raises:
        HceError: an image is missing, or the file cannot be written.
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
            f"Docker has no image {', '.join(absent)}",
            remedy="Build them in a checkout with `pyhce images build`, or read a saved file: "
            "pyhce images load --from FILE",
        )
