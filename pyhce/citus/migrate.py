"""Migrations: which ones a database has, and applying the missing ones in order.

Each migration has a number and is recorded in `hce.migracion` with the fingerprint of its text. A database without
tables gets each migration in one transaction; a database in use gets it in parts (`pyhce/citus/online.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus import distribute
from pyhce.citus.connection import (
    Progress,
    connect_as_writer,
    explained_errors,
    has_citus,
    no_progress,
    refuse_worker,
    rows,
    scalar,
)
from pyhce.citus.data_steps import pending_data_steps
from pyhce.citus.online import LOCK_WAIT, apply_online
from pyhce.errors import SchemaMismatch, UsageError
from pyhce.schema.model import Schema
from pyhce.schema.render import Migration, migrations
from pyhce.settings import DEFAULT_SHARD_COUNT
from pyhce.version import __version__

logger = logging.getLogger(__name__)


def applied_migrations(conn: Connection[TupleRow]) -> dict[int, str]:
    """The fingerprints of the migrations that were applied to this database, by number; empty without a schema."""
    if scalar(conn, "SELECT to_regclass('hce.migracion')") is None:
        return {}
    return dict(rows(conn, "SELECT numero, huella FROM hce.migracion ORDER BY numero"))


def refuse_unknown_schema(conn: Connection[TupleRow], schema: Schema) -> None:
    """Refuse a database whose schema this release does not know.

    Raises:
        SchemaMismatch: the schema is newer than this release, or has a migration with another text.
    """
    applied = applied_migrations(conn)
    known = {migration.number: migration.fingerprint for migration in migrations(schema)}
    if applied and max(applied) > max(known):
        raise SchemaMismatch(
            f"the database's schema is at migration {max(applied)}, this pyhce {__version__} knows up to {max(known)}",
            remedy="Use the release of pyhce (or the registrar image) that made the schema, or a newer one. "
            "Nothing was changed.",
        )
    for number, fingerprint in applied.items():
        if known[number] != fingerprint:
            raise SchemaMismatch(
                f"migration {number} of the database (fingerprint {fingerprint[:12]}…) is not the one of "
                f"pyhce {__version__} ({known[number][:12]}…)",
                remedy="Another build of pyhce applied it: use that build, or start with an empty database. "
                "Nothing was changed.",
            )


@contextmanager
def migrated_connection(dsn: str, schema: Schema) -> Iterator[Connection[TupleRow]]:
    """A connection to a database that has the complete schema of this release, ready to write.

    The session's role is hce_writer if its own role is a member. Within the block, psycopg's errors become ours
    (`explained_errors`).

    Raises:
        UsageError: the DSN leads to a worker.
        ConnectionFailed: the server does not answer.
        SchemaMismatch: the schema is missing, older or newer than this release, or a data step is not finished.
    """
    with connect_as_writer(dsn) as conn, explained_errors():
        refuse_worker(conn)
        refuse_incomplete_schema(conn, schema)
        yield conn


def refuse_incomplete_schema(conn: Connection[TupleRow], schema: Schema) -> None:
    """Refuse a database that does not have the complete schema of this release, data steps included.

    Raises:
        SchemaMismatch: the schema is missing, older or newer than this release, or a data step is not finished.
    """
    refuse_unmigrated(conn, schema)
    if steps := pending_data_steps(conn, schema):
        raise SchemaMismatch(
            f"the data step {steps[0].name!r} of migration {steps[0].number} is not finished",
            remedy="Run `pyhce register`: it continues where the data step was interrupted.",
        )


def refuse_unmigrated(conn: Connection[TupleRow], schema: Schema) -> None:
    """Refuse a database whose schema is not at the version of this release; its data steps may be unfinished.

    Raises:
        SchemaMismatch: the schema is missing, or older or newer than this release.
    """
    refuse_unknown_schema(conn, schema)
    applied = applied_migrations(conn)
    if len(applied) < schema.version:
        raise SchemaMismatch(
            f"the database is at migration {max(applied, default=0)} of {schema.version}",
            remedy="Run `pyhce register` to apply the missing migrations.",
        )


def migrate(
    conn: Connection[TupleRow],
    schema: Schema,
    *,
    time_zone: str,
    shard_count: int = DEFAULT_SHARD_COUNT,
    lock_wait: float = LOCK_WAIT,
    progress: Progress = no_progress,
) -> list[int]:
    """Apply the missing migrations in order.

    A database whose tables are not distributed yet gets each migration in one transaction. Otherwise a migration is
    applied while other sessions read and write; see `pyhce/citus/online.py`.

    Args:
        conn: the coordinator, as a superuser.
        schema: the declaration.
        time_zone: time zone for dates and times that have none; counts only for migration 1.
        shard_count: number of shards of a new table that starts a colocation group.
        lock_wait: seconds for which a migration retries while other sessions hold a table.
        progress: called with one line of text for each migration and each part of one.

    Returns:
        The numbers of the migrations that were applied.

    Raises:
        SchemaMismatch: the schema is newer than this release, or has a migration with another text.
        UsageError: PostgreSQL does not know the time zone.
        HceError: other sessions held a table for the whole time.
    """
    refuse_unknown_schema(conn, schema)
    if not scalar(conn, "SELECT EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = %s)", time_zone):
        raise UsageError(
            f"PostgreSQL does not know the time zone {time_zone!r}",
            remedy="Use a name of the IANA time zone database, such as America/Bogota.",
        )
    applied = applied_migrations(conn)
    in_use = _in_use(conn) if applied else False
    by_name = {table.qualified: table for table in schema.tables}

    def place(name: str) -> None:
        if has_citus(conn) and by_name[name].qualified not in distribute.citus_tables(conn):
            distribute.distribute_table(conn, schema, by_name[name], shard_count=shard_count)

    done = []
    for migration in migrations(schema):
        if migration.number in applied:
            continue
        progress(f"migration {migration.number} ({migration.name})")
        logger.info("applying migration %d (%s)%s", migration.number, migration.name, " online" if in_use else "")
        if in_use:
            apply_online(conn, migration, place=place, progress=progress, lock_wait=lock_wait)
        else:
            _apply_in_one_transaction(conn, migration, time_zone)
        done.append(migration.number)
    return done


def _in_use(conn: Connection[TupleRow]) -> bool:
    """Whether there may be rows, readers and writers: on Citus, once the first table is distributed."""
    return not has_citus(conn) or bool(distribute.citus_tables(conn))


def _apply_in_one_transaction(conn: Connection[TupleRow], migration: Migration, time_zone: str) -> None:
    with conn.transaction():
        if has_citus(conn):
            conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        conn.execute("SET LOCAL client_min_messages TO warning")
        conn.execute("SELECT set_config('hce.zona_horaria', %s, true)", (time_zone,))
        conn.execute(migration.body.encode())
        conn.execute(migration.record.encode())
