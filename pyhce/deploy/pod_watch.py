"""Watch the pods while Helm works: report what it waits for, and stop it when a pod cannot start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from pyhce.citus.connection import Progress
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.deploy.pod_failures import STUCK_REASONS, CrashWatch, StuckWatch, crash_failure, deployment_failed
from pyhce.errors import HceError

logger = logging.getLogger(__name__)


async def run_watching_pods(
    helm_run: Coroutine[Any, Any, None], cluster: KubernetesCluster, namespace: str, progress: Progress
) -> None:
    """Run Helm to its end and report once a second what it waits for.

    Raises:
        DeploymentFailed: a pod is stuck or keeps crashing; Helm is stopped then.
    """
    helm = asyncio.ensure_future(helm_run)
    crashes, starts = CrashWatch(), StuckWatch()
    message = ""
    try:
        while not helm.done():
            await asyncio.wait({helm}, timeout=1.0)
            if helm.done():
                break
            before = message
            try:
                pods = await asyncio.to_thread(cluster.pods, namespace)
                newest = await asyncio.to_thread(cluster.newest_revisions, namespace)
                message = await asyncio.to_thread(wait_message, cluster, namespace, pods)
            except HceError as error:
                logger.warning("could not read the pods, trying again in 1 s: %s", error.wrong)
                continue  # if the cluster has a problem, Helm reports it
            progress(message)
            if message != before:
                logger.info("%s", message)
            crashing = crashes.crashing_pod(pods)
            if crashing:
                raise await asyncio.to_thread(crash_failure, cluster, namespace, crashing)
            stuck = starts.stuck_pod(pods, newest, time.monotonic())
            if stuck:
                raise await asyncio.to_thread(
                    deployment_failed,
                    cluster,
                    namespace,
                    f"{stuck.name} cannot start: {STUCK_REASONS[stuck.waiting]}",
                    "Create what the pod's events name, such as a Secret or a key in it, then run the same command "
                    "again.",
                )
        await helm
    finally:
        if not helm.done():
            helm.cancel()
            await asyncio.gather(helm, return_exceptions=True)


def wait_message(cluster: KubernetesCluster, namespace: str, pods: list[PodState]) -> str:
    """What an installation waits for: the database pods that are not ready, and the registrar's last log line."""
    nodes = [pod for pod in pods if not pod.name.startswith("citus-registrar")]
    waiting_for = [f"{pod.name} {pod.words}" for pod in nodes if not pod.ready]
    registrar = next((pod for pod in pods if pod.name.startswith("citus-registrar")), None)
    if registrar and registrar.phase == "Running":
        last = cluster.last_log_lines(namespace, registrar.name, 1)
        waiting_for.append(f"registrar: {last[0][:100] if last else 'starting'}")
    return f"waiting for {', '.join(waiting_for) if waiting_for else 'helm'}"
