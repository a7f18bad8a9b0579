"""The command `pyhce`: its subcommands in the order of --help, and how errors and interruptions end it."""

from __future__ import annotations

import io
import sys

import click

from pyhce.cli import (
    completion,
    drill,
    erase,
    export,
    generate,
    images,
    install,
    ledger,
    load,
    patient,
    psql,
    register,
    repair,
    roles,
    standbys,
    up,
    verify,
)
from pyhce.cli.logs import add_log_options
from pyhce.cli.output import error_console, print_error
from pyhce.errors import HceError
from pyhce.version import __version__


class Program(click.Group):
    """A group that prints our errors without a traceback and ends with their exit status."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a subcommand."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # As on standard error: a character that the encoding lacks is printed as an escape.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except HceError as error:
            print_error(error, json_output=ctx.meta.get("pyhce.output") == "json")
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            raise  # click ends the program quietly when the reader of a pipe has gone
        except OSError as error:
            what = f"{error.filename or 'a file'}: {error.strerror or error}"
            print_error(HceError(what, remedy="Check the path and its permissions."), json_output=False)
            ctx.exit(2)
        except KeyboardInterrupt:
            error_console.print("\nInterrupted. Finished work is kept; run the same command again to continue.")
            ctx.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The subcommands in the order in which a new user needs them."""
        return list(self.commands)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit status: 0 success, 1 failure (such as a failed check or a rejected resource), 2 usage or connection "
    "error, 130 interrupted.",
)
@click.version_option(__version__, prog_name="pyhce")
def main() -> None:
    """An electronic health record database (HCE) on PostgreSQL and Citus.

    It loads FHIR R4, stores it in typed tables that are distributed by patient, and exports FHIR.

    \b
    pyhce up --sample                    start a database at localhost:30007 with sample patients
    pyhce load records/                  load FHIR bundles, NDJSON and single resources
    pyhce patient CC-1032456789          show one patient's record
    pyhce verify                         check nodes, schema and data
    pyhce up --on kind                   run the same database on Kubernetes, from the chart
    """


for command in (
    up.up,
    up.down,
    psql.psql,
    psql.env,
    register.register,
    generate.generate,
    verify.verify,
    verify.status,
    standbys.switchover,
    standbys.reinit,
    standbys.pause,
    load.load,
    export.export,
    patient.patient,
    erase.erase,
    repair.repair,
    roles.role_group,
    install.install,
    install.upgrade,
    install.uninstall,
    images.images_group,
    drill.drill,
    ledger.ledger,
    completion.completion,
):
    main.add_command(command)
add_log_options(main)


if __name__ == "__main__":
    sys.exit(main())
