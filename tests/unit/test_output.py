"""What is printed is data: never markup, and in any encoding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyhce.cli import output

CLI = Path(output.__file__).parent


@pytest.mark.parametrize("text", ["[/b]", "[red]Ana[/red]", "[/", "[link=x]", ":smile:"])
def test_markup_in_data_is_shown_as_it_is(text: str) -> None:
    made = output.new_table("name")
    output.add_row(made, text)
    with output.console.capture() as shown:
        output.console.print(text)
        output.console.print(made)
    assert shown.get().count(text) == 2
    with output.error_console.capture() as told:
        output.error_console.print(text)
    assert told.get().strip() == text


def test_no_command_asks_for_markup() -> None:
    for path in CLI.glob("*.py"):
        code = path.read_text("utf-8")
        assert "markup=True" not in code, path.name
        assert path.name == "output.py" or not re.search(r"\bConsole\(|\[/\]|\[bold", code), path.name
