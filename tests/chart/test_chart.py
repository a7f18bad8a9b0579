"""The rendered chart, without a cluster."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from kubernetes_validate import ValidationError, validate

from tests.chart.rendering import CHART, ROOT, Objects, helms, objects, pod_specs, render


def test_the_names_that_users_rely_on_do_not_change() -> None:
    found = objects()
    service = found["Service", "citus-coordinator"]["spec"]
    assert (service["type"], service["ports"][0]["nodePort"]) == ("NodePort", 30007)
    assert found["StatefulSet", "citus-worker"]["spec"]["replicas"] == 2
    assert found["StatefulSet", "citus-coordinator"]["spec"]["serviceName"] == "citus-nodes"
    assert found["Service", "citus-nodes"]["spec"]["publishNotReadyAddresses"] is True
    assert {o["metadata"]["namespace"] for o in found.values()} == {"clinical-database"}


def test_every_pod_meets_the_restricted_pod_security_standard() -> None:
    for pod in pod_specs(objects()):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_the_chart_creates_a_namespace_other_than_the_releases() -> None:
    assert ("Namespace", "clinical-database") in objects(namespace="default")
    assert ("Namespace", "clinical-database") not in objects()
    own = objects("-f", str(CHART / "ci" / "default-values.yaml"), namespace="random-1")
    assert {o["metadata"]["namespace"] for o in own.values()} == {"random-1"}
    assert "nodePort" not in own["Service", "citus-coordinator"]["spec"]["ports"][0]


def immutable(found: Objects) -> dict[str, object]:
    """The fields of the StatefulSets that Kubernetes never changes."""
    return {
        name: {
            key: value
            for key, value in stateful_set["spec"].items()
            if key in {"selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"}
        }
        for (kind, name), stateful_set in found.items()
        if kind == "StatefulSet"
    }


def test_the_immutable_fields_of_the_statefulsets_are_as_released() -> None:
    """released.yaml is from `helm template` at the release; it changes with a new major version only."""
    released = yaml.safe_load((Path(__file__).parent / "released.yaml").read_text())
    assert immutable(objects()) == released


def test_max_wal_size_is_a_quarter_of_the_volume() -> None:
    found = objects("--set", "worker.storage.sizeGi=20")
    arguments = found["StatefulSet", "citus-worker"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "max_wal_size=5120MB" in arguments


def test_every_worker_is_registered_under_its_dns_name() -> None:
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
        ("worker.nope=1", "additional properties 'nope' not allowed"),
        ("coordinator.service.nodePort=80", "nodePort"),
        ("coordinator.service.nodePort=40000", "nodePort"),
        ("auth.password=postgres", "too short or a well-known word"),
        ("auth.appPassword=abc", "auth.appPassword is too short"),
        ("tls.nodes=disable", "tls"),
        ("tls.clients=allow", "tls"),
        ("sharedMemory=lots", "sharedMemory"),
        ("shards=1024,maxConnections=100", "Give 532 or more"),
        ("shards=2,worker.replicas=4", "a worker without a shard does nothing"),
    ],
)
def test_an_invalid_value_fails_with_the_rule_it_breaks(option: str, words: str) -> None:
    done = render("--set", option)
    assert done.returncode != 0
    assert words in done.stderr


def test_no_template_is_long_or_contains_a_shell_script() -> None:
    templates = [p for p in CHART.rglob("templates/**/*") if p.is_file()]
    assert len(templates) > 15
    assert [p.name for p in templates if len(p.read_text().splitlines()) > 62] == []
    assert [p.name for p in templates if re.search(r"(?<![.\w])(ba)?sh\b.*-c", p.read_text())] == []


VARIANTS = {
    "no values": (),
    "the release's namespace, as ct uses": ("-f", str(CHART / "ci" / "default-values.yaml")),
    "kind": ("-f", str(ROOT / "values" / "kind.yaml")),
    "minikube": ("-f", str(ROOT / "values" / "minikube.yaml")),
    "production": ("-f", str(ROOT / "values" / "production.yaml")),
    "no TLS, own secret, pull secrets": (
        "--set", "tls.enabled=false,auth.existingSecret=own,images.pullSecrets={a,b},settings.work_mem=8MB",
    ),
    "every setting of a pod": (
        "--set", "worker.storage.className=fast,worker.nodeSelector.disk=ssd,worker.tolerations[0].operator=Exists",
        "--set", "coordinator.resources.limits.memory=1Gi,registrar.resources.limits.memory=256Mi",
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kubernetes", ["1.27", "1.31", "1.34"])
def test_every_object_validates_strictly_against_its_kubernetes_schema(variant: str, kubernetes: str) -> None:
    found = objects(*VARIANTS[variant], namespace="somewhere")
    assert len(found) >= 9
    for rendered in found.values():
        validate(rendered, kubernetes, strict=True)


def test_the_strict_schemas_refuse_a_misspelt_field() -> None:
    stateful_set = objects()["StatefulSet", "citus-worker"]
    stateful_set["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Never"
    with pytest.raises(ValidationError):
        validate(stateful_set, "1.34", strict=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_helm_renders_the_same_objects(variant: str) -> None:
    plain = ("--set", "tls.existingSecret=own", "--set", "auth.existingSecret=own")  # generated values differ each time
    rendered = {name: objects(*VARIANTS[variant], *plain, helm=path) for name, path in helms().items()}
    first = next(iter(rendered.values()))
    assert all(found == first for found in rendered.values())


def test_the_certificate_names_every_node() -> None:
    secret = objects()["Secret", "hce-citus-tls"]["data"]
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"],
        input=base64.b64decode(secret["tls.crt"]), capture_output=True,
    )  # fmt: skip
    names = shown.stdout.decode()
    assert "DNS:*.citus-nodes.clinical-database.svc.cluster.local" in names
    assert "DNS:localhost" in names
    assert "DNS:*.clinical-database.svc.cluster.local" in names


def test_tls_is_required_unless_it_is_off() -> None:
    def arguments(*options: str) -> list[str]:
        spec = objects(*options)["StatefulSet", "citus-worker"]["spec"]["template"]["spec"]
        return spec["containers"][0]["args"]

    assert "hba_file=/etc/hce/hba/require.conf" in arguments()
    assert any("sslmode=verify-full sslrootcert=" in argument for argument in arguments())
    assert "hba_file=/etc/hce/hba/prefer.conf" in arguments("--set", "tls.clients=prefer")
    assert "ssl=off" in arguments("--set", "tls.enabled=false")


def test_the_users_settings_override_the_charts() -> None:
    spec = objects("--set", "settings.max_wal_size=64MB")["StatefulSet", "citus-worker"]["spec"]["template"]["spec"]
    assert [a for a in spec["containers"][0]["args"] if a.startswith("max_wal_size")] == ["max_wal_size=64MB"]


def test_every_value_is_described_in_values_yaml_its_schema_and_the_readme() -> None:
    text = (CHART / "values.yaml").read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    readme = (CHART / "README.md").read_text()

    def leaves(values: object, declared: dict, path: str = "") -> list[str]:
        if isinstance(values, dict) and values:
            assert set(values) <= set(declared["properties"]), path
            return [
                leaf
                for name, value in values.items()
                for leaf in leaves(value, resolved(declared["properties"][name], schema), f"{path}.{name}")
            ]
        return [path[1:]]

    paths = leaves(yaml.safe_load(text), schema)
    assert len(paths) > 30
    assert [path for path in paths if f"| {path} |" not in readme] == []
    lines = text.splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"\s*\w+: \S", line) and not before.strip().startswith("# -- ")
    ]
    assert bare == []


def resolved(declared: dict, schema: dict) -> dict:
    reference = declared.get("$ref", "").rpartition("/")[2]
    return schema["definitions"][reference] if reference else declared
