"""Retention, on one PostgreSQL."""

from tests.shared.retention import *  # noqa: F403 - every test of it
