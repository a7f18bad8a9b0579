"""Failovers: recognize a lost node, wait until a node serves again, and repeat what is safe to repeat.

A node is lost when it restarts, or when its machine dies and a standby takes its place. The client sees that in four
ways:

1. Its own connection is cut or refused: the coordinator is lost.
2. The coordinator reports that its connection to a worker is cut or refused. The client's connection goes on.
3. The node that answers is shutting down or starting: SQLSTATE 57P01, 57P02 or 57P03.
4. The node that answers is read-only (SQLSTATE 25006): a standby, or a leader that is a standby now.

**What is repeated.** A statement that was running when the connection was cut may have been committed or not.
PostgreSQL cannot tell the client. So only work with one of these properties is repeated, always the whole transaction:

- It only reads.
- Its second run finds what the first one stored and changes nothing: saves, batches of a load, deletes, the list of
  loaded files. The counts then say `unchanged` or `absent` for what the first run did.

Work with another effect at its second run is not repeated: corrections of documents, erasures, repairs, migrations, the
SQL of an application. It ends with an error that says that the outcome is unknown.

**Commits that a lost node interrupted.** A transaction on several nodes commits in two steps: PREPARE TRANSACTION on
each worker, then COMMIT on the coordinator, then COMMIT PREPARED on each worker. Example: a batch stores a Patient on
worker 1, and worker 1 is killed after the coordinator's COMMIT. The client has its COMMIT, but the Patient is invisible
until the coordinator has finished the commit, at most `citus.recover_2pc_interval` (60 s) after worker 1 is back. A
writer that looks the Patient up in that time finds none, and stores the Patient's resources in a provisional record.
So after a loss the client first waits until the prepared transactions that it finds are gone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from pyhce.citus.connection import (
    DatabaseConnection,
    Progress,
    complete_dsn,
    connect_as_writer,
    connection_failure,
    has_citus,
    no_progress,
    rows,
    scalar,
)
from pyhce.citus.server_errors import READ_ONLY, error_line, is_node_lost
from pyhce.counted import counted
from pyhce.errors import ConnectionFailed, HceError

logger = logging.getLogger(__name__)
logging.getLogger("psycopg").addHandler(logging.NullHandler())  # it logs each rollback on a connection that was cut

RECONNECT_WAIT = 60.0
"""Seconds that a call waits for a lost node, unless the caller gives another number."""
UNFINISHED_COMMITS_WAIT = 90.0
"""Seconds to wait for the commits that a lost node interrupted: Citus finishes them within 60 s."""
CUTS = 5
"""How often the client's own connection may be cut during one call. A call that crashes the server ends after these."""
_PAUSE = 0.5
"""Seconds between two attempts to reach a lost node."""

_PREPARED = (
    "SELECT nodeid, result FROM run_command_on_all_nodes($$SELECT coalesce(string_agg(gid, ' '), '')"
    r" FROM pg_prepared_xacts WHERE database = current_database() AND gid LIKE 'citus\_%'$$) WHERE success"
)

Result = TypeVar("Result")


def refuse_standby(conn: DatabaseConnection) -> None:
    """Refuse a server that takes no writes.

    Raises:
        ConnectionFailed: the server is a standby.
    """
    if scalar(conn, "SELECT pg_is_in_recovery()"):
        raise ConnectionFailed(
            f"{conn.info.host}:{conn.info.port} is a standby, which takes no writes",
            remedy="Connect to the address that follows the leader. With several hosts in the DSN, add "
            "target_session_attrs=read-write. Nothing was written.",
        )


def open_leader(
    dsn: str, *, timeout: float, progress: Progress = no_progress, stopped: threading.Event | None = None
) -> DatabaseConnection:
    """Open a connection as the role that may change rows; while no leader answers, try again.

    Args:
        dsn: the coordinator.
        timeout: seconds after which it gives up; it tries at least once.
        progress: called with one line of text before the first wait.
        stopped: gives up when it is set.

    Raises:
        ConnectionFailed: no leader answered in time, or the password was rejected, which is not tried again.
    """
    deadline = time.monotonic() + timeout
    stopped = stopped or threading.Event()
    told = False
    while True:
        try:
            return _open_leader(dsn)
        except ConnectionFailed as error:
            left = deadline - time.monotonic()
            if left <= 0 or "password authentication failed" in error.wrong:
                raise
            if not told:
                progress(f"waiting up to {timeout:.0f} s for the database: {error.wrong}")
                told = True
            if stopped.wait(min(_PAUSE, left)):
                raise


def _open_leader(dsn: str) -> DatabaseConnection:
    try:
        conn = connect_as_writer(dsn)
        try:
            refuse_standby(conn)
        except BaseException:
            conn.close()
            raise
    except psycopg.Error as error:
        if not is_node_lost(error):
            raise
        raise connection_failure(complete_dsn(dsn), error) from error
    return conn


def wait_for_interrupted_commits(
    conn: DatabaseConnection, *, timeout: float = UNFINISHED_COMMITS_WAIT, stopped: threading.Event | None = None
) -> None:
    """Wait until the transactions that are prepared now are committed or rolled back; see the top of this module.

    A superuser tells Citus to finish them at once. Nodes that do not answer are left out.

    Raises:
        HceError: some are still prepared after the time.
    """
    if not has_citus(conn):
        return
    if scalar(conn, "SELECT has_function_privilege('pg_catalog.recover_prepared_transactions()', 'EXECUTE')"):
        conn.execute("SELECT recover_prepared_transactions()")
    stopped = stopped or threading.Event()
    waiting = _prepared(conn)
    deadline = time.monotonic() + timeout
    if waiting:
        logger.warning("waiting for %s that a lost node interrupted", counted(len(waiting), "transaction"))
    while waiting and not stopped.wait(_PAUSE):
        waiting &= _prepared(conn)
        if waiting and time.monotonic() >= deadline:
            raise HceError(
                f"{counted(len(waiting), 'transaction')} that a lost node interrupted not finished after "
                f"{timeout:.0f} s: rows are invisible or locked",
                remedy="Run `SELECT recover_prepared_transactions()` on the coordinator as a superuser, then the same "
                "command again.",
            )


def _prepared(conn: DatabaseConnection) -> set[tuple[int, str]]:
    return {(node, gid) for node, gids in rows(conn, _PREPARED) for gid in gids.split()}


def call_through_failover(
    call: Callable[[], Result],
    *,
    before_repeat: Callable[[BaseException, float], object],
    wait: float = RECONNECT_WAIT,
    may_repeat: Callable[[], bool] = lambda: True,
) -> Result:
    """Call a function, and again after a lost node, until it ends or the node was away for `wait` seconds.

    Args:
        call: safe to repeat, also if a lost attempt was committed.
        before_repeat: gets the error and the seconds left; replaces a lost connection.
        wait: seconds after the first loss during which the call is repeated.
        may_repeat: asked after a loss; False ends the call with its error.

    Raises:
        ConnectionFailed: no leader answered in time.
        psycopg.Error: any error that is not a lost node, and the last loss when the time is over.
    """
    deadline: float | None = None
    cuts = 0
    for attempt in count(1):
        try:
            return call()
        except (psycopg.Error, ConnectionFailed) as error:
            if not is_node_lost(error):
                raise
            now = time.monotonic()
            deadline = now + wait if deadline is None else deadline
            cuts += isinstance(error, psycopg.Error) and error.sqlstate is None
            if now >= deadline or cuts > CUTS or not may_repeat():
                raise
            reason = error.wrong if isinstance(error, ConnectionFailed) else error_line(error)
            logger.warning("attempt %d: a node was lost: %s; repeating for %.0f s", attempt, reason, deadline - now)
            if attempt > 1:
                time.sleep(_PAUSE)
            before_repeat(error, max(deadline - time.monotonic(), 0.0))
    raise AssertionError  # count() does not end


class SteadyConnection:
    """A connection that is opened again when it is lost, for work that is safe to repeat. Threads may share it.

    Args:
        conn: the connection, in no transaction. The caller closes it.
        dsn: where to open a new one; None: a lost connection is not replaced, and nothing is repeated.
        wait: seconds to wait for a lost node.
        may_repeat: asked after a loss; False ends the work with its error.
        progress: called with one line of text before a wait.

    Attributes:
        conn: the connection as it is now.
        losses: how often work was repeated after a loss.
    """

    def __init__(
        self,
        conn: DatabaseConnection,
        *,
        dsn: str | None = None,
        wait: float = RECONNECT_WAIT,
        may_repeat: Callable[[], bool] = lambda: True,
        progress: Progress = no_progress,
    ) -> None:
        self.conn, self.losses = conn, 0
        self._given, self._dsn, self._wait = conn, dsn, wait
        self._may_repeat, self._progress = may_repeat, progress
        self._stopped, self._lock = threading.Event(), threading.Lock()

    def run(self, work: Callable[[DatabaseConnection], Result]) -> Result:
        """Do work that is safe to repeat, and again after a loss. Raises as `call_through_failover`."""
        used = self.conn

        def call() -> Result:
            nonlocal used
            used = self.conn
            return work(used)

        return call_through_failover(
            call,
            before_repeat=lambda error, seconds: self._recover(used, error, seconds),
            wait=self._wait,
            may_repeat=lambda: self._dsn is not None and not self._stopped.is_set() and self._may_repeat(),
        )

    def cancel(self) -> None:
        """Cancel the statement that runs, and repeat nothing from now on."""
        self._stopped.set()
        with suppress(psycopg.Error):
            self.conn.cancel_safe(timeout=5)

    def close(self) -> None:
        """Close the connection if it is not the given one any more."""
        if self.conn is not self._given:
            self.conn.close()

    def _recover(self, used: DatabaseConnection, error: BaseException, seconds: float) -> None:
        with self._lock:
            self.losses += 1
            if used is self.conn and _is_unusable(used, error):
                with suppress(psycopg.Error):
                    used.close()
                dsn = self._dsn or ""
                self.conn = open_leader(dsn, timeout=seconds, progress=self._progress, stopped=self._stopped)
            with suppress(psycopg.Error):  # lost again: the work finds out
                wait_for_interrupted_commits(self.conn, stopped=self._stopped)


def _is_unusable(conn: DatabaseConnection, error: BaseException) -> bool:
    """Whether a connection must be replaced after a loss: it is cut, in a transaction, or leads to a standby."""
    is_idle = not conn.closed and conn.info.transaction_status is TransactionStatus.IDLE
    return not is_idle or getattr(error, "sqlstate", None) == READ_ONLY
