"""Upgrades whose registrar is killed, with this tier's engine."""

from __future__ import annotations

from tests.shared.killed_upgrades import *  # noqa: F403 - every test of it
