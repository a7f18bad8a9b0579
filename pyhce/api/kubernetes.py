"""Functions for a database on Kubernetes, which the chart installs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyhce import local
from pyhce.api.database import load_sample
from pyhce.citus.connection import Progress, libpq_variables, no_progress
from pyhce.deploy import NAMESPACE, RELEASE, Deployment, InstallReport, images, kind
from pyhce.deploy.chart import merge_values, parse_assignments, read_values
from pyhce.deploy.images import ImagesReport
from pyhce.deploy.sizing import BYTES_A_RESOURCE, RESOURCES_A_PATIENT, Platform, size, values_file
from pyhce.records.loading.report import LoadReport
from pyhce.records.patient import PatientRecord
from pyhce.schema.model import Frozen
from pyhce.settings import DATABASE, NODE_PORT, SUPERUSER
from pyhce.verify import VerificationReport

KIND = "kind"
"""The target that stands for the kind cluster on this machine."""


class KubernetesReport(Frozen):
    """The database that an installation, an upgrade or `up` left running.

    Args:
        verification: None if it was skipped.
        host, port: where the coordinator answers from here; None if only a forwarded port reaches it.
        made_cluster: whether the kind cluster is new.
        loaded_images: the images that were loaded into the kind cluster; None for other clusters.
        load, patient: the load of the sample and one of its patients, if `with_sample`.
    """

    install: InstallReport
    verification: VerificationReport | None = None
    database: str = DATABASE
    host: str | None = None
    port: int | None = None
    made_cluster: bool = False
    loaded_images: ImagesReport | None = None
    load: LoadReport | None = None
    patient: PatientRecord | None = None

    @property
    def exit_code(self) -> int:
        """0 if no check failed or the verification was skipped, else 1."""
        return self.verification.exit_code if self.verification else 0


def kubeconfig_context(target: str | None) -> str | None:
    """The kubeconfig context of a target: that of the kind cluster for "kind". None stays None, the current context."""
    return f"kind-{kind.NAME}" if target == KIND else target


def read_chart_values(files: Sequence[Path] = (), assignments: Sequence[str] = ()) -> dict[str, Any]:
    """Values of the chart from files and assignments such as `worker.replicas=4`; later ones override earlier ones."""
    return merge_values(*(read_values(path) for path in files), parse_assignments(assignments))


def up_on_kubernetes(
    target: str,
    *,
    values: Mapping[str, Any] | None = None,
    port: int = NODE_PORT,
    kind_image: str | None = None,
    kind_workers: int = 0,
    namespace: str = NAMESPACE,
    release: str = RELEASE,
    with_sample: bool = False,
    progress: Progress = no_progress,
) -> KubernetesReport:
    """Install the database on Kubernetes and verify it. Safe to repeat and to interrupt.

    Args:
        target: "kind" creates a kind cluster on this machine if it is missing, builds the images if pyhce runs from a
            checkout, and loads them. Else a context of the kubeconfig, whose cluster must be able to pull the images.
        values: values of the chart.
        port: the port on this machine for the kind cluster's node port.
        kind_image: the node image of a new kind cluster.
        kind_workers: Kubernetes nodes of a new kind cluster in addition to its control plane.
        with_sample: load the synthetic sample patients and report one of them.

    Raises:
        HceError: a step failed; the error says why and what to do.
    """
    made_cluster, loaded_images = False, None
    if target == KIND:
        made_cluster = kind.ensure(port=port, image=kind_image, workers=kind_workers, progress=progress)
        if images.checkout_root():
            images.build(progress=progress)
        loaded_images = images.load(kind=kind.NAME, progress=progress)
    with Deployment(
        context=kubeconfig_context(target), namespace=namespace, release=release, progress=progress
    ) as deployment:
        report = _verified(deployment, deployment.ensure(values), verify=True)
        sample_load = sample_patient = None
        if with_sample:
            with deployment.dsn(SUPERUSER) as dsn:
                sample_load, sample_patient = load_sample(dsn, progress)
    return report.model_copy(
        update={
            "made_cluster": made_cluster,
            "loaded_images": loaded_images,
            "load": sample_load,
            "patient": sample_patient,
        }
    )


def install(
    deployment: Deployment, values: Mapping[str, Any] | None = None, *, verify: bool = True
) -> KubernetesReport:
    """Install the chart, or upgrade an existing release to these values; then verify."""
    return _verified(deployment, deployment.install(values), verify=verify)


def upgrade(
    deployment: Deployment, values: Mapping[str, Any] | None = None, *, verify: bool = True
) -> KubernetesReport:
    """Upgrade the release: these values override those set earlier; then verify."""
    return _verified(deployment, deployment.upgrade(values), verify=verify)


def _verified(deployment: Deployment, report: InstallReport, *, verify: bool) -> KubernetesReport:
    verification = deployment.verify(wait=60.0) if verify else None
    place = deployment.place()
    return KubernetesReport(
        install=report,
        verification=verification,
        host=place.host if place else None,
        port=place.port if place else None,
    )


def environment_on_kubernetes(deployment: Deployment, role: str = SUPERUSER) -> dict[str, str]:
    """The PG* variables that connect any libpq program to the coordinator.

    The password is written to a file of mode 600, which PGPASSFILE names.

    Raises:
        HceError: nothing is installed, or the coordinator can only be reached through a forwarded port.
    """
    place = deployment.reachable_place()
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pyhce"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]", "_", f"{deployment.context}-{deployment.namespace}-{role}")
    path = folder / f"{name}.pgpass"
    secret = deployment.password(role).replace("\\", "\\\\").replace(":", "\\:")
    local.write_private(path, f"{place.host}:{place.port}:*:{role}:{secret}\n")
    return {**libpq_variables(place.host, place.port, role), "PGPASSFILE": str(path)}


@contextmanager
def forwarded_environment(deployment: Deployment, role: str = SUPERUSER) -> Iterator[dict[str, str]]:
    """The PG* variables, the password included, for a program that runs within the block.

    A port is forwarded during the block if the coordinator cannot be reached otherwise.
    """
    with deployment.address() as place:
        yield {**libpq_variables(place.host, place.port, role), "PGPASSWORD": deployment.password(role)}


def generate_values(
    patients: int,
    platform: str,
    *,
    resources_a_patient: int = RESOURCES_A_PATIENT,
    bytes_a_resource: int = BYTES_A_RESOURCE,
    clients: int = 100,
) -> str:
    """The text of a values file, each value with its calculation; see `pyhce.deploy.sizing`.

    Args:
        patients: expected number of patients.
        platform: a value of `Platform`.
        resources_a_patient: expected FHIR resources of a patient.
        bytes_a_resource: expected size of a resource with its indexes.
        clients: connections that applications open at once.
    """
    return values_file(
        size(
            patients,
            Platform(platform),
            resources_a_patient=resources_a_patient,
            bytes_a_resource=bytes_a_resource,
            clients=clients,
        )
    )
