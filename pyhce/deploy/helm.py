"""Helm: the only module that imports pyhelm3, and the one that explains Helm's errors."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pyhce.errors import HceError, UsageError
from pyhce.schema.model import Frozen

logger = logging.getLogger(__name__)
logging.getLogger("pyhelm3").addHandler(logging.NullHandler())  # without it, pyhelm3's failures go to stderr

TIMEOUT = 1200
"""Seconds that Helm waits for its hooks. The registrar's Job ends before that."""


class ReleaseState(Frozen):
    """A Helm release at its newest revision."""

    name: str
    namespace: str
    revision: int
    status: str
    chart: str


@cache
def _client(context: str) -> Any:
    """The client for a context; the first call asks helm for its version."""
    try:
        import pyhelm3
    except ImportError:
        raise UsageError("pyhelm3 is not installed", remedy="Install it with: pip install 'pyhce[k8s]'") from None

    class Command(pyhelm3.Command):  # type: ignore[misc]
        """pyhelm3 runs helm in a shell. With `exec`, helm takes the shell's place and is ended with it."""

        async def run(self, command: list[str], input: bytes | None = None) -> bytes:
            self._executable = "exec"
            logger.debug("running helm %s", shlex.join(map(str, command)))  # values go through `input`
            start = time.monotonic()
            try:
                output: bytes = await super().run(["helm", *command], input)
            finally:
                logger.debug("helm %s ended after %.1f s", command[0], time.monotonic() - start)
            return output

    try:
        command = Command(kubecontext=context or None, default_timeout=f"{TIMEOUT}s")
        return pyhelm3.Client(command)
    except AssertionError:
        raise UsageError(
            "there is no helm on PATH", remedy="Install Helm 3.14 or newer: https://helm.sh/docs/intro/install"
        ) from None
    except ValueError as error:
        raise UsageError(
            f"could not read the version of helm: {error}",
            remedy="Install a released Helm: https://helm.sh/docs/intro/install",
        ) from None


@contextmanager
def _explained_errors() -> Iterator[None]:
    """Raise Helm's errors in the block as errors with a remedy.

    Raises:
        HelmFailure: what Helm reported.
    """
    import pyhelm3

    try:
        yield
    except pyhelm3.errors.Error as error:
        raise explain_failure(str(error)) from error


async def _newest_revision(context: str, name: str, namespace: str) -> Any:
    """The release's newest revision, None if there is no release."""
    client = _client(context)
    import pyhelm3

    with _explained_errors():
        try:
            return await client.get_current_revision(name, namespace=namespace)
        except pyhelm3.errors.ReleaseNotFoundError:
            return None


async def release_state(context: str, name: str, namespace: str) -> ReleaseState | None:
    """The state of a release, None if it does not exist."""
    revision = await _newest_revision(context, name, namespace)
    if revision is None:
        return None
    metadata = await revision.chart_metadata()
    return ReleaseState(
        name=name,
        namespace=namespace,
        revision=revision.revision,
        status=revision.status.value,
        chart=f"{metadata.name}-{metadata.version}",
    )


async def release_values(context: str, name: str, namespace: str) -> dict[str, Any] | None:
    """The values that a release was given, without the chart's defaults; None if it does not exist."""
    revision = await _newest_revision(context, name, namespace)
    if revision is None:
        return None
    with _explained_errors():
        values: dict[str, Any] = await revision.values() or {}
    return values


async def install(context: str, name: str, namespace: str, chart: Path | str, values: Mapping[str, Any]) -> None:
    """Install a release, or upgrade it to these values; a revision left by an interrupted run is cleared first.

    Raises:
        HelmFailure: what Helm reported.
    """
    client = _client(context)
    with _explained_errors():
        await client.get_proceedable_revision(name, namespace=namespace, timeout=f"{TIMEOUT}s")
        loaded = await client.get_chart(chart)
        await client.install_or_upgrade_release(
            name, loaded, dict(values), namespace=namespace, create_namespace=True, timeout=f"{TIMEOUT}s"
        )


async def uninstall(context: str, name: str, namespace: str) -> None:
    """Uninstall a release, if it exists.

    Raises:
        HelmFailure: what Helm reported.
    """
    client = _client(context)
    with _explained_errors():
        await client.uninstall_release(name, namespace=namespace, wait=True, timeout=f"{TIMEOUT}s")


def run_to_end(helm_run: Coroutine[Any, Any, Any]) -> Any:
    """The result of one of this module's coroutines; Ctrl-C stops Helm too, which marks the release as failed."""
    return asyncio.run(helm_run)


class HelmFailure(HceError):
    """An error that Helm reported.

    Args:
        port: the node port that another Service has, None if that is not the error.
        hook: whether a hook failed; its pod's log tells why.
    """

    def __init__(self, wrong: str, *, remedy: str, port: int | None = None, hook: bool = False) -> None:
        super().__init__(wrong, remedy=remedy)
        self.port = port
        self.hook = hook


def explain_failure(stderr: str) -> HelmFailure:
    """The error for what Helm wrote to its standard error."""
    stderr = stderr.strip()
    rule = re.search(r"validate\.yaml[^:]*:\d+:\d+\): (?:execution error at .*?: )?(.+?)(?:\n|$)", stderr)
    if rule:
        wrong, _, remedy = rule[1].strip().partition(". ")
        return HelmFailure(wrong, remedy=remedy)
    if "meet the specifications of the schema" in stderr:
        lines = [line.strip(" -") for line in stderr.splitlines() if line.strip().startswith("- ")]
        return HelmFailure(
            "a value does not fit the chart: " + "; ".join(lines),
            remedy="charts/hce-citus/README.md describes every value; `helm show values charts/hce-citus` does too.",
        )
    port = re.search(r"Invalid value: (\d+): provided port is already allocated", stderr)
    if port:
        return HelmFailure(
            f"node port {port[1]} is taken by another Service",
            remedy="Give another port with --set coordinator.service.nodePort=30008, or let Kubernetes choose one with "
            "--set coordinator.service.nodePort=",
            port=int(port[1]),
        )
    owner = re.search(
        r'(\w+) "([^"]+)" in namespace "([^"]*)" exists and cannot be imported.*?'
        r'meta\.helm\.sh/release-name" must equal "[^"]+": current value is "([^"]+)"',
        stderr,
        re.DOTALL,
    )
    if owner:
        return HelmFailure(
            f"{owner[1]} {owner[2]} in the namespace {owner[3]} belongs to the release {owner[4]}",
            remedy=f"Upgrade that release (--release {owner[4]}), or install into another namespace.",
        )
    for pattern, wrong, remedy in _KNOWN_FAILURES:
        if re.search(pattern, stderr):
            return HelmFailure(wrong, remedy=remedy, hook="hook" in wrong)
    return HelmFailure(
        f"helm failed: {stderr.splitlines()[-1][:500] if stderr else 'it printed no error'}",
        remedy="Fix what Helm reports and run the same command again.",
    )


_KNOWN_FAILURES = (
    (
        "Kubernetes cluster unreachable",
        "no Kubernetes cluster answers",
        "Start the cluster or name another context with --context. For a cluster on this machine: pyhce up --on kind",
    ),
    (
        r"another operation \(install/upgrade/rollback\) is in progress",
        "another helm is changing this release",
        "Wait until it ends. If it was killed, run the same command again: it clears the interrupted revision first.",
    ),
    (
        r"BackoffLimitExceeded|Job/\S*citus-registrar not ready\. status: Failed",  # Helm 3, Helm 4
        "the hook Job citus-registrar failed",
        "Fix what its last log lines report and run the same command again.",
    ),
    (
        r"DeadlineExceeded|timed out waiting|Job/\S*citus-registrar not ready|context deadline exceeded",
        "the hook Job citus-registrar did not end in time",
        "Its last log lines name what it waits for; fix that and run the same command again.",
    ),
    (
        "is forbidden: User",
        "your account lacks a permission in the cluster",
        "List your permissions with kubectl auth can-i --list and ask the cluster's administrator for the missing one.",
    ),
)
