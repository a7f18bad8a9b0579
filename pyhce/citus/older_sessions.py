"""Sessions of an older release that still run when a migration changes what a writer must do.

A release looks at the schema's version when it connects. A load that has been connected since before would go on with
its own locks and its own form of documents, and a load copies rows straight into the tables. So its sessions are ended:
its transaction is undone, it stops with an error, and when it connects again it is refused.
"""

from __future__ import annotations

import time

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import Progress, scalar
from pyhce.errors import HceError

APPLICATION = "pyhce"
"""The name under which our sessions are seen (`pyhce.citus.connection.complete_dsn`), unless a DSN gives another."""
EXPORT_AFTER = 10.0
"""Seconds in one transaction without a change, after which a session is an export: it may finish."""
PAUSE = 0.5
END_TIMEOUT = 120.0
"""Seconds for sessions to end."""

_OTHERS = """
SELECT pid, backend_xid IS NOT NULL OR state = 'idle'
FROM pg_stat_activity
WHERE application_name = %(name)s AND backend_type = 'client backend' AND datname = current_database()
    AND pid <> pg_backend_pid() AND backend_start < %(since)s
    AND (backend_xid IS NOT NULL OR state = 'idle' OR xact_start > clock_timestamp() - %(reader)s * interval '1 s')
"""
"""With whether it may be ended at once: it changes something, or does nothing."""


def end_older_sessions(conn: Connection[TupleRow], progress: Progress) -> int:
    """End our sessions that are there now, but for this one and for exports under way; their number.

    A session that reads is looked at again: it may be about to write.

    Raises:
        HceError: a session did not end in time.
    """
    deadline = time.monotonic() + END_TIMEOUT
    since = scalar(conn, "SELECT clock_timestamp()")
    values = {"name": APPLICATION, "since": since, "reader": EXPORT_AFTER}
    ended: set[int] = set()
    while found := conn.execute(_OTHERS, values).fetchall():
        for pid, due in found:
            if due and pid not in ended:
                scalar(conn, "SELECT pg_terminate_backend(%s::integer, 0::bigint)", pid)
                ended.add(pid)
        if time.monotonic() >= deadline:
            raise HceError(
                f"process {found[0][0]} of an older release did not end within {END_TIMEOUT:.0f} s",
                remedy="Stop that program and run `pyhce register` again: it goes on from there.",
            )
        time.sleep(PAUSE)
    if ended:
        progress(f"{len(ended)} sessions of an older release were ended; a load among them is to be run again")
    return len(ended)
