"""Single writes on one PostgreSQL."""

from tests.shared.saves import *  # noqa: F403 - every test of it, on the embedded engine
