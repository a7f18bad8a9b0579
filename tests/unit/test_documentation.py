"""The documents name what there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pyhce.cli import main

ROOT = Path(__file__).parents[2]


def commands(group: click.Group, path: str = "pyhce") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@pytest.mark.parametrize("path", [path for path, _ in commands(main)])
def test_every_command_is_in_the_readme_and_its_help_has_an_example(path: str) -> None:
    readme = (ROOT / "README.md").read_text()
    first, last = " ".join(path.split()[:2]), path.split()[-1]
    rows = [line for line in readme.splitlines() if line.startswith("| `pyhce") and f"`{first}" in line]
    named = [line for line in readme.splitlines() if line.startswith("| `pyhce") and f"`{last}`" in line]
    assert any(last in row for row in rows) or named, path
    assert "Example" in (dict(commands(main))[path].help or ""), path
