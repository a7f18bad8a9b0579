"""A ledger that writes until it is stopped; a drill runs it in a pod next to the database."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from pyhce.api.database import resolve_dsn
from pyhce.citus.connection import dsn_as
from pyhce.settings import APP_ROLE
from pyhce.verify.ledger import Ledger, LedgerLine, LedgerReport


def ledger(
    dsn: str | None = None,
    *,
    stopping: threading.Event,
    seconds: float,
    pause: float,
    on_line: Callable[[LedgerLine], None],
) -> LedgerReport:
    """Write to every node until `stopping` is set or so many seconds have passed; then account for every write.

    It writes as hce_app if PYHCE_APP_PASSWORD is set, as in the registrar's pod.

    Args:
        dsn: the coordinator; see `resolve_dsn`.
        stopping: ends the writes.
        seconds: ends the writes too.
        pause: seconds between two writes of a lane.
        on_line: called with a line on each event.

    Raises:
        ConnectionFailed: the coordinator does not answer, or a node does not at the end.
        UsageError: the cluster has no worker.
    """
    address = resolve_dsn(dsn)
    if password := os.environ.get("PYHCE_APP_PASSWORD"):
        address = dsn_as(address, APP_ROLE, password)
    writers = Ledger(address, pause=pause, on_line=on_line)
    writers.start()
    try:
        stopping.wait(seconds)
    finally:
        report = writers.stop()
    return report
