"""Clients through failovers on Citus."""

from tests.shared.failovers import *  # noqa: F403 - every test of it, on a coordinator and two workers
