"""What a platform engineer does with an installation, in the order of a first month."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import pyhce
from pyhce import sample
from pyhce.deploy import Deployment
from pyhce.deploy.drill import Action, pod_failure
from pyhce.errors import HceError
from pyhce.settings import DATABASE
from pyhce.verify import Result
from tests.shared.kind import CONTEXT, kubectl

CHART = Path(__file__).parents[2] / "charts" / "hce-citus"
AUTOMATIC = {"coordinator": {"service": {"nodePort": ""}}}
WELL_BEFORE_THE_TIMEOUT = 600
"""Seconds. Helm gives up after 1200 s; an error that comes earlier was detected and is not Helm's timeout."""
pytestmark = pytest.mark.timeout(1200)


def wait_until(condition: Callable[[], bool], seconds: float = 300.0) -> float:
    """Wait for a condition; return how many seconds it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        time.sleep(0.3)
    return time.monotonic() - start


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", "--kube-context", CONTEXT, *arguments], capture_output=True, text=True)


def uids(deployment: Deployment) -> dict[str, str]:
    pods = deployment.cluster.database_pods(deployment.namespace)
    return {pod.name: pod.uid for pod in pods}


def failed_checks(deployment: Deployment) -> list[str]:
    return [f"{c.code} {c.found}" for c in deployment.verify(wait=120).checks if c.result is Result.FAILED]


def install_with_the_sample(deployment: Deployment) -> None:
    deployment.install(AUTOMATIC)
    with deployment.dsn("postgres") as dsn:
        assert pyhce.load(sample.files(), dsn=dsn).rejected == 0


def test_01_plain_helm_installs_and_its_test_passes(cluster: str, namespace: str) -> None:
    release = f"r-{namespace[-4:]}"
    started = time.monotonic()
    done = helm("install", release, str(CHART), "-n", namespace, "-f", str(CHART / "ci" / "default-values.yaml"))
    assert done.returncode == 0, done.stderr
    assert "psql -h localhost -p $PORT" in done.stdout
    with Deployment(context=cluster, namespace=namespace, release=release) as deployment:
        assert failed_checks(deployment) == []
        print(f"ready after {time.monotonic() - started:.0f} s")
        tested = helm("test", release, "-n", namespace)
        assert tested.returncode == 0, tested.stdout + tested.stderr
        assert deployment.query("SELECT count(*) FROM pg_dist_node WHERE groupid > 0", role="postgres") == [(2,)]


def test_02_the_sample_loads_and_a_patient_is_read(deployment: Deployment) -> None:
    install_with_the_sample(deployment)
    with deployment.dsn() as dsn:
        record = pyhce.patient(sample.SHOWN_PATIENT, dsn=dsn)
    assert sum(record.counts.values()) > 10
    assert "sslmode" not in dsn
    with deployment.connection() as conn:
        (encrypted,) = conn.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() or (None,)
    assert encrypted is True


def test_03_an_added_worker_restarts_no_pod_and_a_setting_only_the_pods_it_changes(
    deployment: Deployment, tmp_path: Path
) -> None:
    install_with_the_sample(deployment)
    pgpass = tmp_path / "lis_reader.pgpass"
    role_command(deployment, "add", "lis_reader", "--like", "readonly", "--pgpass", str(pgpass))
    first = pgpass.read_text()
    assert patients_seen(deployment, pgpass) > 10
    more = deployment.upgrade({"worker": {"replicas": 3}})
    assert more.new == ("citus-worker-2",)
    assert set(more.kept) == {"citus-coordinator-0", "citus-worker-0", "citus-worker-1"}
    assert failed_checks(deployment) == []
    (listed,) = json.loads(role_command(deployment, "list"))["roles"]
    assert (listed["name"], listed["like"], listed["problems"]) == ("lis_reader", ["readonly"], [])
    role_command(deployment, "rotate", "lis_reader", "--pgpass", str(pgpass))
    assert pgpass.read_text() != first
    assert patients_seen(deployment, pgpass) > 10
    role_command(deployment, "drop", "lis_reader", "--yes")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        patients_seen(deployment, pgpass)
    changed = deployment.upgrade({"worker": {"resources": {"requests": {"cpu": "10m"}}}})
    assert changed.kept == ("citus-coordinator-0",)
    assert deployment.upgrade({"registrar": {"timeoutSeconds": 200}}).new == ()


def role_command(deployment: Deployment, *arguments: str) -> str:
    done = pyhce_command("role", *arguments, "--on", CONTEXT, "-n", deployment.namespace, "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def patients_seen(deployment: Deployment, pgpass: Path) -> int:
    """The number of patients that lis_reader counts over every shard, with a password file."""
    with (
        deployment.address() as place,
        psycopg.connect(
            host=place.host, port=place.port, dbname=DATABASE, user="lis_reader", passfile=str(pgpass)
        ) as conn,
    ):
        (number,) = conn.execute("SELECT count(*) FROM paciente").fetchone() or (0,)
    return int(number)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"worker": {"replicas": 1}}, "worker.replicas is 1, but the database has shards on 2"),
        ({"shards": 64}, "shards is 64, but the database was made with 32"),
        ({"timeZone": "UTC"}, "timeZone is UTC, but the database was made with America/Bogota"),
        ({"worker": {"storage": {"sizeGi": 2}}}, "worker.storage is 2Gi"),
    ],
    ids=["fewer workers", "other shards", "other time zone", "other volumes"],
)
def test_04_another_value_for_a_fixed_one_is_refused_before_a_pod_changes(
    installed: Deployment, values: dict[str, object], words: str
) -> None:
    before = uids(installed)
    with pytest.raises(HceError, match=words) as refused:
        installed.upgrade(values)
    assert "Give" in refused.value.remedy
    assert uids(installed) == before


def test_05_an_installation_after_an_uninstallation_finds_the_rows(deployment: Deployment) -> None:
    install_with_the_sample(deployment)
    patients = deployment.query("SELECT count(*) FROM paciente")
    secret = deployment.password()
    gone = deployment.uninstall()
    assert gone.volumes == ("data-citus-coordinator-0", "data-citus-worker-0", "data-citus-worker-1")
    assert uids(deployment) == {}
    with pytest.raises(HceError, match="shards on 2"):
        deployment.install({**AUTOMATIC, "worker": {"replicas": 1}})
    deployment.install(AUTOMATIC)
    assert deployment.query("SELECT count(*) FROM paciente") == patients
    assert deployment.password() == secret
    assert failed_checks(deployment) == []


def test_06_a_worker_becomes_ready_while_the_coordinator_is_down(deployment: Deployment) -> None:
    deployment.install(AUTOMATIC)
    before = uids(deployment)
    kubectl("-n", deployment.namespace, "scale", "statefulset/citus-coordinator", "--replicas=0")
    wait_until(lambda: "citus-coordinator-0" not in uids(deployment))
    kubectl("-n", deployment.namespace, "delete", "pod", "citus-worker-0")

    def ready() -> bool:
        found = deployment.cluster.pods(deployment.namespace, "hce-citus/node=true")
        return any(p.name == "citus-worker-0" and p.uid != before[p.name] and p.ready for p in found)

    print(f"ready after {wait_until(ready):.1f} s with no coordinator")
    kubectl("-n", deployment.namespace, "scale", "statefulset/citus-coordinator", "--replicas=1")
    assert failed_checks(deployment) == []


def test_07_every_pod_is_killed_and_deleted_and_nothing_acknowledged_is_lost(deployment: Deployment) -> None:
    deployment.install(AUTOMATIC)
    report = pod_failure(deployment, progress=print)
    assert [(step.pod, step.action) for step in report.steps] == [
        (pod, action) for action in Action for pod in ("citus-worker-0", "citus-worker-1", "citus-coordinator-0")
    ]
    assert all(step.new_pod == (step.action is Action.DELETE) for step in report.steps)
    assert all(step.restarts == 1 for step in report.steps if step.action is Action.KILL)
    assert report.names_after == report.names_before
    assert report.writer.acknowledged > 100
    assert report.writer.lost == 0
    assert failed_checks(deployment) == []


def test_08_the_error_for_a_taken_node_port_names_the_service_that_has_it(deployment: Deployment) -> None:
    kubectl("-n", deployment.namespace, "create", "service", "nodeport", "other", "--tcp=80", "--node-port=31999")
    with pytest.raises(HceError, match=f"31999 is taken by another Service: {deployment.namespace}/other") as refused:
        deployment.install({"coordinator": {"service": {"nodePort": 31999}}})
    assert "--set coordinator.service.nodePort" in refused.value.remedy
    kubectl("-n", deployment.namespace, "delete", "service", "other")
    assert deployment.install({"coordinator": {"service": {"nodePort": 31999}}}).workers == 2


def test_09_the_error_for_a_missing_image_quotes_the_pods_events(deployment: Deployment) -> None:
    started = time.monotonic()
    with pytest.raises(HceError, match="cannot start: the image cannot be pulled") as refused:
        deployment.install({**AUTOMATIC, "images": {"postgres": {"tag": "no-such-tag"}}})
    assert "event Failed" in str(refused.value)
    assert "pyhce images" in refused.value.remedy
    assert time.monotonic() - started < WELL_BEFORE_THE_TIMEOUT
    assert deployment.install(AUTOMATIC).workers == 2


def test_09b_a_node_that_keeps_crashing_ends_the_installation_and_its_log_is_quoted(deployment: Deployment) -> None:
    started = time.monotonic()
    with pytest.raises(HceError, match=r"citus-\S+ keeps crashing: its container has ended [3-5] times") as refused:
        deployment.install({**AUTOMATIC, "settings": {"work_mem": "eight"}})
    assert 'invalid value for parameter "work_mem": "eight"' in str(refused.value)
    assert "delete pod" in refused.value.remedy
    assert time.monotonic() - started < WELL_BEFORE_THE_TIMEOUT
    for pod in uids(deployment):
        kubectl("-n", deployment.namespace, "delete", "pod", pod)
    assert deployment.install(AUTOMATIC).workers == 2
    assert failed_checks(deployment) == []


def test_09c_the_certificate_names_every_service_and_the_documented_steps_replace_it(
    deployment: Deployment,
) -> None:
    deployment.install(AUTOMATIC)
    name = f"*.{deployment.namespace}.svc.cluster.local"
    former = deployment.cluster.secret_values(deployment.namespace, "hce-citus-tls")["tls.crt"]
    assert name in names_of(former)
    kubectl("-n", deployment.namespace, "delete", "secret", "hce-citus-tls")
    kubectl("-n", deployment.namespace, "delete", "pod", "-l", "hce-citus/node=true", "--wait=false")
    deployment.install(AUTOMATIC)
    made = deployment.cluster.secret_values(deployment.namespace, "hce-citus-tls")["tls.crt"]
    assert made != former
    assert name in names_of(made)
    assert failed_checks(deployment) == []


def names_of(certificate: str) -> str:
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=certificate, capture_output=True, text=True
    )
    return shown.stdout


def test_10_a_secret_with_an_empty_password_is_refused(deployment: Deployment) -> None:
    kubectl(
        "-n", deployment.namespace, "create", "secret", "generic", "own", "--from-literal=postgres-password=",
        "--from-literal=app-password=long-enough-1", "--from-literal=readonly-password=long-enough-2",
    )  # fmt: skip
    with pytest.raises(HceError, match="own has no postgres-password, or an empty one"):
        deployment.install({**AUTOMATIC, "auth": {"existingSecret": "own"}})
    assert uids(deployment) == {}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_11_an_interrupted_installation_finishes_when_repeated(deployment: Deployment, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "pyhce.cli.main", "install", "--context", CONTEXT, "-n", deployment.namespace,
               "--set", 'coordinator.service.nodePort=""']  # fmt: skip
    interrupted = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_until(lambda: len(uids(deployment)) == 3)
    os.killpg(interrupted.pid, how)
    output, _ = interrupted.communicate(timeout=60)
    assert interrupted.returncode == (130 if how is signal.SIGINT else -how), output
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified: " in done.stdout


def test_12_without_a_node_port_a_port_is_forwarded(deployment: Deployment) -> None:
    deployment.install({"coordinator": {"service": {"type": "ClusterIP", "nodePort": ""}}})
    assert deployment.place() is None
    loaded = pyhce_command("load", "--on", CONTEXT, "-n", deployment.namespace, *map(str, sample.files()))
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    asked = ["psql", "--on", CONTEXT, "-n", deployment.namespace, "--", "-Atc", "SELECT count(*) > 20 FROM paciente"]
    assert pyhce_command(*asked).stdout.strip() == "t"
    env = pyhce_command("env", "--on", CONTEXT, "-n", deployment.namespace)
    assert (env.returncode, "port-forward" in env.stderr) == (1, True)
    assert [c.result.value for c in deployment.verify(groups=["kubernetes"]).checks if c.code == "HCE0906"] == [
        "skipped"
    ]


def test_13_the_error_names_a_missing_helm(deployment: Deployment) -> None:
    done = pyhce_command("install", "--context", CONTEXT, "-n", deployment.namespace, PATH="/nowhere")
    assert done.returncode == 2
    assert "there is no helm on PATH" in done.stderr
    assert "what to do: Install Helm" in done.stderr


def test_14_a_password_that_the_database_does_not_know_is_refused(installed: Deployment) -> None:
    with pytest.raises(HceError, match="not the password that the database was made with"):
        installed.upgrade({"auth": {"password": "another-long-one"}})


def pyhce_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyhce.cli.main", *arguments],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def installed(cluster: str) -> Iterator[Deployment]:
    """One installation for the tests of refused upgrades, which change nothing."""
    name = f"hce-refusals-{os.getpid()}"
    with Deployment(context=cluster, namespace=name) as made:
        made.install(AUTOMATIC)
        yield made
    kubectl("delete", "namespace", name, "--wait=false")
