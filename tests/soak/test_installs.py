"""Twelve installations in a row, each in a namespace of its own, by plain helm."""

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
@pytest.mark.parametrize("again", [1, 2])
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("wait", [(), ("--wait", "--timeout", "300s")], ids=["no wait", "--wait"])
def test_it_installs_with_the_workers_asked_for(
    cluster: str, namespace: str, workers: int, wait: tuple[str, ...], again: int
) -> None:
    started = time.monotonic()
    done = subprocess.run(
        ["helm", "--kube-context", CONTEXT, "install", "hce", str(CHART), "-n", namespace,
         "-f", str(CHART / "ci" / "default-values.yaml"), "--set", f"worker.replicas={workers}", *wait],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    installed = time.monotonic() - started
    with Deployment(context=cluster, namespace=namespace) as deployment:
        report = deployment.verify(wait=90)
        (found,) = deployment.query(
            "SELECT count(*) FILTER (WHERE groupid > 0 AND isactive) FROM pg_dist_node", role="postgres"
        )
    print(f"{workers} workers{' --wait' if wait else ''}: installed {installed:.0f} s, verified "
          f"{time.monotonic() - started:.0f} s")  # fmt: skip
    assert [check.code for check in report.checks if check.result is Result.FAILED] == []
    assert found == (workers,)
