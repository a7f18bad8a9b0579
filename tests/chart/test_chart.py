"""The chart as Helm itself renders it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts" / "hce-citus"


def render(
    *options: str, release: str = "hce", namespace: str = "clinical-database"
) -> subprocess.CompletedProcess[str]:
    """`helm template`."""
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("helm is not on PATH")
    return subprocess.run(
        [helm, "template", release, str(CHART), "-n", namespace, "--kube-version", "1.34.0", *options],
        capture_output=True, text=True,
    )  # fmt: skip


def objects(*options: str, **where: str) -> dict[tuple[str, str], dict]:
    """Every object by kind and name."""
    done = render(*options, **where)
    assert done.returncode == 0, done.stderr
    return {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(done.stdout) if o}


def pods(found: dict[tuple[str, str], dict]) -> list[dict]:
    """The pod specs of every object that has one."""
    whole = [o["spec"]["template"]["spec"] for o in found.values() if o["kind"] in {"StatefulSet", "Job"}]
    return [*whole, *(o["spec"] for o in found.values() if o["kind"] == "Pod")]


def test_fixed_names_are_as_users_know_them() -> None:
    found = objects()
    service = found["Service", "citus-coordinator"]["spec"]
    assert (service["type"], service["ports"][0]["nodePort"]) == ("NodePort", 30007)
    assert found["StatefulSet", "citus-worker"]["spec"]["replicas"] == 2
    assert found["StatefulSet", "citus-coordinator"]["spec"]["serviceName"] == "citus-nodes"
    assert found["Service", "citus-nodes"]["spec"]["publishNotReadyAddresses"] is True
    assert {o["metadata"]["namespace"] for o in found.values()} == {"clinical-database"}


def test_every_pod_fits_the_restricted_standard() -> None:
    for pod in pods(objects()):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_the_namespace_is_made_where_it_is_not_the_releases_own() -> None:
    assert ("Namespace", "clinical-database") in objects(namespace="default")
    assert ("Namespace", "clinical-database") not in objects()
    own = objects("-f", str(CHART / "ci" / "default-values.yaml"), namespace="random-1")
    assert {o["metadata"]["namespace"] for o in own.values()} == {"random-1"}
    assert "nodePort" not in own["Service", "citus-coordinator"]["spec"]["ports"][0]


def test_what_a_statefulset_may_never_change_holds_no_version() -> None:
    for (kind, _), held in objects().items():
        if kind == "StatefulSet":
            text = yaml.safe_dump([held["spec"]["selector"], held["spec"]["volumeClaimTemplates"]])
            assert "version" not in text
            assert "helm.sh/chart" not in text


def test_max_wal_size_is_a_quarter_of_the_volume() -> None:
    found = objects("--set", "worker.storage.sizeGi=20")
    arguments = found["StatefulSet", "citus-worker"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "max_wal_size=5120MB" in arguments


def test_every_worker_is_registered_by_its_name() -> None:
    pod = objects("--set", "worker.replicas=3")["Job", "citus-registrar"]["spec"]["template"]["spec"]
    variables = {v["name"]: v.get("value") for v in pod["containers"][0]["env"]}
    assert variables["PYHCE_WORKERS"].split() == [
        f"citus-worker-{n}.citus-nodes.clinical-database.svc.cluster.local" for n in range(3)
    ]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("worker.replicas=0", "minimum: got 0, want 1"),
        ("nope=1", "additional properties 'nope' not allowed"),
        ("coordinator.service.nodePort=80", "nodePort"),
        ("auth.password=postgres", "well-known word"),
        ("shards=1024,maxConnections=100", "Give 532 or more"),
    ],
)
def test_a_bad_value_fails_the_render_with_what_to_do(option: str, words: str) -> None:
    done = render("--set", option)
    assert done.returncode != 0
    assert words in done.stderr


def test_no_template_is_long() -> None:
    long = [p.name for p in CHART.rglob("templates/**/*.*") if len(p.read_text().splitlines()) > 90]
    assert long == []
