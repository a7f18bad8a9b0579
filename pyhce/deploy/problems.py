"""Why a release does not come up: states, events and last words of its pods, instead of a time-out."""

from __future__ import annotations

from pyhce.deploy.cluster import Cluster, PodState
from pyhce.errors import HceError

HOPELESS = {
    "ErrImagePull": "the image is not there",
    "ImagePullBackOff": "the image is not there",
    "ErrImageNeverPull": "the image is not there",
    "InvalidImageName": "the image's name is not valid",
    "CreateContainerConfigError": "something that the pod needs is not there",
}
"""States that waiting does not mend, with what they mean."""


CRASHED = "CrashLoopBackOff"
CRASHES = 2
"""Restarts after which the next crash is no accident: the third run of a container ended as the first two."""
_NODES = ("citus-coordinator", "citus-worker")


class DeploymentFailed(HceError):
    """The release did not come up; the text holds what its pods said."""


def hopeless(pods: list[PodState]) -> PodState | None:
    """A pod that waiting does not help."""
    ours = (pod for pod in pods if pod.name != "citus-verify" and not pod.terminating)
    return next((pod for pod in ours if pod.waiting in HOPELESS), None)


class CrashWatch:
    """Finds a node that goes on crashing while something is installed.

    A pod that was crashing before counts when it has crashed again: an upgrade may be about to replace it.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] | None = None

    def found(self, pods: list[PodState]) -> PodState | None:
        """The first such pod."""
        if self._before is None:
            self._before = {pod.uid: pod.restarts for pod in pods if pod.restarts >= CRASHES}
        nodes = (pod for pod in pods if pod.name.startswith(_NODES) and not pod.terminating)
        return next((pod for pod in nodes if self._crashed(pod)), None)

    def _crashed(self, pod: PodState) -> bool:
        before = (self._before or {}).get(pod.uid, -1)
        return pod.waiting == CRASHED and pod.restarts >= CRASHES and pod.restarts > before


def crashed(cluster: Cluster, namespace: str, pod: PodState) -> DeploymentFailed:
    """An error with the last lines of a container that goes on crashing."""
    return explain(
        cluster,
        namespace,
        f"{pod.name} goes on crashing: its container ended {pod.restarts + 1} times",
        "Mend what its last lines say, such as a setting, then run the same command again. If the pod stays as it was, "
        f"Kubernetes waits before it replaces it: kubectl -n {namespace} delete pod {pod.name}",
    )


def explain(cluster: Cluster, namespace: str, wrong: str, remedy: str) -> DeploymentFailed:
    """An error with what every pod that is not as it should be says."""
    told = [wrong]
    stuck = None
    for pod in cluster.pods(namespace):
        if pod.ready or pod.phase == "Succeeded":
            continue
        stuck = stuck or (pod if pod.waiting in HOPELESS else None)
        told.append(f"pod {pod.name}: {pod.words}" + (f", {pod.restarts} restarts" if pod.restarts else ""))
        told += [f"    event {event}" for event in cluster.events(namespace, pod.name)]
        told += [f"    {line}" for line in cluster.logs(namespace, pod.name, 8)]
    if stuck is not None and "Image" in stuck.waiting:
        remedy = "Build and load the images (pyhce images build, pyhce images load), or name yours with images.*."
    return DeploymentFailed("\n".join(told), remedy=remedy)
