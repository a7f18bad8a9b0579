"""Upgrades of a database in use, with this tier's engine."""

from __future__ import annotations

from tests.shared.upgrade_in_use import *  # noqa: F403 - every test of it
