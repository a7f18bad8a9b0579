"""Tests of local servers, on either engine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from pyhce.citus.connection import connect, scalar
from pyhce.errors import HceError, UsageError
from pyhce.local import server


def kill(pid: int | None) -> None:
    """kill -9."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_second_start_finds_the_servers_running(engine: local.Engine, data_folder: Path, port: int) -> None:
    first = local.start(data_folder, engine=engine, port=port)
    second = local.start(data_folder, engine=engine, port=port)
    assert (first.created, first.already_running) == (True, False)
    assert (second.created, second.already_running) == (False, True)
    assert [node.pid for node in second.nodes] == [node.pid for node in first.nodes]


def test_a_folder_runs_on_the_postgresql_that_made_it(engine: local.Engine, data_folder: Path, port: int) -> None:
    local.start(data_folder, engine=engine, port=port)
    assert local.engine_for(data_folder) == engine


def test_stopped_servers_start_again_with_their_data(engine: local.Engine, data_folder: Path, port: int) -> None:
    cluster = local.start(data_folder, engine=engine, port=port)
    with connect(local.dsn(cluster)) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert set(local.stop(data_folder).stopped) == {node.name for node in cluster.nodes}
    assert local.stop(data_folder).stopped == ()
    with connect(local.dsn(local.start(data_folder, engine=engine, port=port))) as conn:
        assert scalar(conn, "SELECT n FROM kept") == 7


def test_a_start_recovers_every_killed_server(engine: local.Engine, data_folder: Path, port: int) -> None:
    cluster = local.start(data_folder, engine=engine, port=port)
    for node in cluster.nodes:
        kill(node.pid)
        again = local.start(data_folder, engine=engine, port=port)
        assert any(node.name in sentence for sentence in again.recovered)
        assert all(n.pid for n in again.nodes)


def test_a_stale_pid_file_with_the_pid_of_another_program_is_removed(
    engine: local.Engine, data_folder: Path, port: int
) -> None:
    cluster = local.start(data_folder, engine=engine, port=port)
    pid_file = cluster.coordinator.data / "postmaster.pid"
    text = pid_file.read_text()
    local.stop(data_folder)
    pid_file.write_text(text.replace(text.split("\n")[0], str(os.getpid()), 1))
    again = local.start(data_folder, engine=engine, port=port)
    assert again.recovered
    assert again.coordinator.pid not in (None, os.getpid())


def test_a_taken_port_is_refused_and_leaves_no_servers(engine: local.Engine, data_folder: Path, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(HceError, match=rf"port {port} of coordinator is taken.*pid {os.getpid()}") as caught:
            local.start(data_folder, engine=engine, port=port)
    assert "--port" in caught.value.remedy
    assert local.status(data_folder).cluster is None
    assert local.start(data_folder, engine=engine, port=port).created


def test_a_start_with_another_port_moves_the_coordinator(engine: local.Engine, data_folder: Path, port: int) -> None:
    started = local.start(data_folder, engine=engine, port=port)
    unchanged = local.start(data_folder, engine=engine)
    assert (unchanged.already_running, unchanged.coordinator.port) == (True, port)
    assert len(unchanged.workers) == len(started.workers)
    moved = local.start(data_folder, engine=engine, port=port + 3)
    assert moved.coordinator.port == port + 3
    with connect(local.dsn(moved)) as conn:
        assert conn.info.port == port + 3


@pytest.mark.parametrize("workers", [-1, 33])
def test_an_impossible_number_of_workers_is_refused_on_every_engine(
    engine: local.Engine, data_folder: Path, port: int, workers: int
) -> None:
    with pytest.raises(UsageError, match=rf"--workers {workers} is not between [01] and 32"):
        local.start(data_folder, engine=engine, workers=workers, port=port)
    assert not data_folder.exists()


@pytest.mark.parametrize("reason", ["is not between 1 and 65535", "is taken"])
def test_a_refused_port_leaves_the_servers_running(
    engine: local.Engine, data_folder: Path, port: int, reason: str
) -> None:
    before = local.start(data_folder, engine=engine, port=port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        wrong = other.getsockname()[1] if reason == "is taken" else 65536
        with pytest.raises(HceError, match=reason) as caught:
            local.start(data_folder, engine=engine, port=wrong)
    assert "--port" in caught.value.remedy
    after = local.status(data_folder).cluster
    assert after is not None
    assert after.nodes == before.nodes


def test_a_folder_of_another_major_version_is_refused(engine: local.Engine, data_folder: Path, port: int) -> None:
    local.start(data_folder, engine=engine, port=port)
    other = engine.model_copy(update={"version": "14.1"})
    with pytest.raises(HceError, match=f"was made by PostgreSQL {engine.major}") as caught:
        local.start(data_folder, engine=other, port=port)
    assert "--folder" in caught.value.remedy


def test_a_folder_with_other_files_is_refused_and_left_alone(
    engine: local.Engine, data_folder: Path, port: int
) -> None:
    data_folder.mkdir()
    (data_folder / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not pyhce's"):
        local.start(data_folder, engine=engine, port=port)
    with pytest.raises(UsageError, match="is not a data folder"):
        local.delete(data_folder)
    assert [p.name for p in data_folder.iterdir()] == ["thesis.txt"]


def test_contents_tells_what_delete_removes(engine: local.Engine, data_folder: Path, port: int) -> None:
    cluster = local.start(data_folder, engine=engine, port=port)
    before = local.contents(data_folder)
    assert before.nodes == tuple(node.name for node in cluster.nodes)
    assert before.bytes > 10_000_000
    local.delete(data_folder)
    assert not data_folder.exists()
    assert server.pid_of(cluster.coordinator.data) is None


def test_passwords_are_in_private_files_and_in_no_log_or_process_list(
    engine: local.Engine, data_folder: Path, port: int
) -> None:
    cluster = local.start(data_folder, engine=engine, port=port)
    for name in ("passwords.json", "pgpass"):
        assert stat.S_IMODE((data_folder / name).stat().st_mode) == 0o600
    secrets = local.passwords(data_folder).values()
    logs = "".join(p.read_text() for node in cluster.nodes for p in node.data.rglob("*.log"))
    commands = "".join(_command_lines())
    assert [s for s in secrets if s in logs or s in commands] == []


def _command_lines() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended
            yield (process / "cmdline").read_bytes().decode("utf-8", "replace")


def test_a_wrong_password_is_refused(engine: local.Engine, data_folder: Path, port: int) -> None:
    cluster = local.start(data_folder, engine=engine, port=port)
    with pytest.raises(HceError, match="password"):
        connect(f"host=localhost port={cluster.coordinator.port} user=postgres passfile=/dev/null password=wrong")


def test_a_new_server_has_utf8_checksums_and_its_own_locale(engine: local.Engine, data_folder: Path, port: int) -> None:
    cluster = local.start(data_folder, engine=engine, port=port)
    with connect(local.dsn(cluster)) as conn:
        assert scalar(conn, "SHOW server_encoding") == "UTF8"
        assert scalar(conn, "SHOW data_checksums") == "on"
        assert scalar(conn, "SELECT 'Ñ' < 'z'") is False  # ordered by code point, independent of glibc
        assert scalar(conn, "SELECT lower('ÑÁ')") == "ñá"


def test_a_start_finishes_an_interrupted_first_start(
    engine: local.Engine, data_folder: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "create_database", interrupt)
    with pytest.raises(KeyboardInterrupt):
        local.start(data_folder, engine=engine, port=port)
    monkeypatch.undo()
    with connect(local.dsn(local.start(data_folder, engine=engine, port=port))) as conn:
        assert scalar(conn, "SELECT current_database()") == "hce_distribuida"
