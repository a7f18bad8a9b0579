"""The site's own login roles, members of hce_app or hce_readonly: what they lack on a node, and its repair.

On Citus a role works if every node has it with the same password and memberships, and if every node has the password in
`pg_dist_authinfo`, because nodes log in to each other as the user of the session. `CREATE ROLE … LOGIN IN ROLE
hce_readonly` alone creates the role on every node, but stores nothing in `pg_dist_authinfo`. Then a query over several
shards fails with "fe_sendauth: no password supplied".

All statements for workers go through the coordinator, so this also works where workers cannot be reached directly.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus import authentication
from pyhce.citus.authentication import ANY_NODE, INTERNAL_ROLES, THIS_NODE, Authinfo
from pyhce.citus.connection import has_citus, rows
from pyhce.schema.model import Frozen
from pyhce.settings import APP_ROLE, LOGIN_ROLES, READONLY_ROLE

logger = logging.getLogger(__name__)

MODEL_ROLES = {"app": APP_ROLE, "readonly": READONLY_ROLE}
"""The models for a new role (`pyhce role add --like`), each with the role of ours that it becomes a member of."""
PRODUCT_ROLES = (*LOGIN_ROLES, *INTERNAL_ROLES)

_SITE_ROLES = """
    SELECT r.rolname FROM pg_roles AS r
    WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> ALL(%s)
        AND EXISTS (SELECT 1 FROM unnest(%s::name[]) AS g WHERE pg_has_role(r.oid, g, 'MEMBER'))
    ORDER BY 1"""
_ON_A_NODE = """
    SELECT coalesce(json_agg(json_build_object(
        'name', r.rolname, 'logs_in', r.rolcanlogin, 'secret', r.rolpassword,
        'connects', has_database_privilege(r.oid, current_database(), 'CONNECT'),
        'like', (SELECT coalesce(json_agg(g ORDER BY g), '[]') FROM unnest({groups}::name[]) AS g
                 WHERE pg_has_role(r.oid, g, 'MEMBER')),
        'authinfo', {authinfo})), '[]')::text
    FROM pg_authid AS r WHERE r.rolname = ANY({names}::name[])"""
_AUTHINFO = """(SELECT coalesce(json_object_agg(a.nodeid, a.authinfo), '{}')
    FROM pg_catalog.pg_dist_authinfo AS a WHERE a.rolename = r.rolname)"""


class RoleState(Frozen):
    """A login role of the site.

    Args:
        name: the role.
        like: `app`, `readonly` or both: which of our roles it is a member of.
        problems: one sentence for each thing that is missing or wrong on a node; empty if the role works everywhere.
        known: whether a node has a valid password of it in `pg_dist_authinfo`, so that `pyhce register` can repair the
            other nodes; always true without Citus.
    """

    name: str
    like: tuple[str, ...]
    problems: tuple[str, ...] = ()
    known: bool = True


class _RoleOnNode(NamedTuple):
    """A role as it is on one node."""

    logs_in: bool
    secret: str | None
    connects: bool
    like: tuple[str, ...]
    authinfo: Authinfo


class RoleSurvey(NamedTuple):
    """The site's roles on every node.

    Args:
        names: the roles that exist on the coordinator.
        nodes: for each node, the coordinator first, its roles by name.
        citus: whether the database has Citus.
    """

    names: tuple[str, ...]
    nodes: dict[str, dict[str, _RoleOnNode]]
    citus: bool


COORDINATOR = "the coordinator"


def survey_roles(conn: Connection[TupleRow]) -> RoleSurvey:
    """The site's roles as every node has them.

    Raises:
        ConnectionFailed: a worker did not answer.
    """
    names = tuple(name for (name,) in rows(conn, _SITE_ROLES, list(PRODUCT_ROLES), list(MODEL_ROLES.values())))
    citus = has_citus(conn)
    query = sql.SQL(_ON_A_NODE).format(
        groups=sql.Literal(list(MODEL_ROLES.values())),
        names=sql.Literal(list(names)),
        authinfo=sql.SQL(_AUTHINFO if citus else "'{}'::json"),
    )
    row = conn.execute(query).fetchone()
    results = {COORDINATOR: row[0] if row else "[]"}
    if citus:
        results |= authentication.run_on_workers(conn, query)
    nodes = {node: {role["name"]: _role_on_node(role) for role in json.loads(text)} for node, text in results.items()}
    return RoleSurvey(names, nodes, citus)


def _role_on_node(role: dict[str, Any]) -> _RoleOnNode:
    return _RoleOnNode(
        role["logs_in"],
        role["secret"],
        role["connects"],
        tuple(role["like"]),
        {(int(node), role["name"]): info for node, info in role["authinfo"].items()},
    )


def role_states(conn: Connection[TupleRow]) -> tuple[RoleState, ...]:
    """Every login role of the site, with its problems. Raises as `survey_roles`."""
    found = survey_roles(conn)
    known = _stored_passwords(conn, found)
    kinds = {role: kind for kind, role in MODEL_ROLES.items()}
    return tuple(
        RoleState(
            name=name,
            like=tuple(kinds[role] for role in found.nodes[COORDINATOR][name].like),
            problems=tuple(_problems(found, name)),
            known=not found.citus or name in known,
        )
        for name in found.names
    )


def _stored_passwords(conn: Connection[TupleRow], found: RoleSurvey) -> dict[str, str]:
    """The valid passwords of the site's roles that a node has stored; none without Citus."""
    if not found.citus:
        return {}
    stored: list[Authinfo] = [node[name].authinfo for node in found.nodes.values() for name in node]
    passwords = authentication.known_passwords(conn, stored)
    return {name: passwords[name] for name in found.names if name in passwords}


def _problems(found: RoleSurvey, name: str) -> Iterator[str]:
    reference = found.nodes[COORDINATOR][name]
    if reference.secret is None:
        yield f"{name} has no password"
    for node, roles in found.nodes.items():
        role = roles.get(name)
        if role is None:
            yield f"{node}: role {name} does not exist"
            continue
        if not role.logs_in:
            yield f"{node}: {name} may not log in"
        if role.secret != reference.secret:
            yield f"{node}: the password of {name} differs from the one on the coordinator"
        if role.like != reference.like:
            yield (
                f"{node}: {name} is a member of {', '.join(role.like) or 'none of our roles'}, "
                f"on the coordinator of {', '.join(reference.like)}"
            )
        if not role.connects:
            yield f"{node}: {name} may not connect to the database"
        if found.citus:
            yield from _authinfo_problems(node, name, role, reference.secret)


def _authinfo_problems(node: str, name: str, role: _RoleOnNode, secret: str | None) -> Iterator[str]:
    passwords = [authentication.password_in(role.authinfo.get((to, name))) for to in (ANY_NODE, THIS_NODE)]
    if None in passwords:
        yield f"{node} has no stored password to log in to other nodes as {name}"
    elif secret and not all(password and authentication.password_matches(password, secret) for password in passwords):
        yield f"{node} has a wrong stored password to log in to other nodes as {name}"


class RoleRepairs(NamedTuple):
    """The repairs of the site's roles.

    Args:
        done: one sentence for each repair.
        not_done: one sentence for each role that still has a problem, with the command that repairs it.
    """

    done: list[str]
    not_done: list[str]


def repair_roles(conn: Connection[TupleRow]) -> RoleRepairs:
    """Make each of the site's roles on every worker equal to the one on the coordinator, as far as possible.

    A password that no node has stored cannot be repaired: the report names the role.

    Raises:
        ConnectionFailed: a worker did not answer.
    """
    found = survey_roles(conn)
    done = []
    if found.citus:
        for name in found.names:
            if any(_differs(roles.get(name), found.nodes[COORDINATOR][name]) for roles in found.nodes.values()):
                authentication.run_on_workers(conn, _copy_to_worker(name, found.nodes[COORDINATOR][name]))
                done.append(f"made role {name} the same on every node")
                logger.info("made role %s on the workers equal to the one on the coordinator", name)
        known = _stored_passwords(conn, found)
        done += authentication.change_passwords(conn, known)
    broken = [state for state in role_states(conn) if state.problems]
    not_done = [f"{state.problems[0]}; repair it with: pyhce role rotate {state.name}" for state in broken]
    for problem in not_done:
        logger.warning("could not repair a role: %s", problem)
    return RoleRepairs(done, not_done)


def _differs(role: _RoleOnNode | None, reference: _RoleOnNode) -> bool:
    return role is None or role[:2] != reference[:2] or role.like != reference.like


def _copy_to_worker(name: str, reference: _RoleOnNode) -> sql.Composed:
    """One statement that makes a role on a worker equal to the one on the coordinator."""
    role = sql.Identifier(name)
    statements = [
        sql.SQL("IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {}) THEN CREATE ROLE {}; END IF").format(
            sql.Literal(name), role
        ),
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(reference.secret)),
        *(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role) for group in reference.like),
        *(
            sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), role)
            for group in MODEL_ROLES.values()
            if group not in reference.like
        ),
    ]
    return sql.SQL(
        "DO $pyhce$ BEGIN SET LOCAL citus.enable_ddl_propagation TO off; SET LOCAL client_min_messages TO error; {};"
        " END $pyhce$"
    ).format(sql.SQL("; ").join(statements))
