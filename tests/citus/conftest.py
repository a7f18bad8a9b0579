"""Real Citus processes: a coordinator and two workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyhce import local
from tests.conftest import registered_database
from tests.shared.database import TestDatabase
from tests.shared.traces import leave_traces


@pytest.hookimpl(tryfirst=True)  # before pytest's own, which applies -m "not slow"
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what `make test` already runs on one PostgreSQL, unless the test says `both_engines`.

    The tests that are written for Citus stay: they are defined in this folder, not in tests/shared.
    """
    for item in items:
        shared = isinstance(item, pytest.Function) and item.function.__module__.startswith("tests.shared.")
        if shared and item.path.parent == Path(__file__).parent and not item.get_closest_marker("both_engines"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def db(citus_engine: local.Engine) -> Iterator[TestDatabase]:
    """A cluster that tests share, with what other tests may have left in it."""
    with registered_database(citus_engine, 2) as made:
        leave_traces(made)
        yield made


@pytest.fixture
def engine(citus_engine: local.Engine) -> local.Engine:
    """This tier's engine, for tests that start servers of their own."""
    return citus_engine


@pytest.fixture
def workers() -> int:
    """How many workers such a server gets."""
    return 2
