"""Connections, privileges and logs on one PostgreSQL."""

from tests.shared.connections_and_privileges import *  # noqa: F403 - every test of it, on the embedded engine
