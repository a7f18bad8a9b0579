"""01: the nodes are registered by name, active, in step, and reach each other."""

from __future__ import annotations

import ipaddress

from pyhce.citus import authentication
from pyhce.citus.connection import rows, scalar
from pyhce.citus.nodes import installation_id
from pyhce.citus.site_roles import role_states
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


def by_name(context: Context) -> Finding:
    """An IP of a pod changes with every restart; a name stays."""
    problems = [f"{node.address} is registered by its address" for node in context.nodes if _is_address(node.host)]
    if not any(node.group == 0 for node in context.nodes):
        problems.append("the coordinator is not registered: workers cannot route or reach it")
    if not context.workers:
        problems.append("there is no worker")
    return ok_unless(problems, f"{len(context.nodes)} nodes: " + ", ".join(node.address for node in context.nodes))


def in_service(context: Context) -> Finding:
    """What `citus_add_node` leaves alone on a node that it knows."""
    problems = []
    for node in context.nodes:
        if not node.active:
            problems.append(f"{node.address} is not active")
        if not (node.has_metadata and node.synced):
            problems.append(f"{node.address} has no metadata in step with the coordinator's")
        if node.group != 0 and not node.takes_shards:
            problems.append(f"{node.address} takes no shards (shouldhaveshards is false)")
    return ok_unless(problems, "every node is active, in step, and workers take shards")


def reachable(context: Context) -> Finding:
    """Each node from each: `citus_check_cluster_node_health`, https://docs.citusdata.com/en/stable/develop/api_udf.html."""
    found = context.rows(
        "SELECT from_nodename || ':' || from_nodeport, to_nodename || ':' || to_nodeport, result"
        " FROM citus_check_cluster_node_health()"
    )
    problems = [f"{source} does not reach {target}" for source, target, fine in found if not fine]
    return ok_unless(problems, f"{len(found)} connections between {len(context.nodes)} nodes")


def same_versions(context: Context) -> Finding:
    """One version everywhere."""
    versions = {
        place: (
            scalar(conn, "SHOW server_version"),
            scalar(conn, "SELECT extversion FROM pg_extension WHERE extname = 'citus'"),
        )
        for place, conn in context.every_node()
    }
    first = next(iter(versions.values()))
    problems = [
        f"{place} runs PostgreSQL {pg}, Citus {ext}" for place, (pg, ext) in versions.items() if (pg, ext) != first
    ]
    return ok_unless(problems, f"PostgreSQL {first[0]}, Citus {first[1]} on every node")


def answering(context: Context) -> Finding:
    """Each worker answers the coordinator, and belongs to this installation."""
    here = installation_id(context.conn)
    asked = context.rows(
        "SELECT nodename || ':' || nodeport, success, result FROM run_command_on_workers(%s)",
        "SELECT (SELECT groupid FROM pg_dist_local_group) || ' ' || (SELECT id FROM hce.instalacion)",
    )
    groups = {node.address: node.group for node in context.workers}
    problems = []
    for place, success, result in asked:
        if not success:
            problems.append(f"{place} does not answer: {str(result).strip().splitlines()[0]}")
        elif result != f"{groups.get(place)} {here}":
            problems.append(f"{place} belongs to another installation, or lost its metadata")
    return ok_unless(problems, "every worker answers and is this installation's")


def no_trust(context: Context) -> Finding:
    """Nobody comes in over TCP without a secret."""
    problems = [
        f"{place}: pg_hba line {line}"
        for place, conn in context.every_node()
        for line in authentication.trust_rules(conn)
    ]
    return ok_unless(problems, "no trust over TCP on any node")


def secrets_there(context: Context) -> Finding:
    """Each node can log in to the others as each role, after any restart."""
    problems = []
    for place, conn in context.every_node():
        known = {tuple(row) for row in rows(conn, "SELECT nodeid, rolename FROM pg_dist_authinfo")}
        may = {role for (role,) in rows(conn, "SELECT rolname FROM pg_roles WHERE rolcanlogin")}
        for role in (*LOGIN_ROLES, *authentication.INTERNAL_ROLES):
            if role in may and (authentication.ANY_NODE, role) not in known:
                problems.append(f"{place} has no secret for {role}")
            elif role in may and (authentication.THIS_NODE, role) not in known:
                problems.append(f"{place} has no secret for {role} to log in to itself")
    return ok_unless(problems, "every node has the secret of every role that logs in")


def site_roles(context: Context) -> Finding:
    """A site's own login roles, which `CREATE ROLE … IN ROLE hce_readonly` alone does not make work."""
    found = role_states(context.conn)
    problems = [problem for state in found for problem in state.problems]
    return ok_unless(problems, f"{len(found)} login roles of this site")


CHECKS = (
    FunctionCheck(
        "HCE0101", GROUP, "Nodes are registered by name, the coordinator too",
        "`pyhce register` with each worker's name registers it so.", only_on_citus(by_name),
    ),
    FunctionCheck(
        "HCE0102", GROUP, "Nodes are active, in step, and take shards",
        "`pyhce register` activates and syncs them.", only_on_citus(in_service),
    ),
    FunctionCheck(
        "HCE0103", GROUP, "Every node reaches every other",
        "Start the node that is down; then see its log for a refused password, and `pyhce register`.",
        only_on_citus(reachable),
    ),
    FunctionCheck(
        "HCE0104", GROUP, "One version of PostgreSQL and Citus everywhere",
        "Upgrade the node that lags: restart it with the same image or packages.", only_on_citus(same_versions),
    ),
    FunctionCheck(
        "HCE0105", GROUP, "Every worker answers and belongs to this installation",
        "Start it, or mount the volume that belongs to it.", only_on_citus(answering),
    ),
    FunctionCheck(
        "HCE0106", GROUP, "No trust over TCP",
        "Write scram-sha-256 in pg_hba.conf and reload.", no_trust,
    ),
    FunctionCheck(
        "HCE0107", GROUP, "Every node can log in to every other as every role",
        "`pyhce register` with the roles' passwords notes them on every node.", only_on_citus(secrets_there),
    ),
    FunctionCheck(
        "HCE0108", GROUP, "Every login role of the site works on every node",
        "`pyhce register` mends what it can; a password that no node holds: `pyhce role rotate NAME`.", site_roles,
    ),
)  # fmt: skip
