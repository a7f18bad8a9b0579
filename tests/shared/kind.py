"""One kind cluster for the tier, and a namespace for each scenario; a failed one prints its events and logs."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from pyhce.deploy import Deployment, images, kind

CLUSTER = os.environ.get("PYHCE_TEST_CLUSTER", "hce-citus-test")
"""Name a cluster that exists to keep it after the tests."""
CONTEXT = f"kind-{CLUSTER}"


def kubectl(*arguments: str, check: bool = True) -> str:
    """The output of a kubectl command."""
    done = subprocess.run(["kubectl", "--context", CONTEXT, *arguments], capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + ("" if check else done.stderr)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The context of a kind cluster with both images loaded."""
    made = kind.ensure(CLUSTER, port=None)
    try:
        images.build()
        images.load(kind=CLUSTER)
        yield CONTEXT
    finally:
        if made:
            kind.delete(CLUSTER)


@pytest.fixture
def namespace(cluster: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that enforces the restricted Pod Security Standard."""
    name = f"hce-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    try:
        yield name
        if getattr(request.node, "failed", False):
            _dump(name)
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def deployment(cluster: str, namespace: str) -> Iterator[Deployment]:
    """A deployment in its own namespace, not installed yet; its progress goes to the test's output."""
    with Deployment(context=cluster, namespace=namespace, progress=print) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report


def _dump(namespace: str) -> None:
    print(kubectl("-n", namespace, "get", "all,pvc,endpointslices", "-o", "wide", check=False))
    print(kubectl("-n", namespace, "get", "events", "--sort-by=.lastTimestamp", check=False))
    for pod in kubectl("-n", namespace, "get", "pods", "-o", "name", check=False).split():
        print(f"== {pod}")
        print(kubectl("-n", namespace, "logs", pod, "--tail=60", check=False))
        print(kubectl("-n", namespace, "logs", pod, "--tail=60", "--previous", check=False))
