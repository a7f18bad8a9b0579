"""Values at the edge, with this tier's engine."""

from tests.shared.values import *  # noqa: F403 - every test of it
