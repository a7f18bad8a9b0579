"""Merges undone, on one PostgreSQL."""

from tests.shared.splits import *  # noqa: F403 - every test of it
