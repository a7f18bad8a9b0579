"""Retention, on a Citus cluster."""

from tests.shared.retention import *  # noqa: F403 - every test of it
