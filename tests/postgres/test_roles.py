"""A site's own roles on one PostgreSQL."""

from tests.shared.roles import *  # noqa: F403 - every test of it, on the embedded engine
