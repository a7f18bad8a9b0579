"""Resources that move, on a Citus cluster."""

from tests.shared.moves import *  # noqa: F403 - every test of it
