"""The file of groups, and the state of a group from answers of `GET /cluster` that a Patroni 4.1.5 gave."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from pyhce.errors import ConnectionFailed, HceError, UsageError
from pyhce.patroni import Group, GroupState, HaFile, MemberAddress, group_states, ha_file, rest_password, switchover
from pyhce.patroni.operations import _changes, _with_removals

ANSWERS = Path(__file__).parent / "patroni_answers"
GROUP = Group(
    name="citus-worker-0",
    host="localhost",
    port=30008,
    members=tuple(MemberAddress(name=name, host="127.0.0.1", port=1, rest_port=2) for name in "ab"),
)


def state(answer: str) -> GroupState:
    return GroupState.from_answer(GROUP, json.loads((ANSWERS / f"{answer}.json").read_text()))


def test_a_group_in_sync_has_a_leader_and_a_synchronous_standby() -> None:
    group = state("in-sync")
    assert (group.name, group.leader, group.synchronous, group.paused) == ("citus-worker-0", "a", ("b",), False)
    assert group.why_not_in_sync() == ""
    leader, standby = group.members
    assert (leader.role, leader.state, leader.timeline, leader.lag, leader.host) == (
        "leader", "running", 2, None, "127.0.0.1",
    )  # fmt: skip
    assert (standby.synchronous, standby.state, standby.lag, standby.pending_restart) == (True, "streaming", 0, False)


def test_a_pending_restart_and_the_maintenance_mode_are_read() -> None:
    group = state("pending-restart-and-paused")
    assert group.paused
    assert [member.pending_restart for member in group.members] == [True, True]


def test_a_member_that_is_stopped_has_no_lag_and_no_timeline() -> None:
    group = state("just-after-switchover")
    former = group.member("a")
    assert (group.leader, former.state, former.lag, former.timeline) == ("b", "stopped", None, None)
    assert group.why_not_in_sync() == (
        "a (replica, stopped) does not follow the leader b (leader, running, timeline 2)"
    )


def test_a_standby_that_only_streams_is_in_sync_without_synchronous_replication() -> None:
    group = state("not-yet-synchronous")
    assert group.member("a").lag == 280
    assert group.why_not_in_sync() == "no standby of b is synchronous"
    assert group.why_not_in_sync(synchronous=False) == ""


def test_a_member_that_patroni_does_not_list_is_missing() -> None:
    group = state("no-leader")
    assert (group.leader, group.member("b").state) == (None, "missing")
    assert group.why_not_in_sync() == "it has no leader"


def test_the_file_of_groups_is_read_from_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYHCE_HA", raising=False)
    assert ha_file() is None
    path = tmp_path / "ha.json"
    path.write_text(HaFile(groups=(GROUP,), dynamic={"ttl": 30}).model_dump_json())
    monkeypatch.setenv("PYHCE_HA", str(path))
    ha = ha_file()
    assert ha is not None
    assert (ha.groups, ha.tls, ha.synchronous, ha.dynamic) == ((GROUP,), False, "on", {"ttl": 30})


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "No such file"), ("{", "Invalid JSON"), ('{"groups": [{}]}', "groups.0.name")]
)
def test_a_file_of_groups_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "ha.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(HceError, match=reason) as error:
        HaFile.read(path)
    assert str(path) in error.value.wrong


def test_an_unknown_group_or_member_is_refused_with_the_names() -> None:
    ha = HaFile(groups=(GROUP,))
    with pytest.raises(UsageError, match="Choose one of: citus-worker-0"):
        ha.group("citus-worker-9")
    with pytest.raises(UsageError, match="Choose one of: a, b"):
        ha.group_of("c")
    with pytest.raises(UsageError, match="Choose one of: a, b"):
        GROUP.member("c")
    assert ha.group_of("b") == GROUP


def test_the_error_of_a_group_without_an_answer_names_each_member() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    silent = GROUP.model_copy(
        update={"members": tuple(m.model_copy(update={"rest_port": port}) for m in GROUP.members)}
    )
    ha = HaFile(groups=(silent,))
    with pytest.raises(ConnectionFailed) as error:
        switchover(ha, "secret", "citus-worker-0")
    url = f"http://127.0.0.1:{port}/cluster"
    assert error.value.wrong == (
        f"no Patroni of citus-worker-0 answers: a at {url}: Connection refused; b at {url}: Connection refused"
    )
    (group,) = group_states(ha, "secret")
    assert (group.leader, [member.state for member in group.members]) == (None, ["missing", "missing"])


def test_the_password_of_the_rest_api_is_derived_from_that_of_the_superuser() -> None:
    # printf patroni-rest | openssl dgst -sha256 -hmac secret
    assert rest_password("secret") == "4143688d69c36a3434b893aea0167ad5b7f8e0606929ed33d797cb6f490bd2ef"


def test_a_change_of_the_dynamic_configuration_is_named_by_its_path() -> None:
    present = {"ttl": 30, "pause": True, "postgresql": {"parameters": {"max_connections": 100, "jit": "off"}}}
    wanted = {"ttl": 30, "pause": None, "slots": None, "postgresql": {"parameters": {"max_connections": 110}, "x": 1}}
    assert _changes(present, wanted) == [
        "pause removed", "postgresql.parameters.max_connections from 100 to 110", "postgresql.x set to 1",
    ]  # fmt: skip
    assert _changes(wanted, {"ttl": 30}) == []


def test_a_setting_that_is_no_longer_declared_is_removed_and_other_keys_stay() -> None:
    present = {"ttl": 30, "pause": True, "postgresql": {"parameters": {"work_mem": "64MB", "jit": "off"}}}
    declared = {"ttl": 20, "postgresql": {"parameters": {"jit": "off"}}}
    wanted = _with_removals(present, declared)
    assert wanted == {"ttl": 20, "postgresql": {"parameters": {"jit": "off", "work_mem": None}}}
    assert _changes(present, wanted) == ["ttl from 30 to 20", "postgresql.parameters.work_mem removed"]
