"""The processes of a data folder with standbys: start what does not run, in the right order, and stop all of it.

The folder has a data directory for each member and a folder for each program: `etcd`, `forwarder`, and one in `patroni`
for each member. The forwarder listens on the ports of the nodes and leads to their leaders.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pyhce.errors import HceError
from pyhce.local import etcd, forwarder, programs, server
from pyhce.local.account import Account
from pyhce.local.engine import Engine
from pyhce.local.folder import (
    FolderState,
    MemberState,
    NodeState,
    let_account_make_folders,
    write_private,
)
from pyhce.local.patroni_program import (
    PatroniProgram,
    configuration,
)
from pyhce.local.standbys import HA_FILE, Requirements, group_name, groups_file
from pyhce.patroni import (
    HaFile,
    PatroniClient,
    apply_dynamic_config,
    rest_password,
    wait_until_in_sync,
)

logger = logging.getLogger(__name__)

FIRST_LEADER_TIMEOUT = 60.0
"""Seconds for the former leader to lead again before the other members may."""
LEADER_TIMEOUT = 180.0
SYNC_TIMEOUT = 600.0
FORWARDER_TIMEOUT = 60.0
TIMING = ("ttl", "loop_wait", "retry_timeout")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Groups:
    """The processes of a data folder with standbys.

    Args:
        folder: the data folder.
        state: its state, with standbys.
        engine: the PostgreSQL, where the account can run it.
        account: the account that the servers run under.
        superuser_password: of postgres.
    """

    def __init__(
        self, folder: Path, state: FolderState, engine: Engine, account: Account, superuser_password: str
    ) -> None:
        if state.standbys is None:
            raise AssertionError("the state has standbys")
        self.folder, self.state, self.engine, self.account = folder, state, engine, account
        self.standbys = state.standbys
        self.ha = groups_file(folder, state, self.standbys)
        self.password = rest_password(superuser_password)
        self._superuser_password = superuser_password
        self.etcd_folder, self.forwarder_folder = folder / "etcd", folder / "forwarder"

    def patroni_folder(self, member: MemberState) -> Path:
        """The folder of a member's Patroni."""
        return self.folder / "patroni" / member.name

    def data(self, member: MemberState) -> Path:
        """A member's data directory."""
        return self.folder / member.name

    def refuse_taken_ports(self, ours: set[int]) -> None:
        """Refuse a port of a program that does not run if another program listens on it.

        Args:
            ours: ports of servers that will be stopped first.

        Raises:
            HceError: the text names the port.
        """
        for folder in (
            self.forwarder_folder, self.etcd_folder, *(self.patroni_folder(m) for m in self.standbys.members)
        ):  # fmt: skip
            programs.wait_for_ending(folder)
        if programs.pid_of(self.etcd_folder) is None:
            server.refuse_taken_port(self.standbys.etcd_port, "etcd")
            server.refuse_taken_port(self.standbys.etcd_peer_port, "etcd")
        for member in self.standbys.members:
            if programs.pid_of(self.patroni_folder(member)) is None:
                server.refuse_taken_port(member.rest_port, f"the Patroni of {member.name}")
                if server.pid_of(self.data(member)) is None:
                    server.refuse_taken_port(member.port, member.name)
        ours = ours | self._forwarded_ports()
        for node in self.state.nodes:
            if node.port not in ours:
                server.refuse_taken_port(node.port, node.name)

    def _forwarded_ports(self) -> set[int]:
        """The ports that the forwarder listens on."""
        if programs.pid_of(self.forwarder_folder) is None:
            return set()
        try:
            groups = json.loads((self.folder / HA_FILE).read_text())["groups"]
        except OSError:
            return set()
        return {group["port"] for group in groups}

    def start(
        self, requirements: Requirements, time_zone: str, pgpass: Path, on_progress: Callable[[str], None]
    ) -> tuple[bool, list[str]]:
        """Start what does not run, and wait until every group has a leader and its standbys follow in sync.

        Returns:
            Whether all of it ran before, and a sentence for each repair.
        """
        let_account_make_folders(self.folder, self.account)
        (self.folder / "patroni").mkdir(mode=0o755, exist_ok=True)
        (self.folder / "patroni").chmod(0o755)
        repairs = self._recover()
        store, started = self._start_store(requirements, on_progress)
        config = json.dumps(self.ha.dynamic)
        for group in self.ha.groups:
            store.put_if_absent(f"/service/{group.name}/config", config)
        started |= self._start_forwarder(on_progress)

        started |= self._start_members(store, requirements.patroni, time_zone, on_progress)
        self._wait_for_forwarder()
        on_progress("creating the database on every server, if it does not exist")
        _in_parallel(
            lambda node: server.create_database(self.engine, self.account, node.port, pgpass), self.state.nodes
        )
        for sentence in apply_dynamic_config(self._required_ha(), self.password):
            logger.info("%s", sentence)
        for group in self.ha.groups:
            wait_until_in_sync(self.ha, self.password, group.name, SYNC_TIMEOUT, progress=on_progress)
        return not started, repairs

    def _required_ha(self) -> HaFile:
        """The file of groups without the timing, which the user may have changed in the store."""
        dynamic = {key: value for key, value in self.ha.dynamic.items() if key not in TIMING}
        return self.ha.model_copy(update={"dynamic": dynamic})

    def _recover(self) -> list[str]:
        """Prepare what was killed for a start; return a sentence for each repair."""
        repairs = []
        for member in self.standbys.members:
            data = self.data(member)
            if programs.pid_of(self.patroni_folder(member)) is not None:
                continue
            if server.settled_pid_of(data) is not None:
                repairs.append(f"{member.name}: its Patroni was killed; it takes over the server that still runs")
                logger.warning("%s", repairs[-1])
            else:
                repairs += server.recover(data, member.name)
        return repairs

    def _start_store(self, requirements: Requirements, on_progress: Callable[[str], None]) -> tuple[etcd.Etcd, bool]:
        started = programs.pid_of(self.etcd_folder) is None
        if started:
            on_progress("starting etcd")
            ports = self.standbys
            etcd.start(
                self.etcd_folder, requirements.etcd, self.account,
                port=ports.etcd_port, peer_port=ports.etcd_peer_port,
            )  # fmt: skip
        store = etcd.Etcd(self.etcd_folder, self.standbys.etcd_port, self.password)
        store.wait()
        return store, started

    def _start_forwarder(self, on_progress: Callable[[str], None]) -> bool:
        """Write the file of groups, and start the forwarder if it does not run with it."""
        path = self.folder / HA_FILE
        text = self.ha.model_dump_json(indent=1) + "\n"
        same_groups = path.exists() and HaFile.read(path).groups == self.ha.groups
        if not path.exists() or path.read_text() != text:
            write_private(path, text)
        if same_groups and programs.pid_of(self.forwarder_folder) is not None:
            return False
        programs.stop(self.forwarder_folder, timeout=5)
        on_progress("starting the forwarder, which leads to the leaders")
        ourselves = Account(uid=os.geteuid(), gid=os.getegid())  # this Python may be in a folder of our own
        programs.make_program_folder(self.forwarder_folder, ourselves)
        programs.start(
            self.forwarder_folder,
            [
                sys.executable, "-I", str(Path(forwarder.__file__).resolve()), str(path.resolve()),
                str(self.account.uid), str(self.account.gid),
            ],
            ourselves,
        )  # fmt: skip
        return True

    def _wait_for_forwarder(self) -> None:
        """Wait until the forwarder leads from every node's port to its leader."""
        deadline = time.monotonic() + FORWARDER_TIMEOUT
        for node in self.state.nodes:
            while not server.answers(node.port):
                if time.monotonic() > deadline or programs.pid_of(self.forwarder_folder) is None:
                    raise HceError(
                        f"the forwarder does not lead from port {node.port} to {node.name}:\n"
                        f"{programs.log_tail(self.forwarder_folder)}",
                        remedy=f"Fix what its log reports ({self.forwarder_folder / programs.LOG}) and run the same "
                        "command again.",
                    )
                time.sleep(0.05)

    def _start_members(
        self, store: etcd.Etcd, patroni: PatroniProgram, time_zone: str, on_progress: Callable[[str], None]
    ) -> bool:
        """Start the members that do not run, and wait until every group has a leader.

        In a group of which none runs, the last leader is started first and alone, so that it leads again.

        Returns:
            Whether a member was started.

        Raises:
            HceError: a group has no leader in time; the text has the last lines of its members' logs.
        """
        waiting: dict[str, list[MemberState]] = {}
        alone = []
        for node in self.state.nodes:
            members = self.standbys.of(node.name)
            waiting[node.name] = [m for m in members if programs.pid_of(self.patroni_folder(m)) is None]
            if len(waiting[node.name]) == len(members):
                alone.append(node)
                self._prepare_group(node, waiting[node.name], store)
        _in_parallel(lambda node: self._make_first_data(node, store, on_progress), alone)
        for node in alone:
            self._start_member(waiting[node.name].pop(0), patroni, time_zone, on_progress)
        for node in alone:
            self._wait_for_leader(node, FIRST_LEADER_TIMEOUT)
        others = [member for members in waiting.values() for member in members]
        for member in others:
            self._start_member(member, patroni, time_zone, on_progress)
        for node in self.state.nodes:
            if not self._wait_for_leader(node, LEADER_TIMEOUT):
                logs = [
                    f"{member.name}: {programs.log_tail(self.patroni_folder(member))}"
                    for member in self.standbys.of(node.name)
                ]
                raise HceError(
                    f"no member of {group_name(node.name)} became the leader. The last lines of their logs:\n"
                    + "\n".join(logs),
                    remedy=f"Fix what they report ({self.folder / 'patroni'}) and run the same command again.",
                )
        return bool(alone or others)

    def _prepare_group(self, node: NodeState, members: list[MemberState], store: etcd.Etcd) -> None:
        """Put the last leader of a group of which no member runs first, and remove its lock.

        The lock is of a Patroni that was killed. Without this, it would have to run out before a member can lead.
        """
        prefix = f"/service/{group_name(node.name)}"
        last = _last_leader(store, prefix)
        members.sort(key=lambda member: member.name != last)
        store.delete(f"{prefix}/leader")

    def _make_first_data(self, node: NodeState, store: etcd.Etcd, on_progress: Callable[[str], None]) -> None:
        """Create the data directory of the first member of a new group."""
        data = self.data(self.standbys.of(node.name)[0])
        if store.get(f"/service/{group_name(node.name)}/initialize") is None and not data.exists():
            on_progress(f"creating the data directory of {data.name}")
            server.initialise(data, self.engine, self.account, self._superuser_password)

    def _start_member(
        self, member: MemberState, patroni: PatroniProgram, time_zone: str, on_progress: Callable[[str], None]
    ) -> None:
        group = self.ha.group(group_name(member.node))
        folder, data = self.patroni_folder(member), self.data(member)
        programs.make_program_folder(folder, self.account)
        if (data / "PG_VERSION").exists() and server.pid_of(data) is None:
            server.configure(data, self.engine, self.account, port=member.port, time_zone=time_zone)
        path = folder / "patroni.yml"
        text = configuration(
            group,
            group.member(member.name),
            self.engine,
            data=data,
            folder=folder,
            etcd_port=self.standbys.etcd_port,
            superuser_password=self._superuser_password,
        )
        write_private(path, text)
        if self.account.is_other_user:
            os.chown(path, self.account.uid, self.account.gid)
        on_progress(f"starting {member.name} on port {member.port}")
        programs.start(folder, [*patroni.command, str(path)], self.account, patroni.env)

    def _wait_for_leader(self, node: NodeState, timeout: float) -> bool:
        """Wait until a node has a leader that accepts writes; return whether it has."""
        group = self.ha.group(group_name(node.name))
        client = PatroniClient(group, self.ha, self.password)
        deadline = time.monotonic() + timeout
        while True:
            if any(client.is_writable(member.name) for member in group.members):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)

    def stop(self) -> list[str]:
        """Stop the forwarder, the standbys, the leaders and the store, in this order; return the servers' names.

        So no write is accepted that a standby lacks, and the member that led last has the newest data.
        """
        programs.stop(self.forwarder_folder, timeout=5)
        stopped = _in_parallel(self._stop_group, list(reversed(self.state.nodes)))
        programs.stop(self.etcd_folder, timeout=20)
        return [name for names in stopped for name in names]

    def _stop_group(self, node: NodeState) -> list[str]:
        group = self.ha.group(group_name(node.name))
        client = PatroniClient(group, self.ha, self.password)
        members = sorted(self.standbys.of(node.name), key=lambda member: client.is_writable(member.name))
        return [member.name for member in members if self._stop_member(member)]

    def _stop_member(self, member: MemberState) -> bool:
        running = programs.stop(self.patroni_folder(member))
        # Patroni stops PostgreSQL; it goes on if Patroni was killed.
        return server.stop_server(self.data(member), self.engine, self.account) or running


def _in_parallel(action: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results of a function for every item, called in parallel; when all have ended, raise the first error."""
    items = list(items)
    with ThreadPoolExecutor(max_workers=len(items) or 1) as pool:
        return [future.result() for future in [pool.submit(action, item) for item in items]]


def _last_leader(store: etcd.Etcd, prefix: str) -> str | None:
    """The member that led last, by the store."""
    try:
        leader = json.loads(store.get(f"{prefix}/sync") or "{}").get("leader")
    except ValueError:
        return None
    return leader if isinstance(leader, str) else None
