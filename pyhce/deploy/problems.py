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


class DeploymentFailed(HceError):
    """The release did not come up; the text holds what its pods said."""


def hopeless(pods: list[PodState]) -> PodState | None:
    """A pod that waiting does not help."""
    ours = (pod for pod in pods if pod.name != "citus-verify" and not pod.terminating)
    return next((pod for pod in ours if pod.waiting in HOPELESS), None)


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
