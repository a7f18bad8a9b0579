"""One identity, one place, on a Citus cluster."""

from pathlib import Path

import pytest

import pyhce
from pyhce.citus.connection import at
from pyhce.errors import UsageError
from tests.shared.database import TestDatabase, unique
from tests.shared.places import *  # noqa: F403 - every test of it
from tests.shared.records import weight


def test_what_begins_at_a_worker_is_refused(db: TestDatabase, tmp_path: Path) -> None:
    worker = db.cluster.workers[0]
    dsn = at(db.dsn, "localhost", worker.port)
    path = tmp_path / "o.ndjson"
    path.write_text(weight("o", None))
    source = unique()
    for write in (
        lambda: pyhce.connect(dsn, source=source),
        lambda: pyhce.load([path], dsn=dsn, source=source),
        lambda: pyhce.erase("CC-1", dsn=dsn, reason="test"),
        lambda: pyhce.rekey("CC-1", "CC-2", dsn=dsn),
        lambda: pyhce.repair_identities(dsn=dsn),
        lambda: pyhce.patient("CC-1", dsn=dsn),
    ):
        with pytest.raises(UsageError, match="is a worker of a Citus cluster") as refused:
            write()
        assert f":{db.cluster.coordinator.port}" in refused.value.remedy
    assert places(db, source) == {}  # noqa: F405
