"""Twelve installations with plain `helm install`, one after another, each in a namespace of its own."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from pyhce.deploy import Deployment
from pyhce.verify import Result
from tests.shared.kind import CONTEXT

CHART = Path(__file__).parents[2] / "charts" / "hce-citus"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("repetition", [1, 2])
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("wait", [(), ("--wait", "--timeout", "300s")], ids=["no wait", "--wait"])
def test_plain_helm_install_creates_a_verified_cluster_of_each_size(
    cluster: str, namespace: str, workers: int, wait: tuple[str, ...], repetition: int
) -> None:
    started = time.monotonic()
    helm = subprocess.run(
        ["helm", "--kube-context", CONTEXT, "install", "hce", str(CHART), "-n", namespace,
         "-f", str(CHART / "ci" / "default-values.yaml"), "--set", f"worker.replicas={workers}", *wait],
        capture_output=True, text=True,
    )  # fmt: skip
    assert helm.returncode == 0, helm.stderr
    installed = time.monotonic() - started
    with Deployment(context=cluster, namespace=namespace) as deployment:
        report = deployment.verify(wait=90)
        (active_workers,) = deployment.query(
            "SELECT count(*) FILTER (WHERE groupid > 0 AND isactive) FROM pg_dist_node", role="postgres"
        )
    print(f"{workers} workers{' --wait' if wait else ''}: installed {installed:.0f} s, verified "
          f"{time.monotonic() - started:.0f} s")  # fmt: skip
    assert [check.code for check in report.checks if check.result is Result.FAILED] == []
    assert active_workers == (workers,)
