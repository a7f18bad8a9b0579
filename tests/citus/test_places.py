"""One identity, one place, on a Citus cluster."""

from tests.shared.places import *  # noqa: F403 - every test of it
