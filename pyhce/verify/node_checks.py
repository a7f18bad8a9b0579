"""HCE01: nodes are registered by name, active and synchronized, and can connect to each other."""

from __future__ import annotations

import ipaddress

from pyhce.citus import authentication
from pyhce.citus.connection import rows, scalar
from pyhce.citus.nodes import installation_id
from pyhce.citus.site_roles import role_states
from pyhce.counted import counted
from pyhce.settings import LOGIN_ROLES
from pyhce.verify.context import Context, only_on_citus
from pyhce.verify.model import Finding, FunctionCheck, ok_unless

GROUP = "nodes"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def registered_by_name(context: Context) -> Finding:
    """Nodes are registered under names. The IP address of a pod changes with every restart; its name does not."""
    problems = [f"{node.address} is registered under an IP address" for node in context.nodes if _is_address(node.host)]
    if not any(node.group == 0 for node in context.nodes):
        problems.append("the coordinator is not registered, so workers cannot connect to it or route queries")
    if not context.workers:
        problems.append("no worker is registered")
    return ok_unless(
        problems, f"{counted(len(context.nodes), 'node')}: " + ", ".join(node.address for node in context.nodes)
    )


def active_and_synchronized(context: Context) -> Finding:
    """Nodes are in use. `citus_add_node` does not repair a node that is registered already."""
    problems = []
    for node in context.nodes:
        if not node.active:
            problems.append(f"{node.address} is not active")
        if not (node.has_metadata and node.synced):
            problems.append(f"{node.address} does not have the coordinator's current metadata")
        if node.group != 0 and not node.takes_shards:
            problems.append(f"{node.address} takes no shards (shouldhaveshards is false)")
    return ok_unless(problems, "every node is active and synchronized, and every worker takes shards")


def reach_each_other(context: Context) -> Finding:
    """Each node connects to each, by `citus_check_cluster_node_health`.

    See https://docs.citusdata.com/en/stable/develop/api_udf.html.
    """
    connections = context.rows(
        "SELECT from_nodename || ':' || from_nodeport, to_nodename || ':' || to_nodeport, result"
        " FROM citus_check_cluster_node_health()"
    )
    problems = [f"{source} cannot connect to {target}" for source, target, success in connections if not success]
    return ok_unless(
        problems, f"{counted(len(connections), 'connection')} between {counted(len(context.nodes), 'node')}"
    )


def same_versions(context: Context) -> Finding:
    """All nodes run the same versions."""
    versions = {
        address: (
            scalar(conn, "SHOW server_version"),
            scalar(conn, "SELECT extversion FROM pg_extension WHERE extname = 'citus'"),
        )
        for address, conn in context.every_node()
    }
    first = next(iter(versions.values()))
    problems = [
        f"{address} runs PostgreSQL {pg}, Citus {ext}" for address, (pg, ext) in versions.items() if (pg, ext) != first
    ]
    return ok_unless(problems, f"PostgreSQL {first[0]}, Citus {first[1]} on every node")


def workers_answer(context: Context) -> Finding:
    """Each worker answers the coordinator and belongs to this installation."""
    this_installation = installation_id(context.conn)
    answers = context.rows(
        "SELECT nodename || ':' || nodeport, success, result FROM run_command_on_workers(%s)",
        "SELECT (SELECT groupid FROM pg_dist_local_group) || ' ' || (SELECT id FROM hce.instalacion)",
    )
    groups = {node.address: node.group for node in context.workers}
    problems = []
    for address, success, result in answers:
        if not success:
            problems.append(f"{address} does not answer: {str(result).strip().splitlines()[0]}")
        elif result != f"{groups.get(address)} {this_installation}":
            problems.append(f"{address} belongs to another installation or lost its metadata")
    return ok_unless(problems, "every worker answers and belongs to this installation")


def no_trust(context: Context) -> Finding:
    """No pg_hba.conf accepts a connection over TCP without a password or certificate."""
    problems = [
        f"{address}: pg_hba line {line}"
        for address, conn in context.every_node()
        for line in authentication.trust_rules(conn)
    ]
    return ok_unless(problems, "no node trusts connections over TCP")


def secrets_stored(context: Context) -> Finding:
    """Each node stores what it needs to log in to every node as every role, also after a restart."""
    problems = []
    for address, conn in context.every_node():
        stored = {tuple(row) for row in rows(conn, "SELECT nodeid, rolename FROM pg_dist_authinfo")}
        login_roles = {role for (role,) in rows(conn, "SELECT rolname FROM pg_roles WHERE rolcanlogin")}
        for role in (*LOGIN_ROLES, *authentication.INTERNAL_ROLES):
            if role in login_roles and (authentication.ANY_NODE, role) not in stored:
                problems.append(f"{address} has no stored secret for {role}")
            elif role in login_roles and (authentication.THIS_NODE, role) not in stored:
                problems.append(f"{address} has no stored secret for {role} to log in to itself")
    return ok_unless(problems, "every node has the secret of every login role")


def site_roles(context: Context) -> Finding:
    """Each login role of the site works on every node. `CREATE ROLE … IN ROLE hce_readonly` alone is not enough."""
    states = role_states(context.conn)
    problems = [problem for state in states for problem in state.problems]
    return ok_unless(problems, f"{counted(len(states), 'login role')} of this site")


CHECKS = (
    FunctionCheck(
        "HCE0101", GROUP, "Every node, the coordinator included, is registered under its DNS name",
        "`pyhce register --coordinator NAME --worker NAME`, with a --worker for each worker.",
        only_on_citus(registered_by_name),
    ),
    FunctionCheck(
        "HCE0102", GROUP, "Every node is active and synchronized, and every worker takes shards",
        "`pyhce register` activates and synchronizes the nodes.", only_on_citus(active_and_synchronized),
    ),
    FunctionCheck(
        "HCE0103", GROUP, "Every node can connect to every other node",
        "Start the node that is down. If its log shows a refused password: `pyhce register`.",
        only_on_citus(reach_each_other),
    ),
    FunctionCheck(
        "HCE0104", GROUP, "All nodes run the same version of PostgreSQL and of Citus",
        "Restart the node that differs with the same image or packages as the others.", only_on_citus(same_versions),
    ),
    FunctionCheck(
        "HCE0105", GROUP, "Every worker answers and belongs to this installation",
        "Start the worker. If it belongs to another installation, mount its own volume.", only_on_citus(workers_answer),
    ),
    FunctionCheck(
        "HCE0106", GROUP, "No node trusts connections over TCP",
        "Replace trust with scram-sha-256 in pg_hba.conf, then run `SELECT pg_reload_conf();`.", no_trust,
    ),
    FunctionCheck(
        "HCE0107", GROUP, "Every node can log in to every other node as every role",
        "With PYHCE_APP_PASSWORD and PYHCE_READONLY_PASSWORD set, `pyhce register` stores the secrets on every node. "
        "On Kubernetes: `pyhce upgrade`.", only_on_citus(secrets_stored),
    ),
    FunctionCheck(
        "HCE0108", GROUP, "Every login role of the site works on every node",
        "`pyhce register` repairs the role. If no node has its password: `pyhce role rotate NAME`.", site_roles,
    ),
)  # fmt: skip
