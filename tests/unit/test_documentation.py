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
    assert "Example" in (dict(commands(main))[path].help or ""), path
    for name in ("README.md", "README.es.md"):
        assert named_in((ROOT / name).read_text(), path), f"{path} is not in {name}"


def named_in(readme: str, path: str) -> bool:
    """Whether a row of the table of commands names it."""
    first, last = " ".join(path.split()[:2]), path.split()[-1]
    table = [line for line in readme.splitlines() if line.startswith("| `pyhce")]
    return any((f"`{first}" in row and last in row) or f"`{last}`" in row for row in table)
