"""A site's own login roles, members of hce_app or hce_readonly: what they need on every node, and the difference made.

On Citus a role works when every node has it, with one password and its memberships, and when every node holds the
password in `pg_dist_authinfo`: nodes log in to each other as the user of the session. Without that a query over shards
ends in "fe_sendauth: no password supplied". A plain `CREATE ROLE … LOGIN IN ROLE hce_readonly` does the first half.

Workers are asked and told by way of the coordinator, so that all of this works from outside of their network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from pyhce.citus import authentication
from pyhce.citus.authentication import ANY_NODE, INTERNAL_ROLES, THIS_NODE, Authinfo
from pyhce.citus.connection import has_citus, rows
from pyhce.schema.model import Frozen
from pyhce.settings import APP_ROLE, LOGIN_ROLES, READONLY_ROLE

MODEL_ROLES = {"app": APP_ROLE, "readonly": READONLY_ROLE}
"""What a role can be made like, with the role that it is then a member of."""
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
        like: `app`, `readonly` or both: which of our roles it is a member of.
        problems: what it lacks, with the node; empty if it works everywhere.
        known: whether some node holds its password, so that `register` can mend the others.
    """

    name: str
    like: tuple[str, ...]
    problems: tuple[str, ...] = ()
    known: bool = True


class _RoleOnNode(NamedTuple):
    """What a node has of a role."""

    logs_in: bool
    secret: str | None
    connects: bool
    like: tuple[str, ...]
    authinfo: Authinfo


class RoleSurvey(NamedTuple):
    """What every node has of every site role; the coordinator is the first node."""

    names: tuple[str, ...]
    nodes: dict[str, dict[str, _RoleOnNode]]
    distributed: bool


COORDINATOR = "the coordinator"


def survey_roles(conn: Connection[TupleRow]) -> RoleSurvey:
    """Ask every node.

    Raises:
        ConnectionFailed: a worker does not answer.
    """
    names = tuple(name for (name,) in rows(conn, _SITE_ROLES, list(PRODUCT_ROLES), list(MODEL_ROLES.values())))
    citus = has_citus(conn)
    query = sql.SQL(_ON_A_NODE).format(
        groups=sql.Literal(list(MODEL_ROLES.values())),
        names=sql.Literal(list(names)),
        authinfo=sql.SQL(_AUTHINFO if citus else "'{}'::json"),
    )
    row = conn.execute(query).fetchone()
    asked = {COORDINATOR: row[0] if row else "[]"}
    if citus:
        asked |= authentication.run_on_workers(conn, query)
    nodes = {place: {held["name"]: _role_on_node(held) for held in json.loads(text)} for place, text in asked.items()}
    return RoleSurvey(names, nodes, citus)


def _role_on_node(held: dict[str, Any]) -> _RoleOnNode:
    return _RoleOnNode(
        held["logs_in"],
        held["secret"],
        held["connects"],
        tuple(held["like"]),
        {(int(node), held["name"]): info for node, info in held["authinfo"].items()},
    )


def role_states(conn: Connection[TupleRow]) -> tuple[RoleState, ...]:
    """Every login role of the site, with what it lacks. Raises as `survey_roles`."""
    found = survey_roles(conn)
    known = _passwords_held(conn, found)
    kinds = {role: kind for kind, role in MODEL_ROLES.items()}
    return tuple(
        RoleState(
            name=name,
            like=tuple(kinds[role] for role in found.nodes[COORDINATOR][name].like),
            problems=tuple(_problems(found, name)),
            known=not found.distributed or name in known,
        )
        for name in found.names
    )


def _passwords_held(conn: Connection[TupleRow], found: RoleSurvey) -> dict[str, str]:
    """The passwords of the site's roles that some node holds; none without Citus, where no node logs in to another."""
    if not found.distributed:
        return {}
    held: list[Authinfo] = [node[name].authinfo for node in found.nodes.values() for name in node]
    passwords = authentication.known_passwords(conn, held)
    return {name: passwords[name] for name in found.names if name in passwords}


def _problems(found: RoleSurvey, name: str) -> Iterator[str]:
    here = found.nodes[COORDINATOR][name]
    if here.secret is None:
        yield f"{name} has no password"
    for place, held in found.nodes.items():
        there = held.get(name)
        if there is None:
            yield f"{place}: there is no role {name}"
            continue
        if not there.logs_in:
            yield f"{place}: {name} may not log in"
        if there.secret != here.secret:
            yield f"{place}: the stored password of {name} is not the one of the coordinator"
        if there.like != here.like:
            yield (
                f"{place}: {name} is a member of {', '.join(there.like) or 'none of our roles'}, "
                f"at the coordinator of {', '.join(here.like)}"
            )
        if not there.connects:
            yield f"{place}: {name} may not connect to the database"
        if found.distributed:
            yield from _without_secret(place, name, there, here.secret)


def _without_secret(place: str, name: str, there: _RoleOnNode, secret: str | None) -> Iterator[str]:
    passwords = [authentication.password_in(there.authinfo.get((node, name))) for node in (ANY_NODE, THIS_NODE)]
    if None in passwords:
        yield f"{place} has no secret to log in to other nodes as {name}"
    elif secret and not all(password and authentication.password_matches(password, secret) for password in passwords):
        yield f"{place} has a wrong secret to log in to other nodes as {name}"


class RoleRepairs(NamedTuple):
    """What was done about the site's roles, and what could not be."""

    done: list[str]
    not_done: list[str]


def repair_roles(conn: Connection[TupleRow]) -> RoleRepairs:
    """Give each site role on each node what it lacks there; what cannot be is said.

    Raises:
        ConnectionFailed: a worker does not answer.
    """
    found = survey_roles(conn)
    done = []
    if found.distributed:
        for name in found.names:
            if any(_differs(held.get(name), found.nodes[COORDINATOR][name]) for held in found.nodes.values()):
                authentication.run_on_workers(conn, _copy_to_worker(name, found.nodes[COORDINATOR][name]))
                done.append(f"role {name} is the same on every node")
        known = _passwords_held(conn, found)
        done += authentication.change_passwords(conn, known)
    left = [state for state in role_states(conn) if state.problems]
    return RoleRepairs(done, [f"{state.problems[0]}; mend it with: pyhce role rotate {state.name}" for state in left])


def _differs(there: _RoleOnNode | None, here: _RoleOnNode) -> bool:
    return there is None or there[:2] != here[:2] or there.like != here.like


def _copy_to_worker(name: str, here: _RoleOnNode) -> sql.Composed:
    """One statement that makes a role on a worker what it is at the coordinator."""
    role = sql.Identifier(name)
    statements = [
        sql.SQL("IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {}) THEN CREATE ROLE {}; END IF").format(
            sql.Literal(name), role
        ),
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(here.secret)),
        *(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role) for group in here.like),
        *(
            sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), role)
            for group in MODEL_ROLES.values()
            if group not in here.like
        ),
    ]
    return sql.SQL(
        "DO $pyhce$ BEGIN SET LOCAL citus.enable_ddl_propagation TO off; SET LOCAL client_min_messages TO error; {};"
        " END $pyhce$"
    ).format(sql.SQL("; ").join(statements))
