"""Real data on Citus."""

from tests.shared.real_data import *  # noqa: F403 - every test of it, on a cluster
