"""The embedded engine: one PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyhce import local
from tests.conftest import running
from tests.shared.database import TestDatabase


@pytest.fixture(scope="session")
def db(embedded_engine: local.Engine) -> Iterator[TestDatabase]:
    """A database with the schema."""
    with running(embedded_engine, 0) as made:
        yield made
