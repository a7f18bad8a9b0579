"""The workflows of the forge."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.run import TIERS

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_actionlint_accepts_every_workflow() -> None:
    program = shutil.which("actionlint", path=f"{os.environ['PATH']}{os.pathsep}{ROOT / '.tools' / 'bin'}")
    if program is None:
        pytest.skip("there is no actionlint; to enable: python tools/install_tools.py actionlint")
    done = subprocess.run([program, "-no-color", *WORKFLOWS], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_has_a_time_limit_and_the_workflow_restricts_its_token(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job] == []


def test_every_folder_of_tests_is_a_tier() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders == set(TIERS)
