"""Conditional entries of bundles on a Citus cluster."""

from tests.shared.conditions import *  # noqa: F403 - every test of it
