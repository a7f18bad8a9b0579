"""Pods that cannot start: when an installation gives up on one, and the error that quotes its events and logs."""

from __future__ import annotations

from pyhce.counted import counted
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.errors import HceError

STUCK_REASONS = {
    "ErrImagePull": "the image cannot be pulled",
    "ImagePullBackOff": "the image cannot be pulled",
    "ErrImageNeverPull": "the image is not on the node and may not be pulled",
    "InvalidImageName": "the image's name is not valid",
    "CreateContainerConfigError": "a Secret, a ConfigMap or a key in one does not exist",
}
"""Reasons for waiting that do not go away by themselves, with what they mean."""
_PULLS = ("ErrImagePull", "ImagePullBackOff")

STUCK_SECONDS = 20.0
"""Seconds for which a pod must be stuck: its image may still be loaded in that time."""
STUCK_BEFORE_SECONDS = 60.0
"""The same for a pod that was already stuck when the watch began, unless it waits for an image.

Kubernetes tries such a pod again about every ten seconds.
"""

CRASH_LOOP = "CrashLoopBackOff"
RESTARTS_ALLOWED = 2
"""After so many restarts the next crash counts: three runs of the container have ended the same way."""
_NODES = ("citus-coordinator", "citus-worker")


class DeploymentFailed(HceError):
    """The release did not become ready; the text quotes its pods."""


class StuckWatch:
    """Finds a pod that cannot start, in one look at the pods after another.

    A pod counts after it has been stuck for `STUCK_SECONDS`, with two exceptions:

    - A pod made from an older revision of its StatefulSet never counts: Kubernetes replaces it when its turn comes.
    - A pod that was stuck at the first look may lack something that this very installation brings. If it waits for an
      image, it counts `STUCK_SECONDS` after the next failed pull, which Kubernetes may delay by up to five minutes.
      If it waits for anything else, it counts after `STUCK_BEFORE_SECONDS`.

    For example, an earlier installation named a wrong tag, and at the first look (0 s) citus-worker-0 is in
    ImagePullBackOff. It does not count. At 300 s it shows ErrImagePull: Kubernetes has pulled again and failed. It
    counts after 320 s.
    """

    def __init__(self) -> None:
        self._stuck_at_first: dict[str, str] | None = None
        """Pods (uid) that were stuck at the first look and have not failed since, with the reason seen last."""
        self._since: dict[str, float] = {}
        """When each pod (uid) that is stuck now was first seen stuck, in seconds."""

    def stuck_pod(self, pods: list[PodState], newest: set[str], now: float) -> PodState | None:
        """The first pod that counts as stuck, None if there is none.

        Args:
            newest: the newest revision of each StatefulSet.
            now: seconds on a monotonic clock.
        """
        stuck = {pod.uid: pod for pod in pods if _stuck(pod)}
        if self._stuck_at_first is None:
            self._stuck_at_first = {uid: "" for uid in stuck}
        self._since = {uid: self._since.get(uid, now) for uid in stuck}
        for uid in self._stuck_at_first.keys() & stuck.keys():
            self._note_new_pull(stuck[uid], now)
        return next((pod for pod in stuck.values() if self._counts(pod, newest, now)), None)

    def _note_new_pull(self, pod: PodState, now: float) -> None:
        """A failed pull shows as ErrImagePull, the pause before the next one as ImagePullBackOff."""
        reasons = self._stuck_at_first or {}
        if (reasons[pod.uid], pod.waiting) == ("ImagePullBackOff", "ErrImagePull"):
            del reasons[pod.uid]
            self._since[pod.uid] = now
        else:
            reasons[pod.uid] = pod.waiting

    def _counts(self, pod: PodState, newest: set[str], now: float) -> bool:
        if pod.revision and pod.revision not in newest:
            return False
        lasted = now - self._since[pod.uid]
        if pod.uid not in (self._stuck_at_first or {}):
            return lasted > STUCK_SECONDS
        return pod.waiting not in _PULLS and lasted > STUCK_BEFORE_SECONDS


def _stuck(pod: PodState) -> bool:
    return pod.waiting in STUCK_REASONS and pod.name != "citus-verify" and not pod.terminating


class CrashWatch:
    """Finds a database pod that crashes again and again, in one look at the pods after another.

    A pod that was crashing at the first look counts only after it has crashed once more: the upgrade may replace it.
    """

    def __init__(self) -> None:
        self._restarts_at_first: dict[str, int] | None = None
        """Restarts, at the first look, of the pods (uid) that were crashing then."""

    def crashing_pod(self, pods: list[PodState]) -> PodState | None:
        """The first pod that counts as crashing, None if there is none."""
        if self._restarts_at_first is None:
            self._restarts_at_first = {pod.uid: pod.restarts for pod in pods if pod.restarts >= RESTARTS_ALLOWED}
        nodes = (pod for pod in pods if pod.name.startswith(_NODES) and not pod.terminating)
        return next((pod for pod in nodes if self._crashed_again(pod)), None)

    def _crashed_again(self, pod: PodState) -> bool:
        before = (self._restarts_at_first or {}).get(pod.uid, -1)
        return pod.waiting == CRASH_LOOP and pod.restarts >= RESTARTS_ALLOWED and pod.restarts > before


def crash_failure(cluster: KubernetesCluster, namespace: str, pod: PodState) -> DeploymentFailed:
    """The error for a pod that crashes again and again."""
    return deployment_failed(
        cluster,
        namespace,
        f"{pod.name} keeps crashing: its container has ended {counted(pod.restarts + 1, 'time')}",
        "Fix what its last log lines report, such as a setting, then run the same command again. If Kubernetes does "
        f"not replace the pod: kubectl -n {namespace} delete pod {pod.name}",
    )


def deployment_failed(cluster: KubernetesCluster, namespace: str, wrong: str, remedy: str) -> DeploymentFailed:
    """An error that quotes the state, warnings and last log lines of every pod that is not ready."""
    lines = [wrong]
    stuck = None
    for pod in cluster.pods(namespace):
        if pod.ready or pod.phase == "Succeeded":
            continue
        stuck = stuck or (pod if pod.waiting in STUCK_REASONS else None)
        lines.append(f"pod {pod.name}: {pod.words}" + (f", {counted(pod.restarts, 'restart')}" if pod.restarts else ""))
        lines += [f"    event {event}" for event in cluster.last_warnings(namespace, pod.name)]
        lines += [f"    {line}" for line in cluster.last_log_lines(namespace, pod.name, 8)]
    if stuck is not None and "Image" in stuck.waiting:
        remedy = (
            "Build the images and load them into the cluster (pyhce images build, pyhce images load), or name images "
            "that its nodes can pull: --set images.postgres.repository=… --set images.registrar.repository=…"
        )
    return DeploymentFailed("\n".join(lines), remedy=remedy)
