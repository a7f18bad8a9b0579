"""Every drill again and again, on a kind cluster of a control plane and three machines: nothing may be lost or torn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyhce.deploy import Deployment, drills, images, kind
from pyhce.deploy.drills import DrillEvent, FaultReport
from pyhce.verify import Result

CLUSTER = "hce-citus-soak"
TIMES = 5
STANDBYS = {"coordinator": {"service": {"nodePort": ""}}, "ha": {"enabled": True}}
DRILLS: dict[str, Callable[..., FaultReport]] = {
    "pod-failure": drills.pod_failure,
    "switchover": drills.switchover,
    "freeze": drills.freeze,
    "machine": drills.machine,
    "network": drills.network,
    "api-server": drills.api_server,
}
pytestmark = pytest.mark.timeout(3 * 3600)


@pytest.fixture(scope="module")
def release() -> Iterator[Deployment]:
    """A verified release with standbys in a cluster of its own."""
    made = kind.ensure(CLUSTER, port=None, workers=3)
    try:
        images.build()
        images.load(kind=CLUSTER)
        with Deployment(context=f"kind-{CLUSTER}", namespace="hce-soak", progress=print) as deployment:
            deployment.install(STANDBYS)
            yield deployment
    finally:
        if made:
            kind.delete(CLUSTER)


def print_event(number: int, event: DrillEvent) -> None:
    print(f"step {number} {event.seconds:>6.1f} s  {event.text}")


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_repeated_loses_nothing(release: Deployment, name: str, tmp_path: Path) -> None:
    report = DRILLS[name](release, times=TIMES, progress=print, on_event=print_event)
    (tmp_path / f"{name}.html").write_text(drills.html_page(report))
    print(json.dumps({
        "drill": name, "page": str(tmp_path / f"{name}.html"), "acknowledged": report.ledger.acknowledged,
        "unknown": report.ledger.unknown, "load": report.load,
        "silences": [step.longest_silence for step in report.steps],
        "recovered": [step.seconds for step in report.steps],
    }))  # fmt: skip
    assert [step.missing for step in report.steps if not step.healed] == []
    assert report.ledger.wrong == ()
    assert report.ok
    if name == "api-server":
        assert [step.failed for step in report.steps] == [0] * TIMES
    assert [check.code for check in release.verify(wait=300).checks if check.result is Result.FAILED] == []
