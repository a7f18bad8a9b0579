"""One identity, one place, on one PostgreSQL."""

from pathlib import Path

import pytest

import pyhce
from pyhce import local
from pyhce.citus.connection import connect
from pyhce.citus.lock_table import batch_size, lock_slots
from pyhce.errors import HceError
from pyhce.verify import Result, verify
from tests.conftest import registered_database
from tests.shared.places import *  # noqa: F403 - every test of it
from tests.shared.places import SCHEMA, unique, weight


def test_a_small_lock_table_makes_batches_smaller_and_is_reported(
    embedded_engine: local.Engine, tmp_path: Path
) -> None:
    with registered_database(embedded_engine, 0) as db:
        local.stop(db.folder)
        with (db.cluster.coordinator.data / "postgresql.conf").open("a") as settings:
            settings.write("\nmax_locks_per_transaction = 10\nmax_connections = 30\n")
        local.start(db.folder, engine=embedded_engine, port=db.cluster.coordinator.port)
        with connect(db.dsn) as conn:
            assert lock_slots(conn) == 300
            assert batch_size(conn, 2) == 100
        check = next(c for c in verify(db.dsn, schema=SCHEMA, groups=["settings"]).checks if c.code == "HCE0806")
        assert check.result is Result.WARNING
        assert check.remedy and "max_locks_per_transaction = 1024" in check.remedy
        source = unique()
        path = tmp_path / "o.ndjson"
        path.write_text("\n".join(weight(f"o{i}", None) for i in range(3000)))
        report = pyhce.load([path], dsn=db.dsn, source=source, reject_file=tmp_path / "rejected")
        assert (report.new, report.rejected) == (3000, 0)
        with pyhce.connect(db.dsn, source=source) as writer:
            with pytest.raises(HceError, match="no room for the locks") as refused:
                writer.save_many([weight(f"many{i}", None) for i in range(40000)])
            assert "max_locks_per_transaction = 1024" in refused.value.remedy
            assert writer.save(weight("one", None)).outcome == "new"
