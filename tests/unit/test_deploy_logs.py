"""What the log of a deployment and of local servers holds: commands, waits and retries, and no secret."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from pathlib import Path

import pytest

from pyhce.deploy import helm
from pyhce.deploy.pod_watch import run_watching_pods
from pyhce.deploy.programs import ProgramFailed, run_program
from pyhce.errors import ConnectionFailed
from pyhce.local.folder import folder_lock

SECRET = "a-password-of-the-values"
CHART = {"apiVersion": "v2", "name": "hce-citus", "version": "0.1.0"}
HELM = """#!/bin/sh
case "$1 $2" in
  "version "*) printf v3.19.0 ;;
  "show chart") echo 'CHART' ;;
  "status "*) echo 'Error: release: not found' >&2; exit 1 ;;
  "upgrade "*) cat > INPUT; cat RELEASE ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder at the front of PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def put_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(script)
    program.chmod(0o755)


def test_a_program_is_logged_with_its_command_line_and_status(programs: Path, caplog: pytest.LogCaptureFixture) -> None:
    put_program(programs, "docker", "#!/bin/sh\nexit 3\n")
    with caplog.at_level(logging.DEBUG, "pyhce"), pytest.raises(ProgramFailed):
        run_program("docker", "image", "inspect", "an image", stdin=SECRET)
    assert "running docker image inspect 'an image'" in caplog.text
    assert "with status 3" in caplog.text
    assert SECRET not in caplog.text


def test_helm_is_logged_without_the_values(programs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    release = tmp_path / "release.json"
    release.write_text(json.dumps({
        "name": "hce", "namespace": "n", "version": 1, "chart": {"metadata": CHART},
        "info": {"status": "deployed", "last_deployed": "2026-01-01T00:00:00Z"}, "manifest": "",
    }))  # fmt: skip
    values = tmp_path / "values.json"
    script = HELM.replace("CHART", json.dumps(CHART)).replace("INPUT", str(values)).replace("RELEASE", str(release))
    put_program(programs, "helm", script)
    helm._client.cache_clear()
    try:
        with caplog.at_level(logging.DEBUG):
            asyncio.run(helm.install("a-context", "hce", "n", programs, {"auth": {"password": SECRET}}))
    finally:
        helm._client.cache_clear()
    assert json.loads(values.read_text()) == {"auth": {"password": SECRET}}
    assert f"running helm upgrade hce {tmp_path}" in caplog.text
    assert SECRET not in caplog.text


def test_a_failed_look_at_the_pods_is_logged_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    class Unreachable:
        looks = 0

        def pods(self, namespace: str) -> list[object]:
            self.looks += 1
            raise ConnectionFailed("no Kubernetes cluster answers", remedy="Start it.")

    cluster = Unreachable()

    async def two_looks() -> None:
        while cluster.looks < 2:
            await asyncio.sleep(0.05)

    with caplog.at_level(logging.INFO, "pyhce"):
        asyncio.run(run_watching_pods(two_looks(), cluster, "n", lambda _: None))  # type: ignore[arg-type]
    assert "could not read the pods, trying again in 1 s: no Kubernetes cluster answers" in caplog.text


def test_waiting_for_the_lock_on_a_data_folder_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entered = threading.Event()

    def enter() -> None:
        with folder_lock(tmp_path):
            entered.set()

    waiting = threading.Thread(target=enter)
    with caplog.at_level(logging.INFO, "pyhce"):
        with folder_lock(tmp_path):
            waiting.start()
            deadline = time.monotonic() + 30
            while "waiting for another pyhce" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert not entered.is_set()
        waiting.join(30)
    assert entered.is_set()
