"""Migrations: numbered, noted in `hce.migracion`; the first ones in a transaction each, later ones online."""

from __future__ import annotations

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


def applied_migrations(conn: Connection[TupleRow]) -> dict[int, str]:
    """The fingerprints of the migrations that this database has had, by number."""
    if scalar(conn, "SELECT to_regclass('hce.migracion')") is None:
        return {}
    return dict(rows(conn, "SELECT numero, huella FROM hce.migracion ORDER BY numero"))


def refuse_unknown_schema(conn: Connection[TupleRow], schema: Schema) -> None:
    """Refuse a database whose schema this release does not know.

    Raises:
        SchemaMismatch: it is newer, or one of its migrations is not ours.
    """
    had = applied_migrations(conn)
    known = {migration.number: migration.fingerprint for migration in migrations(schema)}
    if had and max(had) > max(known):
        raise SchemaMismatch(
            f"the database's schema is at migration {max(had)}, this pyhce {__version__} knows up to {max(known)}",
            remedy="Use the pyhce (or registrar image) that made it, or a newer one. Nothing was changed.",
        )
    for number, fingerprint in had.items():
        if known[number] != fingerprint:
            raise SchemaMismatch(
                f"migration {number} in the database ({fingerprint[:12]}…) is not the one of "
                f"pyhce {__version__} ({known[number][:12]}…)",
                remedy="It was made by another build: use that one, or start from an empty database. "
                "Nothing was changed.",
            )


@contextmanager
def migrated_connection(dsn: str, schema: Schema) -> Iterator[Connection[TupleRow]]:
    """A connection to a database that has the whole schema of this release; its errors are explained.

    It has the rights to write, if its role may take them.

    Raises:
        UsageError: it is one to a worker.
        ConnectionFailed: nobody answers there.
        SchemaMismatch: the schema is not there, behind this release, or ahead of it.
    """
    with connect_as_writer(dsn) as conn, explained_errors():
        refuse_worker(conn)
        refuse_incomplete_schema(conn, schema)
        yield conn


def refuse_incomplete_schema(conn: Connection[TupleRow], schema: Schema) -> None:
    """Refuse a database that has not the whole schema of this release.

    Raises:
        SchemaMismatch: the schema is not there, behind this release, or ahead of it; or a data step is not done.
    """
    refuse_unmigrated(conn, schema)
    if steps := pending_data_steps(conn, schema):
        raise SchemaMismatch(
            f"stored rows are not yet what migration {steps[0].number} says: {steps[0].name}",
            remedy="`pyhce register` changes them, and goes on where it was interrupted.",
        )


def refuse_unmigrated(conn: Connection[TupleRow], schema: Schema) -> None:
    """Refuse a database whose schema is not at the version of this release; data steps may be due.

    Raises:
        SchemaMismatch: the schema is not there, behind this release, or ahead of it.
    """
    refuse_unknown_schema(conn, schema)
    had = applied_migrations(conn)
    if len(had) < schema.version:
        raise SchemaMismatch(
            f"the database is at migration {max(had, default=0)} of {schema.version}",
            remedy="`pyhce register` brings it up to date.",
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
    """Apply what is missing; the numbers applied.

    A database without a schema gets each migration in one transaction. Later ones are applied beside readers and
    writers; see `pyhce.citus.online`.

    Args:
        time_zone: of dates without one; counts for the first migration only.
        shard_count: shards of a new table that others will be co-located with.
        lock_wait: seconds to go on trying where others hold a table.

    Raises:
        SchemaMismatch: the database is ahead of this release.
        UsageError: PostgreSQL knows no such time zone.
        HceError: others held a table all the time.
    """
    refuse_unknown_schema(conn, schema)
    if not scalar(conn, "SELECT EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = %s)", time_zone):
        raise UsageError(
            f"{time_zone!r} is not a time zone that PostgreSQL knows",
            remedy="Give a name of the IANA database, such as America/Bogota.",
        )
    had = applied_migrations(conn)
    in_use = _in_use(conn) if had else False
    by_name = {table.qualified: table for table in schema.tables}

    def place(name: str) -> None:
        if has_citus(conn) and by_name[name].qualified not in distribute.citus_tables(conn):
            distribute.distribute_table(conn, schema, by_name[name], shard_count=shard_count)

    done = []
    for migration in migrations(schema):
        if migration.number in had:
            continue
        progress(f"migration {migration.number} ({migration.name})")
        if in_use:
            apply_online(conn, migration, place=place, progress=progress, lock_wait=lock_wait)
        else:
            _apply_in_one_transaction(conn, migration, time_zone)
        done.append(migration.number)
    return done


def _in_use(conn: Connection[TupleRow]) -> bool:
    """Whether the tables have their homes: from then on there may be rows, readers and writers."""
    return not has_citus(conn) or bool(distribute.citus_tables(conn))


def _apply_in_one_transaction(conn: Connection[TupleRow], migration: Migration, time_zone: str) -> None:
    with conn.transaction():
        if has_citus(conn):
            conn.execute("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
        conn.execute("SET LOCAL client_min_messages TO warning")
        conn.execute("SELECT set_config('hce.zona_horaria', %s, true)", (time_zone,))
        conn.execute(migration.body.encode())
        conn.execute(migration.record.encode())
