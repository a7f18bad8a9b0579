"""Real data on one PostgreSQL."""

from tests.shared.real_data import *  # noqa: F403 - every test of it, on the embedded engine
