"""The ledger of the drills on real nodes that are killed, frozen and robbed of rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from pyhce.verify.ledger import LaneCounts, Ledger, LedgerLine, LedgerReport
from pyhce.verify.ledger.lines import Kind
from tests.shared.database import TestDatabase
from tests.shared.servers import kill
from tests.shared.until import until


@pytest.fixture
def lines() -> list[LedgerLine]:
    """What the ledger reported."""
    return []


@pytest.fixture
def ledger(db: TestDatabase, lines: list[LedgerLine]) -> Iterator[Ledger]:
    """A ledger that has written on every lane, as the application's role. Prepared transactions are resolved soon."""
    set_recovery_interval(db, "2s")
    made = Ledger(local.dsn(db.cluster, "hce_app"), pause=0.01, patience=1.5, on_line=lines.append)
    made.start()
    advance(made)
    yield made
    db.start()
    set_recovery_interval(db, "60s")


def set_recovery_interval(db: TestDatabase, interval: str) -> None:
    db.conn.execute(f"ALTER SYSTEM SET citus.recover_2pc_interval TO '{interval}'")
    db.conn.execute("SELECT pg_reload_conf()")


def advance(ledger: Ledger, *parts_of_names: str, writes: int = 5) -> None:
    """Wait until every lane whose name has one of these parts has several more acknowledged writes."""

    def chosen() -> dict[str, LaneCounts]:
        return {
            name: counts
            for name, counts in ledger.counts.items()
            if not parts_of_names or any(part in name for part in parts_of_names)
        }

    before = chosen()
    assert before
    until(
        lambda: all(counts.acknowledged >= before[name].acknowledged + writes for name, counts in chosen().items()),
        f"not every lane goes on: {chosen()} after {before}",
        seconds=120,
    )


def failures(ledger: Ledger, part_of_name: str) -> int:
    return sum(c.refused + c.unknown for name, c in ledger.counts.items() if part_of_name in name)


def rows_left(db: TestDatabase, ledger: Ledger) -> int:
    tables = ("recurso_compartido", "organizacion")
    return sum(db.value(f"SELECT count(*) FROM {table} WHERE fuente = %s", ledger.source) for table in tables)


def nothing_wrong(report: LedgerReport) -> bool:
    return (report.lost, report.torn, report.prepared, report.rows_kept) == (0, 0, (), False)


def test_killed_nodes_lose_and_tear_nothing_and_the_other_worker_goes_on(db: TestDatabase, ledger: Ledger) -> None:
    first, second = db.cluster.workers
    kill(first.pid)
    until(lambda: failures(ledger, f":{first.port}") >= 4, "no write failed")
    advance(ledger, f":{second.port}")
    assert failures(ledger, f":{second.port}") == 0
    db.start()
    advance(ledger)
    kill(db.cluster.coordinator.pid)
    advance(ledger, "direct")  # straight at the workers
    db.start()
    advance(ledger)
    report = ledger.stop()
    assert nothing_wrong(report)
    assert report.acknowledged >= 5 * 5 * len(report.lanes)
    assert report.refused > 0
    lanes = {lane.lane: lane for lane in report.lanes}
    assert lanes[f"direct localhost:{first.port}"].silences
    assert lanes["multi"].refused + lanes["multi"].unknown > 0
    assert rows_left(db, ledger) == 0


def test_a_frozen_worker_does_not_hold_the_writers_and_its_writes_are_unknown(db: TestDatabase, ledger: Ledger) -> None:
    worker = db.cluster.workers[0]
    assert worker.pid
    processes = [worker.pid, *children(worker.pid)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        until(
            lambda: ledger.counts[f"direct localhost:{worker.port}"].unknown >= 1,
            "the connection to the frozen worker was not cut",
        )
        advance(ledger, f":{db.cluster.workers[1].port}")
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    advance(ledger)
    report = ledger.stop()
    assert nothing_wrong(report)
    assert report.unknown >= 1


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_rows_that_disappear_are_lost_or_torn(db: TestDatabase, ledger: Ledger) -> None:
    multi, direct = (
        db.value(f"SELECT min(id) FROM recurso_compartido WHERE fuente = %s AND id LIKE '{prefix}-%%'", ledger.source)
        for prefix in ("multi", "direct")
    )
    for row in (multi, direct):
        db.conn.execute("DELETE FROM recurso_compartido WHERE fuente = %s AND id = %s", (ledger.source, row))
    report = ledger.stop(timeout=5)
    assert (report.torn, report.lost, report.ok) == (1, 1, False)
    assert {(wrong.lane.split()[0], wrong.found, wrong.expected) for wrong in report.wrong} == {
        ("multi", 1, 2),
        ("direct", 0, 1),
    }
    assert rows_left(db, ledger) == 0


def test_the_command_ends_with_the_report_when_it_is_told_to_stop(db: TestDatabase) -> None:
    command = [sys.executable, "-m", "pyhce", "ledger", "--dsn", local.dsn(db.cluster, "hce_app")]
    seen = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            seen.append(LedgerLine.model_validate_json(line))
            if seen[-1].kind is Kind.COUNTS:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert seen[0].kind is Kind.START
    report = seen[-1].report
    assert report is not None
    assert report.ok
    assert report.acknowledged > 0
    assert set(seen[0].lanes) == {lane.lane for lane in report.lanes}
