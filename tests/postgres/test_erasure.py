"""Erasing a patient on one PostgreSQL."""

from tests.shared.erasure import *  # noqa: F403 - every test of it
