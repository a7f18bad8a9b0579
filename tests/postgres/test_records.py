"""Records on one PostgreSQL."""

from tests.shared.records import *  # noqa: F403 - every test of it, on the embedded engine
