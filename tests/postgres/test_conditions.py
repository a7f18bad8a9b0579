"""Conditional entries of bundles on one PostgreSQL."""

from tests.shared.conditions import *  # noqa: F403 - every test of it
