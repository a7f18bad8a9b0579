"""Help, -v, --log-format and completion of every command."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from pyhce.cli.logs import add_log_options
from pyhce.cli.main import main

LOADING = logging.getLogger("pyhce.records.loading")


@click.group()
def program() -> None:
    """A program with the log's options."""


@program.command()
def work() -> None:
    """Log at every level."""
    LOADING.debug("batch 1")
    LOADING.warning("attempt 1 of 12")
    try:
        raise ValueError("CC-1032456789")
    except ValueError:
        LOADING.warning("failed", exc_info=True)
    click.echo("done")


add_log_options(program)


def run(*arguments: str) -> tuple[str, list[str]]:
    """Standard output and the lines of standard error."""
    done = CliRunner().invoke(program, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout, done.stderr.splitlines()


@pytest.fixture(autouse=True)
def console_on_current_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """The console writes to what standard error is during the call, and not to a file that an import kept."""
    from pyhce.cli import output

    monkeypatch.setattr(output.error_console, "_file", None)


@pytest.fixture(autouse=True)
def loggers_are_restored() -> Iterator[None]:
    logger = logging.getLogger("pyhce")
    before = logger.level, list(logger.handlers)
    yield
    assert (logger.level, list(logger.handlers)) == before


def test_nothing_is_logged_without_v() -> None:
    assert run("work") == ("done\n", [])


@pytest.mark.parametrize("arguments", [("-v", "work"), ("work", "-v"), ("work", "--verbose")])
def test_v_shows_warnings_before_or_after_the_command(arguments: tuple[str, ...]) -> None:
    _, lines = run(*arguments)
    assert [line.split(maxsplit=2)[2] for line in lines[:1]] == ["WARNING pyhce.records.loading: attempt 1 of 12"]
    assert not any("batch 1" in line for line in lines)


@pytest.mark.parametrize("arguments", [("-vv", "work"), ("-v", "work", "-v"), ("work", "-vvv")])
def test_vv_shows_each_batch(arguments: tuple[str, ...]) -> None:
    assert any("batch 1" in line for line in run(*arguments)[1])


def test_the_text_of_an_error_is_not_logged_as_it_may_hold_a_document() -> None:
    _, lines = run("work", "-vv")
    assert lines[-1] == "ValueError"
    assert not any("1032456789" in line for line in lines)


def test_json_is_one_object_on_each_line() -> None:
    _, lines = run("--log-format", "json", "work", "-v")
    records = [json.loads(line) for line in lines]
    assert [(r["level"], r["logger"], r["message"]) for r in records] == [
        ("WARNING", "pyhce.records.loading", "attempt 1 of 12"),
        ("WARNING", "pyhce.records.loading", "failed"),
    ]
    assert records[1]["error"] == "ValueError"


def every_command(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from every_command(below)


def test_every_command_takes_the_options_of_the_log_and_psql_keeps_its_own_v() -> None:
    for command in every_command(main):
        names = {name for parameter in command.params for name in parameter.opts}
        assert {"--verbose", "--log-format"} <= names, command.name
        assert ("-v" in names) == (command.name != "psql"), command.name


def test_every_command_and_option_has_a_help_text_of_full_sentences() -> None:
    for command in every_command(main):
        assert command.get_short_help_str(200).endswith("."), command.name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help and parameter.help.rstrip(")").endswith("."), (command.name, parameter.opts)


def complete(words: str, index: int) -> list[str]:
    """What bash is offered for a word of a command line."""
    environment = {**os.environ, "_PYHCE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}
    command = [sys.executable, "-c", "from pyhce.cli import main; main(prog_name='pyhce')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_and_options_are_completed() -> None:
    assert complete("pyhce ver", 1) == ["verify"]
    assert complete("pyhce load --max", 2) == ["--max-resource-size"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_the_shell_can_read(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell], prog_name="pyhce")
    assert done.exit_code == 0
    assert f"_PYHCE_COMPLETE={shell}_complete" in done.stdout
    program = shutil.which(shell)
    if program:
        subprocess.run([program, "-n"], input=done.stdout, text=True, check=True, timeout=60)
