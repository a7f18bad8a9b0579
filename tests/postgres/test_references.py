"""References to patients on one PostgreSQL."""

from tests.shared.references import *  # noqa: F403 - every test of it
