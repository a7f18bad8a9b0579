"""What an error of PostgreSQL or Citus means: a lost node, or a schema that was migrated meanwhile."""

from __future__ import annotations

import re

import psycopg

from pyhce.errors import ConnectionFailed, SchemaMismatch

READ_ONLY = "25006"
"""SQLSTATE of a write on a server that takes none: a standby, or a leader that became one."""
_LOST_STATES = frozenset({"57P01", "57P02", "57P03", "57P05", READ_ONLY})
_LOST_MESSAGES = re.compile(
    "failure on connection marked as essential|postmaster was shut down|terminating connection"
    "|server closed the connection unexpectedly|connection not open|could not (receive data from|send data to) server"
    "|failed to COPY to shard"
)
"""Messages of Citus about a lost worker whose SQLSTATE does not say so: XX000, and 58030 of a COPY."""
_TWO_RESULTS = re.compile("received [0-9]+ results from command")
"""psycopg's error, without a SQLSTATE, for a server that answers a COMMIT and is shut down at that moment.

Its two results are the end of the transaction and `terminating connection due to administrator command`.
"""
_MIGRATED = re.compile(r"\bsin_(\w+?)_check(_\d+)?\b")
"""The constraint that a migration adds to a generic table (`pyhce.records.upgrading.table_step`).

On Citus its name ends with the number of the shard, and only the error's message names it.
"""


def error_line(error: psycopg.Error) -> str:
    """The first line of the server's message, without what may name a patient: statement, parameters, DETAIL."""
    lines = str(error.diag.message_primary or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def is_node_lost(error: BaseException | None) -> bool:
    """Whether an error means that a node was lost: the server, or a node behind it. The same work may succeed later."""
    if isinstance(error, ConnectionFailed):
        return is_node_lost(error.__cause__)
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError) or _TWO_RESULTS.match(str(error)) is not None
    if error.sqlstate in {"XX000", "58030"}:
        return bool(_LOST_MESSAGES.search(error_line(error)))
    return error.sqlstate in _LOST_STATES or error.sqlstate.startswith("08")


def refuse_migrated(error: psycopg.Error) -> None:
    """End a run whose resources belong in another table since a migration that was applied during the run.

    Raises:
        SchemaMismatch: the error comes from the constraint that the migration added to the former table.
    """
    if isinstance(error, psycopg.errors.CheckViolation) and (found := _MIGRATED.search(error_line(error))):
        raise SchemaMismatch(
            f"the schema was migrated during this run: these resources now belong in the table {found[1]}",
            remedy="Wait until `pyhce register` has ended. Then run the same command again, or restart the "
            "application, with the release of pyhce that made the schema.",
        ) from error
