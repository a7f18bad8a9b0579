"""The command `pyhce` and what all of its subcommands share."""

from __future__ import annotations

import io
import sys

import click

from pyhce.cli import completion, database, deployment, kubernetes, records, repair, roles
from pyhce.cli.logs import add_log_options
from pyhce.cli.output import error_console, print_error
from pyhce.errors import HceError
from pyhce.version import __version__


class Program(click.Group):
    """A group that turns our errors into words and an exit status, and leaves quietly on Ctrl-C."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a subcommand; our errors never show a traceback."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: a character that it lacks is escaped
        try:
            return super().invoke(ctx)
        except HceError as error:
            print_error(error, json_output=ctx.meta.get("pyhce.output") == "json")
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            raise  # click knows what to do when the reader leaves
        except OSError as error:
            what = f"{error.filename or 'a file'}: {error.strerror or error}"
            print_error(HceError(what, remedy="Check the path and its rights."), json_output=False)
            ctx.exit(2)
        except KeyboardInterrupt:
            error_console.print("\nInterrupted. What was finished stays; run the same command again to go on.")
            ctx.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a new user needs them."""
        return list(self.commands)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit status: 0 all right, 1 something is not as asked, 2 could not look or bad usage, 130 interrupted.",
)
@click.version_option(__version__, prog_name="pyhce")
def main() -> None:
    """An electronic health record database (HCE) on PostgreSQL + Citus: FHIR R4 in, typed tables by patient, FHIR out.

    \b
    pyhce up --sample                    a database at localhost:30007 with sample patients
    pyhce load records/                  FHIR bundles, NDJSON and single resources
    pyhce patient CC-1032456789          one patient's record
    pyhce verify                         is everything as it should be?
    pyhce up --on kind                   the same database on Kubernetes, from the chart
    """


for module in (deployment, database, records, repair, roles, kubernetes, completion):
    for command in module.COMMANDS:
        main.add_command(command)
add_log_options(main)


if __name__ == "__main__":
    sys.exit(main())
