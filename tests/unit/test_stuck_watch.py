"""When a pod that cannot start ends an installation."""

from __future__ import annotations

from pyhce.deploy.kubernetes_cluster import PodState
from pyhce.deploy.pod_failures import STUCK_BEFORE_SECONDS, STUCK_SECONDS, StuckWatch

BACK_OFF, FAILED = "ImagePullBackOff", "ErrImagePull"
NEW, OLD = "citus-worker-new", "citus-worker-old"
LATE = STUCK_SECONDS + 1


def pod(waiting: str, *, revision: str = NEW, name: str = "citus-worker-0", terminating: bool = False) -> PodState:
    return PodState(
        name=name, uid=name, phase="Pending", ready=False, restarts=0, node="n", waiting=waiting, revision=revision,
        terminating=terminating,
    )  # fmt: skip


def seen(*looks: tuple[float, PodState]) -> list[bool]:
    """Whether each look, at so many seconds, found a pod that cannot start."""
    watch = StuckWatch()
    return [bool(watch.stuck_pod([state], {NEW}, now)) for now, state in looks]


def test_a_pod_counts_after_it_was_stuck_for_some_seconds() -> None:
    assert seen((0, pod("")), (1, pod(FAILED)), (15, pod(BACK_OFF)), (1 + LATE, pod(BACK_OFF))) == [False] * 3 + [True]


def test_a_pod_that_recovered_counts_from_its_next_failure() -> None:
    assert (
        seen((0, pod("")), (1, pod(FAILED)), (15, pod("")), (16, pod(FAILED)), (1 + LATE, pod(FAILED))) == [False] * 5
    )


def test_a_pod_that_was_stuck_at_the_first_look_counts_after_a_new_pull_failed() -> None:
    pulls = (
        (0, pod(BACK_OFF)),
        (300, pod(BACK_OFF)),
        (301, pod(FAILED)),
        (312, pod(BACK_OFF)),
        (301 + LATE, pod(FAILED)),
    )
    assert seen(*pulls) == [False, False, False, False, True]


def test_a_pull_that_failed_before_the_first_look_is_not_a_new_one() -> None:
    assert seen((0, pod(FAILED)), (10, pod(BACK_OFF)), (LATE, pod(BACK_OFF)), (200, pod(BACK_OFF))) == [False] * 4


def test_a_pod_that_lacked_a_secret_at_the_first_look_counts_after_a_minute() -> None:
    lacks = pod("CreateContainerConfigError")
    assert seen((0, lacks), (LATE, lacks), (STUCK_BEFORE_SECONDS + 1, lacks)) == [False, False, True]


def test_a_pod_of_an_older_revision_never_counts() -> None:
    """Kubernetes replaces it when the pods before it are ready, however long that takes."""
    old = (pod(BACK_OFF, revision=OLD), pod(FAILED, revision=OLD), pod("InvalidImageName", revision=OLD))
    assert seen(*((n * 100.0, state) for n, state in enumerate(old * 3))) == [False] * 9


def test_a_jobs_pod_counts_without_a_revision() -> None:
    registrar = pod(FAILED, revision="", name="citus-registrar-x")
    assert seen((0, pod("")), (1, registrar), (1 + LATE, registrar)) == [False, False, True]


def test_a_terminating_pod_and_the_pod_of_helm_test_do_not_count() -> None:
    for state in (pod(FAILED, terminating=True), pod(FAILED, name="citus-verify")):
        assert seen((0, pod("")), (1, state), (1 + LATE, state)) == [False] * 3
