"""The built wheel in an empty virtual environment, away from the checkout: what `pip install pyhce` gives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from pyhce.version import __version__
from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # pip fetches what the wheel needs


class Installation:
    """The wheel with the extras `local` and `k8s`, installed into a virtual environment.

    Args:
        folder: holds the virtual environment and the wheel, and is the working folder of every command.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.home = folder / "home"
        hidden = ("PYHCE_", "PYTHONPATH", "PG")
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        self._environment |= {"PYHCE_HOME": str(self.home), "PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}"}

    def run(self, *command: object, status: int = 0) -> str:
        """Run a command that ends with a status; its standard output, or its error where the status is not 0."""
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=self.folder, env=self._environment, capture_output=True, text=True)
        assert done.returncode == status, f"{words}: {done.stdout}{done.stderr}"
        return done.stderr if status else done.stdout


@pytest.fixture(scope="module")
def installation(embedded_engine: local.Engine) -> Iterator[Installation]:
    """The wheel, built from the checkout and installed away from it."""
    folder = Path(tempfile.mkdtemp(prefix="pyhce-wheel-"))
    folder.chmod(0o755)  # the server's account runs the PostgreSQL of the virtual environment
    made = Installation(folder)
    try:
        made.run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
        (wheel,) = folder.glob("pyhce-*.whl")
        made.run(sys.executable, "-m", "venv", folder / "venv")
        made.run(folder / "venv" / "bin" / "pip", "install", "--quiet", f"{wheel}[local,k8s]")
        yield made
        made.run("pyhce", "down")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_version_is_that_of_the_checkout(installation: Installation) -> None:
    assert __version__ in installation.run("pyhce", "--version")
    where = installation.run("python", "-c", "import pyhce; print(pyhce.__file__)")
    assert where.startswith(str(installation.folder / "venv"))


def test_a_database_starts_loads_verifies_and_stops(installation: Installation) -> None:
    patient = installation.folder / "Patient.ndjson"
    patient.write_text('{"resourceType": "Patient", "id": "1", "active": true}\n')
    installation.run("pyhce", "up", "--no-citus", "--port", installation.port)
    loaded = installation.run("pyhce", "load", patient, "--output", "json")
    assert json.loads(loaded)["new"] == 1
    installation.run("pyhce", "verify")
    installation.run("pyhce", "down")


def test_the_chart_is_in_the_package_and_helm_renders_it(installation: Installation) -> None:
    chart = installation.run("python", "-c", "from pyhce.deploy import chart; print(chart.find_chart())").strip()
    assert Path(chart).is_relative_to(installation.folder / "venv")
    shipped = {path.relative_to(chart) for path in Path(chart).rglob("*") if path.is_file()}
    in_checkout = ROOT / "charts" / "hce-citus"
    assert shipped == {path.relative_to(in_checkout) for path in in_checkout.rglob("*") if path.is_file()}
    if shutil.which("helm") is None:
        pytest.skip("helm is not on PATH")
    rendered = installation.run("helm", "template", "hce", chart, "--kube-version", "1.34.0")
    assert "kind: StatefulSet" in rendered


def test_values_are_generated_without_the_checkout(installation: Installation) -> None:
    to = installation.folder / "values.yaml"
    installation.run("pyhce", "generate", "values", "--patients", "1000", "--platform", "kind", "--to", to)
    assert "worker:" in to.read_text()


def test_images_are_not_built_without_a_checkout_and_the_error_says_what_to_do(installation: Installation) -> None:
    told = installation.run("pyhce", "images", "build", status=2)
    assert "checkout" in told
    assert "pyhce images load --from" in told
