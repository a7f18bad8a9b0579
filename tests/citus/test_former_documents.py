"""Upgrades from the release before, with this tier's engine."""

from __future__ import annotations

from tests.shared.former_documents import *  # noqa: F403 - every test of it
