"""The database on Kubernetes: container images, kind clusters, the chart's installation, its checks and drills."""

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
from pyhce.deploy.kubernetes_cluster import KubernetesCluster
from pyhce.deploy.rolling import RollingUpdate

__all__ = [
    "CHECKS",
    "GROUP",
    "NAMESPACE",
    "RELEASE",
    "Deployment",
    "DeploymentStatus",
    "InstallReport",
    "KubernetesCluster",
    "RollingUpdate",
    "UninstallReport",
    "images",
    "kind",
]
