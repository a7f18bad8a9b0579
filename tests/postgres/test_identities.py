"""Documents of every country, on one PostgreSQL."""

from tests.shared.identities import *  # noqa: F403 - every test of it
