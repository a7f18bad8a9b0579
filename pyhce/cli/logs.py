"""`-v`, `-vv` and `--log-format`, which every command takes: what `pyhce` logs, on standard error.

Each module logs to a logger with its own name, such as `pyhce.records.writing.retry`. Without `-v` nothing is shown.
`-v` shows what begins and ends, waits, retries, reconnections and lock conflicts; `-vv` adds each batch and each lock.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType

import click
from rich.text import Text

from pyhce.cli.output import error_console

_LEVELS = {"pyhce": (logging.INFO, logging.DEBUG)}
"""The loggers that are shown: their levels with -v and with -vv."""
_STYLES = {logging.DEBUG: "dim", logging.INFO: "dim", logging.WARNING: "yellow", logging.ERROR: "red"}
_VERBOSITY, _FORMAT, _HANDLER = "pyhce.verbosity", "pyhce.log_format", "pyhce.log_handler"


def _verbose_option(*names: str) -> click.Option:
    text = "Log waits, retries and lock conflicts to standard error; given twice, log more."
    return click.Option(names, count=True, expose_value=False, callback=_note_verbosity, help=text)


def _log_format_option() -> click.Option:
    formats = click.Choice(["text", "json"])
    text = "What -v prints: lines of text (the default), or a JSON object on each line."
    return click.Option(["--log-format"], type=formats, expose_value=False, callback=_note_format, help=text)


def add_log_options(command: click.Command) -> None:
    """Give a command, and every command below it, the options of the log."""
    # psql has a -v of its own: `pyhce psql -v ON_ERROR_STOP=1`.
    names = ["--verbose"] if command.name == "psql" else ["-v", "--verbose"]
    command.params += [_verbose_option(*names), _log_format_option()]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_log_options(below)


def _note_verbosity(ctx: click.Context, _: click.Parameter, value: int) -> None:
    ctx.meta[_VERBOSITY] = ctx.meta.get(_VERBOSITY, 0) + value
    _show_logs(ctx)


def _note_format(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_FORMAT] = value
        _show_logs(ctx)


def _show_logs(ctx: click.Context) -> None:
    """Show the log as the options read so far ask for, until the command line has been run to its end."""
    verbosity = ctx.meta.get(_VERBOSITY, 0)
    if not verbosity:
        return
    if _HANDLER not in ctx.meta:
        ctx.meta[_HANDLER] = ctx.find_root().with_resource(_shown())
    ctx.meta[_HANDLER].setFormatter(JsonFormatter() if ctx.meta.get(_FORMAT) == "json" else TextFormatter())
    for name, levels in _LEVELS.items():
        logging.getLogger(name).setLevel(levels[min(verbosity, len(levels)) - 1])


@contextmanager
def _shown() -> Iterator[ConsoleHandler]:
    """Send the records of the loggers to the console, and restore the loggers at the end."""
    handler = ConsoleHandler()
    loggers = [logging.getLogger(name) for name in _LEVELS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield handler
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class ConsoleHandler(logging.Handler):
    """Prints records to standard error, above the progress bar if one is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            error_console.print(Text(self.format(record), style=_STYLES.get(record.levelno, "")))
        except Exception:
            self.handleError(record)


Failure = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextFormatter(logging.Formatter):
    """A record as one line of text: time, level, logger, message."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatException(self, ei: Failure) -> str:
        """The error's type alone: its text may hold a statement's parameters, and so a patient's document."""
        return ei[0].__name__ if ei[0] else ""


class JsonFormatter(TextFormatter):
    """A record as one JSON object: time (UTC, ISO 8601), level, logger, message; the type of an error, if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The object as one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)
