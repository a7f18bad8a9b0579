"""Upgrades of a database in use, with this tier's engine."""

from __future__ import annotations

import pytest

from pyhce import local
from tests.shared.upgrade_in_use import *  # noqa: F403 - every test of it


@pytest.fixture
def engine(citus_engine: local.Engine) -> local.Engine:
    """This tier's engine."""
    return citus_engine


@pytest.fixture
def workers() -> int:
    """Nodes beside the coordinator."""
    return 2
