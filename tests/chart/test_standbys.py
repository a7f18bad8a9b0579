"""The rendered chart with standbys, without a cluster."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes_validate import validate

from pyhce.patroni import HaFile
from tests.chart.rendering import ROOT, Objects, objects, pod_specs, render

HA = ("--set", "ha.enabled=true")
GROUPS = ("citus-coordinator", "citus-worker-0", "citus-worker-1")


@pytest.fixture(scope="module")
def rendered() -> Objects:
    return objects(*HA)


def test_without_standbys_no_object_is_added() -> None:
    kinds = {kind for kind, _ in objects("--set", "ha.members=3", "--set", "ha.reads=true")}
    assert kinds == {kind for kind, _ in objects()}
    assert not kinds & {"Role", "RoleBinding", "ServiceAccount"}


@pytest.mark.parametrize(
    "options",
    [(), ("--set", "ha.store=configmaps"), ("--set", "ha.members=3"), ("--set", "tls.enabled=false,ha.reads=true")],
)
def test_every_object_with_standbys_is_valid_for_kubernetes(options: tuple[str, ...]) -> None:
    for found in objects(*HA, *options).values():
        validate(found, "1.34", strict=True)


def test_each_group_has_members_in_separate_stateful_sets(rendered: Objects) -> None:
    sets = {name: found["spec"] for (kind, name), found in rendered.items() if kind == "StatefulSet"}
    assert {name: spec["replicas"] for name, spec in sets.items()} == {
        "citus-coordinator": 1, "citus-coordinator-b": 1, "citus-worker": 2, "citus-worker-b": 2,
    }  # fmt: skip
    assert {spec["updateStrategy"]["type"] for spec in sets.values()} == {"OnDelete"}
    selectors = [json.dumps(spec["selector"], sort_keys=True) for spec in sets.values()]
    assert len(set(selectors)) == 4
    three = objects(*HA, "--set", "ha.members=3")
    assert ("StatefulSet", "citus-worker-c") in three


def test_the_first_members_keep_what_kubernetes_cannot_change(rendered: Objects) -> None:
    without = objects()
    for name in ("citus-coordinator", "citus-worker"):
        former, now = (found["StatefulSet", name]["spec"] for found in (without, rendered))
        for field in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"):
            assert former[field] == now[field]


def test_patroni_writes_the_endpoints_of_the_services_of_the_groups(rendered: Objects) -> None:
    for group in GROUPS:
        assert rendered["Service", group]["spec"]["selector"] is None
        for part in ("config", "sync", "failover"):
            assert rendered["Service", f"{group}-{part}"]["spec"] == {"clusterIP": "None"}
    coordinator = rendered["Service", "citus-coordinator"]["spec"]
    assert (coordinator["type"], coordinator["ports"][0]["nodePort"]) == ("NodePort", 30007)


def test_with_configmaps_the_services_select_the_leader() -> None:
    found = objects(*HA, "--set", "ha.store=configmaps")
    for group in GROUPS:
        assert found["Service", group]["spec"]["selector"]["role"] == "primary"
        assert found["Service", group]["spec"]["selector"]["hce-citus/group"] == group
    assert found["Role", "citus-patroni"]["rules"][0]["resources"] == ["configmaps"]
    assert ("Service", "citus-worker-0-config") not in found


def test_patroni_may_do_exactly_what_it_needs(rendered: Objects) -> None:
    assert rendered["Role", "citus-patroni"]["rules"] == [
        {"apiGroups": [""], "resources": ["endpoints"], "verbs": ["create", "get", "list", "patch", "watch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "patch", "watch"]},
    ]
    assert not any(kind.startswith("ClusterRole") for kind, _ in rendered)


def test_pods_with_standbys_meet_the_restricted_pod_security_standard(rendered: Objects) -> None:
    pods = pod_specs(rendered)
    assert len(pods) == 6
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {pod["serviceAccountName"] for pod in pods} == {"citus-patroni", "citus-registrar"}


def test_the_file_of_groups_is_one_that_pyhce_reads(rendered: Objects) -> None:
    groups = HaFile.model_validate_json(rendered["ConfigMap", "citus-patroni"]["data"]["ha.json"])
    assert [group.name for group in groups.groups] == list(GROUPS)
    assert groups.group("citus-worker-1").host == "citus-worker-1.clinical-database.svc.cluster.local"
    assert [m.name for m in groups.group("citus-worker-1").members] == ["citus-worker-1", "citus-worker-b-1"]
    parameters = groups.dynamic["postgresql"]["parameters"]
    without = objects()["StatefulSet", "citus-worker"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {f"{name}={value}" for name, value in parameters.items()} == {
        "wal_sender_timeout=30s",
        *(word for word in without[2::2] if not word.startswith("max_wal_size")),
    }
    worker = rendered["StatefulSet", "citus-worker"]["spec"]["template"]["spec"]["containers"][0]
    assert worker["args"] == ["patroni", "-c", "max_wal_size=256MB", "-c", "max_slot_wal_keep_size=256MB"]


def test_nodes_are_known_by_the_services_that_follow_the_leaders(rendered: Objects) -> None:
    environment = {e["name"]: e.get("value") for e in pod_specs(rendered)[-1]["containers"][0]["env"]}
    domain = "clinical-database.svc.cluster.local"
    assert environment["PYHCE_COORDINATOR"] == f"citus-coordinator.{domain}"
    assert environment["PYHCE_WORKERS"] == f"citus-worker-0.{domain} citus-worker-1.{domain}"
    assert f"host=citus-coordinator.{domain} " in str(environment["PYHCE_DSN"])


def test_members_of_a_group_run_apart_and_may_not_be_evicted_together(rendered: Objects) -> None:
    spread = rendered["StatefulSet", "citus-worker-b"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    strict = [rule for rule in spread if rule["whenUnsatisfiable"] == "DoNotSchedule"]
    assert [(rule["topologyKey"], rule["matchLabelKeys"]) for rule in strict] == [
        ("kubernetes.io/hostname", ["apps.kubernetes.io/pod-index"])
    ]
    for group in GROUPS:
        assert rendered["PodDisruptionBudget", group]["spec"]["minAvailable"] == 1
    assert ("PodDisruptionBudget", "citus-worker") not in rendered


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("ha.members=1", "ha.members is 1, and a group of one member has no standby. Give 2 or 3"),
        ("ha.ttl=29", "ha.ttl is 29, but a leader needs ha.loopWait + 2 × ha.retryTimeout = 30 seconds"),
    ],
)
def test_values_that_cannot_work_are_refused(values: str, words: str) -> None:
    done = render(*HA, "--set", values)
    assert done.returncode != 0
    assert words in done.stderr


def test_the_read_services_lead_to_standbys_and_are_registered() -> None:
    found = objects(*HA, "--set", "ha.reads=true")
    assert found["Service", "citus-worker-0-read"]["spec"]["selector"]["role"] == "replica"
    environment = {e["name"]: e.get("value") for e in pod_specs(found)[-1]["containers"][0]["env"]}
    domain = "clinical-database.svc.cluster.local"
    assert f"citus-worker-1.{domain}=citus-worker-1-read.{domain}" in str(environment["PYHCE_SECONDARIES"])


# The start program of the members: postgres-citus/patroni/start.py


@pytest.fixture(scope="module")
def newest() -> Callable[[dict[str, dict[str, Any]], list[str]], str]:
    spec = importlib.util.spec_from_file_location("start", ROOT / "postgres-citus" / "patroni" / "start.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.newest  # type: ignore[no-any-return]


def data(timeline: int, *, leader: bool = False, location: int = 0) -> dict[str, Any]:
    return {"timeline": timeline, "leader": leader, "location": location}


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        pytest.param(data(0), data(0), "a", id="two empty volumes: the first creates the database"),
        pytest.param(data(1, leader=True), data(0), "a", id="a running release gets a standby"),
        pytest.param(data(0), data(3), "b", id="the first volume was lost"),
        pytest.param(data(2, location=900), data(3, location=100), "b", id="the standby was promoted"),
        pytest.param(data(2, leader=True, location=900), data(3, leader=True), "b", id="the former leader crashed"),
        pytest.param(data(2, leader=True, location=500), data(2, location=500), "a", id="the leader stopped last"),
        pytest.param(data(2, location=500), data(2, leader=True, location=500), "b", id="the second led last"),
    ],
)
def test_the_newest_data_leads_when_the_store_knows_nothing(
    newest: Callable[[dict[str, dict[str, Any]], list[str]], str],
    first: dict[str, Any],
    second: dict[str, Any],
    winner: str,
) -> None:
    assert newest({"a": first, "b": second}, ["a", "b"]) == winner
