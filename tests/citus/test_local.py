"""Local servers, with Citus."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhce import local
from pyhce.citus.connection import connect, dsn_at, has_citus
from pyhce.errors import UsageError
from tests.shared.servers import *  # noqa: F403 - every test of it


def test_every_node_has_the_database_and_the_extension(engine: local.Engine, data_folder: Path, port: int) -> None:
    cluster = local.start(data_folder, engine=engine, workers=2, port=port)
    for node in cluster.nodes:
        with connect(dsn_at(local.dsn(cluster), node.host, node.port)) as conn:
            assert has_citus(conn)


def test_more_workers_are_added_and_fewer_are_refused(engine: local.Engine, data_folder: Path, port: int) -> None:
    local.start(data_folder, engine=engine, workers=1, port=port)
    more = local.start(data_folder, engine=engine, workers=2, port=port)
    assert len(more.workers) == 2
    with pytest.raises(UsageError, match="shards would be lost"):
        local.start(data_folder, engine=engine, workers=1, port=port)


@pytest.mark.parametrize("workers", [0, 33])
def test_an_impossible_number_of_workers_is_refused(
    engine: local.Engine, data_folder: Path, port: int, workers: int
) -> None:
    with pytest.raises(UsageError, match=f"--workers {workers}"):
        local.start(data_folder, engine=engine, workers=workers, port=port)
    assert not data_folder.exists()
