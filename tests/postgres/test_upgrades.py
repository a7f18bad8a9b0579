"""Upgrades, with this tier's engine."""

from __future__ import annotations

from tests.shared.slices import sliced
from tests.shared.upgrades import *  # noqa: F403 - every test of it

__all__ = ["sliced"]
