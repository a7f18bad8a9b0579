"""Render the chart with Helm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "hce-citus"
Objects = dict[tuple[str, str], dict[str, Any]]


def helms() -> dict[str, str]:
    """The helm programs of this machine: the one on PATH, and those of `make tools` (3.22 and 4.3)."""
    programs = {"helm on PATH": shutil.which("helm")}
    for name in ("helm", "helm4"):
        tool = ROOT / ".tools" / "bin" / name
        programs[f".tools/bin/{name}"] = str(tool) if tool.exists() else None
    return {name: path for name, path in programs.items() if path}


def render(
    *options: str, release: str = "hce", namespace: str = "clinical-database", helm: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `helm template` on the chart."""
    program = helm or next(iter(helms().values()))
    return subprocess.run(
        [program, "template", release, str(CHART), "-n", namespace, "--kube-version", "1.34.0", *options],
        capture_output=True, text=True,
    )  # fmt: skip


def objects(*options: str, **where: str) -> Objects:
    """The rendered objects by kind and name."""
    done = render(*options, **where)
    assert done.returncode == 0, done.stderr
    return {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(done.stdout) if o}


def pod_specs(rendered: Objects) -> list[dict[str, Any]]:
    """The pod specs of all StatefulSets, Jobs and pods."""
    templates = [o["spec"]["template"]["spec"] for o in rendered.values() if o["kind"] in {"StatefulSet", "Job"}]
    return [*templates, *(o["spec"] for o in rendered.values() if o["kind"] == "Pod")]
