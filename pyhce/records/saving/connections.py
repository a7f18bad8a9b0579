"""The connections of a writer: a call takes one of its own and gives it back.

Not psycopg-pool: while a server is away, that pool opens connections in the background and waits 1, 2, 4 … 32 seconds
between attempts. After a failover of 35 seconds it would try again after 63. Here a call opens its own connection, and
after a loss `pyhce.citus.failover` tries every half second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from psycopg.pq import TransactionStatus

from pyhce.citus.connection import DatabaseConnection, connect_as_writer
from pyhce.errors import HceError, UsageError


def check_connections(connections: int) -> int:
    """The number of connections.

    Raises:
        UsageError: it is not a number from 1 up.
    """
    if connections < 1:
        raise UsageError(
            f"connections={connections}: a writer needs at least one connection",
            remedy="Give the largest number of calls that may run at once, for example connections=4.",
        )
    return connections


def check_reconnect_wait(seconds: float) -> float:
    """The seconds to wait for a lost node.

    Raises:
        UsageError: the number is negative.
    """
    if not seconds >= 0:
        raise UsageError(
            f"reconnect_wait={seconds} is not a number of seconds",
            remedy="Give 0 or more; 60 is the default, and 0 repeats nothing.",
        )
    return seconds


class WriterConnections:
    """Connections as the role that may change rows, opened when they are needed and kept for later calls.

    Args:
        dsn: the coordinator.
        largest: calls that may run at once, and connections that are kept.
    """

    def __init__(self, dsn: str, largest: int) -> None:
        self._dsn, self._largest = dsn, largest
        self._slots = threading.BoundedSemaphore(largest)
        self._lock = threading.Lock()
        self._idle: list[DatabaseConnection] = []
        self._closed = False

    def slot(self) -> AbstractContextManager[object]:
        """A place among the calls that may run at once; waits for one without limit."""
        return self._slots

    @contextmanager
    def one(self) -> Iterator[DatabaseConnection]:
        """A connection for one attempt of a call, which holds a slot.

        Raises:
            ConnectionFailed: no server answers.
            HceError: the writer is closed.
        """
        conn = self._take()
        try:
            yield conn
        finally:
            self.put(conn)

    def put(self, conn: DatabaseConnection) -> None:
        """Keep a connection for later calls; one that is broken, in a transaction or too many is closed."""
        with self._lock:
            is_usable = not conn.closed and conn.info.transaction_status is TransactionStatus.IDLE
            if is_usable and not self._closed and len(self._idle) < self._largest:
                self._idle.append(conn)
                return
        conn.close()

    def close_idle(self) -> None:
        """Close the connections that no call holds."""
        with self._lock:
            idle, self._idle = self._idle, []
        for conn in idle:
            conn.close()

    def close(self) -> None:
        """Close the connections. One that a call holds closes when the attempt has ended."""
        self._closed = True
        self.close_idle()

    def _take(self) -> DatabaseConnection:
        with self._lock:
            if self._closed:
                raise HceError("this writer is closed", remedy="Open another one with `pyhce.connect()`.")
            if self._idle:
                return self._idle.pop()
        return connect_as_writer(self._dsn)
