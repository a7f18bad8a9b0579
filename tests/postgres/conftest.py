"""The embedded engine: one PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyhce import local
from tests.conftest import registered_database
from tests.shared.database import TestDatabase
from tests.shared.traces import leave_traces


@pytest.fixture(scope="session")
def db(embedded_engine: local.Engine) -> Iterator[TestDatabase]:
    """A database that tests share, with what other tests may have left in it."""
    with registered_database(embedded_engine, 0) as made:
        leave_traces(made)
        yield made


@pytest.fixture
def engine(embedded_engine: local.Engine) -> local.Engine:
    """This tier's engine, for tests that start servers of their own."""
    return embedded_engine


@pytest.fixture
def workers() -> int:
    """How many workers such a server gets."""
    return 0
