"""Open a writer, with which an application saves and deletes single resources."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pyhce.api.database import resolve_dsn
from pyhce.citus.failover import RECONNECT_WAIT
from pyhce.records.identity import Choice, choose_rules
from pyhce.records.saving.connections import check_connections, check_reconnect_wait
from pyhce.records.saving.writer import AsyncWriter, Writer
from pyhce.schema.declaration import SCHEMA


def connect(
    dsn: str | None = None,
    *,
    source: str = "",
    identity_rules: Choice | None = None,
    bases: Sequence[str] = (),
    repair_ids: bool = False,
    connections: int = 4,
    reconnect_wait: float = RECONNECT_WAIT,
) -> Writer:
    """Open a database to save single resources: `with pyhce.connect(source="app") as db: db.save({…})`.

    Args:
        dsn: the coordinator; if None, it is found as every command finds it, see `resolve_dsn`.
        source: the source system; FHIR ids are unique within one source.
        identity_rules: names of packs and files of rules, as for `load`.
        bases: the base URLs of the source, as for `load`.
        repair_ids: if FHIR does not allow the id of a resource, store it under an id derived from it, as for `load`.
        connections: the largest number of calls at once; further calls wait.
        reconnect_wait: after a failover, the seconds that a call waits for a node before it fails. Until then it is
            repeated, see `pyhce.records.saving.writer.Writer`.

    Raises:
        ConnectionFailed: the coordinator does not answer, or the DSN leads to a standby.
        SchemaMismatch: the database does not have the schema of this release.
        UsageError: the DSN, the rules or a base cannot be read, or a number is out of range.
    """
    rules = choose_rules(identity_rules)
    return Writer(
        resolve_dsn(dsn),
        schema=SCHEMA,
        fuente=source,
        rules=rules,
        bases=bases,
        repair_ids=repair_ids,
        connections=connections,
        reconnect_wait=reconnect_wait,
    )


def connect_async(
    dsn: str | None = None,
    *,
    source: str = "",
    identity_rules: Choice | None = None,
    bases: Sequence[str] = (),
    repair_ids: bool = False,
    connections: int = 4,
    reconnect_wait: float = RECONNECT_WAIT,
) -> AsyncWriter:
    """Open a database to save single resources from asyncio. Arguments and errors are those of `connect`.

    Both forms open the writer:

        db = await pyhce.connect_async(source="app")
        async with pyhce.connect_async(source="app") as db: ...

    With the first form, close it with `await db.close()`.
    """
    return AsyncWriter(
        partial(
            connect,
            dsn,
            source=source,
            identity_rules=identity_rules,
            bases=bases,
            repair_ids=repair_ids,
            connections=connections,
            reconnect_wait=check_reconnect_wait(reconnect_wait),
        ),
        connections=check_connections(connections),
    )
