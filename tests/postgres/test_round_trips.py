"""Round trips on one PostgreSQL."""

from tests.shared.round_trips import *  # noqa: F403 - every test of it, on the embedded engine
