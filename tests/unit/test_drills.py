"""What a drill makes of the state of groups and of the ledger's report; the page; what is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pyhce.deploy.drills import DrillEvent, DrillStep, FaultReport, html_page
from pyhce.deploy.drills.groups import GroupState
from pyhce.deploy.drills.report import with_writes
from pyhce.deploy.drills.step import changes
from pyhce.deploy.kubernetes_cluster import PodState
from pyhce.deploy.release_lock import drill_lock
from pyhce.errors import HceError
from pyhce.verify.ledger import LaneCounts, Outcome, Write
from pyhce.verify.ledger.accounts import LedgerReport, lane_report
from tests.unit.test_kubernetes_errors import KUBECONFIG

A, B = "citus-worker-0", "citus-worker-b-0"
START = 1_795_770_600.0


def pod(name: str, *, ready: bool = True, timeline: int | None = 2) -> PodState:
    facts = {} if timeline is None else {"state": "running", "timeline": timeline}
    return PodState(
        name=name, uid=name, phase="Running", ready=ready, restarts=0, node="m1", group="citus-worker-0", patroni=facts
    )


def group(*members: PodState, leader: str | None = A, synchronous: tuple[str, ...] = (B,)) -> GroupState:
    return GroupState(name="citus-worker-0", leader=leader, synchronous=synchronous, members=members, standbys=True)


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        (group(pod(A), pod(B)), ""),
        (group(pod(A), pod(B), leader=None), "citus-worker-0 has no leader"),
        (group(pod(A), pod(B, ready=False)), "citus-worker-b-0 of citus-worker-0 not ready"),
        (group(pod(A, timeline=3), pod(B)), "the members of citus-worker-0 are on different timelines"),
        (group(pod(A), pod(B, timeline=None)), "the members of citus-worker-0 are on different timelines"),
        (group(pod(A), pod(B), synchronous=()), "no standby of citus-worker-0 is synchronous"),
        (group(pod(A)), "citus-worker-0 has no standby"),
    ],
)
def test_a_group_misses_what_it_needs_to_survive_the_loss_of_its_leader(state: GroupState, missing: str) -> None:
    assert state.missing == missing


def test_a_node_without_standbys_only_has_to_be_ready() -> None:
    alone = group(pod(A, timeline=None), synchronous=()).model_copy(update={"standbys": False})
    assert alone.missing == ""


def test_a_failover_is_told_as_a_new_leader_and_a_member_that_follows() -> None:
    before = {"citus-worker-0": group(pod(A), pod(B))}
    failed = {"citus-worker-0": group(pod(A, ready=False), pod(B), leader=B, synchronous=())}
    healed = {"citus-worker-0": group(pod(A), pod(B), leader=B, synchronous=(A,))}
    assert changes(before, failed) == ["citus-worker-b-0 leads citus-worker-0", "citus-worker-0 is not ready"]
    assert changes(failed, healed) == ["citus-worker-0 follows citus-worker-0 in sync", "citus-worker-0 is ready"]
    assert changes(healed, healed) == []


def ledger_report() -> LedgerReport:
    """Writes at 1, 2, 12.5 and 12.75 s after START; the last is lost, and one at 20 s is torn."""
    times = [1.0, 2.0, 12.5, 12.75]
    writes = [Write("multi", (f"a{at}", f"b{at}"), Outcome.ACKNOWLEDGED, at) for at in times]
    writes += [Write("multi", (), Outcome.REFUSED, 5.0), Write("multi", ("a20", "b20"), Outcome.UNKNOWN, 20.0)]
    found = {row: 1 for write in writes[:3] for row in write.rows} | {"a20": 1}
    lane, wrong = lane_report("multi", sorted(writes, key=lambda write: write.at), found, copies_a_row=1, end=21.0)
    return LedgerReport(source="drill-ledger-1", started_at=START, seconds=21.0, lanes=(lane,), wrong=wrong)


def step(healed: bool = True) -> DrillStep:
    return DrillStep(
        number=1,
        fault="deleted the pod <citus-worker-0>",
        groups=("citus-worker-0",),
        leaders_before={"citus-worker-0": A},
        leaders_after={"citus-worker-0": B},
        started_at=START + 2.5,
        seconds=12.0,
        healed=healed,
        missing="" if healed else "citus-worker-0 has no leader",
        events=(DrillEvent(seconds=0.0, text="deleted"), DrillEvent(seconds=9.5, text=f"{B} leads <citus-worker-0>")),
    )


def report(healed: bool = True) -> FaultReport:
    before, after = {"multi": LaneCounts(acknowledged=2)}, {"multi": LaneCounts(acknowledged=4, refused=1)}
    ledger = ledger_report()
    return FaultReport(
        drill="pod-failure", context="kind-hce", namespace="n", standbys=True, started_at=START, seconds=21.0,
        load=(1.5,), steps=(with_writes(step(healed), ledger, before, after),), ledger=ledger,
    )  # fmt: skip


def test_a_step_has_the_writes_of_its_time() -> None:
    (lane,) = report().steps[0].lanes
    assert (lane.acknowledged, lane.refused, lane.unknown) == (2, 1, 0)
    assert lane.silence == 10.5
    assert (lane.lost, lane.torn) == (1, 0)  # the torn write came after the step
    assert [(one.start, one.seconds) for one in report().steps[0].silences] == [(-0.5, 10.5), (10.25, 8.25)]


def test_a_drill_fails_if_a_write_is_lost_or_torn_or_a_step_does_not_recover() -> None:
    lost = report()
    assert (lost.ok, lost.exit_code) == (False, 1)
    clean = lost.model_copy(update={"ledger": lost.ledger.model_copy(update={"lanes": ()}), "steps": (step(),)})
    assert (clean.ok, clean.exit_code) == (True, 0)
    assert not clean.model_copy(update={"steps": (step(healed=False),)}).ok


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether each tag that was opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_shows_each_silence_and_event() -> None:
    page = html_page(report())
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not {name for name, _ in tags.attributes} & {"src", "href", "srcset", "data"}
    assert "url(" not in page
    assert "http" not in page
    assert page.count("without an acknowledged write</title>") == 2
    assert "citus-worker-b-0 leads &lt;citus-worker-0&gt;" in page
    assert "<b>1 lost</b>" in page
    left = [float(x) for x in re.findall(r'<rect x="([\d.]+)" y="\d+" width="[\d.]+" height="14"', page)]
    assert left == [210.0, 765.2]


@pytest.mark.parametrize("drill", ["machine", "network", "freeze", "api-server"])
def test_a_drill_that_works_on_machines_is_refused_outside_of_kind(drill: str, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    done = subprocess.run(
        [sys.executable, "-m", "pyhce", "drill", drill, "--on", "silent", "--yes"],
        capture_output=True, text=True, env={**os.environ, "KUBECONFIG": str(kubeconfig)},
    )  # fmt: skip
    assert done.returncode == 2
    assert f"drill {drill} needs a kind cluster, because it works on the machines; silent is not one" in done.stderr
    assert "what to do: Break a pod instead: pyhce drill pod-failure" in done.stderr


def test_only_one_drill_runs_in_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with (
        drill_lock("kind-hce"),
        drill_lock("kind-other"),
        pytest.raises(HceError, match="another drill runs in kind-hce"),
        drill_lock("kind-hce"),
    ):
        pass
    with drill_lock("kind-hce"):
        pass
