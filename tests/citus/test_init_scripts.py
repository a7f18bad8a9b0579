"""The init scripts, with this tier's engine."""

from __future__ import annotations

from tests.shared.init_scripts import *  # noqa: F403 - every test of it
