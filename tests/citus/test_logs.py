"""What logs keep, on a coordinator and two workers."""

from tests.shared.logs import *  # noqa: F403 - every test of it
