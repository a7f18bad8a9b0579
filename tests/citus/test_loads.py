"""Loads as a whole on a Citus cluster."""

from tests.shared.loads import *  # noqa: F403 - every test of it
