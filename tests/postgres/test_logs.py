"""What logs keep, on one PostgreSQL."""

from tests.shared.logs import *  # noqa: F403 - every test of it
