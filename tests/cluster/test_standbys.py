"""A release with standbys: one installation, a switchover, a killed PostgreSQL and a deleted pod under a ledger."""

from __future__ import annotations

import pytest

from pyhce.deploy import Deployment, drills
from pyhce.deploy.drill import Action
from pyhce.deploy.drills import DrillEvent, FaultReport
from pyhce.verify import Result

STANDBYS = {"coordinator": {"service": {"nodePort": ""}}, "ha": {"enabled": True, "spread": "preferred"}}
pytestmark = pytest.mark.timeout(1200)


def print_event(number: int, event: DrillEvent) -> None:
    print(f"step {number} {event.seconds:>6.1f} s  {event.text}")


def nothing_lost(report: FaultReport) -> bool:
    """Whether every step recovered, every lane wrote, and no write was lost, torn or forgotten."""
    print([(step.fault, step.seconds, step.longest_silence, step.acknowledged, step.failed) for step in report.steps])
    assert all(lane.acknowledged > 0 for lane in report.ledger.lanes)
    assert report.ledger.wrong == ()
    assert [step.missing for step in report.steps] == [""] * len(report.steps)
    return report.ok


def test_a_switchover_and_failures_lose_no_acknowledged_write(deployment: Deployment) -> None:
    deployment.install(STANDBYS)
    assert [check.code for check in deployment.verify(wait=120).checks if check.result is Result.FAILED] == []

    handed_over = drills.switchover(deployment, groups=["citus-worker-0"], progress=print, on_event=print_event)
    assert nothing_lost(handed_over)
    (step,) = handed_over.steps
    assert step.leaders_before["citus-worker-0"] != step.leaders_after["citus-worker-0"]

    killed = drills.pod_failure(
        deployment, groups=["citus-coordinator"], actions=[Action.KILL], progress=print, on_event=print_event
    )
    assert nothing_lost(killed)
    assert len(killed.steps) == 2  # both members

    deleted = drills.pod_failure(
        deployment, groups=["citus-worker-1"], actions=[Action.DELETE], progress=print, on_event=print_event
    )
    assert nothing_lost(deleted)
    of_leaders = [step for step in deleted.steps if "the leader of" in step.fault]
    assert of_leaders
    assert all(step.leaders_before["citus-worker-1"] != step.leaders_after["citus-worker-1"] for step in of_leaders)
    assert [check.code for check in deployment.verify(wait=120).checks if check.result is Result.FAILED] == []
