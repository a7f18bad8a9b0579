"""The verbs on Kubernetes: the same database, from the chart."""

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
"""The target that means the kind cluster of this machine."""


class KubernetesReport(Frozen):
    """What an installation, an upgrade or `up` left running.

    Args:
        made_cluster: whether the kind cluster is new.
        loaded_images: what was built and given to the cluster, None where that was not ours to do.
        host, port: where the coordinator answers from here, None where only a forwarded port reaches it.
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
        """As the verification's."""
        return self.verification.exit_code if self.verification else 0


def kubeconfig_context(target: str | None) -> str | None:
    """The kubeconfig context that a target means: `kind` is this machine's cluster, None the current one."""
    return f"kind-{kind.NAME}" if target == KIND else target


def read_chart_values(files: Sequence[Path] = (), assignments: Sequence[str] = ()) -> dict[str, Any]:
    """Values of the chart from files and from a.b=c, the later over the earlier."""
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
    """The database on Kubernetes, from nothing to verified; safe to repeat and to interrupt.

    Args:
        target: `kind` makes a cluster on this machine if it is missing, builds the images where it runs from a checkout
            and loads them; else a context of the kubeconfig, whose cluster must be able to pull them.
        port: of this machine, for the kind cluster's node port.
        kind_workers: Kubernetes nodes of a new kind cluster beside its control plane.
        with_sample: load the synthetic patients that ship, and show one.

    Raises:
        HceError: what is wrong and what to do about it.
    """
    made, loaded = False, None
    if target == KIND:
        made = kind.ensure(port=port, image=kind_image, workers=kind_workers, progress=progress)
        if images.checkout_root():
            images.build(progress=progress)
        loaded = images.load(kind=kind.NAME, progress=progress)
    with Deployment(
        context=kubeconfig_context(target), namespace=namespace, release=release, progress=progress
    ) as deployment:
        report = _verified(deployment, deployment.ensure(values), verify=True)
        records = shown = None
        if with_sample:
            with deployment.dsn(SUPERUSER) as dsn:
                records, shown = load_sample(dsn, progress)
    more = {"made_cluster": made, "loaded_images": loaded, "load": records, "patient": shown}
    return report.model_copy(update=more)


def install(
    deployment: Deployment, values: Mapping[str, Any] | None = None, *, verify: bool = True
) -> KubernetesReport:
    """Install the chart, or upgrade what is there to these values, and verify."""
    return _verified(deployment, deployment.install(values), verify=verify)


def upgrade(
    deployment: Deployment, values: Mapping[str, Any] | None = None, *, verify: bool = True
) -> KubernetesReport:
    """Upgrade the release with these values over its former ones, and verify."""
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
    """The PG* variables that lead any libpq program to the coordinator; the password goes to a file of mode 600.

    Raises:
        HceError: nothing is installed, or the coordinator is not to be reached without forwarding a port.
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
    """The same for a program of our own, while the block runs; a port is forwarded where there is no other way."""
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
    """A values file for so many patients, each value with where it comes from; see `pyhce.deploy.sizing`."""
    return values_file(
        size(
            patients,
            Platform(platform),
            resources_a_patient=resources_a_patient,
            bytes_a_resource=bytes_a_resource,
            clients=clients,
        )
    )
