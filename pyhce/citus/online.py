"""A migration on a database in use: in parts, so that no part keeps a reader waiting for long.

The statements of a migration can run twice. So each part that locks a table that is there is a transaction of its own:

- It waits for its locks for LOCK_TIMEOUT at most. Behind an export that runs for an hour, ALTER TABLE would wait for
  an hour, and every later reader of the table behind it. So it gives up, lets the readers pass, and tries again.
- An index on a table that is there is built concurrently, outside of a transaction; see `pyhce/citus/indexes.py`.
- A new table is created and distributed in one transaction.
- Typed columns that are computed anew rewrite their table once; see `pyhce/citus/recomputed_columns.py`.

The migration is noted in `hce.migracion` after its last part. A kill at any moment leaves parts that are whole, and the
next run goes through all of them again. On Citus the time-out goes to the nodes with the transaction
(`citus.propagate_set_commands`), since a lock may be held on a worker alone.
"""

from __future__ import annotations

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

LOCK_TIMEOUT = 1.0
"""Seconds that a part waits for a lock, and so the longest that a reader waits for a part that does not get it."""
PAUSE = 2.0
"""Seconds in which readers pass before the next attempt."""
LOCK_WAIT = 4 * 3600.0
"""Seconds of attempts, in all, before a migration gives up."""

_CREATE_TABLE = re.compile(r"CREATE TABLE(?: IF NOT EXISTS)? ([a-z0-9_.]+)")
_CREATE_INDEX = re.compile(r"CREATE INDEX(?: IF NOT EXISTS)? ([a-z0-9_]+) ON ([a-z0-9_.]+)")
_ALTER_TABLE = re.compile(r"ALTER TABLE ([a-z0-9_.]+)\s+(?:ADD|DROP) (?:COLUMN|CONSTRAINT)")
_LOCK_ERRORS = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

PlaceTable = Callable[[str], None]
"""Gives a new table, by its name with its schema, its home; inside the caller's transaction."""


class MigrationPart(Frozen):
    """Statements of a migration that are one transaction, or one index.

    Args:
        creates: the table that it makes.
        alters: the table that it locks, and that is there.
        index: the index that it builds, on the table `alters`.
    """

    statements: tuple[str, ...]
    creates: str | None = None
    alters: str | None = None
    index: str | None = None


def migration_parts(body: str) -> tuple[MigrationPart, ...]:
    """A migration's statements, in their order, in parts."""
    found: list[MigrationPart] = []
    made: set[str] = set()
    for statement in statements(body):
        part = _part(statement, made)
        if part.creates:
            made.add(part.creates)
        if found and _belongs(part, found[-1]):
            found[-1] = found[-1].model_copy(update={"statements": (*found[-1].statements, statement)})
        else:
            found.append(part)
    return tuple(found)


def _part(statement: str, made: set[str]) -> MigrationPart:
    if table := _CREATE_TABLE.match(statement):
        return MigrationPart(statements=(statement,), creates=table[1])
    if (index := _CREATE_INDEX.match(statement)) and index[2] not in made:
        return MigrationPart(statements=(statement,), alters=index[2], index=index[1])
    altered = _ALTER_TABLE.match(statement)
    return MigrationPart(statements=(statement,), alters=altered[1] if altered and altered[1] not in made else None)


def _belongs(part: MigrationPart, last: MigrationPart) -> bool:
    """Whether a statement goes on with the part before it: the same table, or neither locks one."""
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
    """Apply a migration to a database that is in use, and note it.

    Args:
        place: called for each table that the migration makes, in the transaction that makes it.
        lock_wait: seconds to go on trying where others hold a table.

    Raises:
        HceError: others held a table all the time, and what was done stays, for the next run to go on from; or this
            site uses a column that is computed anew.
    """
    refuse_dependents(conn, statements(migration.body))
    deadline = time.monotonic() + lock_wait
    every = migration_parts(migration.body)
    for number, part in enumerate(every, 1):
        what = f"migration {migration.number}, part {number} of {len(every)}"
        progress(f"{what}: {_subject(part)}")
        deed = partial(_apply, conn, part, place)
        retry_for_lock(conn, part.alters or part.creates, deed, what, deadline, progress)
    with conn.transaction():
        conn.execute(migration.record.encode())


def retry_for_lock(
    conn: Connection[TupleRow],
    table: str | None,
    deed: Callable[[], None],
    what: str,
    deadline: float,
    progress: Progress,
) -> None:
    """Do something that locks a table, again and again until it gets the lock.

    Raises:
        HceError: others held it until the deadline.
    """
    while True:
        try:
            return deed()
        except _LOCK_ERRORS as error:
            subject = table or "what it changes"
            holder = _lock_holder(conn, table) if table else "another session"
            if time.monotonic() >= deadline:
                raise HceError(
                    f"{what} could not lock {subject}: it is held by {holder}",
                    remedy="Let that session finish, or end it, and run `pyhce register` again: it goes on from there.",
                ) from error
            progress(f"{what}: {subject} is held by {holder}; trying again, readers pass meanwhile")
            time.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))


def _subject(part: MigrationPart) -> str:
    if part.index:
        return f"index {part.index}, built concurrently"
    if part.creates:
        return f"table {part.creates}"
    return f"table {part.alters}" if part.alters else "functions, descriptions and privileges"


def _lock_holder(conn: Connection[TupleRow], table: str) -> str:
    """The session that has held a table for the longest."""
    found = rows(
        conn,
        "SELECT a.pid, a.application_name, (now() - a.xact_start)::interval(0)::text"
        " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.relation = to_regclass(%s) AND l.granted AND a.pid <> pg_backend_pid()"
        " ORDER BY a.xact_start LIMIT 1",
        table,
    )
    if not found:
        return "a session that is gone by now, or one on a worker"
    pid, name, age = found[0]
    return f"process {pid} ({name or 'no application name'}, in a transaction for {age})"


def _apply(conn: Connection[TupleRow], part: MigrationPart, place: PlaceTable) -> None:
    if part.index:
        build_index(conn, part.index, str(part.alters), part.statements[0])
        return
    due = [statement for statement in part.statements if not is_recomputed(conn, statement)]
    with conn.transaction():
        configure_schema_change(conn)
        for statement in due:
            conn.execute(statement.encode())
        if part.creates:
            place(part.creates)


def configure_schema_change(conn: Connection[TupleRow]) -> None:
    """What every transaction that changes the schema of a database in use begins with."""
    if has_citus(conn):
        conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        conn.execute("SET LOCAL citus.propagate_set_commands TO 'local'")
    conn.execute(f"SET LOCAL lock_timeout TO {int(LOCK_TIMEOUT * 1000)}".encode())
    conn.execute("SET LOCAL client_min_messages TO warning")
