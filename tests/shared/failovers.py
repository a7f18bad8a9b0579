"""Clients through failovers, on either engine: real servers are killed in the middle of saves, reads and loads.

A server that is killed and started again looks to a client like a failover: its connections are cut, new ones are
refused for a while, then the same address serves again with everything that was acknowledged.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import pyhce
from pyhce import api, local
from pyhce.citus import lock_table
from pyhce.citus.connection import connect
from pyhce.errors import ConnectionFailed, UsageError
from pyhce.local.account import run_as, server_account
from pyhce.records.loading.report import LoadReport
from tests.shared.database import TestDatabase, unique
from tests.shared.loads import loaded, people, rows_with_versions, written
from tests.shared.records import person, weight
from tests.shared.until import until

pytestmark = pytest.mark.both_engines


def killed(db: TestDatabase, name: str) -> None:
    """Kill a node's postmaster with -9, as a crash does."""
    pid = next(node.pid for node in db.cluster.nodes if node.name == name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def stopped_at_once(db: TestDatabase, name: str) -> None:
    """`pg_ctl stop -m immediate`."""
    data = next(node.data for node in db.cluster.nodes if node.name == name)
    command = [db.cluster.engine.program("pg_ctl"), "stop", "--pgdata", str(data), "--mode", "immediate", "--wait"]
    assert run_as(command, server_account(), timeout=60).returncode == 0


FAULTS = (killed, stopped_at_once)
WAIT = 300.0
"""Seconds that clients wait: a busy machine needs longer than the default to start servers."""


def divided(folder: Path, lines: list[str], parts: int) -> list[Path]:
    """Lines divided among files."""
    return [written(folder / f"{n}.ndjson", lines[n::parts]) for n in range(parts)]


@contextmanager
def in_background(call: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Run a function in a thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call)


@pytest.mark.timeout(600)
def test_saves_through_failovers_of_every_node_are_stored_once(db: TestDatabase) -> None:
    source, number = unique(), unique()
    acknowledged: list[str] = []
    stop = threading.Event()

    def save_until_stopped(thread: int) -> None:
        count = 0
        while not stop.is_set():
            key = f"o{thread}-{count}"
            assert writer.save(weight(key, "Patient/p", str(count))).outcome in {"new", "unchanged"}
            writer.save_many([weight(f"{key}-a", "Patient/p"), weight(f"{key}-b", "Patient/p", "2")])
            writer.save({"resourceType": "Organization", "id": key, "name": key})
            acknowledged.extend([f"Observation/{one}" for one in (key, f"{key}-a", f"{key}-b")])
            acknowledged.append(f"Organization/{key}")
            count += 1

    def more_saves() -> None:
        before = len(acknowledged)
        until(lambda: len(acknowledged) > before + 12 or any(thread.done() for thread in threads), seconds=300)

    with pyhce.connect(db.dsn, source=source, reconnect_wait=WAIT) as writer, ThreadPoolExecutor(3) as pool:
        writer.save(person("p", number))
        threads = [pool.submit(save_until_stopped, thread) for thread in range(3)]
        try:
            for fault in FAULTS:
                for node in [node.name for node in db.cluster.nodes]:
                    more_saves()
                    fault(db, node)
                    db.start()
            more_saves()
        finally:
            stop.set()
        for thread in threads:
            thread.result(timeout=200)
    stored = db.rows(
        "SELECT 'Observation/' || id, version FROM observacion WHERE fuente = %s"
        " UNION ALL SELECT 'Organization/' || id, version FROM organizacion WHERE fuente = %s",
        source,
        source,
    )
    assert sorted(stored) == sorted((key, 1) for key in acknowledged)
    assert db.value("SELECT count(DISTINCT documento_id) FROM observacion WHERE fuente = %s", source) == 1
    assert db.value("SELECT count(*) FROM historia WHERE fuente = %s", source) == 0


def test_a_delete_through_a_failover_leaves_one_tombstone(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source, reconnect_wait=WAIT) as writer:
        writer.save_many([person("p", number), weight("o", "Patient/p")])
        with closing(connect(db.dsn, autocommit=False)) as blocker:
            blocker.execute("LOCK TABLE observacion IN EXCLUSIVE MODE")
            with in_background(lambda: writer.delete("Observation", "o")) as deleting:
                until(lambda: waits_for_a_lock(db), seconds=300)
                killed(db, db.cluster.coordinator.name)
                db.start()
                assert deleting.result(timeout=200).outcome == "deleted"
    assert [content.get("status") for _, content in db.history("Observation", "o", source)] == ["final", None]


def waits_for_a_lock(db: TestDatabase) -> bool:
    """Whether a session other than ours waits for a lock."""
    return bool(
        db.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()")
    )


def test_a_read_through_a_failover_is_repeated(db: TestDatabase) -> None:
    source, number = unique(), unique()
    with pyhce.connect(db.dsn, source=source, reconnect_wait=WAIT) as writer:
        writer.save_many([person("p", number), weight("o", "Patient/p")])
    document = db.document("Patient", "p", source)
    assert document is not None
    undisturbed = api.patient(document, dsn=db.dsn)
    with closing(connect(db.dsn, autocommit=False)) as blocker:
        blocker.execute("LOCK TABLE observacion IN ACCESS EXCLUSIVE MODE")
        with in_background(lambda: api.patient(document, dsn=db.dsn)) as reading:
            until(lambda: waits_for_a_lock(db), seconds=300)
            killed(db, db.cluster.coordinator.name)
            db.start()
            assert reading.result(timeout=200) == undisturbed


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.timeout(600)
def test_a_load_through_failovers_of_every_node_ends_equal_to_an_undisturbed_load(
    db: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[TestDatabase, str], None]
) -> None:
    monkeypatch.setattr(lock_table, "LARGEST_BATCH", 100)
    undisturbed, disturbed = unique(), unique()
    files = divided(tmp_path, list(people(10, 180)), 3)
    loaded(db, *files, source=undisturbed, jobs=2)
    nodes = [node.name for node in db.cluster.nodes]
    batches: list[int] = []

    def load() -> LoadReport:
        options: dict[str, Any] = {"dsn": db.dsn, "source": disturbed, "reject_file": tmp_path / "r"}
        return api.load(files, reconnect_wait=WAIT, progress=lambda now: batches.append(now.read), **options)

    def more_batches() -> None:
        before = len(batches)
        until(lambda: len(batches) >= before + 3 or loading.done(), seconds=300)

    with in_background(load) as loading:
        for node in nodes:
            more_batches()
            fault(db, node)
            db.start()
        report = loading.result(timeout=300)
    assert report.reconnections > 0
    assert (report.rejected, report.new + report.unchanged) == (0, report.read)
    assert rows_with_versions(db, disturbed) == rows_with_versions(db, undisturbed)


def test_a_load_that_waits_no_longer_ends_with_an_error_and_continues_when_it_is_run_again(
    db: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_table, "LARGEST_BATCH", 100)
    undisturbed, disturbed = unique(), unique()
    files = divided(tmp_path, list(people(10, 120)), 2)
    loaded(db, *files, source=undisturbed, jobs=2)
    batches: list[int] = []

    def kill_in_the_middle(report: object) -> None:
        batches.append(1)
        if len(batches) == 3:
            killed(db, db.cluster.coordinator.name)

    options: dict[str, Any] = {"dsn": db.dsn, "source": disturbed, "reject_file": tmp_path / "r"}
    with pytest.raises(ConnectionFailed) as failed:
        api.load(files, reconnect_wait=0, progress=kill_in_the_middle, **options)
    assert "Run the same command again" in failed.value.remedy
    db.start()
    assert api.load(files, **options).rejected == 0
    assert rows_with_versions(db, disturbed) == rows_with_versions(db, undisturbed)


@pytest.mark.parametrize("option", [{"connections": 0}, {"reconnect_wait": -1.0}])
def test_numbers_out_of_range_are_refused_before_anything_is_opened(db: TestDatabase, option: dict[str, Any]) -> None:
    for opener in (pyhce.connect, pyhce.connect_async):
        with pytest.raises(UsageError, match=next(iter(option))):
            opener(db.dsn, **option)


def test_a_writer_without_a_server_says_so_after_the_wait(engine: local.Engine, data_folder: Path, port: int) -> None:
    with pytest.raises(ConnectionFailed, match="could not connect"):
        pyhce.connect(f"host=localhost port={port} user=postgres", reconnect_wait=0)
