"""References to patients on a Citus cluster."""

from tests.shared.references import *  # noqa: F403 - every test of it
