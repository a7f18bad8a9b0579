"""Round trips on Citus."""

from tests.shared.round_trips import *  # noqa: F403 - every test of it, on a coordinator and two workers
