"""Groups of PostgreSQL servers that Patroni runs: one leader and its standbys for each Citus node."""

from pyhce.patroni.groups import Group, GroupState, HaFile, MemberAddress, MemberState, Standbys, ha_file
from pyhce.patroni.operations import (
    PauseReport,
    ReinitReport,
    SwitchoverReport,
    apply_dynamic_config,
    group_states,
    pause,
    reinit,
    switchover,
    wait_until_in_sync,
)
from pyhce.patroni.rest import PatroniClient, rest_password

__all__ = [
    "Group",
    "GroupState",
    "HaFile",
    "MemberAddress",
    "MemberState",
    "PatroniClient",
    "PauseReport",
    "ReinitReport",
    "Standbys",
    "SwitchoverReport",
    "apply_dynamic_config",
    "group_states",
    "ha_file",
    "pause",
    "reinit",
    "rest_password",
    "switchover",
    "wait_until_in_sync",
]
