"""Why a release does not come up: states, events and last words of its pods, instead of a time-out."""

from __future__ import annotations

from pyhce.deploy.kubernetes_cluster import KubernetesCluster, PodState
from pyhce.errors import HceError

STUCK_REASONS = {
    "ErrImagePull": "the image is not there",
    "ImagePullBackOff": "the image is not there",
    "ErrImageNeverPull": "the image is not there",
    "InvalidImageName": "the image's name is not valid",
    "CreateContainerConfigError": "something that the pod needs is not there",
}
"""States that waiting does not mend, with what they mean."""
_PULLS = ("ErrImagePull", "ImagePullBackOff")

STUCK_SECONDS = 20.0
"""Seconds that a hopeless state must last: an image may be loaded a moment later."""
STUCK_BEFORE_SECONDS = 60.0
"""The same for a pod that was stuck before, in states that Kubernetes looks at again every ten seconds or so."""

CRASH_LOOP = "CrashLoopBackOff"
RESTARTS_ALLOWED = 2
"""Restarts after which the next crash is no accident: the third run of a container ended as the first two."""
_NODES = ("citus-coordinator", "citus-worker")


class DeploymentFailed(HceError):
    """The release did not come up; the text holds what its pods said."""


class StuckWatch:
    """Finds a pod that cannot start while something is installed.

    A pod that is about to be replaced does not count: its turn comes when the one before it is ready. One that was
    stuck before counts when it has failed again: what it lacked may be there by now, and Kubernetes waits for up to
    five minutes before it pulls an image again.
    """

    def __init__(self) -> None:
        self._before: dict[str, str] | None = None
        self._since: dict[str, float] = {}

    def stuck_pod(self, pods: list[PodState], newest: set[str], now: float) -> PodState | None:
        """The first such pod.

        Args:
            newest: the newest template of each StatefulSet.
            now: seconds of a clock that never goes back.
        """
        stuck = {pod.uid: pod for pod in pods if _stuck(pod)}
        if self._before is None:
            self._before = {uid: "" for uid in stuck}
        self._since = {uid: self._since.get(uid, now) for uid in stuck}
        for uid in self._before.keys() & stuck.keys():
            self._note_new_pull(stuck[uid], now)
        return next((pod for pod in stuck.values() if self._counts(pod, newest, now)), None)

    def _note_new_pull(self, pod: PodState, now: float) -> None:
        """Kubernetes reports a failed pull as ErrImagePull, then the pause before the next pull as ImagePullBackOff."""
        before = self._before or {}
        if (before[pod.uid], pod.waiting) == ("ImagePullBackOff", "ErrImagePull"):
            del before[pod.uid]
            self._since[pod.uid] = now
        else:
            before[pod.uid] = pod.waiting

    def _counts(self, pod: PodState, newest: set[str], now: float) -> bool:
        if pod.revision and pod.revision not in newest:
            return False
        lasted = now - self._since[pod.uid]
        if pod.uid not in (self._before or {}):
            return lasted > STUCK_SECONDS
        return pod.waiting not in _PULLS and lasted > STUCK_BEFORE_SECONDS


def _stuck(pod: PodState) -> bool:
    return pod.waiting in STUCK_REASONS and pod.name != "citus-verify" and not pod.terminating


class CrashWatch:
    """Finds a node that goes on crashing while something is installed.

    A pod that was crashing before counts when it has crashed again: an upgrade may be about to replace it.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] | None = None

    def crashing_pod(self, pods: list[PodState]) -> PodState | None:
        """The first such pod."""
        if self._before is None:
            self._before = {pod.uid: pod.restarts for pod in pods if pod.restarts >= RESTARTS_ALLOWED}
        nodes = (pod for pod in pods if pod.name.startswith(_NODES) and not pod.terminating)
        return next((pod for pod in nodes if self._crashed_again(pod)), None)

    def _crashed_again(self, pod: PodState) -> bool:
        before = (self._before or {}).get(pod.uid, -1)
        return pod.waiting == CRASH_LOOP and pod.restarts >= RESTARTS_ALLOWED and pod.restarts > before


def crash_failure(cluster: KubernetesCluster, namespace: str, pod: PodState) -> DeploymentFailed:
    """An error with the last lines of a container that goes on crashing."""
    return deployment_failed(
        cluster,
        namespace,
        f"{pod.name} goes on crashing: its container ended {pod.restarts + 1} times",
        "Mend what its last lines say, such as a setting, then run the same command again. If the pod stays as it was, "
        f"Kubernetes waits before it replaces it: kubectl -n {namespace} delete pod {pod.name}",
    )


def deployment_failed(cluster: KubernetesCluster, namespace: str, wrong: str, remedy: str) -> DeploymentFailed:
    """An error with what every pod that is not as it should be says."""
    told = [wrong]
    stuck = None
    for pod in cluster.pods(namespace):
        if pod.ready or pod.phase == "Succeeded":
            continue
        stuck = stuck or (pod if pod.waiting in STUCK_REASONS else None)
        told.append(f"pod {pod.name}: {pod.words}" + (f", {pod.restarts} restarts" if pod.restarts else ""))
        told += [f"    event {event}" for event in cluster.last_warnings(namespace, pod.name)]
        told += [f"    {line}" for line in cluster.last_log_lines(namespace, pod.name, 8)]
    if stuck is not None and "Image" in stuck.waiting:
        remedy = "Build and load the images (pyhce images build, pyhce images load), or name yours with images.*."
    return DeploymentFailed("\n".join(told), remedy=remedy)
