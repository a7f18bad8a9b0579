"""Removed resources on one PostgreSQL."""

from tests.shared.removal import *  # noqa: F403 - every test of it
