"""Erasing a patient on a Citus cluster."""

from tests.shared.erasure import *  # noqa: F403 - every test of it
