"""Local servers, with the embedded engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhce import local
from pyhce.errors import HceError, UsageError
from tests.shared.servers import *  # noqa: F403 - every test of it


def test_without_citus_the_postgresql_of_the_wheel_is_found(embedded_engine: local.Engine) -> None:
    assert embedded_engine.kind == "embedded"
    assert embedded_engine.major == 18


@pytest.mark.parametrize("path", ["/bin/true", "/nowhere/pg_config"])
def test_a_program_that_is_not_pg_config_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match=path):
        local.find_engine(Path(path))


def test_citus_is_refused_where_it_is_not_installed(embedded_engine: local.Engine) -> None:
    pg_config = embedded_engine.bindir / "pg_config"
    with pytest.raises(HceError, match="without Citus"):
        local.find_engine(pg_config, citus=True)
