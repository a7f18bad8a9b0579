"""Merges undone, on a Citus cluster."""

from tests.shared.splits import *  # noqa: F403 - every test of it
