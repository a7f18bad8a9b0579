"""Write the reference of all commands for the documentation site: the `--help` of each, one section a command.

    python tools/make_command_reference.py docs/commands.md

`make docs` runs it; the file is not committed, because it repeats what the program says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from pyhce.cli import main

WIDTH = 100
TITLE = """# Commands

Every command with its options and examples, as `pyhce COMMAND --help` prints them. The table in the README gives an overview.
"""


def sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """Markdown for a command, then for each command of its group."""
    if context.parent is None:
        yield f"{TITLE}\n```text\n{command.get_help(context)}\n```\n"
    else:
        yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            if child.hidden:
                continue
            yield from sections(child, child.context_class(child, info_name=name, parent=context))


def reference() -> str:
    """The page as Markdown."""
    settings = {**main.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    return "\n".join(sections(main, main.context_class(main, info_name="pyhce", **settings)))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
