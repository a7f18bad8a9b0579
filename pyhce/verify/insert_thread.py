"""A writer that goes on writing while things break, and knows afterwards what was acknowledged."""

from __future__ import annotations

import threading
import time
import uuid

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import connect, connect_as_writer, rows, take_writer_role, wait_for_connection
from pyhce.errors import HceError
from pyhce.schema.model import Frozen

_PAUSE = 0.02
_SESSION = "SET citus.node_connection_timeout TO '3s'", "SET statement_timeout TO '10s'"


class InsertReport(Frozen):
    """What a writer did, and what was there afterwards.

    Args:
        acknowledged: rows whose commit was acknowledged.
        lost: acknowledged rows that are not there.
        refused: attempts that failed, and were told so.
        longest_silence: seconds between two acknowledged rows, at most.
    """

    acknowledged: int
    lost: int
    refused: int
    longest_silence: float
    seconds: float


class InsertThread:
    """Writes records of made-up documents over every shard until it is stopped; then counts and deletes them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._run = f"DRILL-{uuid.uuid4().hex[:12]}".upper()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._acknowledged: list[str] = []
        self._refused = 0
        self._silence = 0.0
        self._start = time.monotonic()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def acknowledged(self) -> int:
        """How many rows so far."""
        return len(self._acknowledged)

    def _write(self) -> None:
        conn: Connection[TupleRow] | None = None
        last, number = time.monotonic(), 0
        while not self._ending.is_set():
            number += 1
            document = f"{self._run}-{number}"
            try:
                if conn is None or conn.closed:
                    conn = connect_as_writer(f"{self._dsn} connect_timeout=3")
                    for statement in _SESSION:
                        conn.execute(statement)
                conn.execute("INSERT INTO expediente (documento_id) VALUES (%s)", (document,))
            except (psycopg.Error, HceError):
                self._refused += 1
                self._ending.wait(0.2)
                continue
            self._acknowledged.append(document)
            now = time.monotonic()
            self._silence, last = max(self._silence, now - last), now
            self._ending.wait(_PAUSE)
        if conn is not None:
            conn.close()

    def stop(self) -> InsertReport:
        """Stop writing, count what is there of what was acknowledged, and delete it.

        Raises:
            ConnectionFailed: the database does not answer.
        """
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        with wait_for_connection(self._dsn, timeout=60.0) as conn:
            take_writer_role(conn)
            found = {
                document
                for (document,) in rows(
                    conn, "SELECT documento_id FROM expediente WHERE documento_id LIKE %s", f"{self._run}-%"
                )
            }
            conn.execute("DELETE FROM expediente WHERE documento_id LIKE %s", (f"{self._run}-%",))
        return InsertReport(
            acknowledged=len(self._acknowledged),
            lost=sum(document not in found for document in self._acknowledged),
            refused=self._refused,
            longest_silence=round(self._silence, 2),
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
