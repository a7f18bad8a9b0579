"""The ledger: writers on every lane, and at the end the rows, read one by one."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.citus.connection import (
    connect,
    dsn_at,
    explained_errors,
    rows,
    take_writer_role,
    wait_for_connection,
)
from pyhce.citus.nodes import RegisteredNode, registered_nodes
from pyhce.errors import HceError
from pyhce.verify.ledger.accounts import (
    LONGEST_PREPARED,
    LedgerReport,
    Outcome,
    PreparedTransaction,
    Silence,
    lane_report,
)
from pyhce.verify.ledger.lane_writer import LaneWriter
from pyhce.verify.ledger.lanes import Lane, lanes_of
from pyhce.verify.ledger.lines import Kind, LaneCounts, LedgerLine

logger = logging.getLogger(__name__)

SOURCE_PREFIX = "drill-ledger-"
"""How the source of a ledger's rows begins."""
PAUSE = 0.05
PATIENCE = 5.0
_TICK = 0.25
_LEFT_BEHIND_DAYS = 1


class Ledger:
    """Writers that run while parts of the database fail, and account for every acknowledged write.

    They write to `recurso_compartido` and `organizacion`, with a source of their own; `stop` reads the rows, compares
    them with what was acknowledged, and deletes them.

    Args:
        dsn: the coordinator, with a role that may write.
        pause: seconds between two writes of a lane.
        patience: seconds after which a connection that does not answer is cut.
        on_line: called with a line on each event, from several threads, one at a time.
    """

    def __init__(
        self,
        dsn: str,
        *,
        pause: float = PAUSE,
        patience: float = PATIENCE,
        on_line: Callable[[LedgerLine], None] = lambda _: None,
    ) -> None:
        self._dsn, self._pause, self._patience = dsn, pause, patience
        self._on_line, self._line_lock = on_line, threading.Lock()
        self.source = f"{SOURCE_PREFIX}{uuid.uuid4().hex[:8]}"
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._watch_writers, name="ledger", daemon=True)
        self._writers: list[LaneWriter] = []
        self._nodes: list[RegisteredNode] = []
        self._start, self._started_at = 0.0, 0.0

    @property
    def acknowledged(self) -> int:
        """How many writes have been acknowledged so far."""
        return sum(writer.counts[Outcome.ACKNOWLEDGED] for writer in self._writers)

    @property
    def counts(self) -> dict[str, LaneCounts]:
        """The writes of each lane so far."""
        return {writer.lane.name: self._counts_of(writer) for writer in self._writers}

    def _counts_of(self, writer: LaneWriter) -> LaneCounts:
        return LaneCounts(
            **{outcome.value: writer.counts[outcome] for outcome in Outcome},
            last=None if writer.last is None else round(self._started_at + writer.last, 3),
        )

    def start(self) -> None:
        """Start to write, and delete the rows that a ledger left behind when it was killed, a day ago or earlier.

        Raises:
            ConnectionFailed: the coordinator does not answer.
            UsageError: the cluster has no worker.
        """
        with connect(self._dsn) as conn, explained_errors():
            take_writer_role(conn)
            _delete_rows(conn, "fuente LIKE %s AND actualizado_en < now() - make_interval(days => %s)",
                         f"{SOURCE_PREFIX}%", _LEFT_BEHIND_DAYS)  # fmt: skip
            lanes, self._nodes = lanes_of(conn), registered_nodes(conn)
        self._start, self._started_at = time.monotonic(), time.time()
        self._writers = [self._writer(lane) for lane in lanes]
        self._line(Kind.START, lanes=self.counts)
        for writer in self._writers:
            writer.start()
        self._watch.start()

    def _writer(self, lane: Lane) -> LaneWriter:
        def note(silence: Silence) -> None:
            self._line(Kind.SILENCE, at=self._started_at + silence.end, lane=silence.lane, seconds=silence.seconds)

        return LaneWriter(
            lane, self._dsn, self.source, start=self._start, pause=self._pause, on_silence=note
        )  # fmt: skip

    def _line(self, kind: Kind, *, at: float | None = None, **facts: object) -> None:
        line = LedgerLine.model_validate({"kind": kind, "at": round(time.time() if at is None else at, 3), **facts})
        with self._line_lock:
            self._on_line(line)

    def _watch_writers(self) -> None:
        """Cut connections that do not answer, and report the counts once a second."""
        reported = time.monotonic()
        while not self._stopping.wait(_TICK):
            for writer in self._writers:
                writer.cut_if_older(self._patience)
            if time.monotonic() - reported >= 1.0:
                reported = time.monotonic()
                self._line(Kind.COUNTS, lanes=self.counts)

    def stop(self, *, timeout: float = 240.0) -> LedgerReport:
        """Stop to write, read every row on the nodes that hold it, delete the rows, and report.

        Args:
            timeout: seconds for every node to answer and for the prepared transactions to be resolved.

        Raises:
            ConnectionFailed: a node does not answer in time. The rows are kept then, with the source `source`.
        """
        deadline = time.monotonic() + timeout
        for writer in self._writers:
            writer.stop()
        while not all([writer.join(_TICK) for writer in self._writers]):
            if time.monotonic() > deadline:
                raise HceError(
                    f"a writer of the ledger did not end within {timeout:.0f} s",
                    remedy=f"Its rows are kept, with the source {self.source}. Check the nodes: pyhce status",
                )
        self._stopping.set()
        self._watch.join()
        end = time.monotonic() - self._start
        self._line(Kind.READING, lanes=self.counts)
        prepared = self._settled_prepared_transactions(deadline)
        report = self._compared(end, prepared)
        while report.torn and time.monotonic() < deadline:
            # A transaction whose connection was cut can still commit on the server, node after node.
            time.sleep(1.0)
            prepared = self._settled_prepared_transactions(deadline)
            report = self._compared(end, prepared)
        report = report.model_copy(update={"rows_kept": not self._rows_deleted(deadline)})
        self._line(Kind.REPORT, report=report)
        return report

    def _rows_deleted(self, deadline: float) -> bool:
        """Delete the rows, again after an error until the deadline; whether they are deleted."""
        while True:
            try:
                with wait_for_connection(self._dsn, timeout=_left(deadline)) as conn:
                    take_writer_role(conn)
                    _delete_rows(conn, "fuente = %s", self.source)
                    return True
            except (psycopg.Error, HceError) as error:
                logger.warning("the rows of %s could not be deleted: %s", self.source, type(error).__name__)
                if time.monotonic() > deadline:
                    return False
                time.sleep(1.0)

    def _node_dsn(self, node: RegisteredNode) -> str:
        return dsn_at(self._dsn, node.host, node.port) if node.group else self._dsn

    def _settled_prepared_transactions(self, deadline: float) -> tuple[PreparedTransaction, ...]:
        """Wait until the prepared transactions that exist now are resolved; those that are left in the end.

        Other clients prepare transactions all the time, so only the ones of the first look count.
        """
        deadline = min(deadline, time.monotonic() + LONGEST_PREPARED + 30)
        first = left = self._prepared_transactions(deadline)
        while left and time.monotonic() < deadline:
            time.sleep(0.5)
            known = {(one.node, one.gid) for one in first}
            left = tuple(one for one in self._prepared_transactions(deadline) if (one.node, one.gid) in known)
        return left

    def _prepared_transactions(self, deadline: float) -> tuple[PreparedTransaction, ...]:
        found = []
        for node in self._nodes:
            for gid, age in self._node_rows(
                node,
                deadline,
                "SELECT gid, extract(epoch FROM clock_timestamp() - prepared) FROM pg_prepared_xacts"
                " WHERE database = current_database() AND starts_with(gid, 'citus')",
            ):
                found.append(PreparedTransaction(node=node.address, gid=gid, age=round(float(age), 1)))
        return tuple(found)

    def _node_rows(self, node: RegisteredNode, deadline: float, query: str, *values: object) -> list[TupleRow]:
        """The rows of a query on a node, which is waited for; a connection that is lost meanwhile is replaced."""
        while True:
            try:
                with wait_for_connection(self._node_dsn(node), timeout=_left(deadline)) as conn:
                    return rows(conn, query, *values)
            except psycopg.Error:
                if time.monotonic() > deadline:
                    with explained_errors():
                        raise
                time.sleep(0.5)

    def _compared(self, end: float, prepared: tuple[PreparedTransaction, ...]) -> LedgerReport:
        deadline = time.monotonic() + 120
        coordinator = next(node for node in self._nodes if node.group == 0)
        shards = Counter(
            row_id
            for (row_id,) in self._node_rows(
                coordinator, deadline, "SELECT id FROM recurso_compartido WHERE fuente = %s", self.source
            )
        )
        copies = Counter(
            row_id
            for node in self._nodes
            for (row_id,) in self._node_rows(
                node, deadline, "SELECT id FROM organizacion WHERE fuente = %s", self.source
            )
        )
        pairs = [
            lane_report(writer.lane.name, writer.writes, shards, copies_a_row=1, end=end)
            if writer.lane.groups
            else lane_report(writer.lane.name, writer.writes, copies, copies_a_row=len(self._nodes), end=end)
            for writer in self._writers
        ]
        return LedgerReport(
            source=self.source,
            started_at=round(self._started_at, 3),
            seconds=round(end, 1),
            lanes=tuple(report for report, _ in pairs),
            wrong=tuple(wrong for _, found in pairs for wrong in found),
            prepared=prepared,
        )


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 1.0)


def _delete_rows(conn: Connection[TupleRow], condition: str, *values: object) -> None:
    for table in ("recurso_compartido", "organizacion"):
        conn.execute(f"DELETE FROM {table} WHERE {condition}".encode(), values)  # noqa: S608 - our own SQL
