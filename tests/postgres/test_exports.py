"""Exports on one PostgreSQL."""

from tests.shared.exports import *  # noqa: F403 - every test of it, on the embedded engine
