"""The database on Kubernetes: images, clusters of this machine, the chart installed, looked at and drilled."""

from pyhce.deploy import images, kind
from pyhce.deploy.checks import CHECKS, GROUP
from pyhce.deploy.deployment import (
    NAMESPACE,
    RELEASE,
    Deployment,
    DeploymentStatus,
    InstallReport,
    UninstallReport,
)

__all__ = [
    "CHECKS",
    "GROUP",
    "NAMESPACE",
    "RELEASE",
    "Deployment",
    "DeploymentStatus",
    "InstallReport",
    "UninstallReport",
    "images",
    "kind",
]
