"""The errors of the Kubernetes commands when a program, a cluster or a context is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyhce.deploy.chart import merge_values, parse_assignments, read_values
from pyhce.deploy.deployment import _parse_answer
from pyhce.deploy.release_lock import release_lock
from pyhce.errors import HceError, UsageError

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: silent
contexts: [{name: silent, context: {cluster: silent, user: nobody}}]
clusters: [{name: silent, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: nobody, user: {}}]
"""


def pyhce(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyhce.cli.main", *arguments],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return str(path)


@pytest.mark.parametrize("command", [["install"], ["upgrade"], ["uninstall"], ["status", "--on", "silent"]])
def test_the_error_names_a_cluster_that_does_not_answer(command: list[str], kubeconfig: str) -> None:
    done = pyhce(*command, KUBECONFIG=kubeconfig)
    assert done.returncode == 2
    assert "no Kubernetes cluster answers at https://127.0.0.1:9 (context silent)" in done.stderr
    assert "what to do:" in done.stderr


def test_the_error_names_a_missing_kubeconfig_and_a_missing_context(kubeconfig: str) -> None:
    nothing = pyhce("install", KUBECONFIG="/nowhere")
    assert (nothing.returncode, "no Kubernetes cluster is configured" in nothing.stderr) == (2, True)
    other = pyhce("install", "--context", "other", KUBECONFIG=kubeconfig)
    assert (other.returncode, "no Kubernetes context 'other'" in other.stderr) == (2, True)


@pytest.mark.parametrize(("command", "program"), [(["images", "build"], "docker"), (["up", "--on", "kind"], "kind")])
def test_the_error_names_a_program_that_is_not_installed(command: list[str], program: str, tmp_path: Path) -> None:
    done = pyhce(*command, PATH=str(tmp_path))
    assert done.returncode == 2
    assert f"there is no {program} on PATH" in done.stderr


def test_an_error_is_json_with_output_json(kubeconfig: str) -> None:
    done = pyhce("install", "--output", "json", KUBECONFIG=kubeconfig)
    assert '"exit_code": 2' in done.stdout


@pytest.mark.parametrize("text", ["a", "=1", "a..b=1"])
def test_an_invalid_assignment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="as NAME=VALUE"):
        parse_assignments([text])


def test_one_process_at_a_time_holds_the_lock_on_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    take = "from pyhce.deploy.release_lock import release_lock\nwith release_lock('c', 'n'): print('locked')"
    with release_lock("c", "n"):
        second = subprocess.run([sys.executable, "-c", take], capture_output=True, text=True)
        assert "another pyhce is changing the release in n of c" in second.stderr
        with release_lock("c", "other"):
            pass
    assert subprocess.run([sys.executable, "-c", take], capture_output=True, text=True).stdout == "locked\n"


def test_values_are_merged_as_helm_merges_them(tmp_path: Path) -> None:
    assert parse_assignments(["worker.replicas=3", "worker.storage.sizeGi=5", "coordinator.service.nodePort="]) == {
        "worker": {"replicas": 3, "storage": {"sizeGi": 5}},
        "coordinator": {"service": {"nodePort": ""}},
    }
    assert merge_values({"a": {"b": 1, "c": [1]}}, {"a": {"c": [2]}}) == {"a": {"b": 1, "c": [2]}}
    broken = tmp_path / "v.yaml"
    broken.write_text("a: [")
    with pytest.raises(UsageError, match="could not read"):
        read_values(broken)
    broken.write_text("- a")
    with pytest.raises(UsageError, match="is not a map"):
        read_values(broken)


def test_the_report_of_a_pod_is_read_between_its_other_lines() -> None:
    printed = 'WARNING waiting\nciting {x}\n{\n  "group": "citus-worker-0"\n}\nlast words\n'
    assert _parse_answer(printed) == {"group": "citus-worker-0"}


def test_an_error_in_a_pod_is_the_error_outside_with_its_exit_code() -> None:
    with pytest.raises(HceError, match="citus-worker-9") as failed:
        _parse_answer(
            'waiting\n{"error": "there is no group citus-worker-9", "remedy": "Choose one.", "exit_code": 2}\n'
        )
    assert (failed.value.remedy, failed.value.exit_code) == ("Choose one.", 2)
    with pytest.raises(HceError, match="its last line was: ModuleNotFoundError"):
        _parse_answer("Traceback\nModuleNotFoundError: pyhce\n")
