"""Clients through failovers on one PostgreSQL."""

from tests.shared.failovers import *  # noqa: F403 - every test of it, on the embedded engine
