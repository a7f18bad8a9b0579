"""No log contains a patient's document: neither a server's, with every statement logged, nor pyhce's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import pyhce
from pyhce import local
from pyhce.citus.connection import connect, dsn_at
from pyhce.cli import main
from pyhce.errors import HceError
from pyhce.records.writing.locks import lock_identities
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tests.shared.saves import person, weight
from tests.shared.until import until


@contextmanager
def every_statement_logged(db: TestDatabase) -> Iterator[dict[str, list[str]]]:
    """Log every statement during the block, as a site that looks for slow statements does; the lines by node.

    The settings of our database keep statements out of a worker's log, but not those of the database `postgres`: a
    statement there shows that the node does log.
    """
    logged: dict[str, list[str]] = {node.name: [] for node in db.cluster.nodes}
    sizes_before = {node.name: {p: p.stat().st_size for p in node.data.glob("log/*.log")} for node in db.cluster.nodes}
    for name in ("log_min_duration_statement = 0", "log_parameter_max_length = -1", "log_statement = 'all'"):
        on_every_node(db, f"ALTER SYSTEM SET {name}")
    on_every_node(db, "SELECT pg_reload_conf()")
    try:
        yield logged
        mark = unique()
        on_every_node(db, f"SELECT '{mark}'")
        for node in db.cluster.nodes:

            def read(data: Path = node.data, name: str = node.name) -> str:
                files = data.glob("log/*.log")
                return "".join(p.read_text(errors="replace")[sizes_before[name].get(p, 0) :] for p in files)

            until(lambda read=read: mark in read(), f"{node.name} logs nothing")  # type: ignore[misc]
            logged[node.name] = read().splitlines()
    finally:
        for name in ("log_min_duration_statement", "log_parameter_max_length", "log_statement"):
            on_every_node(db, f"ALTER SYSTEM RESET {name}")
        on_every_node(db, "SELECT pg_reload_conf()")


def on_every_node(db: TestDatabase, statement: str) -> None:
    for node in db.cluster.nodes:
        with connect(f"{dsn_at(db.dsn, node.host, node.port)} dbname=postgres") as conn:
            conn.execute(statement.encode())


@pytest.mark.parametrize("role", ["postgres", "hce_app"])
def test_no_server_log_contains_a_document_after_each_command_has_used_it(
    db: TestDatabase, tmp_path: Path, role: str
) -> None:
    source, number, mark = unique(), unique(), unique()
    dsn, document = local.dsn(db.cluster, role), f"CC-{number.upper()}"
    path = tmp_path / "in.ndjson"
    note = {"note": [{"text": mark}]}
    lines = [json.dumps(person("p", number)), *(weight(f"l{n}", "Patient/p", **note) for n in range(20))]
    by_identifier = f"Patient?identifier=https://www.registraduria.gov.co/cedula|{number}"
    with every_statement_logged(db) as logs:
        for _ in range(2):
            path.write_text("\n".join([*lines, weight("by", by_identifier, **note)]))
            pyhce.load([path], dsn=dsn, source=source, reject_file=tmp_path / "rejected", again=True)
            lines[1:] = [weight(f"l{n}", "Patient/p", "99", **note) for n in range(20)]
        with pyhce.connect(dsn, source=source) as writer:
            writer.save(person("q", f"{number}7"))
            for value in "123":
                writer.save(weight("o", "Patient/p", value, **note))
            writer.save_many([weight("a", "Patient/p", **note), weight("o", "Patient/q", "4", **note)])
            writer.delete("Observation", "a")
        pyhce.export(tmp_path / "all", dsn=dsn, source=source)
        pyhce.export(tmp_path / "one", dsn=dsn, document=document)
        pyhce.export(tmp_path / "since", dsn=dsn, document=document, since="2020-01-01T00:00:00Z")
        pyhce.patient(document, dsn=dsn)
        with pytest.raises(HceError):
            pyhce.patient(f"{document}0", dsn=dsn)
        pyhce.rekey(document, f"{document}8", dsn=dsn)
        pyhce.rekey(f"{document}8", document, dsn=dsn)
        pyhce.merge(f"{document}7", document, dsn=dsn)
        pyhce.erase(document, reason="a test", dsn=dsn, dry_run=True)
        verify(dsn, schema=SCHEMA)
        pyhce.erase(document, reason="a test", dsn=dsn)
    seen = {name: [line for line in lines if number in line.lower() or mark in line] for name, lines in logs.items()}
    # Citus changes the coordinator's copy of a reference table by a statement with literals: see log_settings.
    seen["coordinator"] = [line for line in seen["coordinator"] if "hce.asignacion_" not in line]
    assert {name: len(lines) for name, lines in seen.items() if lines} == {}, [s[:3] for s in seen.values()]
    assert any("guardar_" in line for line in logs["coordinator"])  # the coordinator still logs statements
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 0


def test_a_setting_that_lets_documents_into_a_log_is_found_and_its_remedy_works(db: TestDatabase) -> None:
    def failed() -> list[str]:
        return [check.code for check in verify(db.dsn, schema=SCHEMA, groups=["settings"]).failed]

    assert failed() == []
    db.conn.execute("ALTER DATABASE hce_distribuida RESET log_parameter_max_length")
    db.conn.execute("ALTER ROLE hce_readonly SET log_error_verbosity = 'verbose'")
    assert failed() == ["HCE0810"]
    db.conn.execute("ALTER ROLE hce_readonly RESET log_error_verbosity")
    nodes = [f"{node.host}:{node.port}" for node in db.cluster.workers]
    pyhce.register(db.dsn, workers=nodes, passwords=local.passwords(db.folder))
    assert failed() == []


def test_v_shows_a_lock_conflict_and_its_retry(db: TestDatabase, tmp_path: Path) -> None:
    source, number = unique(), unique()
    path = tmp_path / "in.ndjson"
    path.write_text(json.dumps(person("p", number)) + "\n" + weight("o", "Patient/p"))
    dsn = f"{db.dsn} options='-c lock_timeout=100ms'"
    load = [sys.executable, "-m", "pyhce", "load", str(path), "-v", "--source", source, "--dsn", dsn,
            "--rejects", str(tmp_path / "rejected")]  # fmt: skip
    with connect(db.dsn, autocommit=False) as other:
        lock_identities(other, source, [("Observation", "o")])
        with subprocess.Popen(load, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr is not None
            lines: list[str] = []
            for line in running.stderr:
                lines.append(line)
                if "WARNING pyhce.records.writing.retry: attempt 1 of 12 failed: lock timeout; retrying in" in line:
                    other.rollback()
            assert running.wait(60) == 0, lines
    assert any("lock timeout; retrying" in line for line in lines), lines
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 1


def test_vv_logs_what_every_command_does_and_never_a_document(db: TestDatabase, tmp_path: Path) -> None:
    source, number, mark = unique(), unique(), unique()
    document, path = f"CC-{number.upper()}", tmp_path / "in.ndjson"
    note = {"note": [{"text": mark}]}
    others = [json.dumps(person("q", f"{number}7")), *(weight(f"l{n}", "Patient/p", **note) for n in range(20))]
    path.write_text("\n".join([json.dumps(person("p", number)), *others, "{not json " + mark]))
    load = ["load", path, "--source", source, "--rejects", tmp_path / "rejected"]
    commands: list[list[object]] = [
        load,
        [*load, "--again"],
        ["export", "--to", tmp_path / "one", "--patient", document],
        ["patient", document],
        ["patient", "rekey", document, f"{document}8"],
        ["patient", "merge", f"{document}7", f"{document}8"],
        ["verify", "--group", "identity"],
        ["repair", "identities", "--dry-run"],
        ["erase", f"{document}8", "--reason", "a test", "--receipt", tmp_path / "receipt.json", "--yes"],
    ]
    for arguments in commands:
        command = [*map(str, arguments), "--dsn", db.dsn, "-vv", "--log-format", "json"]
        done = CliRunner().invoke(main, command)
        assert done.exit_code in {0, 1}, done.output
        logged = [line for line in done.stderr.splitlines() if line.startswith("{")]
        assert logged or arguments[0] not in {"load", "verify"}, arguments
        assert all(json.loads(line).keys() >= {"time", "level", "logger", "message"} for line in logged)
        assert not any(number in line.lower() or mark in line for line in logged), arguments
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 0
