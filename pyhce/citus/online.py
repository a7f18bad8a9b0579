"""Apply a migration to a database in use, in parts, so that readers and writers wait only briefly.

Every statement of a migration can run twice. Therefore a migration is split into parts, and each part that locks an
existing table is a transaction of its own:

- A part waits at most LOCK_TIMEOUT for a lock. Without this limit, ALTER TABLE behind an export of one hour would wait
  for an hour, and every reader that comes later would wait behind ALTER TABLE. Instead the part fails after one second,
  readers go first for PAUSE seconds, and the part is tried again.
- An index on an existing table is built concurrently, outside of a transaction; see `pyhce/citus/indexes.py`.
- A new table is created and distributed in one transaction.
- Recomputed typed columns rewrite their table once; see `pyhce/citus/recomputed_columns.py`.

For example, a migration that adds the table `cuenta` for the FHIR type Account, and a column with an index to `alerta`,
has five parts:

    1  CREATE TABLE public.cuenta …, its privileges, comments and indexes; then it is distributed
    2  ALTER TABLE public.alerta ADD COLUMN …, and the column's comment: locks alerta
    3  CREATE INDEX CONCURRENTLY … ON public.alerta: not in a transaction
    4  CREATE FUNCTION hce.guardar_cuenta …, its comment and privileges: locks no table
    5  ALTER TABLE public.recurso_paciente ADD CONSTRAINT sin_cuenta_check …: locks recurso_paciente

The migration is recorded in `hce.migracion` after its last part. If the process is killed, finished parts stay; the
next run executes all parts again. On Citus the lock timeout is sent to the workers with the transaction
(`citus.propagate_set_commands`), because a lock may be held on a worker only.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import partial

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, has_citus, rows
from pyhce.citus.indexes import build_index
from pyhce.citus.recomputed_columns import is_recomputed, refuse_dependents
from pyhce.errors import HceError
from pyhce.schema.frozen import statements
from pyhce.schema.model import Frozen
from pyhce.schema.render import Migration

logger = logging.getLogger(__name__)

LOCK_TIMEOUT = 1.0
"""Seconds for which a part waits for a lock. A reader behind a part that does not get its lock waits no longer."""
PAUSE = 2.0
"""Seconds between two attempts, in which waiting readers get their turn."""
LOCK_WAIT = 4 * 3600.0
"""Seconds after which a migration stops retrying and fails."""

_CREATE_TABLE = re.compile(r"CREATE TABLE(?: IF NOT EXISTS)? ([a-z0-9_.]+)")
_CREATE_INDEX = re.compile(r"CREATE INDEX(?: IF NOT EXISTS)? ([a-z0-9_]+) ON ([a-z0-9_.]+)")
_ALTER_TABLE = re.compile(r"ALTER TABLE ([a-z0-9_.]+)\s+(?:ADD|DROP) (?:COLUMN|CONSTRAINT)")
_LOCK_ERRORS = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

PlaceTable = Callable[[str], None]
"""A function that distributes a new table, given its name with schema, inside the caller's transaction."""


class MigrationPart(Frozen):
    """Statements of a migration that run in one transaction, or that build one index.

    Args:
        statements: SQL statements, in order.
        creates: the new table that the part creates, with schema.
        alters: the existing table that the part locks, with schema.
        index: the index that the part builds on the table `alters`.
    """

    statements: tuple[str, ...]
    creates: str | None = None
    alters: str | None = None
    index: str | None = None


def migration_parts(body: str) -> tuple[MigrationPart, ...]:
    """The statements of a migration in their order, grouped into parts."""
    parts: list[MigrationPart] = []
    new_tables: set[str] = set()
    for statement in statements(body):
        part = _part(statement, new_tables)
        if part.creates:
            new_tables.add(part.creates)
        if parts and _belongs(part, parts[-1]):
            parts[-1] = parts[-1].model_copy(update={"statements": (*parts[-1].statements, statement)})
        else:
            parts.append(part)
    return tuple(parts)


def _part(statement: str, new_tables: set[str]) -> MigrationPart:
    if table := _CREATE_TABLE.match(statement):
        return MigrationPart(statements=(statement,), creates=table[1])
    if (index := _CREATE_INDEX.match(statement)) and index[2] not in new_tables:
        return MigrationPart(statements=(statement,), alters=index[2], index=index[1])
    altered = _ALTER_TABLE.match(statement)
    return MigrationPart(
        statements=(statement,), alters=altered[1] if altered and altered[1] not in new_tables else None
    )


def _belongs(part: MigrationPart, last: MigrationPart) -> bool:
    """Whether a statement can join the previous part: it concerns the same table, or no existing table is locked."""
    if part.index or last.index or part.creates:
        return False
    if part.alters:
        return part.alters == last.alters
    table = last.creates or last.alters
    return table is None or re.search(rf"{re.escape(table)}\b", part.statements[0].split("$$")[0]) is not None


def apply_online(
    conn: Connection[TupleRow],
    migration: Migration,
    *,
    place: PlaceTable,
    progress: Progress,
    lock_wait: float = LOCK_WAIT,
) -> None:
    """Apply a migration to a database in use, and record it in `hce.migracion`.

    Args:
        conn: the coordinator, in autocommit mode, as a superuser.
        migration: the migration.
        place: called for each new table, in the transaction that creates it.
        progress: called with one line of text for each part and each wait.
        lock_wait: seconds for which the migration retries while other sessions hold a table.

    Raises:
        HceError: another session held a table for the whole time (finished parts stay, the next run continues), or a
            view, an index or a privilege of the site depends on a column that the migration recomputes.
    """
    refuse_dependents(conn, statements(migration.body))
    deadline = time.monotonic() + lock_wait
    every = migration_parts(migration.body)
    for number, part in enumerate(every, 1):
        what = f"migration {migration.number}, part {number} of {len(every)}"
        progress(f"{what}: {_subject(part)}")
        apply = partial(_apply, conn, part, place)
        retry_for_lock(conn, part.alters or part.creates, apply, what, deadline, progress)
    with conn.transaction():
        conn.execute(migration.record.encode())


def retry_for_lock(
    conn: Connection[TupleRow],
    table: str | None,
    action: Callable[[], None],
    what: str,
    deadline: float,
    progress: Progress,
) -> None:
    """Call a function that locks a table, and call it again while another session holds the table.

    Args:
        table: the table, with schema; None if the function locks no single table.
        action: the function; it raises LockNotAvailable or DeadlockDetected if it did not get its lock.
        what: name of the step, for messages.
        deadline: when to give up, in seconds of `time.monotonic()`.

    Raises:
        HceError: another session held the table until the deadline; the message has its process id.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return action()
        except _LOCK_ERRORS as error:
            subject = table or "the objects that it changes"
            holder = _lock_holder(conn, table) if table else "another session"
            if time.monotonic() >= deadline:
                raise HceError(
                    f"{what} could not lock {subject}: it is held by {holder}",
                    remedy="Wait until that session ends, or end it with SELECT pg_terminate_backend(PID), then run "
                    "`pyhce register` again: finished parts stay.",
                ) from error
            progress(f"{what}: {subject} is held by {holder}; retrying in {PAUSE:.0f} s")
            logger.warning(
                "%s: lock conflict on %s, held by %s; attempt %d failed, retrying in %.1f s",
                what,
                subject,
                holder,
                attempt,
                PAUSE,
            )
            time.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))


def _subject(part: MigrationPart) -> str:
    if part.index:
        return f"index {part.index}, built concurrently"
    if part.creates:
        return f"table {part.creates}"
    return f"table {part.alters}" if part.alters else "functions, comments and privileges"


def _lock_holder(conn: Connection[TupleRow], table: str) -> str:
    """A description of the session that holds a table, with its process id; the oldest transaction if several do."""
    found = rows(
        conn,
        "SELECT a.pid, a.application_name, (now() - a.xact_start)::interval(0)::text"
        " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.relation = to_regclass(%s) AND l.granted AND a.pid <> pg_backend_pid()"
        " ORDER BY a.xact_start LIMIT 1",
        table,
    )
    if not found:
        return "a session that has ended since, or a session on a worker"
    pid, name, age = found[0]
    return f"process {pid} ({name or 'no application name'}, transaction open for {age})"


def _apply(conn: Connection[TupleRow], part: MigrationPart, place: PlaceTable) -> None:
    if part.index:
        build_index(conn, part.index, str(part.alters), part.statements[0])
        return
    remaining = [statement for statement in part.statements if not is_recomputed(conn, statement)]
    with conn.transaction():
        configure_schema_change(conn)
        for statement in remaining:
            conn.execute(statement.encode())
        if part.creates:
            place(part.creates)


def configure_schema_change(conn: Connection[TupleRow]) -> None:
    """Set the options with which every transaction that changes the schema of a database in use begins."""
    if has_citus(conn):
        conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        conn.execute("SET LOCAL citus.propagate_set_commands TO 'local'")
    conn.execute(f"SET LOCAL lock_timeout TO {int(LOCK_TIMEOUT * 1000)}".encode())
    conn.execute("SET LOCAL client_min_messages TO warning")
