"""Connections, privileges and logs on Citus."""

from tests.shared.connections_and_privileges import *  # noqa: F403 - every test of it, on a coordinator and two workers
