"""Single writes for applications: open a writer on a database, wherever it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pyhce.api.database import resolve_dsn
from pyhce.records.identity import DEFAULT_RULES, read_rules
from pyhce.records.saving.writer import AsyncWriter, Writer
from pyhce.schema.declaration import SCHEMA


def connect(
    dsn: str | None = None, *, source: str = "", rules_file: Path | None = None, connections: int = 4
) -> Writer:
    """Open a database to save single resources: `with pyhce.connect(source="app") as db: db.save({…})`.

    Args:
        dsn: the coordinator; found as every command finds it if not given.
        source: the source system; FHIR ids are unique in one only.
        rules_file: which identifiers are identity documents, as for `load`.
        connections: calls at once at most.

    Raises:
        ConnectionFailed: nobody answers there.
        SchemaMismatch: the database has not the schema of this release.
        UsageError: the DSN or the rules cannot be read.
    """
    rules = read_rules(rules_file) if rules_file else DEFAULT_RULES
    return Writer(resolve_dsn(dsn), schema=SCHEMA, fuente=source, rules=rules, connections=connections)


def connect_async(
    dsn: str | None = None, *, source: str = "", rules_file: Path | None = None, connections: int = 4
) -> AsyncWriter:
    """The same for asyncio: `async with pyhce.connect_async() as db: await db.save({…})`; see `connect`."""
    return AsyncWriter(
        partial(connect, dsn, source=source, rules_file=rules_file, connections=connections), connections=connections
    )
