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
    """Whether each look, at a second, found a pod that cannot start."""
    watch = StuckWatch()
    return [bool(watch.stuck_pod([state], {NEW}, now)) for now, state in looks]


def test_a_pod_that_gets_stuck_is_given_a_moment() -> None:
    assert seen((0, pod("")), (1, pod(FAILED)), (15, pod(BACK_OFF)), (1 + LATE, pod(BACK_OFF))) == [False] * 3 + [True]


def test_a_pod_that_starts_after_all_begins_anew() -> None:
    assert (
        seen((0, pod("")), (1, pod(FAILED)), (15, pod("")), (16, pod(FAILED)), (1 + LATE, pod(FAILED))) == [False] * 5
    )


def test_a_pod_that_was_stuck_before_counts_when_its_image_could_not_be_pulled_again() -> None:
    pulls = (
        (0, pod(BACK_OFF)),
        (300, pod(BACK_OFF)),
        (301, pod(FAILED)),
        (312, pod(BACK_OFF)),
        (301 + LATE, pod(FAILED)),
    )
    assert seen(*pulls) == [False, False, False, False, True]


def test_a_pull_that_failed_just_before_is_not_taken_for_a_new_one() -> None:
    assert seen((0, pod(FAILED)), (10, pod(BACK_OFF)), (LATE, pod(BACK_OFF)), (200, pod(BACK_OFF))) == [False] * 4


def test_a_pod_that_lacked_something_else_before_has_a_minute() -> None:
    lacks = pod("CreateContainerConfigError")
    assert seen((0, lacks), (LATE, lacks), (STUCK_BEFORE_SECONDS + 1, lacks)) == [False, False, True]


def test_a_pod_that_an_upgrade_will_replace_does_not_count() -> None:
    """It waits until the one before it is ready, however long that takes."""
    old = (pod(BACK_OFF, revision=OLD), pod(FAILED, revision=OLD), pod("InvalidImageName", revision=OLD))
    assert seen(*((n * 100.0, state) for n, state in enumerate(old * 3))) == [False] * 9


def test_a_pod_of_a_job_belongs_to_no_template() -> None:
    registrar = pod(FAILED, revision="", name="citus-registrar-x")
    assert seen((0, pod("")), (1, registrar), (1 + LATE, registrar)) == [False, False, True]


def test_what_ends_and_the_test_of_helm_are_left_alone() -> None:
    for state in (pod(FAILED, terminating=True), pod(FAILED, name="citus-verify")):
        assert seen((0, pod("")), (1, state), (1 + LATE, state)) == [False] * 3
