"""Standbys on this machine: real Patroni, etcd and Citus. A leader fails, and no acknowledged write is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from pyhce import api, local, sample
from pyhce.citus.connection import connect, dsn_at, rows, scalar
from pyhce.citus.nodes import Node
from pyhce.citus.register import register
from pyhce.errors import HceError, UsageError
from pyhce.local import programs, server
from pyhce.patroni import GroupState, HaFile, PatroniClient, rest_password, wait_until_in_sync
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import Result, verify
from tests.conftest import SHARDS, free_port, server_folder
from tests.shared.commands import pyhce
from tests.shared.until import until

GROUPS = ("citus-coordinator", "citus-worker-0", "citus-worker-1")
QUICK = {"ttl": 20, "loop_wait": 2, "retry_timeout": 5}
ROWS = 4


@dataclass
class Cluster:
    """A cluster with a standby of each node.

    Args:
        plain: the cluster before it got standbys.
        resources: Patients that it had then.
    """

    folder: Path
    engine: local.Engine
    port: int
    plain: local.LocalCluster
    patients: int

    @property
    def found(self) -> local.LocalCluster:
        found = local.status(self.folder).cluster
        assert found is not None
        return found

    @property
    def dsn(self) -> str:
        return local.dsn(self.found)

    @property
    def ha(self) -> HaFile:
        ha = local.read_ha(self.folder)
        assert ha is not None
        return ha

    @property
    def password(self) -> str:
        return rest_password(local.passwords(self.folder)["postgres"])

    def start(self) -> local.LocalCluster:
        return local.start(self.folder, engine=self.engine, port=self.port)

    def client(self, group: str) -> PatroniClient:
        return PatroniClient(self.ha.group(group), self.ha, self.password)

    def state(self, group: str) -> GroupState:
        return self.client(group).state()

    def leader(self, group: str) -> str:
        leader = self.state(group).leader
        assert leader
        return leader

    def standby(self, group: str) -> str:
        leader = self.leader(group)
        return next(member.name for member in self.ha.group(group).members if member.name != leader)

    def kill(self, member: str) -> None:
        """kill -9 of a member's Patroni and PostgreSQL, as when its machine vanishes."""
        for pid in (programs.pid_of(self.folder / "patroni" / member), server.pid_of(self.folder / member)):
            assert pid
            os.kill(pid, signal.SIGKILL)

    def wait_until_in_sync(self) -> None:
        for group in GROUPS:
            wait_until_in_sync(self.ha, self.password, group, 180)


class Writer:
    """Inserts rows in transactions that span both workers, until the block ends; then no acknowledged row is missing.

    A failed transaction may have been committed, but all of it or nothing.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._dsn = cluster.dsn
        self._cluster = cluster
        self._run = f"HA-{uuid.uuid4().hex[:12]}".upper()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.acknowledged: list[int] = []

    def __enter__(self) -> Writer:
        self._thread.start()
        self.wait_for_more()
        return self

    def wait_for_more(self) -> None:
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) > before + 5, "the writer writes", seconds=120)

    def _write(self) -> None:
        conn, number = None, 0
        while not self._stopping.is_set():
            number += 1
            try:
                if conn is None or conn.closed:
                    conn = connect(f"{self._dsn} connect_timeout=3")
                    conn.execute("SET citus.node_connection_timeout TO '3s'")
                    conn.execute("SET statement_timeout TO '10s'")
                conn.execute(
                    "INSERT INTO expediente (documento_id) SELECT %s || '-' || n FROM generate_series(1, %s) AS n",
                    (f"{self._run}-{number}", ROWS),
                )
            except (psycopg.Error, HceError):
                self._stopping.wait(0.1)
                continue
            self.acknowledged.append(number)
            self._stopping.wait(0.01)
        if conn is not None:
            conn.close()

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self.wait_for_more()
        self._stopping.set()
        self._thread.join(timeout=60)
        if failure[0] is None:
            until(self._nothing_prepared, "no transaction stays prepared", seconds=120)
            found = self._found()
            assert {number for number in self.acknowledged if found[number] != ROWS} == set()
            assert set(found.values()) == {ROWS}

    def _nothing_prepared(self) -> bool:
        try:
            with connect(self._dsn) as conn:
                conn.execute("SELECT recover_prepared_transactions()")
            for node in self._cluster.found.nodes:
                with connect(dsn_at(self._dsn, node.host, node.port)) as conn:
                    if scalar(conn, "SELECT count(*) FROM pg_prepared_xacts"):
                        return False
        except (psycopg.Error, HceError):
            return False
        return True

    def _found(self) -> Counter[int]:
        with connect(self._dsn) as conn:
            documents = rows(conn, "SELECT documento_id FROM expediente WHERE documento_id LIKE %s", f"{self._run}-%")
            conn.execute("DELETE FROM expediente WHERE documento_id LIKE %s", (f"{self._run}-%",))
        return Counter(int(document.split("-")[2]) for (document,) in documents)


def patients(dsn: str) -> int:
    with connect(dsn) as conn:
        return int(scalar(conn, "SELECT count(*) FROM paciente"))


@pytest.fixture(scope="module")
def shared_cluster(citus_engine: local.Engine) -> Iterator[Cluster]:
    """A cluster that was made without standbys, and then got them."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd on PATH")
    if find_spec("patroni") is None:
        pytest.skip("Patroni is not installed: pip install 'pyhce[ha]'")
    with server_folder() as folder:
        port = free_port(24)
        plain = local.start(folder, engine=citus_engine, port=port)
        nodes = [Node(host=node.host, port=node.port) for node in plain.workers]
        register(local.dsn(plain), schema=SCHEMA, workers=nodes, passwords=local.passwords(folder), shard_count=SHARDS)
        api.load(sample.files()[:5], dsn=local.dsn(plain))
        cluster = Cluster(folder, citus_engine, port, plain, patients(local.dsn(plain)))
        local.start(folder, engine=citus_engine, standbys=1, port=port)
        for group in GROUPS:
            cluster.client(group).patch_config(QUICK)
        yield cluster


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """The cluster, healed from the test before."""
    shared_cluster.start()
    return shared_cluster


def test_a_folder_gets_standbys_and_keeps_its_data_and_addresses(cluster: Cluster) -> None:
    found = cluster.found
    assert [node.port for node in found.nodes] == [node.port for node in cluster.plain.nodes]
    assert [member.name for member in found.members] == [
        "coordinator", "coordinator-b", "worker-0", "worker-0-b", "worker-1", "worker-1-b",
    ]  # fmt: skip
    assert patients(cluster.dsn) == cluster.patients > 0
    assert [cluster.state(group).why_not_in_sync() for group in GROUPS] == ["", "", ""]


def test_a_second_start_finds_everything_running(cluster: Cluster) -> None:
    before = cluster.found
    again = cluster.start()
    assert again.already_running
    assert again.members == before.members


def test_no_check_fails(cluster: Cluster) -> None:
    groups = ["nodes", "placement", "routing", "settings", "standbys"]
    report = verify(cluster.dsn, schema=SCHEMA, groups=groups, standbys=api.standbys.find_standbys(cluster.dsn))
    assert [check.code for check in report.checks if check.result is Result.FAILED] == []
    own = {check.code: check.result for check in report.checks if check.group == "standbys"}
    assert len(own) == 9
    assert set(own.values()) == {Result.OK}


def test_fewer_standbys_are_refused(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="--standbys 0 is fewer than the 1 of"):
        local.start(cluster.folder, engine=cluster.engine, standbys=0, port=cluster.port)


@pytest.mark.parametrize("group", ["citus-coordinator", pytest.param("citus-worker-0", marks=pytest.mark.slow)])
def test_a_switchover_loses_no_acknowledged_write(cluster: Cluster, group: str) -> None:
    former, standby = cluster.leader(group), cluster.standby(group)
    with Writer(cluster) as writer:
        report = api.switchover(group, folder=cluster.folder)
        writer.wait_for_more()
    assert (report.former, report.leader) == (former, standby)
    state = cluster.state(group)
    assert (state.leader, state.synchronous) == (standby, (former,))
    assert verify(
        cluster.dsn, schema=SCHEMA, groups=["nodes", "standbys"], wait=30,
        standbys=api.standbys.find_standbys(cluster.dsn),
    ).failed == ()  # fmt: skip


@pytest.mark.parametrize("group", ["citus-worker-1", pytest.param("citus-coordinator", marks=pytest.mark.slow)])
def test_a_killed_leader_loses_no_acknowledged_write_and_returns(cluster: Cluster, group: str) -> None:
    former, standby = cluster.leader(group), cluster.standby(group)
    with Writer(cluster) as writer:
        cluster.kill(former)
        until(lambda: cluster.client(group).is_writable(standby), "the standby leads", seconds=180)
        writer.wait_for_more()
        recovered = cluster.start().recovered
    assert any(former in sentence for sentence in recovered)
    state = cluster.state(group)
    assert (state.leader, state.synchronous) == (standby, (former,))
    assert patients(cluster.dsn) == cluster.patients


@pytest.mark.slow
def test_a_standby_copies_its_data_again_and_a_leader_is_refused(cluster: Cluster) -> None:
    group = "citus-worker-0"
    standby = cluster.standby(group)
    marker = cluster.folder / standby / "marker"
    marker.touch()
    with pytest.raises(UsageError, match="is the leader of citus-worker-0"):
        api.reinit(cluster.leader(group), folder=cluster.folder)
    report = api.reinit(standby, folder=cluster.folder)
    assert (report.group, report.member) == (group, standby)
    assert not marker.exists()
    assert cluster.state(group).synchronous == (standby,)


@pytest.mark.slow
def test_a_stopped_cluster_starts_with_the_former_leaders_and_their_data(cluster: Cluster) -> None:
    group = "citus-worker-1"
    api.switchover(group, folder=cluster.folder)
    leaders = [cluster.leader(group) for group in GROUPS]
    members = {member.name for member in cluster.found.members}
    assert set(local.stop(cluster.folder).stopped) == members
    assert {member.pid for member in cluster.found.members} == {None}
    assert local.stop(cluster.folder).stopped == ()
    cluster.start()
    assert [cluster.leader(group) for group in GROUPS] == leaders
    assert patients(cluster.dsn) == cluster.patients


@pytest.mark.slow
def test_a_start_recovers_what_was_killed_all_at_once(cluster: Cluster) -> None:
    folders = [cluster.folder / name for name in ("etcd", "forwarder")]
    folders += [cluster.folder / "patroni" / member.name for member in cluster.found.members]
    folders += [member.data for member in cluster.found.members]
    with connect(cluster.dsn) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 7 AS n")
    for pid in [pid for folder in folders for pid in server.processes_in(folder)]:
        os.kill(pid, signal.SIGKILL)
    again = cluster.start()
    assert {member.name for member in again.members} <= {sentence.split(":")[0] for sentence in again.recovered}
    with connect(cluster.dsn) as conn:
        assert scalar(conn, "SELECT n FROM kept") == 7
        conn.execute("DROP TABLE kept")


@pytest.mark.slow
@pytest.mark.parametrize("program", ["etcd", "forwarder", "patroni"])
def test_a_start_recovers_one_killed_program(cluster: Cluster, program: str) -> None:
    folder = cluster.folder / program
    if program == "patroni":
        folder /= cluster.leader("citus-worker-0")
    pid = programs.pid_of(folder)
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert not cluster.start().already_running
    cluster.wait_until_in_sync()
    assert patients(cluster.dsn) == cluster.patients


@pytest.mark.slow
def test_a_frozen_leader_is_replaced_and_its_clients_are_disconnected(cluster: Cluster) -> None:
    group = "citus-worker-0"
    former, standby = cluster.leader(group), cluster.standby(group)
    folders = (cluster.folder / "patroni" / former, cluster.folder / former)
    frozen: list[int] = []
    address = cluster.ha.group(group)
    with Writer(cluster), connect(dsn_at(cluster.dsn, address.host, address.port)) as conn:
        frozen += [pid for folder in folders for pid in server.processes_in(folder)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: cluster.client(group).is_writable(standby), "the standby leads", seconds=180)
            with pytest.raises(psycopg.OperationalError):
                conn.execute("SELECT 1")
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        cluster.wait_until_in_sync()
    assert cluster.state(group).leader == standby


def test_the_checks_find_a_patroni_that_is_down_a_pause_and_a_pending_restart(cluster: Cluster) -> None:
    group = "citus-worker-1"
    standby = cluster.standby(group)
    pid = programs.pid_of(cluster.folder / "patroni" / standby)
    assert pid
    changed = {"pause": True, "postgresql": {"parameters": {"max_wal_senders": 30}}}
    cluster.client(group).patch_config(changed)
    until(lambda: all(member.pending_restart for member in cluster.state(group).members), "a restart is pending")
    os.kill(pid, signal.SIGKILL)
    try:
        report = verify(
            cluster.dsn, schema=SCHEMA, groups=["standbys"], standbys=api.standbys.find_standbys(cluster.dsn)
        )
        results = {check.code: check for check in report.checks}
        assert (results["HCE1001"].result, standby in results["HCE1001"].found) == (Result.FAILED, True)
        assert results["HCE1008"].result is Result.WARNING
        assert (results["HCE1009"].result, group in results["HCE1009"].found) == (Result.WARNING, True)
    finally:
        cluster.client(group).patch_config({"pause": None})
        cluster.start()
    cluster.wait_until_in_sync()
    until(lambda: not any(member.pending_restart for member in cluster.state(group).members), "as before")


def test_a_pause_holds_in_every_group_until_it_is_ended(cluster: Cluster) -> None:
    environment = {"PYHCE_HOME": str(cluster.folder)}
    started = pyhce("pause", "--yes", "-o", "json", **environment)
    try:
        assert json.loads(started.stdout) == {"groups": list(GROUPS), "paused": True}
        assert all(cluster.state(group).paused for group in GROUPS)
        for group in GROUPS:
            for member in cluster.ha.group(group).members:
                cluster.client(group).reload(member.name)
    finally:
        ended = pyhce("pause", "--off", **environment)
    assert ended.returncode == 0, ended.stderr
    assert not any(cluster.state(group).paused for group in GROUPS)


def test_status_shows_the_members_of_each_group(cluster: Cluster) -> None:
    environment = {"PYHCE_HOME": str(cluster.folder)}
    done = pyhce("status", "-o", "json", **environment)
    groups = json.loads(done.stdout)["standbys"]
    assert [group["name"] for group in groups] == list(GROUPS)
    assert {member["role"] for group in groups for member in group["members"]} == {"leader", "sync_standby"}
    table = pyhce("status", **environment).stdout
    assert all(member.name in table for member in cluster.found.members)
    wrong = pyhce("switchover", "citus-worker-7", "--yes", **environment)
    assert (wrong.returncode, "Choose one of: citus-coordinator" in wrong.stderr) == (2, True)


def test_the_files_with_passwords_are_private(cluster: Cluster) -> None:
    secrets = [*local.passwords(cluster.folder).values(), cluster.password]
    commands = ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            commands += (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue
    logs = "".join(path.read_text(errors="replace") for path in cluster.folder.glob("**/log") if path.is_file())
    assert [secret for secret in secrets if secret in commands or secret in logs] == []
    for path in cluster.folder.glob("patroni/*/patroni.yml"):
        assert path.stat().st_mode & 0o077 == 0


def test_standbys_need_citus(embedded_engine: local.Engine, data_folder: Path, port: int) -> None:
    with pytest.raises(UsageError, match="--standbys needs Citus"):
        local.start(data_folder, engine=embedded_engine, standbys=1, port=port)


def test_standbys_need_etcd(
    citus_engine: local.Engine, data_folder: Path, port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HceError, match="there is no etcd on PATH") as refused:
        local.start(data_folder, engine=citus_engine, standbys=1, port=port)
    assert "apt install etcd-server" in refused.value.remedy
    assert local.status(data_folder).cluster is None
