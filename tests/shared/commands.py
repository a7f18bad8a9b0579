"""The command line as a user sees it: bad input gets a clear error and changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyhce import local, sample
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight

pytestmark = pytest.mark.both_engines


def pyhce(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a pyhce command without the PG* and PYHCE* variables of this process."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYHCE"))}
    return subprocess.run(
        [sys.executable, "-m", "pyhce", *map(str, arguments)],
        capture_output=True, text=True, env={**base, "COLUMNS": "160", **environment}, timeout=240,
    )  # fmt: skip


def test_verify_reports_a_healthy_database_as_table_json_and_junit(db: TestDatabase, tmp_path: Path) -> None:
    table = pyhce("verify", "--dsn", db.dsn, "--short")
    json_run = pyhce("verify", "--dsn", db.dsn, "--output", "json", "--junit", tmp_path / "r.xml", "--wait", "20s")
    assert table.returncode == 0, table.stdout
    assert table.stdout.strip().splitlines()[-1].startswith("verified:")
    report = json.loads(json_run.stdout)
    assert {check["result"] for check in report["checks"]} <= {"ok", "warning", "skipped"}
    assert (tmp_path / "r.xml").read_text().count("<testcase") == len(report["checks"])


def test_status_shows_every_node(db: TestDatabase) -> None:
    shown = pyhce("status", "--dsn", db.dsn, "-o", "json")
    assert len(json.loads(shown.stdout)["nodes"]) == len(db.cluster.nodes)


def test_load_export_and_patient_work_together(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    (tmp_path / "in.ndjson").write_text(json.dumps(person("p", number)) + "\n" + weight("o", "Patient/p") + "\n")
    loaded = pyhce("load", tmp_path / "in.ndjson", "--source", source, "--dsn", db.dsn, "-o", "json")
    assert (loaded.returncode, json.loads(loaded.stdout)["new"]) == (0, 2)
    exported = pyhce("export", "--to", tmp_path / "out", "--source", source, "--dsn", db.dsn, "-o", "json")
    assert json.loads(exported.stdout)["resources"] == 2
    assert (tmp_path / "out" / source / "Observation.ndjson").read_text().count("72.50") == 1
    shown = pyhce("patient", f"cc-{number}", "--dsn", db.dsn)
    assert "72.50 kg" in shown.stdout
    again = pyhce("export", "--to", tmp_path / "out", "--source", source, "--dsn", db.dsn)
    assert (again.returncode, "not an empty folder" in again.stderr) == (2, True)


def test_a_file_that_is_not_fhir_is_rejected_with_exit_status_1(db: TestDatabase, tmp_path: Path) -> None:
    (tmp_path / "thesis.json").write_text("Chapter one")
    done = pyhce("load", tmp_path / "thesis.json", "--dsn", db.dsn, "--rejects", tmp_path / "rejected.ndjson")
    assert done.returncode == 1
    assert "1 rejected: not-json" in done.stdout
    assert json.loads((tmp_path / "rejected.ndjson").read_text())["reason"] == "not-json"


def test_a_path_that_does_not_exist_is_refused(db: TestDatabase, tmp_path: Path) -> None:
    done = pyhce("load", tmp_path / "nothing.json", "--dsn", db.dsn)
    assert (done.returncode, "nothing.json does not exist" in done.stderr) == (2, True)
    (tmp_path / "empty").mkdir()
    done = pyhce("load", tmp_path / "empty", "--dsn", db.dsn)
    assert (done.returncode, ".ndjson" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("host=localhost port=1 user=postgres", "could not connect to localhost:1/hce_distribuida"),
        ("host=localhost nonsense=1", "could not parse the DSN"),
        ("postgresql://nobody.invalid/x", "could not connect to nobody.invalid"),
    ],
)
def test_the_error_for_a_wrong_dsn_has_a_remedy(dsn: str, words: str) -> None:
    done = pyhce("verify", "--dsn", dsn)
    assert done.returncode == 2
    assert words in done.stderr
    assert "what to do:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_password_has_another_error_than_a_wrong_host(db: TestDatabase) -> None:
    done = pyhce("verify", "--dsn", f"{db.dsn} passfile=/dev/null password=wrong", "--output", "json")
    error = json.loads(done.stdout)
    assert (done.returncode, error["exit_code"]) == (2, 2)
    assert "password" in error["error"]
    assert "PGPASSFILE" in error["remedy"]


def test_an_unknown_document_is_not_repeated_in_the_error(db: TestDatabase) -> None:
    document = f"CC-{unique()}"
    done = pyhce("patient", document, "--dsn", db.dsn)
    assert done.returncode == 1
    assert document not in done.stderr + done.stdout


def test_an_invalid_duration_is_refused() -> None:
    done = pyhce("verify", "--wait", "soon")
    assert (done.returncode, "write 90s, 5m or 1h" in done.stderr) == (2, True)


def test_psql_and_env_connect_without_showing_the_password(db: TestDatabase) -> None:
    secret = local.passwords(db.folder)["hce_readonly"]
    env = pyhce("env", "--folder", db.folder, "--role", "hce_readonly")
    assert "PGPASSFILE" in env.stdout
    assert secret not in env.stdout
    done = pyhce("psql", "--folder", db.folder, "--role", "hce_readonly", "--", "-Atc", "SELECT current_user")
    assert done.stdout.strip() == "hce_readonly"
    asked = ("psql", "--", "-Atc", "SELECT current_user, inet_server_port()")
    reached = f"postgres|{db.cluster.coordinator.port}"
    assert pyhce(*asked[:1], "--dsn", db.dsn, *asked[1:]).stdout.strip() == reached
    assert pyhce(*asked, PYHCE_DSN=db.dsn).stdout.strip() == reached
    for also in (("--folder", db.folder), ("--on", "kind"), ("--role", "hce_app")):
        wrong = pyhce("psql", "--dsn", db.dsn, *also)
        assert (wrong.returncode, "what to do:" in wrong.stderr) == (2, True), wrong.stderr
    refused = pyhce("psql", "--folder", db.folder, "--role", "hce_readonly", "--", "-c", "DELETE FROM expediente")
    assert "permission denied" in refused.stderr
    assert secret in pyhce("env", "--folder", db.folder, "--pgpass").stdout


def test_ctrl_c_ends_a_load_without_a_traceback_and_the_next_load_finishes(db: TestDatabase, tmp_path: Path) -> None:
    source = unique()
    command = [
        sys.executable, "-m", "pyhce", "load", "--source", source, "--dsn", db.dsn, "--rejects", str(tmp_path / "r"),
        *map(str, sample.files()),
    ]  # fmt: skip
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    first = run.stderr.readline()
    run.send_signal(signal.SIGINT)
    _, rest = run.communicate(timeout=60)
    output = first + rest
    assert run.returncode in {0, 130}, output
    assert "Traceback" not in output
    assert pyhce(*command[3:]).returncode == 0


def test_help_of_every_command_has_an_example() -> None:
    for command in ("up", "down", "psql", "env", "register", "verify", "status", "load", "export", "patient", "erase"):
        text = pyhce(command, "--help").stdout
        assert f"pyhce {command}" in text.split("Usage:", 1)[1].split("\n", 1)[1], command
