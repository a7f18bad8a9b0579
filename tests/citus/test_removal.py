"""Removed resources on a Citus cluster."""

from tests.shared.removal import *  # noqa: F403 - every test of it
