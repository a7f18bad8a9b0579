"""The fixtures of the kind cluster."""

from tests.shared.kind import cluster, deployment, namespace, pytest_runtest_makereport

__all__ = ["cluster", "deployment", "namespace", "pytest_runtest_makereport"]
