"""A running release gets standbys, gives them up and gets them again, under a ledger."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import pyhce
from pyhce import sample
from pyhce.deploy import Deployment
from pyhce.deploy.drills.ledger_pod import LedgerPod
from pyhce.errors import HceError
from pyhce.verify import Result
from tests.shared.kind import CONTEXT

CHART = Path(__file__).parents[2] / "charts" / "hce-citus"
STANDBYS = {"coordinator": {"service": {"nodePort": ""}}, "ha": {"enabled": True, "spread": "preferred"}}
pytestmark = pytest.mark.timeout(1800)


def test_a_running_release_gets_standbys_and_gives_them_up_and_no_write_is_lost(deployment: Deployment) -> None:
    deployment.install({**STANDBYS, "ha": {"enabled": False}})
    volumes = claims(deployment)
    ledger = LedgerPod(deployment.cluster, deployment.namespace)
    ledger.start(progress=print)
    try:
        deployment.upgrade(STANDBYS)
        assert names_of_nodes(deployment) == {"citus-coordinator", "citus-worker-0", "citus-worker-1"}
        with pytest.raises(HceError, match=r"ha.store is configmaps, but the leaders are recorded in endpoints"):
            deployment.upgrade({"ha": {"store": "configmaps"}})
        deployment.switchover("citus-worker-0", to="citus-worker-b-0")
        refused = helm_upgrade_without_standbys(deployment)
        assert "leads citus-coordinator and Patroni is not paused, so acknowledged writes could be lost" in refused
        deployment.upgrade({"ha": {"enabled": False}})
        report = ledger.stop(progress=print)
    finally:
        ledger.abandon()
    print([(lane.lane, lane.acknowledged, lane.longest_silence) for lane in report.lanes])
    assert report.wrong == ()
    assert names_of_nodes(deployment) == {
        "citus-coordinator-0.citus-nodes", "citus-worker-0.citus-nodes", "citus-worker-1.citus-nodes",
    }  # fmt: skip
    after = claims(deployment)
    assert {name: after[name] for name in volumes} == volumes
    assert [check.code for check in deployment.verify(wait=120).checks if check.result is Result.FAILED] == []
    # The volumes of the standbys are kept, with older data than those of the first members, which must lead again.
    with deployment.dsn("postgres") as dsn:
        assert pyhce.load(sample.files(), dsn=dsn).rejected == 0
    patients = deployment.query("SELECT count(*) FROM paciente")
    deployment.upgrade(STANDBYS)
    assert deployment.query("SELECT count(*) FROM paciente") == patients
    assert [check.code for check in deployment.verify(wait=120).checks if check.result is Result.FAILED] == []


def names_of_nodes(deployment: Deployment) -> set[str]:
    """The registered names of the nodes without the namespace and domain."""
    rows = deployment.query("SELECT nodename FROM pg_dist_node WHERE noderole = 'primary'", role="postgres")
    return {name.partition(f".{deployment.namespace}.")[0] for (name,) in rows}


def claims(deployment: Deployment) -> dict[str, str]:
    """The volume of each claim."""
    items = deployment.cluster.core.list_namespaced_persistent_volume_claim(deployment.namespace).items
    return {claim.metadata.name: claim.spec.volume_name for claim in items}


def helm_upgrade_without_standbys(deployment: Deployment) -> str:
    """What plain Helm prints when it is to remove the standbys."""
    command = ["helm", "--kube-context", CONTEXT, "upgrade", "hce", str(CHART), "-n", deployment.namespace,
               "--reuse-values", "--set", "ha.enabled=false"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    return done.stderr
