"""Loads as a whole on one PostgreSQL."""

from tests.shared.loads import *  # noqa: F403 - every test of it
