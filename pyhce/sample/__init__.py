"""Some twenty synthetic patients, our own invention: `tools/make_sample.py` writes them."""

from __future__ import annotations

from importlib.resources import files as _resources
from pathlib import Path

SHOWN_PATIENT = "CC-1032456789"
"""The patient whose record `pyhce up --sample` shows."""


def files() -> tuple[Path, ...]:
    """The sample's files, patients first: what follows goes straight to its home (any other order ends the same)."""
    folder = Path(str(_resources("pyhce.sample"))) / "data"
    return tuple(sorted(folder.glob("*.*json"), key=lambda path: (path.stem != "Patient", path.name)))
