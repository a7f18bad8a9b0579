"""A thread that inserts rows while parts of the database fail, and then counts the acknowledged rows that were lost."""

from __future__ import annotations

import logging
import threading
import time
import uuid

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import connect, connect_as_writer, rows, take_writer_role, wait_for_connection
from pyhce.errors import HceError
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)
_PAUSE = 0.02
_SESSION = "SET citus.node_connection_timeout TO '3s'", "SET statement_timeout TO '10s'"


class InsertReport(Frozen):
    """What an `InsertThread` did.

    Args:
        acknowledged: rows whose commit was acknowledged.
        lost: acknowledged rows that did not exist afterwards.
        refused: inserts that failed with an error.
        longest_silence: the longest time between two acknowledged rows, in seconds.
        seconds: from start to end.
    """

    acknowledged: int
    lost: int
    refused: int
    longest_silence: float
    seconds: float


class InsertThread:
    """Inserts records with test documents, spread over the shards, until `stop` counts and deletes them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._run = f"DRILL-{uuid.uuid4().hex[:12]}".upper()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._acknowledged: list[str] = []
        self._refused = 0
        self._longest_gap = 0.0
        self._start = time.monotonic()

    def start(self) -> None:
        """Start to insert rows."""
        self._thread.start()

    @property
    def acknowledged(self) -> int:
        """How many rows have been acknowledged so far."""
        return len(self._acknowledged)

    def _write(self) -> None:
        conn: Connection[TupleRow] | None = None
        last, number = time.monotonic(), 0
        while not self._stopping.is_set():
            number += 1
            document = f"{self._run}-{number}"
            try:
                if conn is None or conn.closed:
                    conn = connect_as_writer(f"{self._dsn} connect_timeout=3")
                    for statement in _SESSION:
                        conn.execute(statement)
                conn.execute("INSERT INTO expediente (documento_id) VALUES (%s)", (document,))
            except (psycopg.Error, HceError) as error:
                self._refused += 1
                logger.debug("an insert failed: %s", type(error).__name__)
                self._stopping.wait(0.2)
                continue
            self._acknowledged.append(document)
            now = time.monotonic()
            self._longest_gap, last = max(self._longest_gap, now - last), now
            self._stopping.wait(_PAUSE)
        if conn is not None:
            conn.close()

    def stop(self) -> InsertReport:
        """Stop, count the acknowledged rows that exist, and delete them.

        Raises:
            ConnectionFailed: the database does not answer.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        with wait_for_connection(self._dsn, timeout=60.0) as conn:
            take_writer_role(conn)
            existing = {
                document
                for (document,) in rows(
                    conn, "SELECT documento_id FROM expediente WHERE documento_id LIKE %s", f"{self._run}-%"
                )
            }
            conn.execute("DELETE FROM expediente WHERE documento_id LIKE %s", (f"{self._run}-%",))
        return InsertReport(
            acknowledged=len(self._acknowledged),
            lost=sum(document not in existing for document in self._acknowledged),
            refused=self._refused,
            longest_silence=round(self._longest_gap, 2),
            seconds=round(time.monotonic() - self._start, 1),
        )


def query_succeeds(dsn: str) -> bool:
    """Whether a query over every shard succeeds now."""
    try:
        with connect(f"{dsn} connect_timeout=2") as conn:
            conn.execute("SET citus.node_connection_timeout TO '2s'")
            conn.execute("SELECT count(*) FROM expediente")
    except (psycopg.Error, HceError):
        return False
    return True
