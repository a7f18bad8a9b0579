"""Helm: the only module that imports pyhelm3. What helm says on failure becomes one error of ours, in one place."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pyhce.errors import HceError, UsageError
from pyhce.schema.model import Frozen

logging.getLogger("pyhelm3").addHandler(logging.NullHandler())  # it logs each command; we tell what failed

TIMEOUT = 1200
"""Seconds that helm waits for its hooks: the registrar's Job gives up before."""


class ReleaseState(Frozen):
    """A release as helm knows it."""

    name: str
    namespace: str
    revision: int
    status: str
    chart: str


@cache
def _client(context: str) -> Any:
    """The client of a context; making one asks helm for its version."""
    try:
        import pyhelm3
    except ImportError:
        raise UsageError("pyhelm3 is not installed", remedy="Install it with: pip install 'pyhce[k8s]'") from None

    class Command(pyhelm3.Command):  # type: ignore[misc]
        """pyhelm3 runs helm in a shell: with `exec`, ending the shell is ending helm."""

        async def run(self, command: list[str], input: bytes | None = None) -> bytes:
            self._executable = "exec"
            done: bytes = await super().run(["helm", *command], input)
            return done

    try:
        command = Command(kubecontext=context or None, default_timeout=f"{TIMEOUT}s")
        return pyhelm3.Client(command)
    except AssertionError:
        raise UsageError(
            "there is no helm on PATH", remedy="Install Helm 3.14 or newer (https://helm.sh/docs/intro/install)."
        ) from None
    except ValueError as error:
        raise UsageError(f"helm does not say its version: {error}", remedy="Install a released Helm.") from None


@contextmanager
def _errors_explained() -> Iterator[None]:
    """What helm says on failure, in plain words.

    Raises:
        HelmFailure: with what to do.
    """
    import pyhelm3

    try:
        yield
    except pyhelm3.errors.Error as error:
        raise explain_failure(str(error)) from error


async def _newest_revision(context: str, name: str, namespace: str) -> Any:
    """The release's newest revision, None if there is none."""
    client = _client(context)
    import pyhelm3

    with _errors_explained():
        try:
            return await client.get_current_revision(name, namespace=namespace)
        except pyhelm3.errors.ReleaseNotFoundError:
            return None


async def release_state(context: str, name: str, namespace: str) -> ReleaseState | None:
    """The release's newest revision, None if there is none."""
    found = await _newest_revision(context, name, namespace)
    if found is None:
        return None
    metadata = await found.chart_metadata()
    return ReleaseState(
        name=name,
        namespace=namespace,
        revision=found.revision,
        status=found.status.value,
        chart=f"{metadata.name}-{metadata.version}",
    )


async def release_values(context: str, name: str, namespace: str) -> dict[str, Any] | None:
    """The values that were given to the release, None if there is none."""
    found = await _newest_revision(context, name, namespace)
    if found is None:
        return None
    with _errors_explained():
        given: dict[str, Any] = await found.values() or {}
    return given


async def install(context: str, name: str, namespace: str, chart: Path | str, given: Mapping[str, Any]) -> None:
    """Install the release, or upgrade it to these values; a former one that was cut off is cleared first.

    Raises:
        HceError: what helm refused, in plain words.
    """
    client = _client(context)
    with _errors_explained():
        await client.get_proceedable_revision(name, namespace=namespace, timeout=f"{TIMEOUT}s")
        loaded = await client.get_chart(chart)
        await client.install_or_upgrade_release(
            name, loaded, dict(given), namespace=namespace, create_namespace=True, timeout=f"{TIMEOUT}s"
        )


async def uninstall(context: str, name: str, namespace: str) -> None:
    """Uninstall the release; none is fine.

    Raises:
        HceError: what helm refused, in plain words.
    """
    client = _client(context)
    with _errors_explained():
        await client.uninstall_release(name, namespace=namespace, wait=True, timeout=f"{TIMEOUT}s")


def run_to_end(deed: Coroutine[Any, Any, Any]) -> Any:
    """Run to its end; Ctrl-C ends helm too, which marks the release as failed."""
    return asyncio.run(deed)


class HelmFailure(HceError):
    """Helm refused or gave up.

    Args:
        port: the node port that somebody else has.
        hook: whether a hook failed: its pod tells why.
    """

    def __init__(self, wrong: str, *, remedy: str, port: int | None = None, hook: bool = False) -> None:
        super().__init__(wrong, remedy=remedy)
        self.port = port
        self.hook = hook


def explain_failure(said: str) -> HelmFailure:
    """What helm's standard error means."""
    said = said.strip()
    rule = re.search(r"validate\.yaml[^:]*:\d+:\d+\): (?:execution error at .*?: )?(.+?)(?:\n|$)", said)
    if rule:
        wrong, _, remedy = rule[1].strip().partition(". ")
        return HelmFailure(wrong, remedy=remedy)
    if "meet the specifications of the schema" in said:
        lines = [line.strip(" -") for line in said.splitlines() if line.strip().startswith("- ")]
        return HelmFailure(
            "a value does not fit the chart: " + "; ".join(lines),
            remedy="charts/hce-citus/README.md lists every value; `helm show values charts/hce-citus` too.",
        )
    port = re.search(r"Invalid value: (\d+): provided port is already allocated", said)
    if port:
        return HelmFailure(
            f"node port {port[1]} is taken by another Service",
            remedy='Give another with --set coordinator.service.nodePort=30008, or "" to have one chosen.',
            port=int(port[1]),
        )
    owner = re.search(
        r'(\w+) "([^"]+)" in namespace "([^"]*)" exists and cannot be imported.*?'
        r'meta\.helm\.sh/release-name" must equal "[^"]+": current value is "([^"]+)"',
        said,
        re.DOTALL,
    )
    if owner:
        return HelmFailure(
            f"{owner[1]} {owner[2]} in the namespace {owner[3]} belongs to the release {owner[4]}",
            remedy=f"Install under that name (--release {owner[4]}), or in another namespace.",
        )
    for words, wrong, remedy in _KNOWN_FAILURES:
        if re.search(words, said):
            return HelmFailure(wrong, remedy=remedy, hook="hook" in wrong)
    return HelmFailure(
        f"helm failed: {said.splitlines()[-1][:500] if said else 'it said nothing'}",
        remedy="Mend what it says and run the same command again.",
    )


_KNOWN_FAILURES = (
    (
        "Kubernetes cluster unreachable",
        "no Kubernetes cluster answers",
        "Start it, or name another context with --context; for one on this machine: pyhce up --on kind",
    ),
    (
        r"another operation \(install/upgrade/rollback\) is in progress",
        "another helm is at work on this release",
        "Wait for it. If it was killed, run the same command again: what was cut off is cleared first.",
    ),
    (
        r"BackoffLimitExceeded|Job/\S*citus-registrar not ready\. status: Failed",  # Helm 3, Helm 4
        "the hook Job citus-registrar failed",
        "Its last lines tell why; mend that and run the same command again.",
    ),
    (
        r"DeadlineExceeded|timed out waiting|Job/\S*citus-registrar not ready|context deadline exceeded",
        "the hook Job citus-registrar did not end in time",
        "Its last lines tell what it waits for; mend that and run the same command again.",
    ),
    (
        "is forbidden: User",
        "your account may not do this in the cluster",
        "Ask for the right: kubectl auth can-i --list",
    ),
)
