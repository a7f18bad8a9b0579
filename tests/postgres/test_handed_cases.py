"""The handed cases on one PostgreSQL of their own: other tests load them too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyhce import local
from tests.conftest import registered_database
from tests.shared.database import TestDatabase
from tests.shared.handed_cases import *  # noqa: F403 - every test of it


@pytest.fixture(scope="module")
def db(embedded_engine: local.Engine) -> Iterator[TestDatabase]:
    """A database with the schema and nothing else."""
    with registered_database(embedded_engine, 0) as made:
        yield made
