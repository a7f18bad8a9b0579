"""HCE10: each group has one leader and a synchronous standby that follows it, and its state can survive a failover."""

from __future__ import annotations

from collections.abc import Callable

from pyhce.citus.connection import connect, dsn_at, rows
from pyhce.errors import HceError
from pyhce.patroni import Group, GroupState, PatroniClient
from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.model import Finding, FunctionCheck, Result, ok_unless, skipped

GROUP = "standbys"
MAX_LAG = 16 * 1024 * 1024
"""Bytes of WAL, one segment, that a standby may be behind."""
MAX_PREPARED_SECONDS = 90
"""Citus ends transactions that a failover left prepared within a minute (citus.recover_2pc_interval)."""
NODE_ROWS = (
    "SELECT nodeid, groupid, nodename, nodeport, noderole::text, nodecluster::text, isactive, shouldhaveshards"
    " FROM pg_dist_node ORDER BY nodeid"
)


def _with_standbys(function: Callable[[Context], Finding]) -> Callable[[Context], Finding]:
    """A probe that is skipped without Citus and without standbys."""

    def probe(context: Context) -> Finding:
        if context.standbys is None:
            return skipped("no standbys (PYHCE_HA is not set)")
        return function(context)

    return only_on_citus(probe)


def _states(context: Context) -> tuple[GroupState, ...]:
    return context.group_states


def one_leader(context: Context) -> Finding:
    """Each member is asked itself: a leader that was cut off from the store may still accept writes."""
    problems = []
    for group in context.ha.groups:
        client = PatroniClient(group, context.ha, context.rest_password)
        writable, silent = [], []
        for member in group.members:
            try:
                facts = client.member_facts(member.name)
            except HceError:
                silent.append(member.name)
                continue
            if facts.get("role") == "primary" and facts.get("state") == "running":
                writable.append(member.name)
        problems += [f"{group.name}: the Patroni of {name} does not answer" for name in silent]
        if len(writable) != 1:
            problems.append(f"{group.name}: {' and '.join(writable) or 'no member'} accepts writes")
    names = [f"{state.leader}" for state in _states(context)]
    return ok_unless(problems, f"{len(names)} groups, led by {', '.join(names)}")


def synchronous_standby(context: Context) -> Finding:
    """Without a synchronous standby, a failover may lose the last writes, or does not happen."""
    synchronous = context.ha.synchronous != "off"
    problems = []
    for state in _states(context):
        reason = state.why_not_in_sync(synchronous=synchronous)
        if reason:
            problems.append(f"{state.name}: {reason}")
    kind = "a synchronous standby" if synchronous else "a standby"
    return ok_unless(problems, f"every group has {kind}")


def lag(context: Context) -> Finding:
    """Bytes of WAL that standbys have not replayed."""
    lags = {member.name: member.lag for state in _states(context) for member in state.members if member.lag is not None}
    problems = [f"{name} is {behind} bytes behind" for name, behind in lags.items() if behind > MAX_LAG]
    return ok_unless(
        problems, f"at most {max(lags.values(), default=0)} bytes behind, of {len(lags)} standbys",
        severity=Result.WARNING,
    )  # fmt: skip


def timelines(context: Context) -> Finding:
    """A member on another timeline follows another history and cannot take over."""
    problems, found = [], []
    for state in _states(context):
        by_timeline = {member.timeline for member in state.members}
        if len(by_timeline) > 1 or None in by_timeline:
            problems.append(f"{state.name}: {', '.join(member.words for member in state.members)}")
        else:
            found += [f"{state.name} {timeline}" for timeline in by_timeline]
    return ok_unless(problems, ", ".join(found))


def prepared_transactions(context: Context) -> Finding:
    """A transaction that stays prepared keeps its locks and holds back vacuum. The leaders are asked."""
    problems, count = [], 0
    for address, conn in context.every_node():
        prepared = rows(
            conn, "SELECT gid, extract(epoch FROM now() - prepared)::int FROM pg_prepared_xacts ORDER BY prepared"
        )
        count += len(prepared)
        problems += [f"{address}: {gid} since {age} s" for gid, age in prepared if age > MAX_PREPARED_SECONDS]
    return ok_unless(problems, f"{count} prepared transactions, none older than {MAX_PREPARED_SECONDS} s")


def same_node_rows(context: Context) -> Finding:
    """All nodes have the same rows in pg_dist_node. The ids of local columns do not matter."""
    by_node = {address: rows(conn, NODE_ROWS) for address, conn in context.every_node()}
    first = next(iter(by_node.values()))
    problems = [
        f"{address}: {len(set(own) ^ set(first))} rows differ from the coordinator's"
        for address, own in by_node.items()
        if own != first
    ]
    return ok_unless(problems, f"{len(first)} rows on each of {len(by_node)} nodes")


def standbys_answer(context: Context) -> Finding:
    """Each standby answers queries and is in recovery; what Patroni says is not taken for it."""
    problems, count = [], 0
    for state in _states(context):
        group: Group = context.ha.group(state.name)
        for member in group.members:
            if member.name == state.leader:
                continue
            count += 1
            try:
                with connect(dsn_at(context.dsn, member.host, member.port)) as conn:
                    if rows(conn, "SELECT pg_is_in_recovery()") != [(True,)]:
                        problems.append(f"{member.name} is not in recovery")
            except HceError as error:
                problems.append(error.wrong.splitlines()[0])
    return ok_unless(problems, f"{count} standbys answer")


def pending_restart(context: Context) -> Finding:
    """A setting that needs a restart is not in force yet."""
    waiting = [member.name for state in _states(context) for member in state.members if member.pending_restart]
    problems = [f"{name} waits for a restart" for name in waiting]
    return ok_unless(problems, "no member waits for a restart", severity=Result.WARNING)


def not_paused(context: Context) -> Finding:
    """In maintenance mode Patroni does not fail over."""
    problems = [f"{state.name} is paused" for state in _states(context) if state.paused]
    return ok_unless(problems, "no group is paused", severity=Result.WARNING)


CHECKS = (
    FunctionCheck(
        "HCE1001", GROUP, "Every group has exactly one leader, and the Patroni of every member answers",
        "Start what is down: `pyhce up`, or its pod. `pyhce status` shows the members.", _with_standbys(one_leader),
    ),
    FunctionCheck(
        "HCE1002", GROUP, "Every group has a synchronous standby, and every standby follows the leader",
        "Wait until it has caught up. If it does not: `pyhce reinit MEMBER`.", _with_standbys(synchronous_standby),
    ),
    FunctionCheck(
        "HCE1003", GROUP, "No standby is more than 16 MiB behind",
        "Wait, or find what slows its disk or network. `pyhce status` shows the lag.", _with_standbys(lag),
    ),
    FunctionCheck(
        "HCE1004", GROUP, "All members of a group are on one timeline",
        "`pyhce reinit MEMBER` for the member that is on another timeline.", _with_standbys(timelines),
    ),
    FunctionCheck(
        "HCE1005", GROUP, "No transaction has been prepared for more than 90 seconds",
        "Citus ends them when all nodes answer: `SELECT recover_prepared_transactions();` on the coordinator.",
        _with_standbys(prepared_transactions),
    ),
    FunctionCheck(
        "HCE1006", GROUP, "Every node has the same rows in pg_dist_node",
        "`SELECT start_metadata_sync_to_all_nodes();` on the coordinator.", _with_standbys(same_node_rows),
    ),
    FunctionCheck(
        "HCE1007", GROUP, "Every standby answers queries",
        "Start it: `pyhce up`, or its pod. Then `pyhce reinit MEMBER` if it does not recover.",
        _with_standbys(standbys_answer),
    ),
    FunctionCheck(
        "HCE1008", GROUP, "No member waits for a restart",
        "`pyhce down`, then `pyhce up`. On Kubernetes: `pyhce upgrade` restarts one member after the other.",
        _with_standbys(pending_restart),
    ),
    FunctionCheck(
        "HCE1009", GROUP, "No group is in maintenance mode",
        "End it with `patronictl resume`, or PATCH `{\"pause\": null}` to Patroni's /config.",
        _with_standbys(not_paused),
    ),
)  # fmt: skip
