"""No node's log names a patient's document, with every statement logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pyhce
from pyhce import local
from pyhce.citus.connection import connect, dsn_at
from pyhce.errors import HceError
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.shared.database import TestDatabase, unique
from tests.shared.doors import until
from tests.shared.saves import person, weight


@contextmanager
def every_statement_logged(db: TestDatabase) -> Iterator[dict[str, list[str]]]:
    """Each node's log of the block, by node: what a site that looks for slow statements switches on.

    The database `postgres` of a node is not ours, so a statement there shows that the node does log.
    """
    found: dict[str, list[str]] = {node.name: [] for node in db.cluster.nodes}
    begun = {node.name: {p: p.stat().st_size for p in node.data.glob("log/*.log")} for node in db.cluster.nodes}
    for name in ("log_min_duration_statement = 0", "log_parameter_max_length = -1", "log_statement = 'all'"):
        on_every_node(db, f"ALTER SYSTEM SET {name}")
    on_every_node(db, "SELECT pg_reload_conf()")
    try:
        yield found
        mark = unique()
        on_every_node(db, f"SELECT '{mark}'")
        for node in db.cluster.nodes:

            def read(data: Path = node.data, name: str = node.name) -> str:
                files = data.glob("log/*.log")
                return "".join(p.read_text(errors="replace")[begun[name].get(p, 0) :] for p in files)

            until(lambda read=read: mark in read(), f"{node.name} logs nothing")  # type: ignore[misc]
            found[node.name] = read().splitlines()
    finally:
        for name in ("log_min_duration_statement", "log_parameter_max_length", "log_statement"):
            on_every_node(db, f"ALTER SYSTEM RESET {name}")
        on_every_node(db, "SELECT pg_reload_conf()")


def on_every_node(db: TestDatabase, statement: str) -> None:
    for node in db.cluster.nodes:
        with connect(f"{dsn_at(db.dsn, node.host, node.port)} dbname=postgres") as conn:
            conn.execute(statement.encode())


@pytest.mark.parametrize("role", ["postgres", "hce_app"])
def test_no_log_names_a_document_after_everything_that_is_done_with_one(
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
    seen = {name: [line for line in said if number in line.lower() or mark in line] for name, said in logs.items()}
    # Citus changes the coordinator's copy of a reference table by a statement with literals: see log_settings.
    seen["coordinator"] = [line for line in seen["coordinator"] if "hce.asignacion_" not in line]
    assert {name: len(lines) for name, lines in seen.items() if lines} == {}, [s[:3] for s in seen.values()]
    assert any("guardar_" in line for line in logs["coordinator"])  # the coordinator's log of statements goes on
    assert db.value("SELECT count(*) FROM observacion WHERE fuente = %s", source) == 0


def test_a_setting_that_lets_documents_into_a_log_is_found_and_the_remedy_mends_it(db: TestDatabase) -> None:
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
