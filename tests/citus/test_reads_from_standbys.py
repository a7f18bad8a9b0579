"""Reads from standbys on Citus: what docs/applications.md says about them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import pyhce
from pyhce import api, local
from pyhce.citus.connection import connect, scalar
from pyhce.errors import ConnectionFailed, UsageError
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import verify
from tests.conftest import registered_database
from tests.shared.database import TestDatabase, unique
from tests.shared.records import person, weight
from tests.shared.standbys import standby_dsn, standbys, until_replayed

ALWAYS = "-c citus.use_secondary_nodes=always"
COUNTS = "SELECT (SELECT count(*) FROM observacion), (SELECT count(*) FROM organizacion), count(*) FROM hce.migracion"


@pytest.fixture
def own(citus_engine: local.Engine) -> Iterator[TestDatabase]:
    """A cluster for one test."""
    with registered_database(citus_engine, 2) as made:
        yield made


def registered(db: TestDatabase, *secondaries: str) -> tuple[str, ...]:
    workers = [f"{node.host}:{node.port}" for node in db.cluster.workers]
    report = api.register(db.dsn, workers=workers, secondaries=secondaries, passwords=local.passwords(db.folder))
    return (*report.nodes, *report.settings)


@pytest.mark.timeout(1800)
def test_secondary_nodes_serve_reads_when_every_leader_is_away_and_refuse_writes(
    own: TestDatabase, tmp_path: Path
) -> None:
    db = own
    with pyhce.connect(db.dsn) as writer:
        writer.save(person("p", unique()))
        writer.save_many([weight(f"o{n}", "Patient/p") for n in range(20)])
        writer.save({"resourceType": "Organization", "id": "g"})
    with standbys(db) as ports:
        wanted = [f"{node.host}:{node.port}=localhost:{ports[node.name]}" for node in db.cluster.nodes]
        changes = registered(db, *wanted)
        assert len([change for change in changes if "as the secondary node of" in change]) == 3
        assert "allowed hce_readonly to read from standbys" in changes
        assert registered(db, *wanted) == ()
        assert verify(db.dsn, schema=SCHEMA, groups=["nodes", "placement"]).failed == ()
        status = api.status(db.dsn)
        assert [node.name for node in status.nodes] == [f"{node.host}:{node.port}" for node in db.cluster.nodes]
        until_replayed(db, ports)

        read_dsn = standby_dsn(db, ports["coordinator"], user="hce_readonly", options=ALWAYS)
        with connect(read_dsn) as reader:
            expected = reader.execute(COUNTS).fetchone()
        assert expected == db.conn.execute(COUNTS).fetchone()
        for node in db.cluster.nodes:
            assert node.pid is not None
            os.kill(node.pid, signal.SIGKILL)
        with connect(read_dsn) as reader:
            assert reader.execute(COUNTS).fetchone() == expected
        db.start()

        refused = pytest.raises(psycopg.errors.ReadOnlySqlTransaction)
        with connect(standby_dsn(db, ports["coordinator"], options=ALWAYS)) as reader, refused:
            reader.execute("UPDATE expediente SET provisional = provisional")
        assert len([change for change in registered(db) if "removed the secondary node" in change]) == 3
        assert scalar(db.conn, "SELECT count(*) FROM pg_dist_node") == 3

        standby = standby_dsn(db, ports["coordinator"])
        with pytest.raises(ConnectionFailed, match="is a standby"):
            pyhce.connect(standby)
        line = tmp_path / "o.ndjson"
        line.write_text('{"resourceType": "Organization", "id": "h"}\n')
        with pytest.raises(ConnectionFailed, match="is a standby"):
            api.load([line], dsn=standby, reject_file=tmp_path / "r")


def test_a_secondary_of_a_node_that_is_not_registered_is_refused(own: TestDatabase) -> None:
    with pytest.raises(UsageError, match="elsewhere:5432 is not a registered node"):
        registered(own, "elsewhere=read")
    with pytest.raises(UsageError, match="write PRIMARY=HOST"):
        registered(own, "elsewhere")
