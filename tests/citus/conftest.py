"""Real Citus processes: a coordinator and two workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyhce import local
from tests.conftest import registered_database
from tests.shared.database import TestDatabase


@pytest.fixture(scope="session")
def db(citus_engine: local.Engine) -> Iterator[TestDatabase]:
    """A cluster with the schema."""
    with registered_database(citus_engine, 2) as made:
        yield made


@pytest.fixture
def engine(citus_engine: local.Engine) -> local.Engine:
    """This tier's engine, for tests that start servers of their own."""
    return citus_engine


@pytest.fixture
def workers() -> int:
    """How many workers such a server gets."""
    return 2
