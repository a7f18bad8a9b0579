"""The command line on Citus."""

from tests.shared.commands import *  # noqa: F403 - every test of it
