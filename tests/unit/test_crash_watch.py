"""When a pod that goes on crashing ends an installation."""

from __future__ import annotations

from pyhce.deploy.kubernetes_cluster import PodState
from pyhce.deploy.pod_failures import CrashWatch


def pod(restarts: int, waiting: str = "CrashLoopBackOff", name: str = "citus-worker-0", uid: str = "a") -> PodState:
    return PodState(name=name, uid=uid, phase="Running", ready=False, restarts=restarts, node="n", waiting=waiting)


def test_the_third_run_that_ends_is_one_too_many() -> None:
    watch = CrashWatch()
    assert [bool(watch.crashing_pod([pod(n)])) for n in (0, 1, 2, 3)] == [False, False, True, True]


def test_a_pod_that_runs_again_is_left_alone() -> None:
    assert CrashWatch().crashing_pod([pod(2, waiting="")]) is None


def test_a_pod_that_crashed_before_counts_when_it_has_crashed_again() -> None:
    watch = CrashWatch()
    assert [bool(watch.crashing_pod([pod(n)])) for n in (7, 7, 8)] == [False, False, True]


def test_its_successor_counts_from_the_beginning() -> None:
    watch = CrashWatch()
    assert watch.crashing_pod([pod(7)]) is None
    assert [bool(watch.crashing_pod([pod(n, uid="b")])) for n in (0, 1, 2)] == [False, False, True]


def test_the_registrar_is_not_a_node() -> None:
    assert CrashWatch().crashing_pod([pod(3, name="citus-registrar-x")]) is None
