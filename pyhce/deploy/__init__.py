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
from pyhce.deploy.kubernetes_cluster import KubernetesCluster, own_namespace
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
    "own_namespace",
]
