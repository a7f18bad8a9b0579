"""The command line: a command calls the function of the same name in `pyhce.api` and prints its report."""

from pyhce.cli.main import main

__all__ = ["main"]
