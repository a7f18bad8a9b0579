"""The groups of a cluster with standbys: the file that names them, and the state that Patroni reports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from pyhce.errors import HceError, UsageError
from pyhce.schema.model import Frozen

HA_VARIABLE = "PYHCE_HA"
"""The environment variable with the path of the file of groups."""

LEADER_ROLES = ("leader", "standby_leader")
SYNCHRONOUS_ROLES = ("sync_standby", "quorum_standby")
MISSING = "missing"
"""The state of a member that the group should have and that Patroni does not list, as its Patroni has stopped."""


class MemberAddress(Frozen):
    """A member of a group.

    Args:
        host, port: of its PostgreSQL.
        rest_port: of its Patroni, on the same host.
    """

    name: str
    host: str
    port: int
    rest_port: int


class Group(Frozen):
    """The members of one Citus node.

    Args:
        name: Patroni's scope, such as citus-worker-0.
        host, port: the address that follows the leader; the node is registered under it in pg_dist_node.
    """

    name: str
    host: str
    port: int
    members: tuple[MemberAddress, ...]

    def member(self, name: str) -> MemberAddress:
        """The member of a name.

        Raises:
            UsageError: the group has no such member.
        """
        for member in self.members:
            if member.name == name:
                return member
        raise UsageError(
            f"{self.name} has no member {name!r}",
            remedy=f"Choose one of: {', '.join(member.name for member in self.members)}.",
        )


class HaFile(Frozen):
    """The groups of a cluster with standbys, as the chart or `pyhce up --standbys` wrote them.

    Args:
        groups: that of the coordinator first.
        tls: whether Patroni's REST API uses HTTPS.
        ca: the file of the authority that signed its certificates; "" for those of the operating system.
        synchronous: on, strict (no write succeeds without a synchronous standby) or off.
        dynamic: Patroni's dynamic configuration, which every group should have.
    """

    groups: tuple[Group, ...]
    tls: bool = False
    ca: str = ""
    synchronous: Literal["on", "strict", "off"] = "on"
    dynamic: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> HaFile:
        """The content of a file.

        Raises:
            HceError: the file does not exist or has another format.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise HceError(
                f"could not read the file of groups {path}: {error.strerror}",
                remedy=f"Set {HA_VARIABLE} to the file that the chart or `pyhce up --standbys` wrote, or unset it.",
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise HceError(
                f"could not read the file of groups {path}: {f'{where}: ' if where else ''}{first['msg']}",
                remedy="Use the release of pyhce that wrote it.",
            ) from error

    def group(self, name: str) -> Group:
        """The group of a name.

        Raises:
            UsageError: there is no such group.
        """
        for group in self.groups:
            if group.name == name:
                return group
        raise UsageError(
            f"there is no group {name!r}", remedy=f"Choose one of: {', '.join(group.name for group in self.groups)}."
        )

    def group_of(self, member: str) -> Group:
        """The group of a member.

        Raises:
            UsageError: no group has such a member.
        """
        for group in self.groups:
            if any(m.name == member for m in group.members):
                return group
        names = ", ".join(m.name for group in self.groups for m in group.members)
        raise UsageError(f"there is no member {member!r}", remedy=f"Choose one of: {names}.")


def ha_file() -> HaFile | None:
    """The file of groups that PYHCE_HA names, None if the variable is not set.

    Raises:
        HceError: the file does not exist or has another format.
    """
    path = os.environ.get(HA_VARIABLE)
    return HaFile.read(Path(path)) if path else None


class Standbys(Frozen):
    """The groups of a database with standbys, and the password of Patroni's REST API."""

    ha: HaFile
    password: str = Field(repr=False)


class MemberState(Frozen):
    """A member's state.

    Args:
        role: leader, sync_standby, quorum_standby, replica or standby_leader.
        state: running, streaming, starting …; `MISSING` if Patroni does not list the member.
        timeline: None while PostgreSQL does not run.
        lag: bytes of WAL that it has not replayed; None for the leader, or if it is not known.
        pending_restart: whether a changed setting waits for a restart.
        host: of its PostgreSQL.
    """

    name: str
    role: str
    state: str
    timeline: int | None = None
    lag: int | None = None
    pending_restart: bool = False
    host: str = ""

    @property
    def synchronous(self) -> bool:
        """Whether a commit waits for this member."""
        return self.role in SYNCHRONOUS_ROLES

    @property
    def words(self) -> str:
        """Name, role, state, timeline and lag in one line."""
        facts = [self.role, self.state]
        if self.timeline is not None:
            facts.append(f"timeline {self.timeline}")
        if self.lag:
            facts.append(f"{self.lag} bytes behind")
        return f"{self.name} ({', '.join(facts)})"


class GroupState(Frozen):
    """A group's state.

    Args:
        leader: the name of the leader, None if there is none.
        members: those of the file of groups, and others that Patroni lists.
        synchronous: the names of the synchronous standbys.
        paused: whether Patroni does nothing by itself (maintenance mode).
    """

    name: str
    leader: str | None
    members: tuple[MemberState, ...]
    synchronous: tuple[str, ...]
    paused: bool = False

    @classmethod
    def from_answer(cls, group: Group, answer: dict[str, Any]) -> GroupState:
        """The state that Patroni's `GET /cluster` answers.

        See https://patroni.readthedocs.io/en/latest/rest_api.html#cluster-status-endpoints.
        """
        listed = {member["name"]: _member_state(member) for member in answer.get("members", ())}
        missing = [
            MemberState(name=address.name, role="replica", state=MISSING, host=address.host)
            for address in group.members
            if address.name not in listed
        ]
        order = [address.name for address in group.members]
        members = sorted([*listed.values(), *missing], key=lambda m: order.index(m.name) if m.name in order else 99)
        return cls(
            name=group.name,
            leader=next((member.name for member in members if member.role in LEADER_ROLES), None),
            members=tuple(members),
            synchronous=tuple(member.name for member in members if member.synchronous),
            paused=bool(answer.get("pause")),
        )

    def member(self, name: str) -> MemberState:
        """The state of a member that the group has."""
        return next(member for member in self.members if member.name == name)

    def why_not_in_sync(self, *, synchronous: bool = True) -> str:
        """Why the group could lose data or availability if its leader failed now; "" if it could not.

        Args:
            synchronous: whether a synchronous standby is required, and not only one that streams.
        """
        if self.leader is None:
            return "it has no leader"
        leader = self.member(self.leader)
        if leader.state != "running":
            return f"its leader is {leader.words}"
        standbys = [member for member in self.members if member.name != self.leader]
        for standby in standbys:
            if standby.state != "streaming" or standby.timeline != leader.timeline:
                return f"{standby.words} does not follow the leader {leader.words}"
        if synchronous and not self.synchronous:
            return f"no standby of {self.leader} is synchronous"
        return "" if standbys else f"{self.leader} has no standby"


def _member_state(answer: dict[str, Any]) -> MemberState:
    lag = answer.get("lag")
    return MemberState(
        name=answer["name"],
        role=answer["role"],
        state=answer.get("state") or "unknown",
        timeline=answer.get("timeline"),
        lag=lag if isinstance(lag, int) else None,
        pending_restart=bool(answer.get("pending_restart")),
        host=answer.get("host", ""),
    )
