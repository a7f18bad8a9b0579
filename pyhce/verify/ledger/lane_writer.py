"""A thread that writes the transactions of one lane until `stop` is called."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from pyhce.citus.connection import complete_dsn, connect, dsn_at, take_writer_role
from pyhce.errors import HceError
from pyhce.verify.ledger.accounts import SHORTEST_SILENCE, Outcome, Silence, Write
from pyhce.verify.ledger.lanes import Lane, RowIds, write

logger = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = 0.2
_CONNECTION = {
    "connect_timeout": 3,
    "keepalives_idle": 2,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
}
"""Settings with which a connection to a machine that is gone ends after about 6 s."""


class LaneWriter:
    """Writes the transactions of a lane in a thread of its own.

    Args:
        lane: what to write and where.
        dsn: the coordinator, with a role that may write.
        source: the source of the rows.
        start: the start of the ledger, by the monotonic clock.
        pause: seconds between two writes.
        on_silence: called in the thread with each silence of the lane that ends.
    """

    def __init__(
        self,
        lane: Lane,
        dsn: str,
        source: str,
        *,
        start: float,
        pause: float,
        on_silence: Callable[[Silence], None],
    ) -> None:
        self.lane = lane
        self.writes: list[Write] = []
        self.counts: Counter[Outcome] = Counter()
        self.last: float | None = None
        address = dsn_at(dsn, lane.host, lane.port) if lane.host else complete_dsn(dsn)
        self._dsn = make_conninfo(address, **_CONNECTION, application_name=source)
        self._source, self._start, self._pause, self._on_silence = source, start, pause, on_silence
        self._ids = RowIds(lane.name.replace(" ", "-").replace(":", "-"), lane.groups)
        self._conn: Connection[TupleRow] | None = None
        self._busy_since: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=lane.name, daemon=True)

    def start(self) -> None:
        """Start to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write nothing more; `join` waits for the write that runs."""
        self._stopping.set()

    def join(self, timeout: float) -> bool:
        """Wait until the thread has ended; False if it has not within so many seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def cut_if_older(self, patience: float) -> None:
        """Cut the connection if a statement on it has had no answer for so many seconds.

        A frozen server keeps its connections open and never answers. A cancel request would be wrong here: it can end
        a wait for the standby and leave a commit that is not replicated.
        """
        busy_since, conn = self._busy_since, self._conn
        if busy_since is None or conn is None or time.monotonic() - busy_since < patience:
            return
        logger.info("%s: no answer for %.1f s, the connection is cut", self.lane.name, time.monotonic() - busy_since)
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._stopping.is_set():
            outcome, ids = self._write_once()
            now = time.monotonic() - self._start
            self.writes.append(Write(self.lane.name, ids, outcome, now))
            self.counts[outcome] += 1
            if outcome is Outcome.ACKNOWLEDGED:
                self._note_silence(now)
            self._stopping.wait(self._pause if outcome is Outcome.ACKNOWLEDGED else _PAUSE_AFTER_ERROR)
        if self._conn is not None:
            self._conn.close()

    def _note_silence(self, now: float) -> None:
        before = self.last or 0.0
        self.last = now
        if now - before >= SHORTEST_SILENCE:
            self._on_silence(Silence(lane=self.lane.name, start=round(before, 3), seconds=round(now - before, 3)))

    def _write_once(self) -> tuple[Outcome, tuple[str, ...]]:
        """Write once; an error before anything was sent is a refused write without rows."""
        try:
            conn = self._connection()
            self._busy_since = time.monotonic()
            ids = self._ids.next(conn)
        except (psycopg.Error, HceError) as error:
            logger.debug("%s: not written: %s", self.lane.name, type(error).__name__)
            self._close()
            return Outcome.REFUSED, ()
        else:
            outcome = write(conn, self._source, ids, reference=not self.lane.groups)
            if outcome is not Outcome.ACKNOWLEDGED:
                logger.debug("%s: %s", self.lane.name, outcome.value)
            if outcome is Outcome.UNKNOWN:
                self._close()
            return outcome, ids
        finally:
            self._busy_since = None

    def _connection(self) -> Connection[TupleRow]:
        if self._conn is not None and not self._conn.closed:
            return self._conn
        conn = connect(self._dsn)
        self._conn, self._busy_since = conn, time.monotonic()
        take_writer_role(conn)
        conn.execute("SET citus.node_connection_timeout TO '3s'")
        return conn

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
