"""Records on a Citus cluster."""

from tests.shared.records import *  # noqa: F403 - every test of it, on Citus
