"""When a pod that keeps crashing ends an installation."""

from __future__ import annotations

from pyhce.deploy.kubernetes_cluster import PodState
from pyhce.deploy.pod_failures import CrashWatch


def pod(restarts: int, waiting: str = "CrashLoopBackOff", name: str = "citus-worker-0", uid: str = "a") -> PodState:
    return PodState(name=name, uid=uid, phase="Running", ready=False, restarts=restarts, node="n", waiting=waiting)


def test_a_pod_counts_as_crashing_after_its_third_run() -> None:
    watch = CrashWatch()
    assert [bool(watch.crashing_pod([pod(n)])) for n in (0, 1, 2, 3)] == [False, False, True, True]


def test_a_pod_that_runs_again_does_not_count() -> None:
    assert CrashWatch().crashing_pod([pod(2, waiting="")]) is None


def test_a_pod_that_was_crashing_at_the_first_look_counts_after_one_more_crash() -> None:
    watch = CrashWatch()
    assert [bool(watch.crashing_pod([pod(n)])) for n in (7, 7, 8)] == [False, False, True]


def test_a_replacement_pod_counts_from_zero_restarts() -> None:
    watch = CrashWatch()
    assert watch.crashing_pod([pod(7)]) is None
    assert [bool(watch.crashing_pod([pod(n, uid="b")])) for n in (0, 1, 2)] == [False, False, True]


def test_the_registrar_does_not_count() -> None:
    assert CrashWatch().crashing_pod([pod(3, name="citus-registrar-x")]) is None
