"""Progress while helm works, and an early end where waiting is no use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from pyhce.citus.connection import Progress
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.deploy.pod_failures import STUCK_REASONS, CrashWatch, StuckWatch, crash_failure, deployment_failed
from pyhce.errors import HceError


async def run_watching_pods(
    deed: Coroutine[Any, Any, None], cluster: KubernetesCluster, namespace: str, progress: Progress
) -> None:
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
                newest = await asyncio.to_thread(cluster.newest_revisions, namespace)
                said = await asyncio.to_thread(wait_message, cluster, namespace, pods)
            except HceError:
                continue  # helm itself says what is wrong with the cluster
            progress(said)
            broken = crashes.crashing_pod(pods)
            if broken:
                raise await asyncio.to_thread(crash_failure, cluster, namespace, broken)
            stuck = starts.stuck_pod(pods, newest, time.monotonic())
            if stuck:
                raise await asyncio.to_thread(
                    deployment_failed,
                    cluster,
                    namespace,
                    f"{stuck.name} cannot start: {STUCK_REASONS[stuck.waiting]}",
                    "Mend what the events name, such as a Secret or its key, then run the same command again.",
                )
        await helm
    finally:
        if not helm.done():
            helm.cancel()
            await asyncio.gather(helm, return_exceptions=True)


def wait_message(cluster: KubernetesCluster, namespace: str, pods: list[PodState]) -> str:
    """What is waited for: the pods that are not ready, else the registrar's last line."""
    nodes = [pod for pod in pods if not pod.name.startswith("citus-registrar")]
    late = [f"{pod.name} {pod.words}" for pod in nodes if not pod.ready]
    registrar = next((pod for pod in pods if pod.name.startswith("citus-registrar")), None)
    if registrar and registrar.phase == "Running":
        last = cluster.last_log_lines(namespace, registrar.name, 1)
        late.append(f"registrar: {last[0][:100] if last else 'starting'}")
    return f"waiting: {', '.join(late)}" if late else "waiting: helm"
