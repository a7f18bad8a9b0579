"""End the sessions of an older release that are still open after a migration changed the protocol of writers.

pyhce checks the version of the schema when it connects. A load of an older release that connected before the migration
would continue with its own locks and its own form of documents, and would copy rows directly into the tables. So its
sessions are ended: the transaction is rolled back, the load stops with an error, and a new connection is refused.
"""

from __future__ import annotations

import logging
import time

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, scalar
from pyhce.counted import counted
from pyhce.errors import HceError

logger = logging.getLogger(__name__)

APPLICATION = "pyhce"
"""The application name of our sessions (`pyhce.citus.connection.complete_dsn`), unless the DSN sets another one."""
EXPORT_AFTER = 10.0
"""Seconds. A session that reads for longer in one transaction is taken for an export and may finish."""
PAUSE = 0.5
"""Seconds between two looks at the open sessions."""
END_TIMEOUT = 120.0
"""Seconds after which a session that does not end is an error."""

_OTHERS = """
SELECT pid, backend_xid IS NOT NULL OR state = 'idle'
FROM pg_stat_activity
WHERE application_name = %(name)s AND backend_type = 'client backend' AND datname = current_database()
    AND pid <> pg_backend_pid() AND backend_start < %(since)s
    AND (backend_xid IS NOT NULL OR state = 'idle' OR xact_start > clock_timestamp() - %(reader)s * interval '1 s')
"""
"""The process ids, each with whether the session can be ended now: it has changed something, or is idle."""


def end_older_sessions(conn: Connection[TupleRow], progress: Progress) -> int:
    """End the sessions of pyhce that are open now, except this one and running exports.

    A session that only reads may be about to write, so it is checked again every PAUSE seconds until it has ended, is
    ended, or has become an export (EXPORT_AFTER).

    Returns:
        The number of sessions that were ended.

    Raises:
        HceError: a session did not end within END_TIMEOUT seconds.
    """
    deadline = time.monotonic() + END_TIMEOUT
    since = scalar(conn, "SELECT clock_timestamp()")
    values = {"name": APPLICATION, "since": since, "reader": EXPORT_AFTER}
    ended: set[int] = set()
    while found := conn.execute(_OTHERS, values).fetchall():
        for pid, can_end in found:
            if can_end and pid not in ended:
                logger.info("ending process %d, a session that was open before the migration", pid)
                scalar(conn, "SELECT pg_terminate_backend(%s::integer, 0::bigint)", pid)
                ended.add(pid)
        if time.monotonic() >= deadline:
            raise HceError(
                f"process {found[0][0]}, a session that was open before the migration, did not end within "
                f"{END_TIMEOUT:.0f} s",
                remedy="Stop that program and run `pyhce register` again: it continues.",
            )
        time.sleep(PAUSE)
    if ended:
        open_before = counted(len(ended), "session that was open", "sessions that were open")
        progress(f"ended {open_before} before the migration; run an interrupted load again")
    return len(ended)
