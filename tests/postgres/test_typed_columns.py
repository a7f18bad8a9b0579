"""Typed columns, with this tier's engine."""

from tests.shared.typed_columns import *  # noqa: F403 - every test of it
