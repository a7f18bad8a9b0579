"""Progress while helm works, and an early end where waiting is no use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from pyhce.citus.connection import Progress
from pyhce.deploy.cluster import Cluster, PodState
from pyhce.deploy.problems import HOPELESS, CrashWatch, StuckWatch, crashed, explain
from pyhce.errors import HceError


async def watched(deed: Coroutine[Any, Any, None], cluster: Cluster, namespace: str, progress: Progress) -> None:
    """Run helm, saying what the pods are at; give up when one cannot start.

    Raises:
        DeploymentFailed: a pod cannot start, with what it says.
    """
    helm = asyncio.ensure_future(deed)
    crashes, starts = CrashWatch(), StuckWatch()
    try:
        while not helm.done():
            await asyncio.wait({helm}, timeout=1.0)
            if helm.done():
                break
            try:
                pods = await asyncio.to_thread(cluster.pods, namespace)
                newest = await asyncio.to_thread(cluster.revisions, namespace)
                said = await asyncio.to_thread(words, cluster, namespace, pods)
            except HceError:
                continue  # helm itself says what is wrong with the cluster
            progress(said)
            broken = crashes.found(pods)
            if broken:
                raise await asyncio.to_thread(crashed, cluster, namespace, broken)
            stuck = starts.found(pods, newest, time.monotonic())
            if stuck:
                raise await asyncio.to_thread(
                    explain,
                    cluster,
                    namespace,
                    f"{stuck.name} cannot start: {HOPELESS[stuck.waiting]}",
                    "Mend what the events name, such as a Secret or its key, then run the same command again.",
                )
        await helm
    finally:
        if not helm.done():
            helm.cancel()
            await asyncio.gather(helm, return_exceptions=True)


def words(cluster: Cluster, namespace: str, pods: list[PodState]) -> str:
    """What is waited for: the pods that are not ready, else the registrar's last line."""
    nodes = [pod for pod in pods if not pod.name.startswith("citus-registrar")]
    late = [f"{pod.name} {pod.words}" for pod in nodes if not pod.ready]
    registrar = next((pod for pod in pods if pod.name.startswith("citus-registrar")), None)
    if registrar and registrar.phase == "Running":
        last = cluster.logs(namespace, registrar.name, 1)
        late.append(f"registrar: {last[0][:100] if last else 'starting'}")
    return f"waiting: {', '.join(late)}" if late else "waiting: helm"
