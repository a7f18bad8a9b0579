"""The sample data: some twenty invented patients. `tools/make_sample.py` writes the files."""

from __future__ import annotations

from importlib.resources import files as _resources
from pathlib import Path

SHOWN_PATIENT = "CC-1032456789"
"""The document of the patient whose record `pyhce up --sample` shows."""


def files() -> tuple[Path, ...]:
    """The paths of the sample's files, patients first.

    With this order each resource is stored under its patient's document at once; any other order gives the same result.
    """
    folder = Path(str(_resources("pyhce.sample"))) / "data"
    return tuple(sorted(folder.glob("*.*json"), key=lambda path: (path.stem != "Patient", path.name)))
