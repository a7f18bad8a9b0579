"""`pyhce completion`: completion of commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_PROGRAM, _VARIABLE = "pyhce", "_PYHCE_COMPLETE"
"""The script calls the program with this variable, as click expects it: click derives its name from the program's."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands and options in your shell.

    \b
    Examples:
      source <(pyhce completion bash)                                   this session; add the line to ~/.bashrc
      pyhce completion zsh > "${fpath[1]}/_pyhce"                       every session
      pyhce completion fish > ~/.config/fish/completions/pyhce.fish     every session
    """
    script = get_completion_class(shell)
    assert script is not None  # noqa: S101 - click has each of the choices
    click.echo(script(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
