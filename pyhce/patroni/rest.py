"""A client for the REST API that each member's Patroni offers."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from typing import Any, NoReturn

import urllib3
from urllib3.exceptions import HTTPError

from pyhce.errors import ConnectionFailed, HceError
from pyhce.patroni.groups import Group, GroupState, HaFile, MemberAddress

logger = logging.getLogger(__name__)

REST_USER = "patroni"
CONNECT_TIMEOUT = 3.0
READ_TIMEOUT = 10.0
SWITCHOVER_TIMEOUT = 120.0
"""Seconds for Patroni to answer a switchover or a restart, which it does when it is done."""

_OK = 200
_UNAUTHORIZED = 401
_NO_CONFIG = (502, 503)
_RELOADED = (200, 202)
"""The configuration had not changed; it is being reloaded."""


def rest_password(superuser_password: str) -> str:
    """The password of Patroni's REST API. It is derived from the superuser's, so that it needs no Secret of its own."""
    return hmac.new(superuser_password.encode(), b"patroni-rest", hashlib.sha256).hexdigest()


class PatroniClient:
    """The REST API of a group's members. A request goes to the first member that answers.

    Args:
        group: the group.
        ha: says whether to use HTTPS, and whose certificates to trust.
        password: of the REST API; see `rest_password`.
    """

    def __init__(self, group: Group, ha: HaFile, password: str) -> None:
        self.group = group
        self._scheme = "https" if ha.tls else "http"
        self._headers = urllib3.make_headers(basic_auth=f"{REST_USER}:{password}")
        self._pool = urllib3.PoolManager(
            retries=False, cert_reqs="CERT_REQUIRED", ca_certs=ha.ca if ha.tls and ha.ca else None
        )

    def state(self) -> GroupState:
        """The state of the group.

        Raises:
            ConnectionFailed: no member answers.
        """
        _, answer = self._ask("GET", "/cluster", self.group.members)
        return GroupState.from_answer(self.group, self._json(answer, "/cluster"))

    def member_facts(self, member: str) -> dict[str, Any]:
        """What a member's own Patroni says about its PostgreSQL (`GET /patroni`).

        It is up to date, while the group's state has what each member last wrote into the store.

        Raises:
            ConnectionFailed: the member does not answer.
        """
        _, answer = self._ask("GET", "/patroni", [self.group.member(member)])
        return self._json(answer, "/patroni")

    def is_writable(self, member: str) -> bool:
        """Whether a member is the leader and its PostgreSQL accepts writes."""
        try:
            status, answer = self._ask("GET", "/primary", [self.group.member(member)])
            facts = self._json(answer, "/primary")
        except HceError:
            return False
        return status == _OK and facts.get("role") == "primary" and facts.get("state") == "running"

    def config(self) -> dict[str, Any]:
        """The dynamic configuration; {} if the store has none.

        Raises:
            ConnectionFailed: no member answers.
        """
        status, answer = self._ask("GET", "/config", self.group.members)
        return {} if status in _NO_CONFIG else self._json(answer, "/config")

    def patch_config(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change the dynamic configuration, and return the new one.

        Args:
            changes: values by key; a nested dictionary changes only the keys that it has; None removes a key.

        Raises:
            ConnectionFailed: no member answers.
            HceError: Patroni refused the change.
        """
        status, answer = self._ask("PATCH", "/config", self.group.members, changes)
        if status == _NO_CONFIG[1]:  # the store has no configuration that could be changed
            status, answer = self._ask("PUT", "/config", self.group.members, changes)
        if status != _OK:
            self._refused("to change the configuration", status, answer)
        return self._json(answer, "/config")

    def switchover(self, candidate: str | None = None, leader: str | None = None) -> str:
        """Hand the leadership over to another member, and return Patroni's answer. It comes when the lock has moved.

        Args:
            candidate: the new leader; None lets Patroni choose.
            leader: the present leader; None asks for it.

        Raises:
            ConnectionFailed: no member answers.
            HceError: there is no leader, or Patroni refused.
        """
        former = leader or self.state().leader
        if former is None:
            raise no_leader(self.group.name)
        first_the_leader = sorted(self.group.members, key=lambda member: member.name != former)
        body = {"leader": former, **({"candidate": candidate} if candidate else {})}
        status, answer = self._ask("POST", "/switchover", first_the_leader, body, timeout=SWITCHOVER_TIMEOUT)
        if status != _OK:
            self._refused(f"to hand over from {former}" + (f" to {candidate}" if candidate else ""), status, answer)
        return answer

    def reinitialize(self, member: str) -> None:
        """Let a standby delete its data and copy the leader's. Returns when that has begun.

        Raises:
            ConnectionFailed: the member's Patroni does not answer.
            HceError: Patroni refused, such as for the leader.
        """
        status, answer = self._ask("POST", "/reinitialize", [self.group.member(member)], {"force": True})
        if status != _OK:
            self._refused(f"to reinitialize {member}", status, answer)

    def reload(self, member: str) -> None:
        """Let a member's Patroni and PostgreSQL read their configuration and certificates again.

        Raises:
            ConnectionFailed: the member's Patroni does not answer.
            HceError: Patroni refused.
        """
        status, answer = self._ask("POST", "/reload", [self.group.member(member)], {})
        if status not in _RELOADED:
            self._refused(f"to reload {member}", status, answer)

    def restart(self, member: str) -> None:
        """Restart a member's PostgreSQL. Returns when it runs again.

        Raises:
            ConnectionFailed: the member's Patroni does not answer.
            HceError: Patroni refused, or PostgreSQL did not start.
        """
        status, answer = self._ask("POST", "/restart", [self.group.member(member)], {}, timeout=SWITCHOVER_TIMEOUT)
        if status != _OK:
            self._refused(f"to restart {member}", status, answer)

    def _ask(
        self,
        method: str,
        path: str,
        members: Sequence[MemberAddress],
        body: dict[str, Any] | None = None,
        *,
        timeout: float = READ_TIMEOUT,
    ) -> tuple[int, str]:
        """The status and the text that the first member to answer gives.

        A request that changes something is not sent to a second member once the first one may have received it.
        """
        errors = []
        for member in members:
            url = f"{self._scheme}://{member.host}:{member.rest_port}{path}"
            try:
                response = self._pool.request(
                    method,
                    url,
                    body=None if body is None else json.dumps(body),
                    headers=self._headers,
                    timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=timeout),
                )
            except HTTPError as error:
                errors.append(f"{member.name} at {url}: {_reason(error)}")
                logger.debug("%s", errors[-1])
                if method != "GET" and not _never_sent(error):
                    break
                continue
            if response.status == _UNAUTHORIZED:
                raise HceError(
                    f"the Patroni of {member.name} at {url} refused the password",
                    remedy="It is derived from the password of postgres. On this machine: pyhce down, then pyhce up. "
                    "On Kubernetes: restart the pods, which read the password when they start.",
                )
            return response.status, response.data.decode("utf-8", "replace")
        raise ConnectionFailed(
            f"no Patroni of {self.group.name} answers: {'; '.join(errors)}",
            remedy="Start the group: pyhce up. On Kubernetes: pyhce status --on CONTEXT shows its pods.",
        )

    def _json(self, answer: str, path: str) -> dict[str, Any]:
        try:
            value = json.loads(answer)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise HceError(
                f"a Patroni of {self.group.name} answered {path} with something else than JSON: {answer[:100]!r}",
                remedy="Check that no other program listens on the port of its REST API.",
            )
        return value

    def _refused(self, what: str, status: int, answer: str) -> NoReturn:
        raise HceError(
            f"Patroni of {self.group.name} refused {what}: {answer.strip()[:300] or status}",
            remedy="`pyhce status` shows the members. Wait until a standby is synchronous and try again.",
        )


def no_leader(group: str) -> HceError:
    """The error for a group that has no leader."""
    return HceError(
        f"{group} has no leader",
        remedy="Wait until Patroni has chosen one (`pyhce status` shows it), and try again. If none of its members "
        "becomes the leader, read their logs.",
    )


def _never_sent(error: HTTPError) -> bool:
    """Whether the connection failed before anything was sent."""
    return isinstance(
        error,
        urllib3.exceptions.NewConnectionError
        | urllib3.exceptions.ConnectTimeoutError
        | urllib3.exceptions.NameResolutionError
        | urllib3.exceptions.SSLError,
    )


def _reason(error: HTTPError) -> str:
    """The cause in words, without urllib3's objects: `Connection refused`."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return getattr(cause, "strerror", None) or str(cause)
