"""The members of a data folder with standbys: their names and ports, and the file of groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyhce.local import etcd
from pyhce.local.account import Account
from pyhce.local.folder import (
    FolderState,
    MemberState,
    StandbysState,
)
from pyhce.local.patroni_program import (
    PatroniProgram,
    dynamic_configuration,
    find_patroni,
)
from pyhce.patroni import (
    Group,
    HaFile,
    MemberAddress,
)

HA_FILE = "ha.json"
MEMBER_HOST = "127.0.0.1"


def with_standbys(state: FolderState, count: int, free_port: Callable[[set[int]], int]) -> FolderState:
    """The state with so many standbys for each node. Members keep their ports; new ones get free ports.

    Args:
        free_port: gives a free port that is not in a set.
    """
    used = {node.port for node in state.nodes}
    before = state.standbys
    if before:
        used |= {before.etcd_port, before.etcd_peer_port}
        used |= {port for member in before.members for port in (member.port, member.rest_port)}

    def new_port() -> int:
        port = free_port(used)
        used.add(port)
        return port

    ports = (before.etcd_port, before.etcd_peer_port) if before else (new_port(), new_port())
    members = list(before.members if before else ())
    for node in state.nodes:
        for number in range(sum(member.node == node.name for member in members), count + 1):
            name = f"{node.name}-{chr(ord('a') + number)}" if number else node.name
            members.append(MemberState(node=node.name, name=name, port=new_port(), rest_port=new_port()))
    return state.model_copy(
        update={
            "standbys": StandbysState(etcd_port=ports[0], etcd_peer_port=ports[1], members=tuple(members)),
        }
    )


def read_ha(folder: Path) -> HaFile | None:
    """The file of groups of a data folder, None if it has no standbys."""
    path = folder / HA_FILE
    return HaFile.read(path) if path.exists() else None


def groups_file(folder: Path, state: FolderState, standbys: StandbysState) -> HaFile:
    """The content of the file of groups."""
    return HaFile(
        groups=tuple(
            Group(
                name=group_name(node.name),
                host="localhost",
                port=node.port,
                members=tuple(
                    MemberAddress(name=m.name, host=MEMBER_HOST, port=m.port, rest_port=m.rest_port)
                    for m in standbys.of(node.name)
                ),
            )
            for node in state.nodes
        ),
        dynamic=dynamic_configuration(state.engine, folder),
    )


class Requirements:
    """The programs that standbys need, found before anything is changed.

    Args:
        folder: the data folder.
        account: the account that they run under.

    Raises:
        HceError: one of them is missing.
    """

    def __init__(self, folder: Path, account: Account) -> None:
        self.etcd: str = etcd.find_etcd()
        self.patroni: PatroniProgram = find_patroni(folder, account)


def group_name(node: str) -> str:
    """Patroni's scope for a node, as on Kubernetes."""
    return f"citus-{node}"
