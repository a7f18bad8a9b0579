"""One identity, one place, on one PostgreSQL."""

from tests.shared.places import *  # noqa: F403 - every test of it
