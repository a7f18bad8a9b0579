"""Resources that move, on one PostgreSQL."""

from tests.shared.moves import *  # noqa: F403 - every test of it
