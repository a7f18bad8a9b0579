"""Printed data is never read as markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyhce.cli import output

CLI = Path(output.__file__).parent


@pytest.mark.parametrize("text", ["[/b]", "[red]Ana[/red]", "[/", "[link=x]", ":smile:"])
def test_markup_in_data_is_printed_unchanged(text: str) -> None:
    table = output.new_table("name")
    output.add_row(table, text)
    with output.console.capture() as captured:
        output.console.print(text)
        output.console.print(table)
    assert captured.get().count(text) == 2
    with output.error_console.capture() as printed:
        output.error_console.print(text)
    assert printed.get().strip() == text


def test_no_command_prints_markup() -> None:
    for path in CLI.glob("*.py"):
        code = path.read_text("utf-8")
        assert "markup=True" not in code, path.name
        assert path.name == "output.py" or not re.search(r"\bConsole\(|\[/\]|\[bold", code), path.name
