"""Documents of every country, on a Citus cluster."""

from tests.shared.identities import *  # noqa: F403 - every test of it
