"""The command line on one PostgreSQL."""

from tests.shared.commands import *  # noqa: F403 - every test of it
